//! One incarnation of a function: a consumer, from its registration to its end.
//!
//! `input.rs` names what it may be told, `lifecycle.rs` holds the start, the errors and the stop,
//! `execution.rs` and `settling.rs` what becomes of the calls it holds. It reads where the worker lets it
//! read.
//!
//! Architecture invariant: a consumer leaves its loop by its own stop, its host's end, or being fenced,
//! and by nothing else (P4). An error only degrades it.

mod execution;
mod input;
mod lifecycle;
mod settling;
#[cfg(test)]
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::attempt::{AttemptId, Interruption};
use crate::command::FunctionOptions;
use crate::definition::Definition;
use crate::event::{Event, StopCause};
use crate::metrics::FunctionMetrics;
use crate::name::{ConsumerId, EntryId, Epoch, FunctionId, SessionId};
use crate::node::desk::Desk;
use crate::node::holding::{Holdings, Stage};
use crate::node::outbox::{Errand, Route};
use crate::op::{ConsumerStatus, Op, Pulse};
use crate::pending::{Matter, Pending, WaitsFor};
use crate::time::Time;
use crate::timer::ConsumerKey;
use crate::transport::TransportError;

pub(crate) use input::{ConsumerInput, Disposition};

/// Where a consumer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Starting,
    Active,
    Error,
    Stopping(StopCause),
    Stopped(StopCause),
}

impl Phase {
    pub(crate) const fn status(self) -> ConsumerStatus {
        match self {
            Self::Starting => ConsumerStatus::Starting,
            Self::Active => ConsumerStatus::Active,
            Self::Error => ConsumerStatus::Error,
            Self::Stopping(_) => ConsumerStatus::Stopping,
            Self::Stopped(_) => ConsumerStatus::Stopped,
        }
    }
}

/// What read of this consumer is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    Idle,
    /// A blocking read on this session.
    Watching {
        session: SessionId,
        aborted: bool,
    },
    /// An operation of the outbox.
    Fetching,
}

/// What is asked of the store about the consumer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Registration {
    /// Nothing: it is registered, or has yet to ask.
    Quiet,
    Registering,
    Deregistering,
}

/// How what is pending at it and not held is judged by the next heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Look {
    /// Most of it is answers on their way: it is looked at twice before it is adopted.
    Twice,
    /// A read of its ended without an answer: what it left is adopted at the first look, which is yet to be
    /// asked for.
    Once,
    /// As before, and the heartbeat that is on its way was asked for after the read had ended.
    Asked,
}

/// A handler under way, or one that was told to end and has not yet.
#[derive(Clone, Debug, Hash)]
struct Execution {
    entry: EntryId,
    /// Of the token with which the call is completed, should the handler defer.
    nonce: Arc<str>,
    interrupted: Option<Interruption>,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) key: ConsumerKey,
    pub(crate) id: ConsumerId,
    pub(crate) definition: Arc<Definition>,
    pub(crate) options: FunctionOptions,
    pub(crate) phase: Phase,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) reading: Reading,
    /// The last generated id of its stream that was seen with an empty fetch: where to watch from.
    pub(crate) watch_after: Option<EntryId>,
    /// A renewal has no answer yet.
    pub(crate) renewing: bool,
    /// Its housekeeping has no answer yet.
    pub(crate) sweeping: bool,
    /// By the last look at its function, no housekeeping is to be done.
    pub(crate) is_quiet: bool,
    pub(crate) error_count: u64,
    pub(crate) last_error: Option<Arc<str>>,
    pub(crate) since: Time,
    /// When it was last delivered something, or started.
    pub(crate) delivered_at: Time,
    registration: Registration,
    /// The registry knows it no more.
    fenced: bool,
    /// It has to register again before it reads: its stream, group or state is gone.
    unregistered: bool,
    retries: u32,
    /// A call was begun by it.
    has_begun: bool,
    holdings: Holdings,
    executions: BTreeMap<AttemptId, Execution>,
    /// Entries that are no calls, being made dead letters.
    rejecting: BTreeSet<EntryId>,
    /// Pending at it by the last heartbeat, and not held: unseen, or settled meanwhile.
    suspects: BTreeSet<EntryId>,
    /// Adopted while a read was under way, whose late answer may name them once more.
    adopted: BTreeSet<EntryId>,
    look: Look,
    /// What is pending at it unseen is being read again.
    rereading: bool,
    /// Named by a read while others were read again, whose answer may name them once more.
    named: BTreeSet<EntryId>,
}

