//! What a consumer holds: each entry that was delivered to it and is not settled.

use std::collections::{BTreeMap, VecDeque};

use crate::attempt::AttemptId;
use crate::call::{Delivery, Lease, OutcomeKind};
use crate::name::{ConsumerId, EntryId, Epoch};
use crate::time::Time;

/// How far an entry has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Fetched, not begun.
    Buffered,
    /// Taken over from a dead consumer: the store counts the attempt before it begins.
    Beginning,
    /// A handler runs it.
    Running(AttemptId),
    /// Decided or moved; the store's answer is awaited.
    Settling {
        /// The outcome asked for, or nothing where the call goes on.
        deciding: Option<OutcomeKind>,
    },
}

/// An entry delivered to a consumer and not settled.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Holding {
    pub(crate) delivery: Delivery,
    pub(crate) stage: Stage,
    /// The call's deadline by this node's clock.
    pub(crate) deadline: Time,
    pub(crate) since: Time,
    /// The entry is not ours any more: only a success is still worth telling.
    pub(crate) robbed: bool,
}

impl Holding {
    pub(crate) fn new(delivery: Delivery, now: Time) -> Self {
        let deadline = now + delivery.remaining;
        Self { delivery, stage: Stage::Buffered, deadline, since: now, robbed: false }
    }

    pub(crate) fn lease(&self, consumer: &ConsumerId, epoch: Epoch) -> Lease {
        Lease { entry: self.delivery.entry, consumer: consumer.clone(), epoch }
    }
}

/// All that a consumer holds, and the order in which it is begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    by_entry: BTreeMap<EntryId, Holding>,
    buffer: VecDeque<EntryId>,
}

impl Holdings {
    pub(crate) fn len(&self) -> usize {
        self.by_entry.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_entry.is_empty()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn contains(&self, entry: EntryId) -> bool {
        self.by_entry.contains_key(&entry)
    }

    pub(crate) fn find(&mut self, entry: EntryId) -> Option<&mut Holding> {
        self.by_entry.get_mut(&entry)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EntryId, &Holding)> {
        self.by_entry.iter().map(|(entry, holding)| (*entry, holding))
    }

    /// Takes in a delivery; answers false where it is held already.
    pub(crate) fn take_in(&mut self, delivery: Delivery, now: Time) -> bool {
        let entry = delivery.entry;
        if self.contains(entry) {
            return false;
        }
        self.by_entry.insert(entry, Holding::new(delivery, now));
        self.buffer.push_back(entry);
        true
    }

    /// The next entry to begin.
    pub(crate) fn next_buffered(&mut self) -> Option<EntryId> {
        self.buffer.pop_front()
    }

    /// Puts an entry back to the front of the buffer.
    pub(crate) fn rebuffer(&mut self, entry: EntryId) {
        let Some(holding) = self.by_entry.get_mut(&entry) else {
            return;
        };
        holding.stage = Stage::Buffered;
        self.buffer.push_front(entry);
    }

    /// What is to be begun, in that order.
    pub(crate) fn buffer(&self) -> impl Iterator<Item = EntryId> {
        self.buffer.iter().copied()
    }

    /// Empties the buffer; answers what was in it. The entries are still held.
    pub(crate) fn drain_buffer(&mut self) -> Vec<EntryId> {
        self.buffer.drain(..).collect()
    }

    /// Lets go of an entry.
    pub(crate) fn let_go(&mut self, entry: EntryId) -> Option<Holding> {
        let holding = self.by_entry.remove(&entry)?;
        if holding.stage == Stage::Buffered {
            self.buffer.retain(|buffered| *buffered != entry);
        }
        Some(holding)
    }
}
