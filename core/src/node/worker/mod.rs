//! The worker: a node's consumers, where they read, their heartbeat, their leases.
//!
//! A consumer with a slot has a blocking read of its own; the others share one wait for arrivals, and
//! fetch without waiting when it names them.

mod reads;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::command::FunctionOptions;
use crate::definition::Definition;
use crate::event::StopCause;
use crate::metrics::FunctionMetrics;
use crate::name::{ConsumerId, EntryId, Epoch, FunctionId, SessionId};
use crate::node::consumer::{Consumer, ConsumerInput, Disposition, Phase};
use crate::node::desk::Desk;
use crate::node::links::Links;
use crate::node::outbox::{Errand, Route};
use crate::node::reconciler::Reconciler;
use crate::op::{FunctionSurvey, GroupName, Op, OpResult, PulseAnswer, Reply};
use crate::pending::Pending;
use crate::timer::{ConsumerKey, Timer};
use crate::transport::Link;

/// The wait for arrivals that is under way.
#[derive(Clone, Debug)]
struct ArrivalsWatch {
    session: SessionId,
    aborted: bool,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worker {
    consumers: BTreeMap<ConsumerKey, Consumer>,
    /// The incarnation that serves each function now.
    current: BTreeMap<FunctionId, ConsumerKey>,
    metrics: BTreeMap<FunctionId, FunctionMetrics>,
    /// Consumers that may have something to do.
    dirty: BTreeSet<ConsumerKey>,
    /// Who has which connection for blocking reads.
    slots: Vec<Option<ConsumerKey>>,
    /// Consumers that give up their slot once their read has ended, and who is to have it.
    promised: BTreeMap<ConsumerKey, ConsumerKey>,
    /// Consumers without a slot that wait for an arrival at their function, after the entry named.
    watched: BTreeMap<ConsumerKey, (FunctionId, EntryId)>,
    arrivals: Option<ArrivalsWatch>,
    /// Named by the last wait for arrivals, and yet to be told what arrived. The next wait begins after
    /// that: a store that parses it first would keep them waiting.
    arrived: BTreeSet<ConsumerKey>,
    /// The wait under way does not cover all of `watched`.
    arrivals_stale: bool,
    /// A heartbeat has no answer yet.
    beating: bool,
    /// Another heartbeat is due as soon as that one is answered.
    beat_again: bool,
    pub(crate) reconciler: Reconciler,
}

impl Worker {
    /// Serves a function. Where it is served already, the old incarnation stops and the new one starts.
    pub(crate) fn serve(
        &mut self,
        desk: &mut Desk,
        definition: Definition,
        options: FunctionOptions,
    ) {
        let old = self.current.get(&definition.function).copied();
        if let Some(old) = old {
            let drain = self.consumers.get(&old).map_or(Duration::ZERO, |it| it.options.drain);
            self.tell(
                desk,
                old,
                ConsumerInput::Stop { epoch: None, drain, cause: StopCause::Saved },
            );
        }
        self.start(desk, Arc::new(definition), options);
    }

    fn start(&mut self, desk: &mut Desk, definition: Arc<Definition>, options: FunctionOptions) {
        let function = definition.function.clone();
        let consumer = Consumer::start(desk, definition, options);
        let key = consumer.key;
        self.current.insert(function, key);
        self.consumers.insert(key, consumer);
        self.dirty.insert(key);
        desk.timers.arm_no_later(Timer::Renew, desk.now + desk.config.renew_interval);
        desk.timers.arm_no_later(Timer::Survey, desk.now + desk.config.survey_interval);
    }

    /// Serves a function no longer.
    pub(crate) fn retire(&mut self, desk: &mut Desk, function: &FunctionId, drain: Duration) {
        if let Some(key) = self.current.remove(function) {
            self.tell(
                desk,
                key,
                ConsumerInput::Stop { epoch: None, drain, cause: StopCause::Asked },
            );
        }
    }

    /// Serves nothing any longer.
    pub(crate) fn retire_all(&mut self, desk: &mut Desk, drain: Duration) {
        self.current.clear();
        for key in self.keys() {
            self.tell(
                desk,
                key,
                ConsumerInput::Stop { epoch: None, drain, cause: StopCause::Asked },
            );
        }
    }

    /// Stops the one incarnation that is named (P3); answers whether there is one.
    pub(crate) fn stop(
        &mut self,
        desk: &mut Desk,
        id: &ConsumerId,
        epoch: Epoch,
        drain: Duration,
    ) -> bool {
        let Some(key) = self.consumers.values().find(|it| it.id == *id).map(|it| it.key) else {
            return false;
        };
        let cause = StopCause::Asked;
        let stop = ConsumerInput::Stop { epoch: Some(epoch), drain, cause };
        let disposition = self.tell(desk, key, stop);
        if disposition == Disposition::Handled {
            self.current.retain(|_, current| *current != key);
        }
        disposition == Disposition::Handled
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.consumers.is_empty()
    }

