//! A node's health, as plain serialisable values.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::breaker::BreakerMetrics;
use crate::event::LinkState;
use crate::metrics::FunctionReport;
use crate::name::{ConsumerId, Epoch, FunctionId, NodeId, RunId, SessionId};
use crate::node::ConnectionMetrics;
use crate::op::ConsumerStatus;
use crate::pending::Pending;
use crate::transport::Link;

/// How a node stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Every connection that is needed stands, every consumer is active, the breaker is closed.
    Healthy,
    /// Something is amiss, and mends itself: a consumer in error, a reconnect, a trial of the breaker.
    Degraded,
    /// The store cannot be reached.
    Unavailable,
}

/// How the death of other nodes is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeathRule {
    /// By their sessions, within seconds; by heartbeats where the sessions say nothing.
    Sessions,
    /// By heartbeats alone: the store cannot tell which sessions live.
    Heartbeats,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkHealth {
    /// Its purpose.
    pub link: Link,
    /// Its state.
    pub state: LinkState,
    /// What it did.
    pub metrics: ConnectionMetrics,
    /// Its last error, while it does not stand.
    pub last_error: Option<String>,
}

/// One consumer of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerHealth {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Its function.
    pub function: FunctionId,
    /// Its epoch, once it is registered.
    pub epoch: Option<Epoch>,
    /// Its status.
    pub status: ConsumerStatus,
    /// Handlers that run.
    pub running: usize,
    /// Calls fetched and not begun.
    pub buffered: usize,
    /// Errors since it started.
    pub error_count: u64,
    /// The last of them.
    pub last_error: Option<String>,
}

/// How a node stands: the answer to `health_check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The node.
    pub node: NodeId,
    /// In one word.
    pub verdict: Verdict,
    /// Since it started.
    pub uptime: Duration,
    /// The store's life when a connection was last established.
    pub run_id: Option<RunId>,
    /// How the death of other nodes is judged.
    pub death_rule: DeathRule,
    /// The sessions that stand.
    pub sessions: Vec<SessionId>,
    /// Each connection.
    pub links: Vec<LinkHealth>,
    /// All connections together.
    pub link_totals: ConnectionMetrics,
    /// The circuit breaker.
    pub breaker: BreakerMetrics,
    /// Each consumer.
    pub consumers: Vec<ConsumerHealth>,
    /// What each function did on this node, over all its incarnations.
    pub functions: BTreeMap<FunctionId, FunctionReport>,
    /// Requests of users that have no answer yet.
    pub requests: usize,
    /// Dead consumers of other nodes that this node removed.
    pub consumers_removed: u64,
    /// Calls that it took over from them.
    pub calls_taken_over: u64,
    /// Inputs that were unknown, late or repeated, and ignored.
    pub ignored_inputs: u64,
    /// What is open, and what it waits for.
    pub pending: Vec<Pending>,
}
