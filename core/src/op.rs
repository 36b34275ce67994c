//! Operations as data: what a node asks of the store, and what the store answers.
//!
//! The semantics written here are the specification. The reference store's `apply` implements them, the
//! Redis adapter encodes them, the differential test compares the two. Atomicity and result are per
//! operation, never per batch. **Every operation is safe to send twice**: an answer that was lost is
//! asked for again by sending the operation again.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{
    CallState, CallerId, DeadLetter, Delivered, Failure, Lease, OutcomeKind, Payload, Record, Token,
};
use crate::definition::Definition;
use crate::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey, NodeId, RunId, SessionId,
};
use crate::time::StoreTime;
use crate::transport::TransportError;

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
    /// The most calls of this function that may be open; one more is refused.
    pub open_max: u32,
}

/// Who may decide that an attempt failed: success needs no such proof.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// The consumer that holds the entry, under its epoch.
    Lease(Lease),
    /// Whoever holds the token of a deferred call, by the token's nonce.
    Token(Arc<str>),
}

/// How a call is to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[non_exhaustive]
pub enum Op {
    /// Adds a call. Creates stream and group (at `0`) where they are missing. Admits a call id once: a
    /// call that is open, or whose result is kept, answers so and changes nothing. An idempotency key
    /// that names another call joins it. Refused with [`Admission::Full`] before any write.
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
    /// Decides a call: writes the outcome (`result:CALLID`, and one entry to the caller's reply stream
    /// where it exists), removes the call from the open hash, acknowledges and deletes its entry or its
    /// parking place. The first decision wins. Past the deadline every verdict becomes `Expired`, but an
    /// older peer's call is expired only by [`Verdict::Expire`].
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
    /// state, or of another epoch, is answered [`PulseAnswer::Removed`]: it never brings itself back.
    Beat {
        /// The node.
        node: NodeId,
        /// The node's sessions.
        sessions: Vec<SessionId>,
        /// Its consumers.
        pulses: Vec<Pulse>,
    },
    /// Removes a consumer that stopped, by epoch. What is still pending at it goes back to the stream
    /// (not counted as a takeover) in the same step.
    Deregister {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// Removes a consumer found dead, if epoch, heartbeat and sessions are still as observed. What is
    /// pending at it is re-appended, its takeovers counted.
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
        sessions: Vec<SessionId>,
    },
    /// Who serves these functions and how they stand. Writes nothing.
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

    /// Is the store there? Answers its time and run id.
    Ping,
    /// A function's definition.
    Describe {
        /// The function.
        function: FunctionId,
    },
    /// The definitions that are registered, in one scope or in all, by name.
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

/// Whether a submission was taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// The call is open now.
    Accepted,
    /// The call was open already: a resubmission.
    AlreadyOpen,
    /// The call was decided already, and its outcome is kept.
    AlreadyDecided(Record),
    /// The idempotency key names another call; its record, if it is decided and kept.
    Joined {
        /// The call that this one is joined to.
        call: CallId,
        /// Its outcome, if it is decided and kept.
        record: Option<Record>,
    },
    /// Too many calls of the function are open. Nothing was written.
    Full {
        /// How many are open.
        open: u64,
    },
    /// The dead letter to requeue does not exist.
    NoSuchLetter,
}

/// What became of a wish to decide or move a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// This operation did it.
    Done,
    /// Another outcome stands: decided before (perhaps by the first sending of this very operation), or
    /// expired by this one because the deadline had passed.
    Overruled(OutcomeKind),
    /// The lease or token is not the call's any more. Nothing was written.
    Fenced,
    /// The deadline has not passed at the store. Nothing was written. Only for [`Verdict::Expire`].
    NotDue {
        /// Time left.
        remaining: Duration,
    },
    /// The call is neither open nor kept.
    Absent,
}

