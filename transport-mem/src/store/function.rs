//! What the store keeps of one function, with the indexes that belong to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::call::{DeadLetter, Payload};
use steadfast_core::definition::Definition;
use steadfast_core::name::{CallId, ConsumerId, EntryId, Epoch, IdempotencyKey};
use steadfast_core::op::{ConsumerRecord, ConsumerStatus};
use steadfast_core::time::StoreTime;
use steadfast_core::wire::CallEntry;

use super::FRAME_BYTES;
use super::stream::{Stream, call_bytes, next_id};

/// How long an outcome is kept.
pub(super) const RESULT_TTL: Duration = Duration::from_secs(300);
/// How long a consumer's state and a function's definition live without a heartbeat.
pub(super) const STATE_TTL: Duration = Duration::from_secs(3_600);

/// How long the state of a consumer that was removed is kept: as long as call ids deduplicate.
const STOPPED_TTL: Duration = Duration::from_secs(300);

fn is_alive(record: &ConsumerRecord) -> bool {
    record.status != ConsumerStatus::Stopped
}

/// The record of an open call of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Open {
    pub(super) deadline: StoreTime,
    /// The present attempt, from 1.
    pub(super) attempt: u32,
    /// Its entry, or nothing while it is parked.
    pub(super) entry: Option<EntryId>,
    /// The entry for which a takeover was counted already.
    pub(super) begun: Option<EntryId>,
    /// The call asks for a result stream.
    pub(super) result_stream: bool,
}

/// A call that waits outside the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Parked {
    pub(super) body: CallEntry,
    /// Its not-before, or the end of its deferral's lease.
    pub(super) due: StoreTime,
    /// The nonce of its token, if it is deferred.
    pub(super) nonce: Option<Arc<str>>,
    /// The open hash has a record of it.
    pub(super) ours: bool,
}

/// A consumer's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Registered {
    pub(super) record: ConsumerRecord,
    pub(super) expires: StoreTime,
}

/// All keys of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) stream: Option<Stream>,
    open: BTreeMap<CallId, Open>,
    deadlines: BTreeSet<(StoreTime, CallId)>,
    parked: BTreeMap<CallId, Parked>,
    due: BTreeSet<(StoreTime, CallId)>,
    keys: BTreeMap<IdempotencyKey, (CallId, StoreTime)>,
    keys_by_expiry: BTreeSet<(StoreTime, IdempotencyKey)>,
    letters: BTreeMap<EntryId, DeadLetter>,
    letters_last: EntryId,
    /// The epoch taken last, and until when it is known.
    epoch: Option<(u64, StoreTime)>,
    consumers: BTreeMap<ConsumerId, Registered>,
    consumers_by_expiry: BTreeSet<(StoreTime, ConsumerId)>,
    definition: Option<(Definition, StoreTime)>,
    /// About how many bytes its calls and letters take.
    pub(super) bytes: usize,
}

pub(super) fn letter_bytes(letter: &DeadLetter) -> usize {
    FRAME_BYTES + letter.input.as_ref().map_or(0, Payload::bytes) + letter.failure.message.len()
}

/// Open calls.
impl Function {
    pub(super) fn open(&self) -> &BTreeMap<CallId, Open> {
        &self.open
    }

    pub(super) fn insert_open(&mut self, call: CallId, open: Open) {
        self.deadlines.insert((open.deadline, call.clone()));
        let previous = self.open.insert(call, open);
        debug_assert!(previous.is_none(), "a call was admitted twice");
    }

    /// Mutable, but for the deadline, which is indexed and never changes.
    pub(super) fn open_mut(&mut self, call: &CallId) -> Option<&mut Open> {
        self.open.get_mut(call)
    }

    pub(super) fn remove_open(&mut self, call: &CallId) -> Option<Open> {
        let open = self.open.remove(call)?;
        self.deadlines.remove(&(open.deadline, call.clone()));
        Some(open)
    }

    /// The open call that is overdue for the longest time.
    pub(super) fn overdue(&self, now: StoreTime) -> Option<&CallId> {
        let (deadline, call) = self.deadlines.first()?;
        (*deadline <= now).then_some(call)
    }

