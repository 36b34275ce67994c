//! How a held call is settled: which verdict or move an attempt's end asks for, and what the store's
//! answer means.

use crate::attempt::AttemptEnd;
use crate::call::{Failure, FailureKind, OutcomeKind};
use crate::metrics::FunctionMetrics;
use crate::name::EntryId;
use crate::node::consumer::input::{Disposition, Ignored};
use crate::node::consumer::{Consumer, Execution, Phase};
use crate::node::desk::Desk;
use crate::node::holding::Stage;
use crate::node::outbox::{Errand, Route};
use crate::op::{Authority, Destination, Op, Settlement, Verdict};
use crate::reachable;
use crate::timer::Timer;
use crate::transport::TransportError;

use Disposition::{Handled, Ignored as Skip};

impl Consumer {
    pub(super) fn settle(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        execution: &Execution,
        end: AttemptEnd,
    ) {
        let entry = execution.entry;
        match end {
            AttemptEnd::Success(result) if result.bytes() > desk.config.payload_max_bytes => {
                let limit = desk.config.payload_max_bytes;
                let message = format!(
                    "the result is {} bytes long, over the limit of {limit}",
                    result.bytes()
                );
                self.fail(desk, metrics, entry, Failure::new(FailureKind::Handler, message));
            }
            AttemptEnd::Success(result) => {
                metrics.succeeded += 1;
                let verdict = Verdict::Complete { result, entry: Some(entry) };
                self.decide(desk, entry, verdict, OutcomeKind::Success);
            }
            AttemptEnd::Error(message) => {
                self.fail(desk, metrics, entry, Failure::new(FailureKind::Handler, message));
            }
            AttemptEnd::Retry { message, after } => {
                let failure = Failure::new(FailureKind::Retry, message);
                self.retry(desk, metrics, entry, failure, after);
            }
            AttemptEnd::Panic(message) => {
                metrics.panicked += 1;
                let failure = Failure::new(FailureKind::Panic, message);
                self.retry(desk, metrics, entry, failure, None);
            }
            AttemptEnd::Deferred { lease } => {
                metrics.deferred += 1;
                let nonce = execution.nonce.clone();
                self.move_to(desk, entry, Destination::Defer { nonce, lease });
                desk.timers.arm_no_later(Timer::Sweep(self.key), desk.now + lease);
            }
            AttemptEnd::Interrupted => {
                metrics.released += 1;
                self.move_to(desk, entry, Destination::Release);
            }
        }
    }

    /// An attempt failed: another one after a while, or the dead letters.
    pub(super) fn retry(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        entry: EntryId,
        failure: Failure,
        after: Option<std::time::Duration>,
    ) {
        let Some(holding) = self.holdings.find(entry) else {
            return;
        };
        let attempt = holding.delivery.attempt;
        if attempt >= self.options.attempts_max {
            self.dead_letter(desk, metrics, entry, failure);
            return;
        }
        metrics.retried += 1;
        let backoff = self.options.backoff;
        let delay = after.unwrap_or_else(|| backoff.delay(attempt, &mut desk.streams.retry_jitter));
        self.move_to(desk, entry, Destination::Retry { delay });
        desk.timers.arm_no_later(Timer::Sweep(self.key), desk.now + delay);
    }

    fn fail(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        entry: EntryId,
        failure: Failure,
    ) {
        let (Some(epoch), Some(holding)) = (self.epoch, self.holdings.find(entry)) else {
            return;
        };
        metrics.failed += 1;
        let by = Authority::Lease(holding.lease(&self.id, epoch));
        self.decide(desk, entry, Verdict::Fail { failure, by }, OutcomeKind::Error);
    }

    pub(super) fn dead_letter(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        entry: EntryId,
        failure: Failure,
    ) {
        let (Some(epoch), Some(holding)) = (self.epoch, self.holdings.find(entry)) else {
            return;
        };
        metrics.dead_lettered += 1;
        let by = Authority::Lease(holding.lease(&self.id, epoch));
        self.decide(desk, entry, Verdict::DeadLetter { failure, by }, OutcomeKind::DeadLettered);
    }

