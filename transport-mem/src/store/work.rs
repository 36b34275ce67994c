//! What one operation works on: one function's keys, and the outcomes it may write to.

use std::time::Duration;

use steadfast_core::call::{Delivered, Delivery, Lease};
use steadfast_core::name::{CallId, EntryId, FunctionId, RunId};
use steadfast_core::time::StoreTime;
use steadfast_core::wire::CallEntry;

use super::StoreConfig;
use super::function::{Function, Parked};
use super::replies::{Replies, Results};
use super::result_streams::ResultStreams;
use super::stream::{Content, Entry, Stream};
use super::watches::Ready;

/// One operation at work on one function.
pub(super) struct Work<'a> {
    pub(super) now: StoreTime,
    pub(super) id: &'a FunctionId,
    pub(super) function: &'a mut Function,
    pub(super) results: &'a mut Results,
    pub(super) result_streams: &'a mut ResultStreams,
    pub(super) replies: &'a mut Replies,
    pub(super) run_id: &'a RunId,
    pub(super) config: &'a StoreConfig,
    /// What blocked sessions are to be looked at afterwards.
    pub(super) ready: &'a mut Vec<Ready>,
    /// Whether this step closed a call or removed a consumer.
    pub(super) closed_any: bool,
}

/// How a delivered call goes back to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    /// Given back by its consumer or with it: a count that [`Op::Begin`](steadfast_core::op::Op::Begin)
    /// made goes along, so that it is not made again.
    Released,
    /// Taken from a consumer that is gone.
    TakenOver,
}

/// Where an undecided call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In the open hash: a call of ours.
    Open,
    /// Parked, and in no open hash: an older peer's.
    Parked,
    /// In the stream, and in no open hash: an older peer's.
    Entry(EntryId),
}

