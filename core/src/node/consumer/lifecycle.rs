//! A consumer's start, its reads, its errors, its stop.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::attempt::Interruption;
use crate::call::{Delivered, Delivery};
use crate::event::StopCause;
use crate::machine::Effect;
use crate::metrics::FunctionMetrics;
use crate::name::{EntryId, Epoch};
use crate::node::consumer::input::{Disposition, Ignored};
use crate::node::consumer::{Consumer, Look, Phase, Reading, Registration};
use crate::node::desk::Desk;
use crate::node::holding::{Holdings, Stage};
use crate::node::outbox::{Errand, Route};
use crate::op::{Destination, Op};
use crate::timer::Timer;
use crate::transport::{Applied, ErrorKind, TransportError};
use crate::{reachable, sometimes};

use Disposition::{Handled, Ignored as Skip};

/// Entries that are pending and not held are looked at again after this, before they are adopted: most
/// of them are answers on their way.
const SUSPECT_RECHECK: Duration = Duration::from_secs(1);

impl Consumer {
    pub(super) fn register(&mut self, desk: &mut Desk) {
        debug_assert_eq!(self.registration, Registration::Quiet, "{} registers twice", self.id);
        self.registration = Registration::Registering;
        let op = Op::Register {
            definition: self.definition.as_ref().clone(),
            consumer: self.id.clone(),
            node: desk.node.clone(),
            sessions: desk.sessions.clone(),
        };
        desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Register));
    }

    pub(super) fn registered(&mut self, desk: &mut Desk, epoch: Epoch) -> Disposition {
        if self.registration != Registration::Registering {
            return Skip(Ignored::NotAsked);
        }
        debug_assert!(
            self.epoch.is_none_or(|known| known <= epoch),
            "{} was given {epoch} after {:?}",
            self.id,
            self.epoch
        );
        self.registration = Registration::Quiet;
        self.unregistered = false;
        // Found removed while it registered again: it is known once more, and has to sign off.
        self.fenced = false;
        self.epoch = Some(epoch);
        if self.phase == Phase::Starting {
            self.retries = 0;
            self.enter(desk, Phase::Active);
            desk.timers.arm_no_later(Timer::Beat, desk.now + desk.config.heartbeat_interval);
            desk.timers.arm(Timer::Sweep(self.key), desk.now);
        }
        Handled
    }

    pub(super) fn register_refused(
        &mut self,
        desk: &mut Desk,
        error: &TransportError,
    ) -> Disposition {
        if self.registration != Registration::Registering {
            return Skip(Ignored::NotAsked);
        }
        self.registration = Registration::Quiet;
        self.note_error(error);
        if self.phase == Phase::Starting {
            self.degrade(desk);
        }
        Handled
    }

    /// An error degrades it: it reads no more until its backoff is over.
    fn degrade(&mut self, desk: &mut Desk) {
        self.retries += 1;
        let jitter = &mut desk.streams.reconnect_jitter;
        let delay = desk.config.reconnect.delay(self.retries, jitter);
        desk.timers.arm(Timer::ConsumerBackoff(self.key), desk.now + delay);
        self.enter(desk, Phase::Error);
    }

    pub(super) fn backoff_over(&mut self, desk: &mut Desk) -> Disposition {
        if self.phase != Phase::Error {
            return Skip(Ignored::NotInError);
        }
        if self.unregistered {
            self.enter(desk, Phase::Starting);
            if self.registration == Registration::Quiet {
                self.register(desk);
            }
        } else {
            self.enter(desk, Phase::Active);
        }
        Handled
    }

    pub(super) fn read_empty(&mut self, last: Option<EntryId>) -> Disposition {
        if self.reading == Reading::Idle {
            return Skip(Ignored::NotAsked);
        }
        if self.reading == Reading::Fetching {
            self.watch_after = last;
        }
        self.reading = Reading::Idle;
        self.adopted.clear();
        self.retries = 0;
        Handled
    }

    pub(super) fn read_failed(&mut self, desk: &mut Desk, error: &TransportError) -> Disposition {
        if self.reading == Reading::Idle {
            return Skip(Ignored::NotAsked);
        }
        self.reading = Reading::Idle;
        self.adopted.clear();
        self.watch_after = None;
        self.note_error(error);
        if error.applied == Applied::Unknown {
            self.look_once();
            desk.timers.arm(Timer::Beat, desk.now);
        }
        self.unregistered |= error.kind == ErrorKind::NoGroup;
        sometimes!(desk.probes, self.unregistered, "a read found stream or group missing");
        if self.phase == Phase::Active {
            self.degrade(desk);
        }
        Handled
    }

    pub(super) fn delivered(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        deliveries: Vec<Delivered>,
    ) -> Disposition {
        if self.reading == Reading::Idle {
            return Skip(Ignored::NotAsked);
        }
        self.reading = Reading::Idle;
        self.watch_after = None;
        self.retries = 0;
        let adopted = std::mem::take(&mut self.adopted);
        let is_late = |it: &Delivered| adopted.contains(&it.entry());
        sometimes!(
            desk.probes,
            deliveries.iter().any(is_late),
            "a late read named an adopted entry again"
        );
        let new: Vec<_> =
            deliveries.into_iter().filter(|it| !adopted.contains(&it.entry())).collect();
        if self.rereading {
            self.named.extend(new.iter().map(Delivered::entry));
        }
        self.take_in(desk, metrics, new);
        Handled
    }

    pub(super) fn adopted(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        deliveries: Vec<Delivered>,
    ) -> Disposition {
        if matches!(self.phase, Phase::Stopped(_)) {
            return Skip(Ignored::Stopped);
        }
        if self.epoch.is_none() {
            return Skip(Ignored::NotAsked);
        }
        self.rereading = false;
        let named = std::mem::take(&mut self.named);
        let deliveries: Vec<_> =
            deliveries.into_iter().filter(|it| !named.contains(&it.entry())).collect();
        if self.reading != Reading::Idle {
            self.adopted.extend(deliveries.iter().map(Delivered::entry));
        }
        self.take_in(desk, metrics, deliveries);
        Handled
    }

    fn take_in(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        deliveries: Vec<Delivered>,
    ) {
        if !deliveries.is_empty() {
            self.delivered_at = desk.now;
            self.is_quiet = false;
        }
        for delivered in deliveries {
            self.suspects.remove(&delivered.entry());
            // Fenced, what it reads late belongs to nobody's registration: it goes back when it signs off.
            if self.fenced {
                continue;
            }
            match delivered {
                // Ours are measured where they are submitted; who only adds to the stream measures nothing.
                Delivered::Call(Delivery { entry, input, older_peer: true, .. })
                    if input.bytes() > desk.config.payload_max_bytes =>
                {
                    let (bytes, limit) = (input.bytes(), desk.config.payload_max_bytes);
                    let reason =
                        format!("field `input` is {bytes} bytes long, over the limit of {limit}");
                    self.reject(desk, entry, &reason);
                }
                Delivered::Call(delivery) => {
                    metrics.delivered += u64::from(self.holdings.take_in(delivery, desk.now));
                }
                Delivered::Malformed { entry, reason } => self.reject(desk, entry, &reason),
            }
        }
        if matches!(self.phase, Phase::Stopping(_)) {
            self.begin_buffered(desk, metrics);
            self.release_buffered(desk, metrics);
        }
    }

    /// A read of its may have ended without an answer: what it left is adopted at the first look.
    pub(crate) fn look_once(&mut self) {
        self.look = Look::Once;
    }

    /// Compares what the store holds pending at it with what it holds. An entry that is missing here was
    /// delivered by a read that was cut, and is adopted: at once where such a read is known of, otherwise
    /// when it is missing twice. An answer that names it all the same, on its way meanwhile, is known by
    /// `adopted` and `named`, so that nothing runs twice by it.
    pub(super) fn pulsed(&mut self, desk: &mut Desk, pending: &[EntryId]) -> Disposition {
        if matches!(self.phase, Phase::Stopped(_)) {
            return Skip(Ignored::Stopped);
        }
        let unseen: BTreeSet<EntryId> = pending
            .iter()
            .copied()
            .filter(|entry| !self.holdings.contains(*entry) && !self.rejecting.contains(entry))
            .collect();
        let lost: Vec<EntryId> = if self.rereading {
            Vec::new()
        } else if self.look == Look::Twice {
            unseen.intersection(&self.suspects).copied().collect()
        } else {
            unseen.iter().copied().collect()
        };
        if self.look == Look::Asked {
            self.look = Look::Twice;
        }
        if !lost.is_empty() && !self.fenced {
            reachable!(desk.probes, "an entry that a cut read left unseen was adopted");
            self.rereading = true;
            let op = Op::Reread {
                function: self.function().clone(),
                consumer: self.id.clone(),
                entries: lost,
            };
            desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Reread));
        } else if !unseen.is_empty() {
            desk.timers.arm_no_later(Timer::Beat, desk.now + SUSPECT_RECHECK);
        }
        self.suspects = unseen;
        Handled
    }

    /// The store told nothing of it: that it was removed, least of all.
    pub(super) fn pulse_refused(&mut self, desk: &mut Desk, error: &TransportError) -> Disposition {
        if matches!(self.phase, Phase::Stopped(_)) {
            return Skip(Ignored::Stopped);
        }
        if self.fenced || self.epoch.is_none() {
            return Skip(Ignored::NotAsked);
        }
        reachable!(desk.probes, "a heartbeat was refused");
        self.note_error(error);
        if self.phase == Phase::Active {
            self.degrade(desk);
        }
        Handled
    }

    pub(super) fn removed(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
    ) -> Disposition {
        if matches!(self.phase, Phase::Stopped(_)) {
            return Skip(Ignored::Stopped);
        }
        if self.fenced || self.epoch.is_none() {
            return Skip(Ignored::NotAsked);
        }
        reachable!(desk.probes, "a consumer learned that it was removed");
        self.fenced = true;
        self.suspects.clear();
        self.rejecting.clear();
        self.lose_everything(metrics);
        if !matches!(self.phase, Phase::Stopping(_)) {
            self.begin_stop(desk, StopCause::Fenced, self.options.drain);
        }
        Handled
    }

    pub(super) fn stop(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        epoch: Option<Epoch>,
        drain: Duration,
        cause: StopCause,
    ) -> Disposition {
        if epoch.is_some() && epoch != self.epoch {
            return Skip(Ignored::OtherEpoch);
        }
        match self.phase {
            Phase::Stopped(_) => Skip(Ignored::Stopped),
            Phase::Stopping(_) => {
                let end = desk.now + drain;
                if desk.timers.at(Timer::Drain(self.key)).is_none_or(|at| at <= end) {
                    return Skip(Ignored::Stopping);
                }
                desk.timers.arm(Timer::Drain(self.key), end);
                Handled
            }
            Phase::Starting | Phase::Active | Phase::Error => {
                self.begin_stop(desk, cause, drain);
                self.release_buffered(desk, metrics);
                Handled
            }
        }
    }

    fn begin_stop(&mut self, desk: &mut Desk, cause: StopCause, drain: Duration) {
        self.watch_after = None;
        desk.timers.disarm(Timer::ConsumerBackoff(self.key));
        desk.timers.disarm(Timer::Sweep(self.key));
        desk.timers.arm(Timer::Drain(self.key), desk.now + drain);
        self.enter(desk, Phase::Stopping(cause));
        self.abort_read(desk);
    }

    /// Ends its blocking read early, once.
    pub(crate) fn abort_read(&mut self, desk: &mut Desk) {
        if let Reading::Watching { session, aborted: false } = self.reading {
            self.reading = Reading::Watching { session, aborted: true };
            desk.emit(Effect::Abort(session));
        }
    }

    /// Gives back at once what was fetched and not begun (P5).
    fn release_buffered(&mut self, desk: &mut Desk, metrics: &mut FunctionMetrics) {
        for entry in self.holdings.drain_buffer() {
            reachable!(desk.probes, "a stop gave back what was not begun");
            metrics.released += 1;
            self.move_to(desk, entry, Destination::Release);
        }
    }

    pub(super) fn drain_over(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
    ) -> Disposition {
        let Phase::Stopping(_) = self.phase else {
            return Skip(Ignored::NotStopping);
        };
        reachable!(desk.probes, "a drain time ended");
        let running: Vec<_> = self
            .holdings
            .iter()
            .filter_map(|(entry, holding)| match holding.stage {
                Stage::Running(attempt) => Some((entry, attempt, holding.robbed)),
                Stage::Buffered | Stage::Beginning | Stage::Settling { .. } => None,
            })
            .collect();
        for (entry, attempt, robbed) in running {
            self.interrupt(desk, attempt, Interruption::Drained);
            if robbed {
                self.holdings.let_go(entry);
            } else {
                metrics.released += 1;
                self.move_to(desk, entry, Destination::Release);
            }
        }
        Handled
    }

    /// It stops, and its drain time is over.
    pub(super) fn is_drained(&self, desk: &Desk) -> bool {
        matches!(self.phase, Phase::Stopping(_)) && desk.timers.at(Timer::Drain(self.key)).is_none()
    }

    /// The last step of a stop: nothing is held and nothing read, so it leaves the registry. One that was
    /// removed signs off too: a late read may have made its name anew, and been handed a call.
    pub(super) fn finish_stop(&mut self, desk: &mut Desk) {
        let Phase::Stopping(cause) = self.phase else {
            return;
        };
        let quiet = self.registration == Registration::Quiet
            && self.reading == Reading::Idle
            && self.holdings.is_empty()
            && self.rejecting.is_empty();
        if !quiet {
            return;
        }
        match self.epoch {
            Some(epoch) => {
                self.registration = Registration::Deregistering;
                let op = Op::Deregister {
                    function: self.function().clone(),
                    consumer: self.id.clone(),
                    epoch,
                };
                desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Deregister));
            }
            None => self.end(desk, cause),
        }
    }

    pub(super) fn deregistered(&mut self, desk: &mut Desk) -> Disposition {
        let Phase::Stopping(cause) = self.phase else {
            return Skip(Ignored::NotAsked);
        };
        if self.registration != Registration::Deregistering {
            return Skip(Ignored::NotAsked);
        }
        self.end(desk, cause);
        Handled
    }

    fn end(&mut self, desk: &mut Desk, cause: StopCause) {
        self.registration = Registration::Quiet;
        self.suspects.clear();
        // What was adopted while it signed off went back with its registration.
        self.holdings = Holdings::default();
        desk.timers.disarm(Timer::Drain(self.key));
        for attempt in self.executions.keys() {
            desk.timers.disarm(Timer::Attempt(self.key, *attempt));
        }
        self.enter(desk, Phase::Stopped(cause));
    }
}