/// How [`Op::Begin`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beginning {
    /// Counted: this is the attempt that begins.
    Begun {
        /// The attempt, from 1.
        attempt: u32,
        /// Time left until the deadline.
        remaining: Duration,
    },
    /// Not to be begun: decided before, or now, as exhausted or expired.
    Decided(OutcomeKind),
    /// The lease is not the consumer's any more.
    Fenced,
}

/// Why an entry is not held any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// It is somebody else's, or back in the stream.
    TakenOver,
    /// The call is decided.
    Decided(OutcomeKind),
}

/// The answer to one pulse.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PulseAnswer {
    /// Alive; all entries pending at the consumer, in order.
    Alive {
        /// The entries.
        pending: Vec<EntryId>,
    },
    /// There is no such consumer of that epoch.
    Removed,
}

/// A registered consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConsumerRecord {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its node.
    pub node: NodeId,
    /// Its status at its last heartbeat.
    pub status: ConsumerStatus,
    /// When it registered.
    pub started_at: StoreTime,
    /// Its last heartbeat.
    pub heartbeat: StoreTime,
    /// The server life in which it last beat.
    pub run_id: RunId,
    /// Its node's sessions at its last heartbeat.
    pub sessions: Vec<SessionId>,
    /// Errors since it started.
    pub error_count: u64,
    /// The last of them.
    pub last_error: Option<Arc<str>>,
}

/// A consumer's name within the group, whether or not a consumer stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupName {
    /// The name.
    pub consumer: ConsumerId,
    /// Entries pending at it.
    pub pending: u64,
    /// Since it last read or claimed.
    pub idle: Duration,
}

/// How one function stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FunctionSurvey {
    /// The function.
    pub function: FunctionId,
    /// The stream exists.
    pub has_stream: bool,
    /// The group exists.
    pub has_group: bool,
    /// Entries in the stream.
    pub entries: u64,
    /// Open calls.
    pub open: u64,
    /// Parked calls.
    pub parked: u64,
    /// Time until the first parked call is due.
    pub next_due: Option<Duration>,
    /// Its consumers, by id.
    pub consumers: Vec<ConsumerRecord>,
    /// The group's names, by id.
    pub names: Vec<GroupName>,
}

/// The answer to [`Op::Survey`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Survey {
    /// The server's present life.
    pub run_id: RunId,
    /// The store's time.
    pub now: StoreTime,
    /// All sessions that live, or nothing where the store cannot tell.
    pub sessions: Option<BTreeSet<SessionId>>,
    /// One for each function asked for, in that order.
    pub functions: Vec<FunctionSurvey>,
}