impl Consumer {
    pub(crate) fn start(
        desk: &mut Desk,
        definition: Arc<Definition>,
        options: FunctionOptions,
    ) -> Self {
        let key = desk.new_consumer();
        let function = &definition.function;
        let unique = desk.streams.consumer_ids.hex_id();
        let id = ConsumerId::new(format!("{}-{}-{unique}", function.name(), function.scope()))
            .expect("name and scope are bounded, so that this is a valid id");
        let mut consumer = Self {
            key,
            id,
            definition,
            options,
            phase: Phase::Starting,
            epoch: None,
            reading: Reading::Idle,
            watch_after: None,
            renewing: false,
            sweeping: false,
            is_quiet: false,
            error_count: 0,
            last_error: None,
            since: desk.now,
            delivered_at: desk.now,
            registration: Registration::Quiet,
            fenced: false,
            unregistered: true,
            retries: 0,
            has_begun: false,
            holdings: Holdings::default(),
            executions: BTreeMap::new(),
            rejecting: BTreeSet::new(),
            suspects: BTreeSet::new(),
            adopted: BTreeSet::new(),
            look: Look::Twice,
            rereading: false,
            named: BTreeSet::new(),
        };
        consumer.enter(desk, Phase::Starting);
        consumer.register(desk);
        consumer
    }

    pub(crate) fn function(&self) -> &FunctionId {
        &self.definition.function
    }

    /// The one door: every input in every state is handled, or ignored with a reason.
    pub(crate) fn handle(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        input: ConsumerInput,
    ) -> Disposition {
        let disposition = self.take(desk, metrics, input);
        self.begin_buffered(desk, metrics);
        self.finish_stop(desk);
        self.check_invariants();
        disposition
    }

    fn take(
        &mut self,
        desk: &mut Desk,
        metrics: &mut FunctionMetrics,
        input: ConsumerInput,
    ) -> Disposition {
        match input {
            ConsumerInput::Registered { epoch } => self.registered(desk, epoch),
            ConsumerInput::RegisterRefused(error) => self.register_refused(desk, &error),
            ConsumerInput::Deregistered => self.deregistered(desk),
            ConsumerInput::Delivered(deliveries) => self.delivered(desk, metrics, deliveries),
            ConsumerInput::ReadEmpty { last } => self.read_empty(last),
            ConsumerInput::ReadFailed(error) => self.read_failed(desk, &error),
            ConsumerInput::Adopted(deliveries) => self.adopted(desk, metrics, deliveries),
            ConsumerInput::Began { entry, beginning } => {
                self.began(desk, metrics, entry, beginning)
            }
            ConsumerInput::Ran { attempt, end } => self.ran(desk, metrics, attempt, end),
            ConsumerInput::AttemptDue { attempt } => self.attempt_due(desk, metrics, attempt),
            ConsumerInput::Settled { entry, settlement } => {
                self.settled(desk, metrics, entry, settlement)
            }
            ConsumerInput::SettleRefused { entry, error } => {
                self.settle_refused(desk, entry, &error)
            }
            ConsumerInput::Renewed { lost } => self.renewed(desk, metrics, lost),
            ConsumerInput::Pulsed { pending } => self.pulsed(desk, &pending),
            ConsumerInput::PulseRefused(error) => self.pulse_refused(desk, &error),
            ConsumerInput::Removed => self.removed(desk, metrics),
            ConsumerInput::Stop { epoch, drain, cause } => {
                self.stop(desk, metrics, epoch, drain, cause)
            }
            ConsumerInput::DrainOver => self.drain_over(desk, metrics),
            ConsumerInput::BackoffOver => self.backoff_over(desk),
        }
    }

    /// How many entries it may fetch now; nothing while it is not to read.
    pub(crate) fn room(&self) -> Option<u32> {
        if self.phase != Phase::Active || self.reading != Reading::Idle {
            return None;
        }
        let most = self.options.concurrency.saturating_add(self.options.prefetch);
        let held = u32::try_from(self.holdings.len() + self.rejecting.len()).unwrap_or(u32::MAX);
        // A handler that ignores its interruption still takes a slot.
        let held = held.max(u32::try_from(self.executions.len()).unwrap_or(u32::MAX));
        Some(most.saturating_sub(held)).filter(|room| *room > 0)
    }

    /// Its sign of life, once it is registered.
    pub(crate) fn pulse(&mut self) -> Option<Pulse> {
        if self.fenced || self.registration == Registration::Deregistering {
            return None;
        }
        let epoch = self.epoch?;
        if self.look == Look::Once {
            self.look = Look::Asked;
        }
        Some(Pulse {
            function: self.function().clone(),
            consumer: self.id.clone(),
            epoch,
            status: self.phase.status(),
            error_count: self.error_count,
            last_error: self.last_error.clone(),
        })
    }