    /// Calls in the stream and parked.
    pub(super) fn held(&self) -> usize {
        self.stream.as_ref().map_or(0, Stream::len) + self.parked.len()
    }
}

/// Parked calls.
impl Function {
    pub(super) fn parked(&self) -> &BTreeMap<CallId, Parked> {
        &self.parked
    }

    pub(super) fn park(&mut self, parked: Parked) {
        let call = parked.body.call.clone();
        self.unpark(&call);
        self.bytes += call_bytes(&parked.body);
        self.due.insert((parked.due, call.clone()));
        self.parked.insert(call, parked);
    }

    pub(super) fn unpark(&mut self, call: &CallId) -> Option<Parked> {
        let parked = self.parked.remove(call)?;
        self.due.remove(&(parked.due, call.clone()));
        self.bytes -= call_bytes(&parked.body);
        Some(parked)
    }

    pub(super) fn hold_until(&mut self, call: &CallId, due: StoreTime) {
        if let Some(parked) = self.parked.get_mut(call) {
            self.due.remove(&(parked.due, call.clone()));
            self.due.insert((due, call.clone()));
            parked.due = due;
        }
    }

    /// What is parked, the first due first.
    pub(super) fn due(&self) -> &BTreeSet<(StoreTime, CallId)> {
        &self.due
    }

    pub(super) fn next_due(&self, now: StoreTime) -> Option<Duration> {
        self.due.first().map(|(due, _)| due.since(now))
    }
}

/// Idempotency keys.
impl Function {
    pub(super) fn key(&self, now: StoreTime, key: &IdempotencyKey) -> Option<&CallId> {
        self.keys.get(key).filter(|(_, expires)| *expires > now).map(|(call, _)| call)
    }

    pub(super) fn set_key(&mut self, key: IdempotencyKey, call: CallId, expires: StoreTime) {
        if let Some((_, before)) = self.keys.insert(key.clone(), (call, expires)) {
            self.keys_by_expiry.remove(&(before, key.clone()));
        }
        self.keys_by_expiry.insert((expires, key));
    }

    pub(super) fn keys(&self) -> &BTreeMap<IdempotencyKey, (CallId, StoreTime)> {
        &self.keys
    }
}

/// Dead letters.
impl Function {
    pub(super) fn letters(&self) -> &BTreeMap<EntryId, DeadLetter> {
        &self.letters
    }

    /// Adds a dead letter, and drops the oldest above `most`.
    pub(super) fn add_letter(&mut self, now: StoreTime, mut letter: DeadLetter, most: usize) {
        let id = next_id(self.letters_last, now);
        self.letters_last = id;
        letter.entry = id;
        self.bytes += letter_bytes(&letter);
        self.letters.insert(id, letter);
        while self.letters.len() > most {
            if let Some((_, dropped)) = self.letters.pop_first() {
                self.bytes -= letter_bytes(&dropped);
            }
        }
    }

    pub(super) fn remove_letter(&mut self, id: EntryId) -> Option<DeadLetter> {
        let letter = self.letters.remove(&id)?;
        self.bytes -= letter_bytes(&letter);
        Some(letter)
    }
}

/// Consumers and definition.
impl Function {
    pub(super) fn next_epoch(&mut self, now: StoreTime) -> Epoch {
        let epoch = (self.epoch(now) + 1).max(now.as_micros());
        self.epoch = Some((epoch, now + STATE_TTL));
        Epoch(epoch)
    }

    /// The epoch taken last; zero if none was, or if it is forgotten. As the next is never below the store's
    /// time in microseconds, none comes twice by that.
    pub(super) fn epoch(&self, now: StoreTime) -> u64 {
        self.epoch.filter(|(_, expires)| *expires > now).map_or(0, |(epoch, _)| epoch)
    }

    pub(super) fn epoch_expires(&self) -> Option<StoreTime> {
        self.epoch.map(|(_, expires)| expires)
    }

    pub(super) fn consumer(
        &self,
        now: StoreTime,
        consumer: &ConsumerId,
    ) -> Option<&ConsumerRecord> {
        self.known(now, consumer).filter(|record| is_alive(record))
    }

    pub(super) fn consumers(&self, now: StoreTime) -> impl Iterator<Item = &ConsumerRecord> {
        let kept = self.consumers.values().filter(move |it| it.expires > now);
        kept.map(|it| &it.record).filter(|record| is_alive(record))
    }

