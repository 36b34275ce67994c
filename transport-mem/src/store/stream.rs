//! One stream with its group: entries, what is pending at whom, and the group's names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use steadfast_core::call::Payload;
use steadfast_core::name::{CallId, ConsumerId, EntryId};
use steadfast_core::time::StoreTime;
use steadfast_core::wire::{CallEntry, fields};

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// A call.
    Call(CallEntry),
    /// Fields that are no call, and why not.
    Raw { fields: RawFields, reason: Arc<str> },
}

/// An older peer's fields as they stand. `Debug` shows how many there are, never their content.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RawFields(Arc<[(String, String)]>);

impl RawFields {
    pub(super) fn new(fields: &[(String, String)]) -> Self {
        Self(fields.into())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, value)| (field.as_str(), value.as_str()))
    }

    fn last(&self, wanted: &str) -> Option<&str> {
        self.iter().filter(|(field, _)| *field == wanted).map(|(_, value)| value).last()
    }

    /// The call that the fields name, where they do.
    pub(super) fn call(&self) -> Option<CallId> {
        CallId::new(self.last(fields::CALL_ID)?).ok()
    }

    /// The input, where it can be read.
    pub(super) fn input(&self) -> Option<Payload> {
        Payload::parse(self.last(fields::INPUT)?).ok()
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(f, v)| f.len() + v.len()).sum()
    }
}

impl fmt::Debug for RawFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawFields({} fields)", self.0.len())
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) content: Content,
    /// The open hash has a record that points here; otherwise an older caller added it.
    pub(super) ours: bool,
}

impl Entry {
    pub(super) fn call(&self) -> Option<&CallEntry> {
        match &self.content {
            Content::Call(call) => Some(call),
            Content::Raw { .. } => None,
        }
    }

    pub(super) fn names(&self, call: &CallId) -> bool {
        self.call().is_some_and(|body| body.call == *call)
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Call(call) => call_bytes(call),
            Content::Raw { fields, .. } => super::FRAME_BYTES + fields.bytes(),
        }
    }
}

/// About how many bytes a call takes where it stands.
pub(super) fn call_bytes(call: &CallEntry) -> usize {
    super::FRAME_BYTES + call.input.bytes()
}

/// One entry delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pending {
    pub(super) owner: ConsumerId,
    pub(super) delivered_at: StoreTime,
}

/// A consumer's name in the group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) seen_at: StoreTime,
    pub(super) pending: BTreeSet<EntryId>,
}

/// The group of a function, at its place in the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    delivered: EntryId,
    pending: BTreeMap<EntryId, Pending>,
    names: BTreeMap<ConsumerId, Name>,
    /// Entries that were delivered, are in nobody's pending list, and are not deleted.
    acked: BTreeSet<EntryId>,
}

/// A stream, with the group if it exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stream {
    entries: BTreeMap<EntryId, Entry>,
    last: EntryId,
    group: Option<Group>,
    /// Older callers' calls in this stream.
    older: BTreeMap<CallId, BTreeSet<EntryId>>,
    older_deadlines: BTreeSet<(StoreTime, EntryId)>,
}

/// The id after `last` at this time: a stream's ids never go back, even where the clock does.
pub(super) fn next_id(last: EntryId, now: StoreTime) -> EntryId {
    if now.as_millis() > last.ms {
        EntryId { ms: now.as_millis(), seq: 0 }
    } else {
        EntryId { ms: last.ms, seq: last.seq + 1 }
    }
}

impl Stream {
    /// A stream whose ids are later than those of one that was removed within this millisecond: none
    /// is given twice.
    pub(super) fn new(now: StoreTime) -> Self {
        let last = EntryId { ms: now.as_millis(), seq: now.as_micros() % 1000 };
        Self { last, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn last(&self) -> EntryId {
        self.last
    }

    pub(super) fn entries(&self) -> &BTreeMap<EntryId, Entry> {
        &self.entries
    }

    pub(super) fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// Creates the group at `0` where it is missing; answers whether it was.
    pub(super) fn ensure_group(&mut self) -> bool {
        let missing = self.group.is_none();
        self.group.get_or_insert_default();
        missing
    }

    pub(super) fn delete_group(&mut self) -> bool {
        self.group.take().is_some()
    }

    /// Adds an entry whose content may depend on its id.
    pub(super) fn add(&mut self, now: StoreTime, entry: impl FnOnce(EntryId) -> Entry) -> EntryId {
        let id = next_id(self.last, now);
        let entry = entry(id);
        if let (false, Some(body)) = (entry.ours, entry.call()) {
            self.older.entry(body.call.clone()).or_default().insert(id);
            self.older_deadlines.insert((body.deadline, id));
        }
        self.last = id;
        self.entries.insert(id, entry);
        id
    }

    /// Acknowledges and deletes an entry.
    pub(super) fn remove(&mut self, id: EntryId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        if let Some(group) = &mut self.group {
            group.forget(id);
            group.acked.remove(&id);
        }
        if let (false, Some(body)) = (entry.ours, entry.call()) {
            self.older_deadlines.remove(&(body.deadline, id));
            if let Some(ids) = self.older.get_mut(&body.call) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.older.remove(&body.call);
                }
            }
        }
        Some(entry)
    }