/// The answer to [`Op::Sweep`]: how many calls of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Swept {
    /// Moved from parking to the stream.
    pub promoted: u32,
    /// Decided as expired.
    pub expired: u32,
    /// Decided as dead-lettered.
    pub dead_lettered: u32,
    /// Older peers' leavings deleted or decided.
    pub closed: u32,
    /// Taken from consumers without state.
    pub robbed: u32,
    /// Names removed from the group.
    pub names_removed: u32,
    /// The limit was reached: sweep again.
    pub more: bool,
    /// Time until the next parked call is due.
    pub next_due: Option<Duration>,
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// To [`Op::Submit`] and [`Op::Requeue`].
    Submitted(Admission),
    /// To [`Op::Inspect`].
    Inspected(CallState),
    /// To [`Op::Begin`].
    Began(Beginning),
    /// To [`Op::Decide`], [`Op::Move`], [`Op::Reject`] and [`Op::Touch`].
    Settled(Settlement),
    /// To [`Op::Acknowledge`]: whether anything was left to clear.
    Acknowledged {
        /// Something was cleared.
        cleared: bool,
    },
    /// To [`Op::Acknowledge`]: the call is open. Nothing was written.
    StillOpen,
    /// To [`Op::Renew`]: the entries not held any more.
    Renewed {
        /// Which, and why.
        lost: Vec<(EntryId, Loss)>,
    },
    /// To [`Op::Fetch`] and [`Op::Reread`].
    Fetched {
        /// The entries, in order.
        deliveries: Vec<Delivered>,
        /// The stream's last generated id: where to watch from when nothing was delivered.
        last: EntryId,
    },
    /// To [`Op::Register`].
    Registered {
        /// The consumer's epoch.
        epoch: Epoch,
    },
    /// To [`Op::Beat`]: one for each pulse, in that order.
    Beaten(Vec<PulseAnswer>),
    /// To [`Op::Deregister`].
    Deregistered {
        /// Entries given back.
        released: u32,
    },
    /// To [`Op::Remove`]: removed, and so many entries were taken over.
    Removed {
        /// Entries taken over.
        taken_over: u32,
    },
    /// To [`Op::Remove`]: not as observed any more. Nothing was written.
    Kept,
    /// To [`Op::Survey`].
    Surveyed(Survey),
    /// To [`Op::Sweep`].
    Swept(Swept),
    /// To [`Op::Ensure`].
    Ensured {
        /// The stream or the group had to be created.
        created: bool,
    },
    /// To [`Op::KeepReplies`].
    RepliesKept {
        /// The stream was missing, so replies may have been lost: inspect what is awaited.
        created: bool,
    },
    /// To [`Op::Ping`].
    Pong {
        /// The server's present life.
        run_id: RunId,
        /// The store's time.
        now: StoreTime,
    },
    /// To [`Op::Describe`].
    Described(Option<Definition>),
    /// To [`Op::Discover`].
    Discovered(Vec<Definition>),
    /// To [`Op::DeadLetters`].
    Letters(Vec<DeadLetter>),
    /// To [`Op::OlderPeerAdd`].
    Added(EntryId),
}

/// A queue of operations of one kind, with one batch in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// What users start: submits and queries. The breaker guards it.
    Submit,
    /// Decisions and moves.
    Settle,
    /// Lease renewal.
    Renew,
    /// Reads that do not wait.
    Fetch,
    /// Registration, heartbeat, reconciling, housekeeping.
    Control,
    /// Inspections that keep awaiting callers honest, and pings.
    Probe,
}

impl Lane {
    /// Every lane, in the order in which they are served.
    pub const ALL: [Self; 6] =
        [Self::Settle, Self::Renew, Self::Fetch, Self::Control, Self::Submit, Self::Probe];
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submit => "submit",
            Self::Settle => "settle",
            Self::Renew => "renew",
            Self::Fetch => "fetch",
            Self::Control => "control",
            Self::Probe => "probe",
        })
    }
}

impl Op {
    /// The function whose keys the operation touches, where it is one.
    pub fn function(&self) -> Option<&FunctionId> {
        match self {
            Self::Submit(submission) => Some(&submission.function),
            Self::Register { definition, .. } => Some(&definition.function),
            Self::Touch { token, .. } => Some(&token.function),
            Self::Inspect { function, .. }
            | Self::Begin { function, .. }
            | Self::Decide { function, .. }
            | Self::Move { function, .. }
            | Self::Reject { function, .. }
            | Self::Acknowledge { function, .. }
            | Self::Renew { function, .. }
            | Self::Fetch { function, .. }
            | Self::Reread { function, .. }
            | Self::Deregister { function, .. }
            | Self::Remove { function, .. }
            | Self::Sweep { function, .. }
            | Self::Ensure { function }
            | Self::Describe { function }
            | Self::DeadLetters { function, .. }
            | Self::Requeue { function, .. }
            | Self::OlderPeerAdd { function, .. } => Some(function),
            Self::Beat { .. }
            | Self::Survey { .. }
            | Self::KeepReplies { .. }
            | Self::Ping
            | Self::Discover { .. } => None,
        }
    }