    pub(crate) fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.consumers.values()
    }

    /// The incarnation that serves a function now.
    pub(crate) fn serving(&self, function: &FunctionId) -> Option<&Consumer> {
        self.consumers.get(self.current.get(function)?)
    }

    pub(crate) fn metrics(&self) -> &BTreeMap<FunctionId, FunctionMetrics> {
        &self.metrics
    }

    fn keys(&self) -> Vec<ConsumerKey> {
        self.consumers.keys().copied().collect()
    }

    /// Tells a consumer something. One that was fenced gets a successor.
    pub(crate) fn tell(
        &mut self,
        desk: &mut Desk,
        key: ConsumerKey,
        input: ConsumerInput,
    ) -> Disposition {
        let Some(consumer) = self.consumers.get_mut(&key) else {
            desk.ignored_inputs += 1;
            return Disposition::Handled;
        };
        let metrics = self.metrics.entry(consumer.function().clone()).or_default();
        let disposition = consumer.handle(desk, metrics, input);
        desk.ignored_inputs += u64::from(disposition != Disposition::Handled);
        self.dirty.insert(key);
        // A quiet one ends within the very input that fences it.
        let is_fenced = matches!(
            consumer.phase,
            Phase::Stopping(StopCause::Fenced) | Phase::Stopped(StopCause::Fenced)
        );
        if is_fenced && self.current.get(consumer.function()) == Some(&key) {
            let (definition, options) = (consumer.definition.clone(), consumer.options.clone());
            self.start(desk, definition, options);
        }
        disposition
    }

    /// Brings every consumer that may have something to do to where it reads, or out of the house.
    pub(crate) fn pump(&mut self, desk: &mut Desk, links: &mut Links) {
        while let Some(key) = self.dirty.pop_first() {
            let Some(consumer) = self.consumers.get(&key) else {
                continue;
            };
            if matches!(consumer.phase, Phase::Stopped(_)) {
                self.bury(key);
            } else {
                self.place(desk, links, key);
            }
        }
        self.watch_arrivals(desk, links);
    }

    fn bury(&mut self, key: ConsumerKey) {
        self.consumers.remove(&key);
        self.watched.remove(&key);
        self.arrived.remove(&key);
        self.promised.remove(&key);
        self.current.retain(|_, current| *current != key);
        if let Some(slot) = self.slots.iter_mut().find(|slot| **slot == Some(key)) {
            *slot = None;
            // Whoever waits for arrivals may have the slot.
            self.dirty.extend(self.watched.keys());
        }
    }

    /// A connection stands: whoever waited for it goes on.
    pub(crate) fn link_up(&mut self, desk: &mut Desk, link: Link) {
        match link {
            Link::Command => {
                // Whatever a lost answer named is adopted at the first look.
                self.consumers.values_mut().for_each(Consumer::look_once);
                self.beat_soon(desk);
                if !self.current.is_empty() {
                    desk.timers.arm(Timer::Survey, desk.now);
                }
            }
            Link::Fetch(slot) => {
                let key = self.slots.get(usize::from(slot)).copied().flatten();
                self.dirty.extend(key);
                if let Some(consumer) = key.and_then(|key| self.consumers.get_mut(&key)) {
                    consumer.look_once();
                }
                self.beat_soon(desk);
            }
            Link::Arrivals => self.beat_soon(desk),
            Link::Replies => {}
        }
    }

    /// The node's sessions changed: the next heartbeat says so at once.
    fn beat_soon(&mut self, desk: &mut Desk) {
        if self.beating {
            self.beat_again = true;
        } else if !self.consumers.is_empty() {
            desk.timers.arm(Timer::Beat, desk.now);
        }
    }

    pub(crate) fn beat(&mut self, desk: &mut Desk) {
        if self.consumers.is_empty() {
            return;
        }
        desk.timers.arm(Timer::Beat, desk.now + desk.config.heartbeat_interval);
        if self.beating {
            self.beat_again = true;
            return;
        }
        let (keys, pulses): (Vec<_>, Vec<_>) =
            self.consumers.values_mut().filter_map(|it| Some((it.key, it.pulse()?))).unzip();
        if keys.is_empty() {
            return;
        }
        self.beating = true;
        let op = Op::Beat { node: desk.node.clone(), sessions: desk.sessions.clone(), pulses };
        desk.outbox.push(desk.now, op, Route::Beat(keys));
    }

