//! Operations as data: what a node asks of the store, and what the store answers.
//!
//! The semantics written here are the specification. The reference store's `apply` implements them, the
//! Redis adapter encodes them, the differential test compares the two. Atomicity and result are per
//! operation, never per batch. **Every operation is safe to send twice**: an answer that was lost is
//! asked for again by sending the operation again.

mod lane;
mod reply;
mod show;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{CallerId, Failure, Lease, Payload, Token};
use crate::definition::Definition;
use crate::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey, NodeId, SessionId,
};
use crate::time::StoreTime;
use crate::transport::TransportError;

pub use lane::Lane;
pub use reply::{
    Admission, Beginning, ConsumerRecord, FunctionSurvey, GroupName, Loss, PulseAnswer, Reply,
    Settlement, Survey, Swept, Unread,
};

/// What the store answers to one operation.
pub type OpResult = Result<Reply, TransportError>;

/// A new call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Submission {
    /// The function called.
    pub function: FunctionId,
    /// The call's id, chosen by the caller; it makes a resubmission harmless.
    pub call: CallId,
    /// The input.
    pub input: Payload,
    /// The deadline, from now at the store.
    pub deadline: Duration,
    /// Not to be delivered before this has passed at the store; zero delivers at once.
    pub delay: Duration,
    /// Joins this call to an earlier one of the function with the same key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Whose reply stream the outcome is written to, beside the result itself.
    pub reply_to: Option<CallerId>,
    /// W3C trace context, handed to the consumer.
    pub traceparent: Option<Arc<str>>,
    /// Whether the outcome is written to a stream of the call's own too (`function_results:CALLID`), for
    /// whoever else waits for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result_stream: bool,
    /// The most calls of this function that may be open; one more is refused.
    pub open_max: u32,
}

/// Who may decide that an attempt failed: success needs no such proof.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a store answers every one; a new one must not compile until it does"
)]
pub enum Authority {
    /// The consumer that holds the entry, under its epoch.
    Lease(Lease),
    /// Whoever holds the token of a deferred call, by the token's nonce.
    Token(Arc<str>),
}

/// How a call is to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a store answers every one; a new one must not compile until it does"
)]
pub enum Verdict {
    /// `Success`. Needs no authority: an undecided call may be decided by a robbed attempt. `entry` is
    /// needed only for an older peer's call, which stands in no open hash.
    Complete {
        /// The result.
        result: Payload,
        /// The entry that was executed, if there is one.
        entry: Option<EntryId>,
    },
    /// `Error`: final.
    Fail {
        /// Why.
        failure: Failure,
        /// The proof.
        by: Authority,
    },
    /// `DeadLettered`: outcome and dead-letter entry in one step.
    DeadLetter {
        /// The last attempt's failure.
        failure: Failure,
        /// The proof.
        by: Authority,
    },
    /// `Cancelled`, at once, wherever the call stands. A running handler learns of it by its renewal.
    Cancel,
    /// `Expired`, if the deadline has passed at the store.
    Expire,
}

/// Where a delivered call is moved to instead of being decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a store answers every one; a new one must not compile until it does"
)]
pub enum Destination {
    /// Back to the stream at once, the attempt not counted: it was not begun, or is not at fault.
    Release,
    /// Another attempt, counted, after `delay` (zero: at once).
    Retry {
        /// Not before this has passed at the store.
        delay: Duration,
    },
    /// Parked for completion by token. If the lease ends first, the attempt has failed.
    Defer {
        /// The token's nonce.
        nonce: Arc<str>,
        /// How long the deferral holds unless touched.
        lease: Duration,
    },
}

/// The status of a consumer as `consumer:state` shows it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a store writes and reads every one")]
pub enum ConsumerStatus {
    /// Registering; it does not read yet.
    #[default]
    Starting,
    /// Reads and executes.
    Active,
    /// Told to stop: reads no more, drains what it runs.
    Stopping,
    /// Gone from the registry.
    Stopped,
    /// Degraded by an error: it backs off and returns to active.
    Error,
}

