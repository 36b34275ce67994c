//! The journal: every input that changed the store, so that it can be rebuilt as it stood at any point.

use serde::{Deserialize, Serialize};
use steadfast_core::call::Record;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{CallId, ConsumerId, EntryId, FunctionId, SessionId};
use steadfast_core::op::Op;
use steadfast_core::time::StoreTime;
use steadfast_core::transport::Interest;

use super::{MemStore, StoreConfig};

/// One input to the store. It holds payloads, as the store does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreInput {
    /// [`StoreMachine::connect`].
    Connect,
    /// [`StoreMachine::disconnect`].
    Disconnect,
    /// [`StoreMachine::apply`] of an operation that does not merely read.
    Apply(Op),
    /// [`StoreMachine::watch`].
    Watch(Interest),
    /// [`StoreMachine::unwatch`].
    Unwatch,
    /// [`MemStore::restart`].
    Restart,
    /// [`MemStore::flush`].
    Flush,
    /// [`MemStore::delete_stream`].
    DeleteStream(FunctionId),
    /// [`MemStore::delete_group`].
    DeleteGroup(FunctionId),
    /// [`MemStore::delete_name`].
    DeleteName(FunctionId, ConsumerId),
    /// [`MemStore::older_peer_acknowledge`].
    OlderPeerAcknowledge(FunctionId, EntryId),
    /// [`MemStore::older_peer_answer`].
    OlderPeerAnswer(Record),
    /// [`MemStore::older_peer_take_result`].
    OlderPeerTakeResult(CallId),
    /// [`MemStore::limit_bytes`].
    LimitBytes(usize),
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The store's time; zero where the input has none.
    pub now: StoreTime,
    /// Whose input it was, if a session's.
    pub session: Option<SessionId>,
    /// The input.
    pub input: StoreInput,
}

impl MemStore {
    /// Starts to keep a journal, from here. It grows without bound: it is for simulations and tests.
    pub fn start_journal(&mut self) {
        self.journal.get_or_insert_default();
    }

    /// The journal since [`MemStore::start_journal`]; empty where none is kept.
    pub fn journal(&self) -> &[JournalEntry] {
        self.journal.as_deref().unwrap_or_default()
    }

    pub(super) fn record(
        &mut self,
        now: StoreTime,
        session: Option<SessionId>,
        input: impl FnOnce() -> StoreInput,
    ) {
        if let Some(journal) = &mut self.journal {
            journal.push(JournalEntry { now, session, input: input() });
        }
    }

    /// Rebuilds a store from the beginning of its journal: the store as it stood after those inputs,
    /// with the sessions of that time. It keeps a journal of its own, so that a replica can go on from
    /// there. A journal that was started late begins at an empty store all the same.
    pub fn replay(config: StoreConfig, journal: &[JournalEntry]) -> Self {
        let mut store = Self::new(config);
        store.start_journal();
        for entry in journal {
            store.repeat(entry);
            store.wakes.clear();
        }
        store
    }

    fn repeat(&mut self, JournalEntry { now, session, input }: &JournalEntry) {
        let session = session.unwrap_or(SessionId(0));
        match input {
            StoreInput::Connect => drop(self.connect(*now)),
            StoreInput::Disconnect => self.disconnect(*now, session),
            StoreInput::Apply(op) => drop(self.apply(*now, session, op)),
            StoreInput::Watch(interest) => drop(self.watch(*now, session, interest)),
            StoreInput::Unwatch => self.unwatch(session),
            StoreInput::Restart => self.restart(*now),
            StoreInput::Flush => self.flush(*now),
            StoreInput::DeleteStream(function) => drop(self.delete_stream(*now, function)),
            StoreInput::DeleteGroup(function) => drop(self.delete_group(*now, function)),
            StoreInput::DeleteName(function, name) => {
                self.delete_name(*now, function, name);
            }
            StoreInput::OlderPeerAcknowledge(function, entry) => {
                self.older_peer_acknowledge(*now, function, *entry);
            }
            StoreInput::OlderPeerAnswer(record) => self.older_peer_answer(*now, record.clone()),
            StoreInput::OlderPeerTakeResult(call) => {
                self.older_peer_take_result(*now, call);
            }
            StoreInput::LimitBytes(bytes_max) => self.limit_bytes(*now, *bytes_max),
        }
    }
}