impl Work<'_> {
    /// Creates stream and group (at `0`) where they are missing; answers whether anything was.
    pub(super) fn ensure(&mut self) -> bool {
        let no_stream = self.function.stream.is_none();
        let stream = self.function.stream.get_or_insert_with(|| Stream::new(self.now));
        let no_group = stream.ensure_group();
        if no_group {
            self.ready.push(Ready::Calls(self.id.clone()));
        }
        no_stream || no_group
    }

    pub(super) fn stream(&self) -> Option<&Stream> {
        self.function.stream.as_ref()
    }

    pub(super) fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.stream()?.entry(id)
    }

    pub(super) fn add(&mut self, entry: impl FnOnce(EntryId) -> Entry) -> EntryId {
        self.ensure();
        self.put(entry)
    }

    /// Adds an entry as XADD does: it creates the stream where it is missing, and no group.
    pub(super) fn put(&mut self, entry: impl FnOnce(EntryId) -> Entry) -> EntryId {
        let stream = self.function.stream.get_or_insert_default();
        let id = stream.add(self.now, entry);
        self.function.bytes += stream.entry(id).map_or(0, Entry::bytes);
        self.ready.push(Ready::Calls(self.id.clone()));
        id
    }

    /// Adds a call's entry; the open record of a call of ours follows it.
    pub(super) fn append(&mut self, body: CallEntry, ours: bool) -> EntryId {
        let call = body.call.clone();
        let id = self.add(|_| Entry { content: Content::Call(body), ours });
        if ours && let Some(open) = self.function.open_mut(&call) {
            open.entry = Some(id);
        }
        id
    }

    /// Acknowledges and deletes an entry.
    pub(super) fn remove_entry(&mut self, id: EntryId) -> Option<Entry> {
        let entry = self.function.stream.as_mut()?.remove(id)?;
        self.function.bytes -= entry.bytes();
        Some(entry)
    }

    /// Re-appends what is pending, in one step with its removal.
    pub(super) fn give_back(&mut self, id: EntryId, how: Return) -> Option<EntryId> {
        let Entry { content, ours } = self.remove_entry(id)?;
        let mut body = match content {
            Content::Call(body) => body,
            raw @ Content::Raw { .. } => {
                return Some(self.add(|_| Entry { content: raw, ours }));
            }
        };
        body.takeovers += u32::from(how == Return::TakenOver);
        let mut counted = false;
        if ours && let Some(open) = self.function.open_mut(&body.call) {
            body.attempt = open.attempt;
            counted = open.begun == Some(id) && how == Return::Released;
        }
        let call = body.call.clone();
        let new = self.append(body, ours);
        if ours && let Some(open) = self.function.open_mut(&call) {
            open.begun = counted.then_some(new);
        }
        Some(new)
    }

    /// Parks a call; the open record of a call of ours follows it.
    pub(super) fn park(&mut self, parked: Parked) {
        if parked.ours
            && let Some(open) = self.function.open_mut(&parked.body.call)
        {
            open.entry = None;
            open.begun = None;
        }
        self.function.park(parked);
    }

    /// Where the call stands, if it is undecided. An older peer's is found by the entry at hand.
    pub(super) fn standing(&self, call: &CallId, at_hand: Option<EntryId>) -> Option<Standing> {
        if self.function.open().contains_key(call) {
            return Some(Standing::Open);
        }
        if self.function.parked().contains_key(call) {
            return Some(Standing::Parked);
        }
        at_hand
            .filter(|id| self.entry(*id).is_some_and(|entry| entry.names(call)))
            .map(Standing::Entry)
    }

    /// Where an older peer's call stands, searched for in the stream.
    pub(super) fn older(&self, call: &CallId) -> Option<Standing> {
        self.stream()?.older_entry(call).map(Standing::Entry)
    }

    pub(super) fn deadline(&self, call: &CallId, standing: Standing) -> Option<StoreTime> {
        match standing {
            Standing::Open => self.function.open().get(call).map(|open| open.deadline),
            Standing::Parked => self.function.parked().get(call).map(|it| it.body.deadline),
            Standing::Entry(id) => self.entry(id)?.call().map(|body| body.deadline),
        }
    }

    /// Attempts that were begun, as far as the store can tell: a delivered call counts as begun.
    pub(super) fn attempts_begun(&self, call: &CallId, standing: Standing) -> u32 {
        let open = self.function.open().get(call);
        let entry = match standing {
            Standing::Entry(id) => Some(id),
            Standing::Open | Standing::Parked => open.and_then(|open| open.entry),
        };
        if let Some(parked) = self.function.parked().get(call) {
            let attempt = open.map_or(parked.body.attempt, |open| open.attempt);
            return attempt - u32::from(parked.nonce.is_none());
        }
        let body = entry.and_then(|id| self.entry(id)).and_then(Entry::call);
        let Some(body) = body else {
            return open.map_or(0, |open| open.attempt);
        };
        let delivered = entry.is_some_and(|id| self.owner(id).is_some());
        let attempt = open.map_or_else(|| effective_attempt(body), |open| open.attempt);
        attempt - u32::from(!delivered && body.takeovers == 0)
    }

    pub(super) fn owner(&self, id: EntryId) -> Option<&steadfast_core::name::ConsumerId> {
        self.stream()?.group()?.owner(id)
    }

    /// The entry is pending at the lease's consumer, which is registered under the lease's epoch.
    pub(super) fn holds(&self, lease: &Lease) -> bool {
        self.owner(lease.entry) == Some(&lease.consumer)
            && self
                .function
                .consumer(self.now, &lease.consumer)
                .is_some_and(|record| record.epoch == lease.epoch)
    }

    /// The lease holds, and its entry is this call's.
    pub(super) fn proves(&self, call: &CallId, lease: &Lease) -> bool {
        self.holds(lease) && self.entry(lease.entry).is_some_and(|entry| entry.names(call))
    }
}

/// The attempt an older peer's entry is for: its takeovers are counted in its own fields, as there is
/// no open record to count them in.
pub(super) fn effective_attempt(body: &CallEntry) -> u32 {
    body.attempt.saturating_add(body.takeovers)
}

/// An entry as a read answers it.
pub(super) fn delivered(now: StoreTime, stream: &Stream, id: EntryId) -> Option<Delivered> {
    let entry = stream.entry(id)?;
    Some(match &entry.content {
        Content::Raw { reason, .. } => {
            Delivered::Malformed { entry: id, reason: reason.to_string() }
        }
        Content::Call(body) => Delivered::Call(Delivery {
            entry: id,
            call: body.call.clone(),
            input: body.input.clone(),
            attempt: body.attempt,
            takeovers: body.takeovers,
            remaining: remaining(now, body.deadline),
            traceparent: body.traceparent.clone(),
            older_peer: !entry.ours,
        }),
    })
}

pub(super) fn remaining(now: StoreTime, deadline: StoreTime) -> Duration {
    deadline.since(now)
}
