//! The outbox: one queue of operations per lane, one batch of each in flight.
//!
//! What arrives while a batch is in flight leaves when it completes; there is no linger timer. A batch
//! that failed goes back to the front of its lane in its old order, since every operation is safe to
//! send twice. Nothing leaves a lane but by an answer, or because whoever queued it withdrew it.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use crate::command::Ticket;
use crate::config::Config;
use crate::machine::EffectId;
use crate::name::{CallId, ConsumerId, EntryId, FunctionId};
use crate::op::{Lane, Op};
use crate::time::Time;
use crate::timer::ConsumerKey;

/// Who is to read the answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// A consumer's own business.
    Consumer(ConsumerKey, Errand),
    /// The heartbeat of these consumers, in the order of the pulses.
    Beat(Vec<ConsumerKey>),
    /// The reconciler's look around.
    Survey,
    /// The reconciler's removal of a dead consumer.
    Remove(FunctionId, ConsumerId),
    /// A user's request: its ticket still waits for this step.
    Ticket(Ticket),
    /// The present state of an awaited call, for everyone who awaits it.
    Awaited(CallId),
    /// The reply stream.
    Replies,
    /// The end of the reply stream.
    SignOff,
    /// What a decided call left behind, cleared away for whoever awaited it.
    Leftovers(CallId),
    /// A ping.
    Ping,
}

/// What a consumer asked the store for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Errand {
    /// To be registered.
    Register,
    /// To be removed from the registry.
    Deregister,
    /// Entries, without waiting.
    Fetch,
    /// Entries that are pending at it unseen.
    Reread,
    /// To begin a call that was taken over.
    Begin(EntryId),
    /// To settle an entry.
    Settle(EntryId),
    /// To renew its leases.
    Renew,
    /// Housekeeping.
    Sweep,
}

/// An operation on its way, and who reads its answer.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Queued {
    pub(crate) op: Op,
    pub(crate) route: Route,
    /// It was sent before, and nobody knows whether it was applied.
    pub(crate) sent: bool,
}

#[derive(Clone, Debug, Default)]
struct LaneQueue {
    waiting: VecDeque<Queued>,
    in_flight: Option<(EffectId, Vec<Queued>)>,
    retries: u32,
    /// It waits for its backoff before it sends again.
    held_back: bool,
    since: Option<Time>,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    lanes: BTreeMap<Lane, LaneQueue>,
}

impl Outbox {
    /// Queues an operation on its own lane.
    pub(crate) fn push(&mut self, now: Time, op: Op, route: Route) {
        self.push_on(now, op.lane(), op, route);
    }

    /// Queues an operation on the lane named: a user's query travels on the lane that is guarded.
    pub(crate) fn push_on(&mut self, now: Time, lane: Lane, op: Op, route: Route) {
        let queue = self.lanes.entry(lane).or_default();
        queue.since.get_or_insert(now);
        queue.waiting.push_back(Queued { op, route, sent: false });
    }

    /// Operations of a lane that have no answer yet.
    pub(crate) fn len(&self, lane: Lane) -> usize {
        self.lanes.get(&lane).map_or(0, |queue| {
            queue.waiting.len() + queue.in_flight.as_ref().map_or(0, |(_, batch)| batch.len())
        })
    }