    pub(super) fn decide(
        &mut self,
        desk: &mut Desk,
        entry: EntryId,
        verdict: Verdict,
        kind: OutcomeKind,
    ) {
        let Some(holding) = self.holdings.find(entry) else {
            return;
        };
        holding.stage = Stage::Settling { deciding: Some(kind) };
        holding.since = desk.now;
        let op = Op::Decide {
            function: self.definition.function.clone(),
            call: holding.delivery.call.clone(),
            verdict,
            attempts: holding.delivery.attempt,
        };
        desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Settle(entry)));
    }

    pub(super) fn move_to(&mut self, desk: &mut Desk, entry: EntryId, to: Destination) {
        let (Some(epoch), Some(holding)) = (self.epoch, self.holdings.find(entry)) else {
            return;
        };
        holding.stage = Stage::Settling { deciding: None };
        holding.since = desk.now;
        let op = Op::Move {
            function: self.definition.function.clone(),
            call: holding.delivery.call.clone(),
            lease: holding.lease(&self.id, epoch),
            to,
        };
        desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Settle(entry)));
    }

    pub(super) fn reject(&mut self, desk: &mut Desk, entry: EntryId, reason: &str) {
        let Some(epoch) = self.epoch else { return };
        if !self.rejecting.insert(entry) {
            return;
        }
        let op = Op::Reject {
            function: self.function().clone(),
            lease: crate::call::Lease { entry, consumer: self.id.clone(), epoch },
            reason: reason.into(),
        };
        desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Settle(entry)));
    }

    pub(super) fn settled(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        entry: EntryId,
        settlement: Settlement,
    ) -> Disposition {
        if self.rejecting.remove(&entry) {
            metrics.dead_lettered += 1;
            return Handled;
        }
        let now = desk.now;
        let Some(holding) = self.holdings.find(entry) else {
            return Skip(Ignored::NotHeld);
        };
        let Stage::Settling { deciding } = holding.stage else {
            return Skip(Ignored::NotHeld);
        };
        match settlement {
            Settlement::NotDue { remaining } => {
                reachable!(desk.probes, "the store said that a call is not overdue yet");
                // The store's clock has the word: it is not overdue there.
                holding.deadline = now + remaining;
                self.holdings.rebuffer(entry);
                if matches!(self.phase, Phase::Stopping(_)) {
                    self.holdings.drain_buffer();
                    self.move_to(desk, entry, Destination::Release);
                }
                return Handled;
            }
            Settlement::Done => {
                if deciding == Some(OutcomeKind::Expired) {
                    metrics.expired += 1;
                }
                self.let_go(desk, entry, deciding);
            }
            Settlement::Overruled(kind) => self.let_go(desk, entry, Some(kind)),
            Settlement::Fenced | Settlement::Absent => {
                metrics.lost += 1;
                self.let_go(desk, entry, None);
            }
        }
        Handled
    }

    pub(super) fn settle_refused(
        &mut self,
        desk: &mut Desk,
        entry: EntryId,
        error: &TransportError,
    ) -> Disposition {
        self.note_error(error);
        if self.rejecting.remove(&entry) {
            return Handled;
        }
        let (Some(epoch), Some(holding)) = (self.epoch, self.holdings.find(entry)) else {
            return Skip(Ignored::NotHeld);
        };
        let Stage::Settling { deciding } = holding.stage else {
            return Skip(Ignored::NotHeld);
        };
        if deciding == Some(OutcomeKind::Success) {
            let message = format!("the store refused the result: {error}");
            let failure = Failure::new(FailureKind::Handler, message);
            let by = Authority::Lease(holding.lease(&self.id, epoch));
            self.decide(desk, entry, Verdict::Fail { failure, by }, OutcomeKind::Error);
        } else {
            // Nothing more can be written for it: its lease runs out, and it is adopted or taken over.
            self.let_go(desk, entry, None);
        }
        Handled
    }
}
