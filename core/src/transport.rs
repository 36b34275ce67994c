//! The seam to a store: links, watches, errors, and the trait that an adapter implements.
//!
//! An adapter decides nothing: no retry policy, no health verdict, no breaker. It encodes, sends, waits
//! and decodes; what follows from an error is core's business.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::call::{CallerId, Delivered, Record};
use crate::name::{ConsumerId, EntryId, FunctionId, RunId, SessionId};
use crate::op::{Op, OpResult};
use crate::time::StoreTime;

/// A connection's purpose. Commands share one; a read that blocks has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a transport opens every kind")]
pub enum Link {
    /// All lanes of operations, multiplexed.
    Command,
    /// The wait for arrivals at functions without a read of their own.
    Arrivals,
    /// The wait for replies to this node's calls.
    Replies,
    /// A blocking read of one busy function; the number tells several apart.
    Fetch(u16),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command => f.write_str("command"),
            Self::Arrivals => f.write_str("arrivals"),
            Self::Replies => f.write_str("replies"),
            Self::Fetch(slot) => write!(f, "fetch {slot}"),
        }
    }
}

/// A connection that stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Connected {
    /// How the store knows it.
    pub session: SessionId,
    /// The server's present life.
    pub run_id: RunId,
    /// The store's time.
    pub now: StoreTime,
    /// The store can tell which sessions live ([`Survey::sessions`](crate::op::Survey::sessions)); if
    /// not, death is judged by heartbeats alone.
    pub sees_sessions: bool,
}

/// What a blocking read waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a transport waits for every one")]
pub enum Interest {
    /// Entries of one function, delivered to this consumer as by [`Op::Fetch`].
    Deliveries {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// The most entries to take.
        count: u32,
    },
    /// An entry after the one named in any of these functions' streams. Delivers nothing.
    Arrivals {
        /// The functions, each with the last generated id that was seen with an empty fetch.
        after: Vec<(FunctionId, EntryId)>,
    },
    /// Replies to this caller after the one named.
    Replies {
        /// The caller.
        caller: CallerId,
        /// The last reply seen.
        after: EntryId,
    },
}

impl fmt::Display for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliveries { consumer, count, .. } => {
                write!(f, "deliveries to {consumer} up to {count}")
            }
            Self::Arrivals { after } => write!(f, "arrivals at {} functions", after.len()),
            Self::Replies { caller, after } => write!(f, "replies to {caller} after {after}"),
        }
    }
}

/// How a watch ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a machine handles every end of a watch")]
pub enum Wake {
    /// Nothing came within the block time, or the watch was aborted.
    Nothing,
    /// Entries were delivered.
    Deliveries(Vec<Delivered>),
    /// These functions have entries after the ones named.
    Arrivals(Vec<FunctionId>),
    /// Replies arrived.
    Replies {
        /// The decided calls, in order.
        records: Vec<Record>,
        /// The last entry read: where to go on.
        last: EntryId,
    },
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing came"),
            Self::Deliveries(deliveries) => {
                write!(f, "{} delivered:", deliveries.len())?;
                deliveries.iter().try_for_each(|delivered| write!(f, " [{delivered}]"))
            }
            Self::Arrivals(functions) => {
                f.write_str("arrivals at")?;
                functions.iter().try_for_each(|function| write!(f, " {function}"))
            }
            Self::Replies { records, .. } => {
                write!(f, "{} replies:", records.len())?;
                records.iter().try_for_each(|record| write!(f, " [{record}]"))
            }
        }
    }
}

/// Whether a failed request may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "yes is no answer, and there is no third")]
pub enum Applied {
    /// It did not.
    No,
    /// Nobody can tell; it is sent again, as every operation is safe to send twice.
    Unknown,
}