    pub(crate) fn beaten(&mut self, desk: &mut Desk, keys: &[ConsumerKey], result: OpResult) {
        self.beating = false;
        if let Ok(Reply::Beaten(answers)) = result {
            for (key, answer) in keys.iter().zip(answers) {
                if !self.consumers.contains_key(key) {
                    continue;
                }
                let input = match answer {
                    PulseAnswer::Alive { pending } => ConsumerInput::Pulsed { pending },
                    PulseAnswer::Removed => ConsumerInput::Removed,
                    PulseAnswer::Refused(error) => ConsumerInput::PulseRefused(error),
                };
                self.tell(desk, *key, input);
            }
        }
        if std::mem::take(&mut self.beat_again) {
            self.beat_soon(desk);
        }
    }

    /// Somebody asked for recovery: heartbeat and survey are due now.
    pub(crate) fn look_now(&mut self, desk: &mut Desk) {
        self.beat_soon(desk);
        if !self.current.is_empty() {
            desk.timers.arm(Timer::Survey, desk.now);
        }
    }

    pub(crate) fn renew(&mut self, desk: &mut Desk) {
        if self.consumers.is_empty() {
            return;
        }
        desk.timers.arm(Timer::Renew, desk.now + desk.config.renew_interval);
        for consumer in self.consumers.values_mut() {
            consumer.renew(desk);
        }
    }

    pub(crate) fn survey(&mut self, desk: &mut Desk, links: &Links) {
        if self.current.is_empty() {
            return;
        }
        let interval = if self.reconciler.is_alone() {
            desk.config.survey_interval_alone
        } else {
            desk.config.survey_interval
        };
        desk.timers.arm(Timer::Survey, desk.now + interval);
        if links.session(Link::Command).is_some() {
            self.reconciler.survey(desk, &self.current);
        }
    }

    pub(crate) fn surveyed(&mut self, desk: &mut Desk, links: &Links, result: &OpResult) {
        if let Ok(Reply::Surveyed(survey)) = result {
            // Whoever parked a call may be gone: each worker of the function sees to it.
            for function in &survey.functions {
                let key = self.current.get(&function.function);
                let Some(consumer) = key.and_then(|key| self.consumers.get_mut(key)) else {
                    continue;
                };
                consumer.is_quiet = is_quiet(function);
                if let Some(next_due) = function.next_due {
                    desk.timers.arm_no_later(Timer::Sweep(consumer.key), desk.now + next_due);
                }
            }
            // Nothing is known of these: housekeeping may be needed.
            for unread in &survey.unread {
                let key = self.current.get(&unread.function);
                if let Some(consumer) = key.and_then(|key| self.consumers.get_mut(key)) {
                    consumer.is_quiet = false;
                }
            }
        }
        let ours = |id: &ConsumerId| self.consumers.values().any(|it| it.id == *id);
        let link_since = links.up_since(Link::Command);
        self.reconciler.surveyed(desk, link_since, ours, result);
    }

    pub(crate) fn sweep(&mut self, desk: &mut Desk, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(&key) else {
            return;
        };
        desk.timers.arm(Timer::Sweep(key), desk.now + desk.config.sweep_interval);
        if consumer.is_quiet || std::mem::replace(&mut consumer.sweeping, true) {
            return;
        }
        let op = Op::Sweep {
            function: consumer.function().clone(),
            attempts_max: consumer.options.attempts_max,
            stateless_idle: desk.config.stateless_idle,
            limit: desk.config.sweep_limit,
        };
        desk.outbox.push(desk.now, op, Route::Consumer(key, Errand::Sweep));
    }

    fn swept(&mut self, desk: &mut Desk, key: ConsumerKey, result: &OpResult) {
        let Some(consumer) = self.consumers.get_mut(&key) else {
            return;
        };
        consumer.sweeping = false;
        let swept = match result {
            Ok(Reply::Swept(swept)) => swept,
            Ok(_) => return,
            Err(error) => {
                // What waiting does not mend has to be seen by somebody.
                if !error.kind.can_retry_help() {
                    consumer.note_error(error);
                }
                return;
            }
        };
        let next = if swept.more { Some(Duration::ZERO) } else { swept.next_due };
        if let Some(next) = next.filter(|_| !matches!(consumer.phase, Phase::Stopping(_))) {
            desk.timers.arm_no_later(Timer::Sweep(key), desk.now + next);
        }
    }

