//! What checkers may look at. Nothing here changes the store.

use steadfast_core::call::{DeadLetter, Record};
use steadfast_core::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, NodeId, RunId, SessionId,
};
use steadfast_core::op::ConsumerRecord;
use steadfast_core::time::StoreTime;
use steadfast_core::transport::Interest;

use super::MemStore;
use super::state::State;
use super::stream::{Group, Stream};

/// A store's data at one moment, to be compared with another's. Journal and undelivered wakes are not
/// part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(State);

/// An entry of a function's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its id.
    pub entry: EntryId,
    /// The call, or nothing where it is no call.
    pub call: Option<CallId>,
    /// The attempt it is for; zero where it is no call.
    pub attempt: u32,
    /// Takeovers that no attempt was counted for yet.
    pub takeovers: u32,
    /// No open record stands behind it.
    pub older_peer: bool,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// The entry.
    pub entry: EntryId,
    /// Whom it was delivered to.
    pub owner: ConsumerId,
    /// When it was delivered or last renewed.
    pub delivered_at: StoreTime,
}

impl MemStore {
    /// The data as it stands.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.state.clone())
    }

    /// The present life's run id.
    pub fn run_id(&self) -> &RunId {
        &self.state.run_id
    }

    /// The sessions that live.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.state.sessions.iter().copied().collect()
    }

    /// Whether a session lives.
    pub fn has_session(&self, session: SessionId) -> bool {
        self.state.sessions.contains(&session)
    }

    /// The sessions that are blocked and what each waits for, first blocked first.
    pub fn blocked(&self) -> Vec<(SessionId, Interest)> {
        let blocked = self.state.watches.blocked();
        blocked.map(|watch| (watch.session, watch.interest.clone())).collect()
    }

    /// Every function of which something is kept.
    pub fn functions(&self) -> Vec<FunctionId> {
        self.state.functions.keys().cloned().collect()
    }

    /// Every open call: those in an open hash.
    pub fn open_calls(&self) -> Vec<(FunctionId, CallId)> {
        let functions = self.state.functions.iter();
        functions
            .flat_map(|(id, function)| {
                let calls = function.open().keys();
                calls.map(|call| (id.clone(), call.clone()))
            })
            .collect()
    }

    /// Every call that is parked.
    pub fn parked_calls(&self) -> Vec<(FunctionId, CallId)> {
        let functions = self.state.functions.iter();
        functions
            .flat_map(|(id, function)| {
                let calls = function.parked().keys();
                calls.map(|call| (id.clone(), call.clone()))
            })
            .collect()
    }

    /// Every outcome that is kept.
    pub fn records(&self, now: StoreTime) -> Vec<Record> {
        let kept = self.state.results.all().values();
        kept.filter(|kept| kept.expires > now).map(|kept| kept.record.clone()).collect()
    }

    /// What stands in a call's result stream, in order; empty where there is none.
    pub fn result_stream(&self, now: StoreTime, call: &CallId) -> Vec<Record> {
        let stream = self.state.result_streams.all().get(call);
        let kept = stream.filter(|stream| stream.expires > now);
        kept.map(|stream| stream.records.clone()).unwrap_or_default()
    }

    /// The entries of a function's stream, in order.
    pub fn stream_entries(&self, function: &FunctionId) -> Vec<StreamEntry> {
        let Some(stream) = self.stream(function) else {
            return Vec::new();
        };
        let entries = stream.entries().iter();
        entries
            .map(|(id, entry)| {
                let body = entry.call();
                StreamEntry {
                    entry: *id,
                    call: body.map(|body| body.call.clone()),
                    attempt: body.map_or(0, |body| body.attempt),
                    takeovers: body.map_or(0, |body| body.takeovers),
                    older_peer: !entry.ours,
                }
            })
            .collect()
    }

    /// What is pending in a function's group, in order of entries.
    pub fn pending_entries(&self, function: &FunctionId) -> Vec<PendingEntry> {
        let Some(group) = self.stream(function).and_then(Stream::group) else {
            return Vec::new();
        };
        let pending = group.pending().iter();
        pending
            .map(|(id, pending)| PendingEntry {
                entry: *id,
                owner: pending.owner.clone(),
                delivered_at: pending.delivered_at,
            })
            .collect()
    }

    /// The names in a function's group, by id.
    pub fn group_names(&self, function: &FunctionId) -> Vec<ConsumerId> {
        self.stream(function)
            .and_then(Stream::group)
            .map(Group::names)
            .map(|names| names.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// A function's registered consumers, by id.
    pub fn consumers(&self, now: StoreTime, function: &FunctionId) -> Vec<ConsumerRecord> {
        let function = self.state.functions.get(function);
        function.map(|function| function.consumers(now).cloned().collect()).unwrap_or_default()
    }

    /// The epoch that a function's last registration took; zero if there was none, or if it is forgotten.
    pub fn epoch(&self, now: StoreTime, function: &FunctionId) -> Epoch {
        Epoch(self.state.functions.get(function).map_or(0, |function| function.epoch(now)))
    }

    /// Whose reply streams there are, by caller.
    pub fn reply_streams(&self, now: StoreTime) -> Vec<NodeId> {
        let streams = self.state.replies.all().iter();
        streams.filter(|(_, it)| it.expires > now).map(|(caller, _)| caller.clone()).collect()
    }

    /// A function's dead letters, oldest first.
    pub fn dead_letters(&self, function: &FunctionId) -> Vec<DeadLetter> {
        let function = self.state.functions.get(function);
        function.map(|function| function.letters().values().cloned().collect()).unwrap_or_default()
    }

    fn stream(&self, function: &FunctionId) -> Option<&Stream> {
        self.state.functions.get(function)?.stream.as_ref()
    }
}