    /// The lane it travels on unless a user's query sends it (those travel on [`Lane::Submit`]).
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Submit(_) | Self::Requeue { .. } | Self::OlderPeerAdd { .. } => Lane::Submit,
            Self::Begin { .. }
            | Self::Decide { .. }
            | Self::Move { .. }
            | Self::Reject { .. }
            | Self::Touch { .. }
            | Self::Acknowledge { .. } => Lane::Settle,
            Self::Renew { .. } => Lane::Renew,
            Self::Fetch { .. } | Self::Reread { .. } => Lane::Fetch,
            Self::Register { .. }
            | Self::Beat { .. }
            | Self::Deregister { .. }
            | Self::Remove { .. }
            | Self::Survey { .. }
            | Self::Sweep { .. }
            | Self::Ensure { .. }
            | Self::KeepReplies { .. } => Lane::Control,
            Self::Inspect { .. }
            | Self::Ping
            | Self::Describe { .. }
            | Self::Discover { .. }
            | Self::DeadLetters { .. } => Lane::Probe,
        }
    }

    /// About how many bytes it takes on the wire: what the outbox counts against its bound.
    pub fn bytes(&self) -> usize {
        const FRAME: usize = 128;
        FRAME
            + match self {
                Self::Submit(submission) => submission.input.bytes(),
                Self::Decide { verdict: Verdict::Complete { result, .. }, .. } => result.bytes(),
                Self::Decide { verdict: Verdict::Fail { failure, .. }, .. }
                | Self::Decide { verdict: Verdict::DeadLetter { failure, .. }, .. } => {
                    failure.message.len()
                }
                Self::Renew { entries, .. } => entries.len() * 64,
                Self::Beat { pulses, .. } => pulses.len() * 256,
                Self::Survey { functions } => functions.len() * 64,
                _ => 0,
            }
    }
}

impl fmt::Display for Op {
    /// One line for a trace: names and sizes, never payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(s) => write!(f, "submit {} {} ({})", s.function, s.call, s.input),
            Self::Inspect { function, call } => write!(f, "inspect {function} {call}"),
            Self::Begin { call, lease, .. } => write!(f, "begin {call} {lease}"),
            Self::Decide { call, verdict, .. } => match verdict {
                Verdict::Complete { result, .. } => write!(f, "complete {call} ({result})"),
                Verdict::Fail { failure, .. } => write!(f, "fail {call} ({})", failure.kind),
                Verdict::DeadLetter { failure, .. } => {
                    write!(f, "dead-letter {call} ({})", failure.kind)
                }
                Verdict::Cancel => write!(f, "cancel {call}"),
                Verdict::Expire => write!(f, "expire {call}"),
            },
            Self::Move { call, lease, to, .. } => match to {
                Destination::Release => write!(f, "release {call} {lease}"),
                Destination::Retry { delay } => write!(f, "retry {call} {lease} after {delay:?}"),
                Destination::Defer { lease: hold, .. } => {
                    write!(f, "defer {call} {lease} for {hold:?}")
                }
            },
            Self::Reject { lease, reason, .. } => write!(f, "reject {lease}: {reason}"),
            Self::Touch { token, lease } => write!(f, "touch {} for {lease:?}", token.call),
            Self::Acknowledge { function, call } => write!(f, "acknowledge {function} {call}"),
            Self::Renew { consumer, entries, .. } => {
                write!(f, "renew {consumer} {} entries", entries.len())
            }
            Self::Fetch { consumer, count, .. } => write!(f, "fetch {consumer} up to {count}"),
            Self::Reread { consumer, entries, .. } => {
                write!(f, "reread {consumer} {} entries", entries.len())
            }
            Self::Register { consumer, .. } => write!(f, "register {consumer}"),
            Self::Beat { node, pulses, .. } => write!(f, "beat {node} {} consumers", pulses.len()),
            Self::Deregister { consumer, epoch, .. } => write!(f, "deregister {consumer} {epoch}"),
            Self::Remove { consumer, epoch, .. } => write!(f, "remove {consumer} {epoch}"),
            Self::Survey { functions } => write!(f, "survey {} functions", functions.len()),
            Self::Sweep { function, .. } => write!(f, "sweep {function}"),
            Self::Ensure { function } => write!(f, "ensure {function}"),
            Self::KeepReplies { caller, after } => write!(f, "keep replies {caller} after {after}"),
            Self::Ping => f.write_str("ping"),
            Self::Describe { function } => write!(f, "describe {function}"),
            Self::Discover { scope } => {
                write!(f, "discover {}", scope.as_deref().unwrap_or("every scope"))
            }
            Self::DeadLetters { function, .. } => write!(f, "dead letters {function}"),
            Self::Requeue { letter, call, .. } => write!(f, "requeue {letter} as {call}"),
            Self::OlderPeerAdd { function, fields } => {
                write!(f, "older peer's add {function} {} fields", fields.len())
            }
        }
    }
}