    /// The store answered an errand of a consumer.
    pub(crate) fn answered(
        &mut self,
        desk: &mut Desk,
        key: ConsumerKey,
        errand: Errand,
        result: OpResult,
    ) {
        let Some(consumer) = self.consumers.get(&key) else {
            desk.ignored_inputs += 1;
            return;
        };
        let before = consumer.delivered_at;
        if errand == Errand::Fetch {
            self.arrived.remove(&key);
        }
        let drained_at = drained_at(&result);
        let input = match (errand, result) {
            (Errand::Sweep, result) => return self.swept(desk, key, &result),
            // Nothing is adopted; the next heartbeat lists it again.
            (Errand::Reread, Err(_)) => Some(ConsumerInput::Adopted(Vec::new())),
            (_, Ok(reply)) => understood(errand, reply),
            (Errand::Register, Err(error)) => Some(ConsumerInput::RegisterRefused(error)),
            // It is asked for no more than once: what is left behind, others remove.
            (Errand::Deregister, Err(_)) => Some(ConsumerInput::Deregistered),
            (Errand::Fetch, Err(error)) => Some(ConsumerInput::ReadFailed(error)),
            (Errand::Begin(entry), Err(_)) => {
                let beginning = crate::op::Beginning::Fenced;
                Some(ConsumerInput::Began { entry, beginning })
            }
            (Errand::Settle(entry), Err(error)) => {
                Some(ConsumerInput::SettleRefused { entry, error })
            }
            (Errand::Renew, Err(_)) => Some(ConsumerInput::Renewed { lost: Vec::new() }),
        };
        debug_assert!(input.is_some(), "the store answered {errand:?} with another op's reply");
        let Some(input) = input else {
            desk.ignored_inputs += 1;
            return;
        };
        // A lone call makes nobody busy.
        let is_busy = matches!(input, ConsumerInput::Delivered(_))
            && desk.now.since(before) < desk.config.fetch_link_idle;
        self.tell(desk, key, input);
        if let (Some(consumer), Some(last)) = (self.consumers.get_mut(&key), drained_at) {
            consumer.watch_after = Some(last);
        }
        if is_busy && self.slot(key).is_none() {
            self.claim_slot(desk, key);
        }
    }

    pub(crate) fn pending(&self, into: &mut Vec<Pending>) {
        self.consumers.values().for_each(|consumer| consumer.pending(into));
    }

    pub(crate) fn fingerprint(&self, now: crate::time::Time, mut into: &mut dyn Hasher) {
        self.consumers.values().for_each(|consumer| consumer.fingerprint(now, into));
        (&self.current, &self.slots, &self.promised, &self.watched).hash(&mut into);
        self.arrivals.as_ref().map(|watch| watch.aborted).hash(&mut into);
        (self.beating, self.beat_again, self.arrivals_stale, &self.arrived).hash(&mut into);
        self.reconciler.fingerprint(now, into);
    }
}

/// The last generated id of a stream whose last entry was fetched: there is nothing more to fetch.
fn drained_at(result: &OpResult) -> Option<EntryId> {
    match result {
        Ok(Reply::Fetched { deliveries, last }) => {
            deliveries.last().filter(|it| it.entry() == *last).map(|_| *last)
        }
        _ => None,
    }
}

/// Nothing stands there that housekeeping could be for.
fn is_quiet(function: &FunctionSurvey) -> bool {
    let has_state =
        |name: &GroupName| function.consumers.iter().any(|record| record.consumer == name.consumer);
    function.entries == 0
        && function.open == 0
        && function.parked == 0
        && function.names.iter().all(has_state)
}

/// What a reply means to the consumer that sent this errand.
fn understood(errand: Errand, reply: Reply) -> Option<ConsumerInput> {
    Some(match (errand, reply) {
        (Errand::Register, Reply::Registered { epoch }) => ConsumerInput::Registered { epoch },
        (Errand::Deregister, Reply::Deregistered { .. }) => ConsumerInput::Deregistered,
        (Errand::Fetch, Reply::Fetched { deliveries, last }) if deliveries.is_empty() => {
            ConsumerInput::ReadEmpty { last: Some(last) }
        }
        (Errand::Fetch, Reply::Fetched { deliveries, .. }) => ConsumerInput::Delivered(deliveries),
        (Errand::Reread, Reply::Fetched { deliveries, .. }) => ConsumerInput::Adopted(deliveries),
        (Errand::Begin(entry), Reply::Began(beginning)) => {
            ConsumerInput::Began { entry, beginning }
        }
        (Errand::Settle(entry), Reply::Settled(settlement)) => {
            ConsumerInput::Settled { entry, settlement }
        }
        (Errand::Renew, Reply::Renewed { lost }) => ConsumerInput::Renewed { lost },
        _ => return None,
    })
}
