//! The reference store: what a Redis with Steadfast's scripts does, as a pure state machine.
//!
//! [`Op`] says what each operation means; this is its one executable reading. Where the words leave a
//! choice, the store does what scripts on one slot could do in one step, and says so at the method:
//!
//! - What stands first: a kept outcome overrules, then a deadline that passed expires (a call of ours),
//!   then lease or token are checked. So a fenced failure past the deadline still expires the call.
//! - A lease proves its entry: the entry is pending at the lease's consumer, names the call, and that
//!   consumer is registered under the lease's epoch.
//! - Takeovers are those that no attempt was counted for yet: a retry or a deferral counts, and starts
//!   again at zero. A release after [`Op::Begin`] carries the count along, so that it is not made twice.
//! - An older peer's call is in no open hash: it is found by the entry at hand, for [`Verdict::Cancel`]
//!   and [`Verdict::Expire`] by a search of the stream, once parked by its place. Its takeovers are
//!   counted in its own fields.
//! - Idempotency: a key belongs to one function; a call that resubmits its own key is judged by its id.
//! - Whether a call asks for a result stream stands in its open record, an older peer's call in its own field;
//!   an outcome that an older peer writes goes to none, and what is requeued asks for none.
//! - Reads of a reply stream answer at most 1,000 records; a stream that is created anew continues
//!   after the last reply its caller saw.
//!
//! Expiry is decided when an operation is applied, by comparing with its time; the clock may jump, and
//! entry ids stay monotonic. What only reads ([`Op::Inspect`], [`Op::Survey`], [`Op::Ping`],
//! [`Op::Describe`], [`Op::Discover`], [`Op::DeadLetters`]) changes nothing at all, and is not in the
//! journal.
//!
//! [`Verdict::Cancel`]: steadfast_core::op::Verdict::Cancel
//! [`Verdict::Expire`]: steadfast_core::op::Verdict::Expire

mod audit;
mod consumers;
mod decide;
mod faults;
mod fingerprint;
mod function;
mod journal;
mod leftovers;
mod moves;
mod replies;
mod result_streams;
mod state;
mod stream;
mod submit;
mod sweep;
mod views;
mod watches;
mod work;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::SessionId;
use steadfast_core::op::{Op, OpResult};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Connected, Interest, TransportError, Wake};

pub use journal::{JournalEntry, StoreInput};
pub use leftovers::{Leftover, LeftoverKind};
pub use views::{PendingEntry, Snapshot, StreamEntry};

use state::State;
use watches::{Ready, Woken};

/// What every kept thing counts for beside its payload, in bytes.
const FRAME_BYTES: usize = 256;

/// The store's settings and bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreConfig {
    /// Names the store in its run ids, so that two stores differ.
    pub seed: u64,
    /// Whether the store tells which sessions live.
    pub sees_sessions: bool,
    /// The most calls in all streams and parking places; one more submission is refused as
    /// [`Full`](steadfast_core::transport::ErrorKind::Full). Nothing else is refused, so that a full
    /// store drains.
    pub calls_max: usize,
    /// About the most bytes of calls, outcomes, replies and dead letters; a submission above them is
    /// refused as [`OutOfMemory`](steadfast_core::transport::ErrorKind::OutOfMemory).
    pub bytes_max: usize,
    /// The most dead letters of one function; above them the oldest is dropped.
    pub dead_letters_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            sees_sessions: true,
            calls_max: 1_000_000,
            bytes_max: 512 << 20,
            dead_letters_max: 10_000,
        }
    }
}

/// How much the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Calls in all streams and parking places.
    pub calls: usize,
    /// About the bytes of calls, outcomes, replies and dead letters.
    pub bytes: usize,
}

/// The reference store. See the [module](self) for how it reads the operations.
#[derive(Clone, Debug)]
pub struct MemStore {
    config: StoreConfig,
    state: State,
    wakes: VecDeque<(SessionId, Woken)>,
    journal: Option<Vec<JournalEntry>>,
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new(StoreConfig::default())
    }
}

impl MemStore {
    /// An empty store in its first life.
    pub fn new(config: StoreConfig) -> Self {
        Self { state: State::new(config.seed), config, wakes: VecDeque::new(), journal: None }
    }

    /// The settings it was made with.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// How much it holds.
    pub fn used(&self) -> Use {
        self.state.used()
    }

    /// Serves what blocked sessions wait for after a change.
    fn serve(&mut self, now: StoreTime, ready: Vec<Ready>) {
        let mut changed: Vec<Ready> = Vec::with_capacity(ready.len().min(4));
        for key in ready {
            if !changed.contains(&key) {
                changed.push(key);
            }
        }
        self.state.serve(now, changed, &mut self.wakes);
    }
}

impl StoreMachine for MemStore {
    fn connect(&mut self, now: StoreTime) -> Connected {
        self.record(now, None, || StoreInput::Connect);
        Connected {
            session: self.state.connect(),
            run_id: self.state.run_id.clone(),
            now,
            sees_sessions: self.config.sees_sessions,
        }
    }

    fn disconnect(&mut self, now: StoreTime, session: SessionId) {
        self.record(now, Some(session), || StoreInput::Disconnect);
        self.state.disconnect(session);
        self.wakes.retain(|(woken, _)| *woken != session);
    }

    fn apply(&mut self, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        if let Some(error) = self.state.unknown(session) {
            return Err(error);
        }
        if let Some(result) = self.state.query(&self.config, now, op) {
            return result;
        }
        self.record(now, Some(session), || StoreInput::Apply(op.clone()));
        let mut ready = Vec::new();
        let result = self.state.apply(&self.config, now, op, &mut ready);
        self.serve(now, ready);
        result
    }

    fn watch(
        &mut self,
        now: StoreTime,
        session: SessionId,
        interest: &Interest,
    ) -> Option<Result<Wake, TransportError>> {
        self.record(now, Some(session), || StoreInput::Watch(interest.clone()));
        self.state.watch(now, session, interest)
    }

    fn unwatch(&mut self, session: SessionId) {
        self.record(StoreTime::ZERO, Some(session), || StoreInput::Unwatch);
        self.state.watches.unblock(session);
    }

    fn poll_wake(&mut self) -> Option<(SessionId, Result<Wake, TransportError>)> {
        self.wakes.pop_front()
    }
}
