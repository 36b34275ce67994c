//! Open matters: what a machine still waits for. A liveness report is made of these.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{CallId, ConsumerId};
use crate::op::Lane;
use crate::time::Time;
use crate::transport::Link;

/// One open matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What is open.
    pub matter: Matter,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Since when.
    pub since: Time,
}

/// What can be open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Matter {
    /// A call that this node submits or awaits.
    Call(CallId),
    /// A call that this node executes.
    Execution(CallId),
    /// A consumer's start or stop.
    Consumer(ConsumerId),
    /// A connection.
    Link(Link),
    /// Operations queued on a lane.
    Lane(Lane),
    /// The node's own end.
    Shutdown,
}

/// What an open matter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitsFor {
    /// The store's answer to an operation.
    Answer,
    /// A connection.
    Connection,
    /// A backoff to pass.
    Backoff,
    /// A free slot.
    Slot,
    /// A handler.
    Handler,
    /// The outcome of the call.
    Outcome,
    /// The function's definition.
    Definition,
    /// What the consumer still holds to drain.
    Drain,
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waits for {} since {}", self.matter, self.waits_for, self.since)
    }
}

impl fmt::Display for Matter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => write!(f, "call {call}"),
            Self::Execution(call) => write!(f, "execution of {call}"),
            Self::Consumer(consumer) => write!(f, "consumer {consumer}"),
            Self::Link(link) => write!(f, "link {link}"),
            Self::Lane(lane) => write!(f, "lane {lane}"),
            Self::Shutdown => f.write_str("shutdown"),
        }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer => "the store's answer",
            Self::Connection => "a connection",
            Self::Backoff => "its backoff",
            Self::Slot => "a free slot",
            Self::Handler => "its handler",
            Self::Outcome => "its outcome",
            Self::Definition => "the definition",
            Self::Drain => "its drain",
        })
    }
}