impl fmt::Display for Reply {
    /// One line for a trace: counts and kinds, never payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitted(admission) => match admission {
                Admission::Accepted => f.write_str("accepted"),
                Admission::AlreadyOpen => f.write_str("already open"),
                Admission::AlreadyDecided(record) => write!(f, "already decided: {record}"),
                Admission::Joined { call, .. } => write!(f, "joined to {call}"),
                Admission::Full { open } => write!(f, "full: {open} open"),
                Admission::NoSuchLetter => f.write_str("no such letter"),
            },
            Self::Inspected(state) => state.fmt(f),
            Self::Began(beginning) => match beginning {
                Beginning::Begun { attempt, .. } => write!(f, "begun, attempt {attempt}"),
                Beginning::Decided(kind) => write!(f, "not begun: {kind}"),
                Beginning::Fenced => f.write_str("not begun: fenced"),
            },
            Self::Settled(settlement) => match settlement {
                Settlement::Done => f.write_str("done"),
                Settlement::Overruled(kind) => write!(f, "overruled: {kind}"),
                Settlement::Fenced => f.write_str("fenced"),
                Settlement::NotDue { remaining } => write!(f, "not due for {remaining:?}"),
                Settlement::Absent => f.write_str("absent"),
            },
            Self::Acknowledged { cleared } => write!(f, "acknowledged, cleared: {cleared}"),
            Self::StillOpen => f.write_str("still open"),
            Self::Renewed { lost } => write!(f, "renewed, {} lost", lost.len()),
            Self::Fetched { deliveries, last } => {
                write!(f, "fetched {} (last {last})", deliveries.len())
            }
            Self::Registered { epoch } => write!(f, "registered {epoch}"),
            Self::Beaten(answers) => {
                let removed = answers.iter().filter(|a| **a == PulseAnswer::Removed).count();
                write!(f, "beaten, {removed} removed")
            }
            Self::Deregistered { released } => write!(f, "deregistered, {released} released"),
            Self::Removed { taken_over } => write!(f, "removed, {taken_over} taken over"),
            Self::Kept => f.write_str("kept"),
            Self::Surveyed(survey) => write!(f, "surveyed {} functions", survey.functions.len()),
            Self::Swept(swept) => write!(
                f,
                "swept: {} promoted, {} expired, {} robbed",
                swept.promoted, swept.expired, swept.robbed
            ),
            Self::Ensured { created } => write!(f, "ensured, created: {created}"),
            Self::RepliesKept { created } => write!(f, "replies kept, created: {created}"),
            Self::Pong { run_id, .. } => write!(f, "pong {run_id}"),
            Self::Described(definition) => write!(f, "described: {}", definition.is_some()),
            Self::Discovered(definitions) => write!(f, "discovered {}", definitions.len()),
            Self::Letters(letters) => write!(f, "{} letters", letters.len()),
            Self::Added(entry) => write!(f, "added {entry}"),
        }
    }
}
