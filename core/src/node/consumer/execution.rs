//! What becomes of the calls that a consumer holds: begun, run, settled, or lost.

use crate::attempt::{Attempt, AttemptEnd, AttemptId, Interruption};
use crate::call::{Failure, FailureKind, OutcomeKind};
use crate::event::{Event, StopCause};
use crate::machine::Effect;
use crate::metrics::FunctionMetrics;
use crate::name::EntryId;
use crate::node::consumer::input::{Disposition, Ignored};
use crate::node::consumer::{Consumer, Execution, Phase, Registration};
use crate::node::desk::{Desk, Flight};
use crate::node::holding::Stage;
use crate::node::outbox::{Errand, Route};
use crate::op::{Beginning, Destination, Loss, Op, Verdict};
use crate::timer::Timer;
use crate::{reachable, sometimes};

use Disposition::{Handled, Ignored as Skip};

impl Consumer {
    /// Slots taken: handlers, also those that were told to end and have not, and counts under way.
    fn occupied(&self) -> usize {
        let beginning = self.holdings.iter().filter(|(_, it)| it.stage == Stage::Beginning).count();
        self.executions.len() + beginning
    }

    /// Whether it is to begin what it is delivered. Saved before it began anything, it still begins what its
    /// read brings, as far as it has slots: a function that is saved without pause would hand its calls from
    /// incarnation to incarnation for ever.
    fn is_to_begin(&self, desk: &Desk) -> bool {
        match self.phase {
            Phase::Active => true,
            Phase::Stopping(StopCause::Saved) => {
                let signs_off = self.registration == Registration::Deregistering;
                !self.has_begun && !signs_off && !self.is_drained(desk)
            }
            _ => false,
        }
    }

    /// Begins what is buffered while there are slots.
    pub(super) fn begin_buffered(&mut self, desk: &mut Desk, metrics: &mut FunctionMetrics) {
        if self.holdings.buffered() == 0 || !self.is_to_begin(desk) {
            return;
        }
        let mut free = (self.options.concurrency as usize).saturating_sub(self.occupied());
        while free > 0 {
            let Some(entry) = self.holdings.next_buffered() else {
                return;
            };
            let takes_slot = self.begin(desk, metrics, entry);
            self.has_begun |= takes_slot;
            free -= usize::from(takes_slot);
        }
    }

