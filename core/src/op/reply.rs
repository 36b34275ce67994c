//! What the store answers, as data.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConsumerStatus;
use crate::call::{CallState, DeadLetter, Delivered, OutcomeKind, Record};
use crate::definition::Definition;
use crate::name::{CallId, ConsumerId, EntryId, Epoch, FunctionId, NodeId, RunId, SessionId};
use crate::time::StoreTime;
use crate::transport::TransportError;

/// Whether a submission was taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever reads a store's answer handles every one")]
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
#[expect(clippy::exhaustive_enums, reason = "whoever reads a store's answer handles every one")]
pub enum Settlement {
    /// This operation did it.
    Done,
    /// Another outcome stands: decided before (perhaps by the first sending of this very operation), or
    /// expired by this one because the deadline had passed.
    Overruled(OutcomeKind),
    /// The lease or token is not the call's any more. Nothing was written.
    Fenced,
    /// The deadline has not passed at the store. Nothing was written. Only for [`Verdict::Expire`](super::Verdict::Expire).
    NotDue {
        /// Time left.
        remaining: Duration,
    },
    /// The call is neither open nor kept.
    Absent,
}

/// How [`Op::Begin`](super::Op::Begin) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever reads a store's answer handles every one")]
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
#[expect(clippy::exhaustive_enums, reason = "whoever reads a store's answer handles every one")]
pub enum Loss {
    /// It is somebody else's, or back in the stream.
    TakenOver,
    /// The call is decided.
    Decided(OutcomeKind),
}

/// The answer to one pulse.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever reads a store's answer handles every one")]
pub enum PulseAnswer {
    /// Alive; all entries pending at the consumer, in order.
    Alive {
        /// The entries.
        pending: Vec<EntryId>,
    },
    /// There is no such consumer of that epoch.
    Removed,
    /// The store cannot read what belongs to this consumer, or not write it; of the other pulses that says
    /// nothing. It is not removed.
    Refused(TransportError),
}

/// A function of which the store could not tell what it was asked, while it could of others: one of its
/// keys holds another type, say. Nothing is known of it, and least of all that it is dead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unread {
    /// The function.
    pub function: FunctionId,
    /// Why.
    pub error: TransportError,
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
    pub sessions: Arc<[SessionId]>,
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

/// The answer to [`Op::Survey`](super::Op::Survey).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Survey {
    /// The server's present life.
    pub run_id: RunId,
    /// The store's time.
    pub now: StoreTime,
    /// All sessions that live, or nothing where the store cannot tell.
    pub sessions: Option<BTreeSet<SessionId>>,
    /// One for each function asked for, in that order, but for those that are unread.
    pub functions: Vec<FunctionSurvey>,
    /// The others, in the same order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
}

/// The answer to [`Op::Sweep`](super::Op::Sweep): how many calls of each kind.
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
    /// To [`Op::Submit`](super::Op::Submit) and [`Op::Requeue`](super::Op::Requeue).
    Submitted(Admission),
    /// To [`Op::Inspect`](super::Op::Inspect).
    Inspected(CallState),
    /// To [`Op::Begin`](super::Op::Begin).
    Began(Beginning),
    /// To [`Op::Decide`](super::Op::Decide), [`Op::Move`](super::Op::Move), [`Op::Reject`](super::Op::Reject) and [`Op::Touch`](super::Op::Touch).
    Settled(Settlement),
    /// To [`Op::Acknowledge`](super::Op::Acknowledge): whether anything was left to clear.
    Acknowledged {
        /// Something was cleared.
        cleared: bool,
    },
    /// To [`Op::Acknowledge`](super::Op::Acknowledge): the call is open. Nothing was written.
    StillOpen,
    /// To [`Op::Renew`](super::Op::Renew): the entries not held any more.
    Renewed {
        /// Which, and why.
        lost: Vec<(EntryId, Loss)>,
    },
    /// To [`Op::Fetch`](super::Op::Fetch) and [`Op::Reread`](super::Op::Reread).
    Fetched {
        /// The entries, in order.
        deliveries: Vec<Delivered>,
        /// The stream's last generated id: where to watch from when nothing was delivered.
        last: EntryId,
    },
    /// To [`Op::Register`](super::Op::Register).
    Registered {
        /// The consumer's epoch.
        epoch: Epoch,
    },
    /// To [`Op::Beat`](super::Op::Beat): one for each pulse, in that order.
    Beaten(Vec<PulseAnswer>),
    /// To [`Op::Deregister`](super::Op::Deregister).
    Deregistered {
        /// Entries given back.
        released: u32,
    },
    /// To [`Op::Remove`](super::Op::Remove): removed, and so many entries were taken over.
    Removed {
        /// Entries taken over.
        taken_over: u32,
    },
    /// To [`Op::Remove`](super::Op::Remove): not as observed any more. Nothing was written.
    Kept,
    /// To [`Op::Survey`](super::Op::Survey).
    Surveyed(Survey),
    /// To [`Op::Sweep`](super::Op::Sweep).
    Swept(Swept),
    /// To [`Op::Ensure`](super::Op::Ensure).
    Ensured {
        /// The stream or the group had to be created.
        created: bool,
    },
    /// To [`Op::KeepReplies`](super::Op::KeepReplies).
    RepliesKept {
        /// The stream was missing, so replies may have been lost: inspect what is awaited.
        created: bool,
    },
    /// To [`Op::ForgetReplies`](super::Op::ForgetReplies).
    RepliesForgotten {
        /// The stream was there.
        existed: bool,
    },
    /// To [`Op::Ping`](super::Op::Ping).
    Pong {
        /// The server's present life.
        run_id: RunId,
        /// The store's time.
        now: StoreTime,
    },
    /// To [`Op::Describe`](super::Op::Describe).
    Described(Option<Definition>),
    /// To [`Op::Discover`](super::Op::Discover), each list by name.
    Discovered {
        /// The definitions.
        definitions: Vec<Definition>,
        /// The functions that are registered and whose definition could not be read.
        unread: Vec<Unread>,
    },
    /// To [`Op::DeadLetters`](super::Op::DeadLetters).
    Letters(Vec<DeadLetter>),
    /// To [`Op::OlderPeerAdd`](super::Op::OlderPeerAdd).
    Added(EntryId),
}