impl ConsumerStatus {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 5] =
        [Self::Starting, Self::Active, Self::Stopping, Self::Stopped, Self::Error];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Active => "active",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for ConsumerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A consumer's sign of life within [`Op::Beat`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pulse {
    /// The function it serves.
    pub function: FunctionId,
    /// The consumer.
    pub consumer: ConsumerId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its status.
    pub status: ConsumerStatus,
    /// Errors since it started.
    pub error_count: u64,
    /// The last of them.
    pub last_error: Option<Arc<str>>,
}

/// An operation. Grouped by the lane it travels on; see [`Op::lane`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a store answers every one; a new one must not compile until it does"
)]
pub enum Op {
    /// Adds a call. Creates stream and group (at `0`) where they are missing. Admits a call id once: a
    /// call that is open, or whose result is kept, answers so and changes nothing. An idempotency key
    /// that names another call joins it, as that one was made. Refused with [`Admission::Full`] before any
    /// write.
    Submit(Submission),
    /// What the store knows of a call. Writes nothing.
    Inspect {
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
    },

    /// Begins an entry that was taken over: counts the attempt first (attempt + 1, in the open hash), so
    /// that a call that kills its workers is seen to. A repeat by the same lease counts once. When the
    /// count would exceed `attempts_max`, the call is dead-lettered (`LostWorker`) in the same step; past
    /// its deadline it is expired.
    Begin {
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
        /// The proof.
        lease: Lease,
        /// The most attempts the function allows.
        attempts_max: u32,
    },
    /// Decides a call: writes the outcome (`result:CALLID`, one entry to the caller's reply stream where it
    /// exists, and one to `function_results:CALLID` where the call asks for that), removes the call from the
    /// open hash, acknowledges and deletes its entry or its parking place. The first decision wins. Past the
    /// deadline every verdict becomes `Expired`, but an older peer's call is expired only by
    /// [`Verdict::Expire`].
    Decide {
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
        /// How.
        verdict: Verdict,
        /// Attempts begun, for the record.
        attempts: u32,
    },
    /// Moves a delivered call away from its consumer: re-appended or parked, the old entry acknowledged
    /// and deleted, in one step. Needs the lease.
    Move {
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
        /// The proof.
        lease: Lease,
        /// Where to.
        to: Destination,
    },
    /// Makes a dead letter of an entry that is no call, and acknowledges and deletes it. Needs the lease.
    Reject {
        /// The function whose stream holds it.
        function: FunctionId,
        /// The proof.
        lease: Lease,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// Renews the lease of a deferred call, by token.
    Touch {
        /// The token.
        token: Token,
        /// The new lease, from now at the store.
        lease: Duration,
    },
    /// Settles what a decided call may have left behind: its stream entry, pending entry, parking place.
    /// Refused with [`Reply::StillOpen`] while the call is open.
    Acknowledge {
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
    },

    /// Renews the leases of entries in flight. Answers only those that are not this consumer's any more.
    Renew {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its entries in flight, with their calls.
        entries: Vec<(EntryId, CallId)>,
    },

    /// Takes up to `count` undelivered entries for this consumer, without waiting. Not fenced by the
    /// epoch (XREADGROUP is not): a late fetch re-creates the consumer's name, and the janitor removes it.
    Fetch {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// The most entries to take.
        count: u32,
    },
    /// Reads entries again that are pending at this consumer: adopts what a cut read left unseen.
    /// Entries that are not pending at it are left out of the answer.
    Reread {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// The entries.
        entries: Vec<EntryId>,
    },

    /// Registers a consumer: creates stream and group where missing, takes the next epoch, writes state,
    /// indexes and definition. A repeat for the same consumer answers the same epoch. A consumer that was
    /// deregistered or removed is never registered again: a late copy of this operation answers the epoch
    /// it had and writes nothing, by the state of status `stopped` that it left (P6).
    Register {
        /// What the function is.
        definition: Definition,
        /// The consumer.
        consumer: ConsumerId,
        /// Its node.
        node: NodeId,
        /// The node's sessions.
        sessions: Vec<SessionId>,
    },
    /// Heartbeat of consumers, with their node's sessions; refreshes what lives by it. A consumer without
    /// state, or of another epoch, is answered [`PulseAnswer::Removed`]: it never brings itself back. Each
    /// pulse succeeds or fails alone.
    Beat {
        /// The node.
        node: NodeId,
        /// The node's sessions.
        sessions: Vec<SessionId>,
        /// Its consumers.
        pulses: Vec<Pulse>,
    },
    /// Removes a consumer that stopped, by epoch. What is still pending at it goes back to the stream
    /// (not counted as a takeover) in the same step. The last consumer takes the stream with it, where that
    /// holds nothing: nobody else would ever remove it.
    Deregister {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// Removes a consumer found dead, if epoch, heartbeat and sessions are still as observed. What is
    /// pending at it is re-appended, its takeovers counted. The last consumer takes an empty stream with it.
    Remove {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its epoch as observed.
        epoch: Epoch,
        /// Its heartbeat as observed.
        heartbeat: StoreTime,
        /// Its node's sessions as observed.
        sessions: Arc<[SessionId]>,
    },
    /// Who serves these functions and how they stand. Writes nothing. Each function is answered or unread
    /// alone.
    Survey {
        /// The functions.
        functions: Vec<FunctionId>,
    },
    /// The housekeeping of one function, at most `limit` calls of each kind: promotes what is due,
    /// fails deferrals whose lease ended, expires what is overdue, closes what older peers acknowledged
    /// without deleting, robs consumers without state once they are idle for `stateless_idle`, and
    /// removes their names.
    Sweep {
        /// The function.
        function: FunctionId,
        /// The most attempts the function allows, for deferrals whose lease ended.
        attempts_max: u32,
        /// How long a consumer without state may be idle before it is robbed.
        stateless_idle: Duration,
        /// The most calls of each kind to handle in this step.
        limit: u32,
    },
    /// Creates the stream and the group (at `0`) where they are missing.
    Ensure {
        /// The function.
        function: FunctionId,
    },
    /// Creates a caller's reply stream or renews its time to live, and trims what is older than `after`.
    KeepReplies {
        /// The caller.
        caller: CallerId,
        /// The last reply seen.
        after: EntryId,
    },
    /// Removes a caller's reply stream: its node ends and reads no more of it.
    ForgetReplies {
        /// The caller.
        caller: CallerId,
    },

    /// Is the store there? Answers its time and run id.
    Ping,
    /// A function's definition.
    Describe {
        /// The function.
        function: FunctionId,
    },
    /// The definitions that are registered, in one scope or in all, by name. Each is answered or unread
    /// alone.
    Discover {
        /// The scope, or all of them.
        scope: Option<Arc<str>>,
    },
    /// A page of a function's dead letters, oldest first.
    DeadLetters {
        /// The function.
        function: FunctionId,
        /// Only those after this entry.
        after: EntryId,
        /// At most so many.
        count: u32,
    },
    /// Makes a new call of a dead letter and removes the letter, in one step. A repeat after success
    /// answers [`Admission::AlreadyOpen`] or [`Admission::AlreadyDecided`].
    Requeue {
        /// The function.
        function: FunctionId,
        /// The dead letter.
        letter: EntryId,
        /// The new call's id.
        call: CallId,
        /// The new call's deadline, from now at the store.
        deadline: Duration,
    },
    /// An older caller's plain XADD, fields as they stand. For simulations of mixed fleets; the only
    /// operation that a repeat duplicates, as an older caller's would.
    OlderPeerAdd {
        /// The function whose stream it is added to.
        function: FunctionId,
        /// The fields, in order.
        fields: Vec<(String, String)>,
    },
}