/// What went wrong, as a closed set: what follows from each is decided in core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection, or it ended.
    Disconnected,
    /// No answer in time; the connection may be dead.
    Timeout,
    /// Wrong password, or the user may not do this.
    Denied,
    /// The server loads its data.
    Loading,
    /// The server is out of memory and refused a write.
    OutOfMemory,
    /// The server is a replica, or cannot write.
    ReadOnly,
    /// Stream or group are missing.
    NoGroup,
    /// The server is busy (a script runs for too long).
    Busy,
    /// A bound of the store was reached.
    Full,
    /// The operation or its payload is over a limit.
    TooLarge,
    /// A key holds something of another type.
    WrongType,
    /// The durability that was asked for was not confirmed.
    NotDurable,
    /// The store does not know how to do this.
    Unsupported,
    /// An answer that makes no sense.
    Protocol,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Disconnected,
        Self::Timeout,
        Self::Denied,
        Self::Loading,
        Self::OutOfMemory,
        Self::ReadOnly,
        Self::NoGroup,
        Self::Busy,
        Self::Full,
        Self::TooLarge,
        Self::WrongType,
        Self::NotDurable,
        Self::Unsupported,
        Self::Protocol,
    ];

    /// Sending it again later can succeed without anybody changing anything.
    pub const fn can_retry_help(self) -> bool {
        match self {
            Self::Disconnected
            | Self::Timeout
            | Self::Loading
            | Self::OutOfMemory
            | Self::ReadOnly
            | Self::NoGroup
            | Self::Busy
            | Self::Full
            | Self::NotDurable => true,
            Self::Denied
            | Self::TooLarge
            | Self::WrongType
            | Self::Unsupported
            | Self::Protocol => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "disconnected",
            Self::Timeout => "no answer in time",
            Self::Denied => "denied",
            Self::Loading => "the store is loading",
            Self::OutOfMemory => "the store is out of memory",
            Self::ReadOnly => "the store is read-only",
            Self::NoGroup => "stream or group missing",
            Self::Busy => "the store is busy",
            Self::Full => "the store is full",
            Self::TooLarge => "too large",
            Self::WrongType => "a key holds another type",
            Self::NotDurable => "durability not confirmed",
            Self::Unsupported => "unsupported",
            Self::Protocol => "an answer that makes no sense",
        })
    }
}

/// A request to the store that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[error("{kind}{}{detail}", if detail.is_empty() { "" } else { ": " })]
pub struct TransportError {
    /// Whether it may have taken effect.
    pub applied: Applied,
    /// What went wrong.
    pub kind: ErrorKind,
    /// More for a person: what was attempted on what. Never a secret or a payload.
    pub detail: String,
}

impl TransportError {
    /// An error of a request that did not take effect.
    pub fn not_applied(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { applied: Applied::No, kind, detail: detail.into() }
    }

    /// An error of a request that may have taken effect.
    pub fn unknown(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { applied: Applied::Unknown, kind, detail: detail.into() }
    }
}

/// An adapter to a store. All methods may be called concurrently; the futures may be dropped.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Opens a connection for this purpose.
    async fn connect(&self, link: Link) -> Result<Connected, TransportError>;

    /// Closes this connection, and no other. Unknown sessions are ignored.
    async fn close(&self, session: SessionId);

    /// Sends a batch; the results stand in the order of the operations. An error of the whole batch says
    /// nothing of any one operation but `applied`.
    async fn execute(
        &self,
        session: SessionId,
        ops: Vec<Op>,
    ) -> Result<Vec<OpResult>, TransportError>;

    /// Waits on this connection for at most `block`.
    async fn watch(
        &self,
        session: SessionId,
        interest: Interest,
        block: Duration,
    ) -> Result<Wake, TransportError>;

    /// Ends this connection's watch within milliseconds: it returns what it has, or
    /// [`Wake::Nothing`]. Without a watch it does nothing.
    async fn abort(&self, session: SessionId);

    /// Where it leads, for a person: `mem`, `redis://host:6379/0`. Never a secret.
    fn describe(&self) -> String;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    async fn connect(&self, link: Link) -> Result<Connected, TransportError> {
        (**self).connect(link).await
    }

    async fn close(&self, session: SessionId) {
        (**self).close(session).await;
    }

    async fn execute(
        &self,
        session: SessionId,
        ops: Vec<Op>,
    ) -> Result<Vec<OpResult>, TransportError> {
        (**self).execute(session, ops).await
    }

    async fn watch(
        &self,
        session: SessionId,
        interest: Interest,
        block: Duration,
    ) -> Result<Wake, TransportError> {
        (**self).watch(session, interest, block).await
    }

    async fn abort(&self, session: SessionId) {
        (**self).abort(session).await;
    }

    fn describe(&self) -> String {
        (**self).describe()
    }
}