    /// Acknowledges an entry and leaves it in the stream, as older peers do.
    pub(super) fn acknowledge(&mut self, id: EntryId) -> bool {
        let Some(group) = &mut self.group else {
            return false;
        };
        let was_pending = group.forget(id);
        if was_pending && self.entries.contains_key(&id) {
            group.acked.insert(id);
        }
        was_pending
    }

    /// The first entry in the stream that an older caller added for this call.
    pub(super) fn older_entry(&self, call: &CallId) -> Option<EntryId> {
        self.older.get(call)?.first().copied()
    }

    /// The older callers' entry that is overdue for the longest time.
    pub(super) fn older_overdue(&self, now: StoreTime) -> Option<EntryId> {
        let (deadline, id) = self.older_deadlines.first()?;
        (*deadline <= now).then_some(*id)
    }

    /// Whether an entry after this one is in the stream.
    pub(super) fn has_after(&self, after: EntryId) -> bool {
        self.entries.last_key_value().is_some_and(|(id, _)| *id > after)
    }

    /// Takes undelivered entries for a consumer, at most `count`. Without a group, nothing.
    pub(super) fn deliver(
        &mut self,
        now: StoreTime,
        consumer: &ConsumerId,
        count: usize,
    ) -> Vec<EntryId> {
        let Some(group) = &mut self.group else {
            return Vec::new();
        };
        let after = (Bound::Excluded(group.delivered), Bound::Unbounded);
        let ids: Vec<EntryId> = self.entries.range(after).take(count).map(|(id, _)| *id).collect();
        group.see(now, consumer);
        for id in &ids {
            group.assign(now, *id, consumer);
            group.delivered = *id;
        }
        ids
    }

    /// Whether something is there for the group's next read.
    pub(super) fn has_undelivered(&self) -> bool {
        self.group.as_ref().is_some_and(|group| self.has_after(group.delivered))
    }

    /// Notes that a consumer read or claimed; its name is created where it is missing.
    pub(super) fn see(&mut self, now: StoreTime, consumer: &ConsumerId) {
        if let Some(group) = &mut self.group {
            group.see(now, consumer);
        }
    }

    /// Renews an entry's delivery time, if it is pending at this consumer.
    pub(super) fn renew(&mut self, now: StoreTime, consumer: &ConsumerId, id: EntryId) -> bool {
        let Some(pending) = self.group.as_mut().and_then(|it| it.pending.get_mut(&id)) else {
            return false;
        };
        let held = pending.owner == *consumer;
        if held {
            pending.delivered_at = now;
        }
        held
    }

    /// Removes a consumer's name. What is pending at it is dropped from the pending list, as
    /// XGROUP DELCONSUMER does; our own operations see to it that nothing is.
    pub(super) fn remove_name(&mut self, consumer: &ConsumerId) -> bool {
        let Some(group) = &mut self.group else {
            return false;
        };
        let Some(name) = group.names.remove(consumer) else {
            return false;
        };
        for id in name.pending {
            group.pending.remove(&id);
            if self.entries.contains_key(&id) {
                group.acked.insert(id);
            }
        }
        true
    }
}

impl Group {
    pub(super) fn delivered(&self) -> EntryId {
        self.delivered
    }

    pub(super) fn pending(&self) -> &BTreeMap<EntryId, Pending> {
        &self.pending
    }

    pub(super) fn owner(&self, id: EntryId) -> Option<&ConsumerId> {
        self.pending.get(&id).map(|pending| &pending.owner)
    }

    pub(super) fn names(&self) -> &BTreeMap<ConsumerId, Name> {
        &self.names
    }

    pub(super) fn acked(&self) -> &BTreeSet<EntryId> {
        &self.acked
    }

    pub(super) fn pending_at(&self, consumer: &ConsumerId) -> Vec<EntryId> {
        self.names
            .get(consumer)
            .map(|name| name.pending.iter().copied().collect())
            .unwrap_or_default()
    }

    fn see(&mut self, now: StoreTime, consumer: &ConsumerId) -> &mut Name {
        let name = self
            .names
            .entry(consumer.clone())
            .or_insert_with(|| Name { seen_at: now, pending: BTreeSet::new() });
        name.seen_at = now;
        name
    }

    fn assign(&mut self, now: StoreTime, id: EntryId, consumer: &ConsumerId) {
        let previous =
            self.pending.insert(id, Pending { owner: consumer.clone(), delivered_at: now });
        debug_assert!(previous.is_none(), "entry {id} was delivered while it was pending");
        self.see(now, consumer).pending.insert(id);
    }

    fn forget(&mut self, id: EntryId) -> bool {
        let Some(pending) = self.pending.remove(&id) else {
            return false;
        };
        let was_there =
            self.names.get_mut(&pending.owner).is_some_and(|name| name.pending.remove(&id));
        debug_assert!(was_there, "entry {id} is pending at a name that does not list it");
        true
    }
}