    /// Asks to renew what it holds, unless an earlier renewal has no answer yet.
    pub(crate) fn renew(&mut self, desk: &mut Desk) {
        if self.renewing || self.fenced || self.holdings.is_empty() {
            return;
        }
        self.renewing = true;
        let entries = self.holdings.iter();
        let entries = entries.filter(|(_, holding)| !holding.robbed);
        let entries = entries.map(|(entry, holding)| (entry, holding.delivery.call.clone()));
        let op = Op::Renew {
            function: self.function().clone(),
            consumer: self.id.clone(),
            entries: entries.collect(),
        };
        desk.outbox.push(desk.now, op, Route::Consumer(self.key, Errand::Renew));
    }

    /// Runs handlers, or waits for some to end.
    pub(crate) fn running(&self) -> usize {
        self.executions.len()
    }

    /// Fetched and not begun.
    pub(crate) fn buffered(&self) -> usize {
        self.holdings.buffered()
    }

    fn enter(&mut self, desk: &mut Desk, phase: Phase) {
        self.phase = phase;
        self.since = desk.now;
        let cause = match phase {
            Phase::Stopping(cause) | Phase::Stopped(cause) => Some(cause),
            Phase::Starting | Phase::Active | Phase::Error => None,
        };
        desk.tell(Event::Consumer {
            function: self.function().clone(),
            consumer: self.id.clone(),
            epoch: self.epoch,
            status: phase.status(),
            cause,
        });
    }

    pub(crate) fn note_error(&mut self, error: &TransportError) {
        self.error_count += 1;
        self.last_error = Some(error.to_string().into());
    }

    fn check_invariants(&self) {
        debug_assert!(
            !matches!(self.phase, Phase::Stopped(_)) || self.holdings.is_empty(),
            "{} stopped and holds {} entries",
            self.id,
            self.holdings.len()
        );
        debug_assert!(
            !matches!(self.phase, Phase::Active) || self.epoch.is_some(),
            "{} is active without an epoch",
            self.id
        );
        debug_assert!(
            self.holdings.iter().all(|(entry, holding)| match holding.stage {
                Stage::Running(attempt) =>
                    self.executions.get(&attempt).is_some_and(|it| it.entry == entry),
                Stage::Buffered | Stage::Beginning | Stage::Settling { .. } => true,
            }),
            "{} holds an entry as running that nothing runs",
            self.id
        );
    }

    pub(crate) fn pending(&self, into: &mut Vec<Pending>) {
        match self.phase {
            Phase::Starting => into.push(Pending {
                matter: Matter::Consumer(self.id.clone()),
                waits_for: WaitsFor::Answer,
                since: self.since,
            }),
            Phase::Error => into.push(Pending {
                matter: Matter::Consumer(self.id.clone()),
                waits_for: WaitsFor::Backoff,
                since: self.since,
            }),
            Phase::Stopping(_) => into.push(Pending {
                matter: Matter::Consumer(self.id.clone()),
                waits_for: WaitsFor::Drain,
                since: self.since,
            }),
            Phase::Active | Phase::Stopped(_) => {}
        }
        for (_, holding) in self.holdings.iter() {
            let waits_for = match holding.stage {
                Stage::Buffered => WaitsFor::Slot,
                Stage::Beginning | Stage::Settling { .. } => WaitsFor::Answer,
                Stage::Running(_) => WaitsFor::Handler,
            };
            let matter = Matter::Execution(holding.delivery.call.clone());
            into.push(Pending { matter, waits_for, since: holding.since });
        }
    }

    pub(crate) fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        (&self.id, self.phase, self.epoch, self.reading, self.watch_after).hash(&mut into);
        (self.renewing, self.registration, self.fenced, self.unregistered).hash(&mut into);
        (self.sweeping, self.is_quiet, self.holdings.buffer().collect::<Vec<_>>()).hash(&mut into);
        (self.retries, &self.executions, &self.rejecting, &self.suspects, &self.adopted)
            .hash(&mut into);
        (self.look, self.rereading, &self.named, self.has_begun).hash(&mut into);
        now.since(self.delivered_at).hash(&mut into);
        for (entry, holding) in self.holdings.iter() {
            (entry, &holding.delivery.call, holding.delivery.attempt).hash(&mut into);
            (holding.stage, holding.robbed, holding.deadline.since(now)).hash(&mut into);
        }
    }
}
