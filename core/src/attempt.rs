//! One execution of a call: what a handler is given, and how it may end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Payload, Token};
use crate::name::{CallId, ConsumerId, Epoch, FunctionId};

/// Names one attempt within its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub u64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

/// What a handler is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// Names this execution.
    pub id: AttemptId,
    /// The function.
    pub function: FunctionId,
    /// The incarnation that runs it.
    pub consumer: ConsumerId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The call.
    pub call: CallId,
    /// Which attempt of the call this is, from 1.
    pub attempt: u32,
    /// The input.
    pub input: Payload,
    /// Time left until the call's deadline.
    pub remaining: Duration,
    /// Time after which the attempt is interrupted.
    pub timeout: Duration,
    /// The nonce of the token with which the call can be completed, should the handler defer.
    pub nonce: Arc<str>,
    /// W3C trace context, if the caller sent one.
    pub traceparent: Option<Arc<str>>,
}

impl Attempt {
    /// The token that completes this call after a deferral.
    pub fn token(&self) -> Token {
        Token {
            function: self.function.clone(),
            call: self.call.clone(),
            nonce: self.nonce.clone(),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {} (attempt {})", self.id, self.function, self.call, self.attempt)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptEnd {
    /// The handler's result.
    Success(Payload),
    /// The handler's error: final.
    Error(Arc<str>),
    /// The handler asks for another attempt, after its own choice of delay or the backoff's.
    Retry {
        /// Why.
        message: Arc<str>,
        /// Not before this, or the backoff's choice.
        after: Option<Duration>,
    },
    /// The handler panicked.
    Panic(Arc<str>),
    /// The call will be completed by its token, within this lease unless it is touched.
    Deferred {
        /// How long the deferral holds.
        lease: Duration,
    },
    /// The handler was dropped upon [`Effect::Interrupt`](crate::machine::Effect::Interrupt), or with
    /// its host.
    Interrupted,
}

impl fmt::Display for AttemptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(result) => write!(f, "success ({result})"),
            Self::Error(_) => f.write_str("error"),
            Self::Retry { after: Some(after), .. } => write!(f, "retry after {after:?}"),
            Self::Retry { after: None, .. } => f.write_str("retry"),
            Self::Panic(_) => f.write_str("panic"),
            Self::Deferred { lease } => write!(f, "deferred for {lease:?}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Why a running handler is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interruption {
    /// The attempt took longer than the processing timeout.
    Timeout,
    /// The call's deadline passed.
    Deadline,
    /// The call is decided: cancelled, or by somebody else.
    Decided,
    /// The drain time of a stop is over.
    Drained,
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "processing timeout",
            Self::Deadline => "deadline passed",
            Self::Decided => "the call is decided",
            Self::Drained => "drain time over",
        })
    }
}