    /// Lanes with something unanswered, and since when.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (Lane, Time)> {
        self.lanes.iter().filter_map(|(lane, queue)| Some((*lane, queue.since?)))
    }

    /// The lane may send again.
    pub(crate) fn release(&mut self, lane: Lane) {
        self.lanes.entry(lane).or_default().held_back = false;
    }

    /// Every lane may send again, as if nothing had failed: the connection is new.
    pub(crate) fn release_all(&mut self) {
        for queue in self.lanes.values_mut() {
            queue.held_back = false;
            queue.retries = 0;
        }
    }

    /// Counts a failure of the lane and holds it back; answers how many there were in a row.
    pub(crate) fn hold_back(&mut self, lane: Lane) -> u32 {
        let queue = self.lanes.entry(lane).or_default();
        queue.held_back = true;
        queue.retries += 1;
        queue.retries
    }

    /// The next batch of a lane that may send, or nothing. [`Outbox::sent`] must follow.
    pub(crate) fn next_batch(&self, lane: Lane, config: &Config) -> Option<Vec<Op>> {
        let queue = self.lanes.get(&lane)?;
        if queue.in_flight.is_some() || queue.held_back || queue.waiting.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let ops = queue.waiting.iter().enumerate().take(config.batch_ops_max).take_while(
            |(index, queued)| {
                bytes += queued.op.bytes();
                *index == 0 || bytes <= config.batch_bytes_max
            },
        );
        Some(ops.map(|(_, queued)| queued.op.clone()).collect())
    }

    /// The first `count` operations of the lane left as this effect.
    pub(crate) fn sent(&mut self, lane: Lane, effect: EffectId, count: usize) {
        let queue = self.lanes.entry(lane).or_default();
        debug_assert!(queue.in_flight.is_none(), "lane {lane} has two batches in flight");
        let mut batch: Vec<Queued> = queue.waiting.drain(..count).collect();
        for queued in &mut batch {
            queued.sent = true;
        }
        queue.in_flight = Some((effect, batch));
    }

    /// Takes the batch that this effect carried.
    pub(crate) fn take_batch(&mut self, lane: Lane, effect: EffectId, now: Time) -> Vec<Queued> {
        let queue = self.lanes.entry(lane).or_default();
        match queue.in_flight.take() {
            Some((in_flight, batch)) if in_flight == effect => {
                queue.since = (!queue.waiting.is_empty()).then_some(now);
                batch
            }
            other => {
                queue.in_flight = other;
                debug_assert!(false, "lane {lane} has no batch {effect} in flight");
                Vec::new()
            }
        }
    }

    /// The lane's last batch was answered well.
    pub(crate) fn succeeded(&mut self, lane: Lane) {
        self.lanes.entry(lane).or_default().retries = 0;
    }

    /// Puts operations back to the front of their lane, in their order.
    pub(crate) fn put_back(&mut self, lane: Lane, batch: Vec<Queued>, now: Time) {
        let queue = self.lanes.entry(lane).or_default();
        queue.since.get_or_insert(now);
        for queued in batch.into_iter().rev() {
            queue.waiting.push_front(queued);
        }
    }

    /// The batches in flight, taken out: their connection is gone.
    pub(crate) fn take_all_in_flight(&mut self) -> Vec<(Lane, EffectId, Vec<Queued>)> {
        self.lanes
            .iter_mut()
            .filter_map(|(lane, queue)| {
                queue.in_flight.take().map(|(effect, batch)| (*lane, effect, batch))
            })
            .collect()
    }

    /// Withdraws what waits on the lane for this ticket. Answers whether it may have been applied: it
    /// was sent before, or is in flight and cannot be withdrawn.
    pub(crate) fn withdraw(&mut self, lane: Lane, ticket: Ticket) -> bool {
        let Some(queue) = self.lanes.get_mut(&lane) else {
            return false;
        };
        let route = Route::Ticket(ticket);
        let mut maybe_applied = false;
        queue.waiting.retain(|queued| {
            let withdrawn = queued.route == route;
            maybe_applied |= withdrawn && queued.sent;
            !withdrawn
        });
        let in_flight = queue.in_flight.as_ref().map_or(&[][..], |(_, batch)| batch);
        if queue.waiting.is_empty() && in_flight.is_empty() {
            queue.since = None;
        }
        maybe_applied || in_flight.iter().any(|queued| queued.route == route)
    }

    /// Hashes what waits and what is in flight.
    pub(crate) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        for (lane, queue) in &self.lanes {
            (lane, &queue.waiting, queue.held_back, queue.retries).hash(&mut into);
            queue.in_flight.as_ref().map(|(_, batch)| batch).hash(&mut into);
        }
    }
}