    /// Begins one entry; answers whether it takes a slot.
    fn begin(&mut self, desk: &mut Desk, metrics: &mut FunctionMetrics, entry: EntryId) -> bool {
        let (Some(epoch), Some(holding)) = (self.epoch, self.holdings.find(entry)) else {
            return false;
        };
        if holding.deadline <= desk.now {
            reachable!(desk.probes, "a call was overdue when it was to begin");
            self.decide(desk, entry, Verdict::Expire, OutcomeKind::Expired);
            return false;
        }
        if holding.delivery.attempt > self.options.attempts_max {
            let failure = Failure::new(FailureKind::Retry, "the attempts were exhausted before");
            self.dead_letter(desk, metrics, entry, failure);
            return false;
        }
        if holding.delivery.takeovers > 0 {
            reachable!(desk.probes, "a call that was taken over was counted before it began");
            holding.stage = Stage::Beginning;
            let lease = holding.lease(&self.id, epoch);
            let op = Op::Begin {
                function: self.definition.function.clone(),
                call: holding.delivery.call.clone(),
                lease,
                attempts_max: self.options.attempts_max,
            };
            desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Begin(entry)));
            return true;
        }
        self.run(desk, metrics, entry);
        true
    }

    fn run(&mut self, desk: &mut Desk, metrics: &mut FunctionMetrics, entry: EntryId) {
        let (Some(epoch), Some(holding)) = (self.epoch, self.holdings.find(entry)) else {
            return;
        };
        let id = desk.new_attempt();
        let remaining = holding.deadline.since(desk.now);
        let timeout = self.options.timeout.min(remaining);
        metrics.started += 1;
        metrics.queue_latency.record(desk.now.since(holding.since));
        holding.stage = Stage::Running(id);
        holding.since = desk.now;
        let attempt = Attempt {
            id,
            function: self.definition.function.clone(),
            consumer: self.id.clone(),
            epoch,
            call: holding.delivery.call.clone(),
            attempt: holding.delivery.attempt,
            input: holding.delivery.input.clone(),
            remaining,
            timeout,
            nonce: desk.streams.nonces.hex_id().into(),
            traceparent: holding.delivery.traceparent.clone(),
        };
        self.executions
            .insert(id, Execution { entry, nonce: attempt.nonce.clone(), interrupted: None });
        desk.launch(Effect::Run(attempt), Flight::Run(self.key, id));
        desk.timers.arm(Timer::Attempt(self.key, id), desk.now + timeout);
    }

    pub(super) fn began(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        entry: EntryId,
        beginning: Beginning,
    ) -> Disposition {
        let now = desk.now;
        let Some(holding) = self.holdings.find(entry).filter(|it| it.stage == Stage::Beginning)
        else {
            return Skip(Ignored::NotHeld);
        };
        match beginning {
            Beginning::Begun { attempt, remaining } => {
                holding.delivery.attempt = attempt;
                holding.deadline = now + remaining;
                if self.is_drained(desk) {
                    metrics.released += 1;
                    self.move_to(desk, entry, Destination::Release);
                } else {
                    self.run(desk, metrics, entry);
                }
            }
            Beginning::Decided(kind) => {
                match kind {
                    OutcomeKind::DeadLettered => metrics.dead_lettered += 1,
                    OutcomeKind::Expired => metrics.expired += 1,
                    OutcomeKind::Success | OutcomeKind::Error | OutcomeKind::Cancelled => {}
                }
                self.let_go(desk, entry, Some(kind));
            }
            Beginning::Fenced => {
                metrics.lost += 1;
                self.let_go(desk, entry, None);
            }
        }
        Handled
    }

    pub(super) fn ran(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        attempt: AttemptId,
        end: AttemptEnd,
    ) -> Disposition {
        let Some(execution) = self.executions.remove(&attempt) else {
            return Skip(Ignored::NotRunning);
        };
        desk.timers.disarm(Timer::Attempt(self.key, attempt));
        let holding = self.holdings.find(execution.entry);
        let Some(holding) = holding.filter(|it| it.stage == Stage::Running(attempt)) else {
            // Settled when it was interrupted, or lost: only its slot was still taken.
            return Handled;
        };
        metrics.handler_latency.record(desk.now.since(holding.since));
        let robbed = holding.robbed;
        sometimes!(desk.probes, robbed, "a robbed attempt ended");
        if robbed && !matches!(end, AttemptEnd::Success(_)) {
            self.let_go(desk, execution.entry, None);
            return Handled;
        }
        self.settle(desk, metrics, &execution, end);
        Handled
    }

    pub(super) fn attempt_due(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        attempt: AttemptId,
    ) -> Disposition {
        let Some(entry) = self.executions.get(&attempt).map(|it| it.entry) else {
            return Skip(Ignored::NotRunning);
        };
        let holding = self.holdings.find(entry);
        let Some(holding) = holding.filter(|it| it.stage == Stage::Running(attempt)) else {
            return Skip(Ignored::NotRunning);
        };
        metrics.timed_out += 1;
        let (overdue, robbed) = (holding.deadline <= desk.now, holding.robbed);
        let why = if overdue { Interruption::Deadline } else { Interruption::Timeout };
        self.interrupt(desk, attempt, why);
        if robbed {
            self.let_go(desk, entry, None);
        } else if overdue {
            self.decide(desk, entry, Verdict::Expire, OutcomeKind::Expired);
        } else {
            let timeout = self.options.timeout;
            let message = format!("the attempt took longer than its timeout of {timeout:?}");
            let failure = Failure::new(FailureKind::Timeout, message);
            self.retry(desk, metrics, entry, failure, None);
        }
        Handled
    }

    /// Tells a handler to end, once. Its slot is taken until it has.
    pub(super) fn interrupt(&mut self, desk: &mut Desk, attempt: AttemptId, why: Interruption) {
        let Some(execution) = self.executions.get_mut(&attempt) else {
            return;
        };
        if execution.interrupted.is_none() {
            execution.interrupted = Some(why);
            desk.emit(Effect::Interrupt { attempt, why });
        }
    }

    pub(super) fn renewed(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        lost: Vec<(EntryId, Loss)>,
    ) -> Disposition {
        if !self.renewing {
            return Skip(Ignored::NotAsked);
        }
        self.renewing = false;
        for (entry, loss) in lost {
            let Some(holding) = self.holdings.find(entry) else {
                continue;
            };
            match (holding.stage, loss) {
                // Its own settlement may be the reason; the answer to that says.
                (Stage::Settling { .. }, _) => {}
                (Stage::Running(_), Loss::TakenOver) => {
                    metrics.lost += u64::from(!holding.robbed);
                    holding.robbed = true;
                }
                (Stage::Running(attempt), Loss::Decided(kind)) => {
                    self.interrupt(desk, attempt, Interruption::Decided);
                    self.let_go(desk, entry, Some(kind));
                }
                (Stage::Buffered | Stage::Beginning, Loss::TakenOver) => {
                    metrics.lost += 1;
                    self.let_go(desk, entry, None);
                }
                (Stage::Buffered | Stage::Beginning, Loss::Decided(kind)) => {
                    self.let_go(desk, entry, Some(kind));
                }
            }
        }
        Handled
    }

    /// The registry knows the consumer no more: what it had not begun is elsewhere, what it runs may
    /// still decide its call by succeeding first.
    pub(super) fn lose_everything(&mut self, metrics: &mut FunctionMetrics) {
        let held: Vec<(EntryId, Stage)> =
            self.holdings.iter().map(|(entry, holding)| (entry, holding.stage)).collect();
        for (entry, stage) in held {
            match stage {
                Stage::Buffered | Stage::Beginning => {
                    metrics.lost += 1;
                    self.holdings.let_go(entry);
                }
                Stage::Running(_) => {
                    metrics.lost += 1;
                    if let Some(holding) = self.holdings.find(entry) {
                        holding.robbed = true;
                    }
                }
                Stage::Settling { .. } => {}
            }
        }
    }

    pub(super) fn let_go(&mut self, desk: &mut Desk, entry: EntryId, outcome: Option<OutcomeKind>) {
        if let Some(holding) = self.holdings.let_go(entry) {
            let function = self.function().clone();
            desk.tell(Event::Settled { function, call: holding.delivery.call, outcome });
        }
    }
}