    /// A consumer's state, also one of status `stopped`, that a consumer leaves when it is removed.
    pub(super) fn known(&self, now: StoreTime, consumer: &ConsumerId) -> Option<&ConsumerRecord> {
        self.consumers.get(consumer).filter(|it| it.expires > now).map(|it| &it.record)
    }

    pub(super) fn registered(&self) -> &BTreeMap<ConsumerId, Registered> {
        &self.consumers
    }

    pub(super) fn set_consumer(&mut self, record: ConsumerRecord, expires: StoreTime) {
        let consumer = record.consumer.clone();
        self.remove_consumer(&consumer);
        self.consumers_by_expiry.insert((expires, consumer.clone()));
        self.consumers.insert(consumer, Registered { record, expires });
    }

    /// Leaves of a consumer its state of status `stopped`: a late copy of its registration, still on its
    /// way on a dying connection, must not bring it back.
    pub(super) fn bury_consumer(&mut self, now: StoreTime, consumer: &ConsumerId) {
        if let Some(record) = self.consumer(now, consumer).cloned() {
            let record = ConsumerRecord { status: ConsumerStatus::Stopped, ..record };
            self.set_consumer(record, now + STOPPED_TTL);
        }
    }

    fn remove_consumer(&mut self, consumer: &ConsumerId) -> bool {
        let Some(removed) = self.consumers.remove(consumer) else {
            return false;
        };
        self.consumers_by_expiry.remove(&(removed.expires, consumer.clone()));
        true
    }

    pub(super) fn definition(&self, now: StoreTime) -> Option<&Definition> {
        self.definition
            .as_ref()
            .filter(|(_, expires)| *expires > now)
            .map(|(definition, _)| definition)
    }

    pub(super) fn set_definition(&mut self, definition: Definition, expires: StoreTime) {
        self.definition = Some((definition, expires));
    }

    /// What lives by its consumers' heartbeats lives on.
    pub(super) fn refresh(&mut self, expires: StoreTime) {
        if let Some((_, until)) = &mut self.definition {
            *until = expires;
        }
        if let Some((_, until)) = &mut self.epoch {
            *until = expires;
        }
    }

    pub(super) fn definition_expires(&self) -> Option<StoreTime> {
        self.definition.as_ref().map(|(_, expires)| *expires)
    }
}

/// Time to live.
impl Function {
    /// Removes the stream of a function that nobody serves once it holds nothing, and nobody reads it
    /// by a name in its group: no other step would ever remove it. The next call creates it again, and
    /// whoever serves by then is given that call, as a group begins at `0`.
    pub(super) fn forget_unserved(&mut self, now: StoreTime) {
        let nobody_reads = |stream: &Stream| {
            stream.len() == 0 && stream.group().is_none_or(|group| group.names().is_empty())
        };
        if self.consumers(now).next().is_none()
            && self.open.is_empty()
            && self.parked.is_empty()
            && self.stream.as_ref().is_some_and(nobody_reads)
        {
            self.stream = None;
        }
    }

    /// When the next of its keys expires.
    pub(super) fn next_expiry(&self) -> Option<StoreTime> {
        [
            self.keys_by_expiry.first().map(|(at, _)| *at),
            self.consumers_by_expiry.first().map(|(at, _)| *at),
            self.definition_expires(),
            self.epoch_expires(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Forgets what has expired.
    pub(super) fn purge(&mut self, now: StoreTime) {
        while let Some((at, _)) = self.keys_by_expiry.first()
            && *at <= now
        {
            if let Some((_, key)) = self.keys_by_expiry.pop_first() {
                self.keys.remove(&key);
            }
        }
        while let Some((at, _)) = self.consumers_by_expiry.first()
            && *at <= now
        {
            if let Some((_, consumer)) = self.consumers_by_expiry.pop_first() {
                self.consumers.remove(&consumer);
            }
        }
        if self.definition_expires().is_some_and(|at| at <= now) {
            self.definition = None;
        }
        if self.epoch_expires().is_some_and(|at| at <= now) {
            self.epoch = None;
        }
    }

    /// Nothing is kept: as good as never heard of.
    pub(super) fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}
