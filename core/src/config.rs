//! A node's settings and the bounds of its queues (DESIGN §4).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::ConnectionBackoff;
use crate::breaker::BreakerConfig;

/// A node's settings. `Config::default()` holds the defaults of DESIGN §4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Between two heartbeats.
    pub heartbeat_interval: Duration,
    /// Without a heartbeat for so long, as watched by an observer, a consumer is dead.
    pub consumer_timeout: Duration,
    /// Between two renewals of the leases in flight.
    pub renew_interval: Duration,
    /// Between two looks at who else serves our functions.
    pub survey_interval: Duration,
    /// Between two such looks while nobody else was seen there.
    pub survey_interval_alone: Duration,
    /// The most functions of one look, or twice as many while nobody else was seen there; a node with more
    /// looks at them in rounds.
    pub survey_functions_max: usize,
    /// Without any session for so long, as watched by an observer, a node is dead.
    pub session_grace: Duration,
    /// An observer judges by sessions only after its own link stood for so long.
    pub observer_settle: Duration,
    /// Between two sweeps of a function with nothing due.
    pub sweep_interval: Duration,
    /// How long a consumer without state may be idle before it is robbed.
    pub stateless_idle: Duration,
    /// How long a blocking read waits.
    pub block: Duration,
    /// A call's deadline where the caller names none.
    pub deadline: Duration,
    /// How long a submit or a query may stay unconfirmed before its user is told.
    pub submit_timeout: Duration,
    /// Without an answer to a batch for so long, its connection is dead.
    pub response_timeout: Duration,
    /// A watch is dead so long after its block time.
    pub watch_margin: Duration,
    /// The first connection attempt is given up after so long; later ones grow to `connect_timeout`.
    pub connect_timeout_first: Duration,
    /// The longest a connection attempt may take.
    pub connect_timeout: Duration,
    /// Attempts before a connection is reported down.
    pub connect_attempts_reported: u32,
    /// A connection that is quiet for so long is pinged.
    pub health_check_interval: Duration,
    /// Waiting time between connection attempts.
    pub reconnect: ConnectionBackoff,
    /// The circuit breaker of submits and queries.
    pub breaker: BreakerConfig,
    /// The reply stream is renewed at this interval.
    pub replies_interval: Duration,
    /// The first poll of an awaited call; later ones double up to `poll_max`.
    pub poll_first: Duration,
    /// The longest time between two polls of an awaited call.
    pub poll_max: Duration,
    /// How long a definition that was looked up is trusted.
    pub definition_ttl: Duration,
    /// The largest input or result, in bytes.
    pub payload_max_bytes: usize,
    /// The most open calls of one function.
    pub open_calls_max: u32,
    /// The most operations of one batch. With more of them the store works on one while nobody works on
    /// another.
    pub batch_ops_max: usize,
    /// About the most bytes of one batch.
    pub batch_bytes_max: usize,
    /// The most user requests that may be queued for the store; one more is answered `Busy`.
    pub submit_queue_max: usize,
    /// The most calls that may be awaited at once; one more is answered `Busy`.
    pub waits_max: usize,
    /// Connections for blocking reads of single functions; the other functions share one.
    pub fetch_links_max: u16,
    /// A function that was delivered nothing for so long gives its own connection to a busy one.
    pub fetch_link_idle: Duration,
    /// The most calls of each kind that one sweep handles.
    pub sweep_limit: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(5),
            consumer_timeout: Duration::from_secs(30),
            renew_interval: Duration::from_secs(2),
            survey_interval: Duration::from_millis(500),
            survey_interval_alone: Duration::from_secs(1),
            survey_functions_max: 64,
            session_grace: Duration::from_millis(1_500),
            observer_settle: Duration::from_secs(10),
            sweep_interval: Duration::from_secs(5),
            stateless_idle: Duration::from_secs(60),
            block: Duration::from_secs(5),
            deadline: Duration::from_secs(300),
            submit_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(2),
            watch_margin: Duration::from_secs(1),
            connect_timeout_first: Duration::from_millis(800),
            connect_timeout: Duration::from_secs(10),
            connect_attempts_reported: 10,
            health_check_interval: Duration::from_secs(30),
            reconnect: ConnectionBackoff::default(),
            breaker: BreakerConfig::default(),
            replies_interval: Duration::from_secs(20),
            poll_first: Duration::from_secs(1),
            poll_max: Duration::from_secs(5),
            definition_ttl: Duration::from_secs(30),
            payload_max_bytes: 1 << 20,
            open_calls_max: 100_000,
            batch_ops_max: 64,
            batch_bytes_max: 1 << 20,
            submit_queue_max: 10_000,
            waits_max: 100_000,
            fetch_links_max: 8,
            fetch_link_idle: Duration::from_secs(5),
            sweep_limit: 100,
        }
    }
}
