//! The circuit breaker.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerConfig {
    /// Failures within the monitoring period that open it.
    pub failure_threshold: u32,
    /// How long it stays open before trials are let through.
    pub recovery_timeout: Duration,
    /// The sliding window in which failures count.
    pub monitoring_period: Duration,
    /// Trials let through at once while half-open.
    pub half_open_calls: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            recovery_timeout: Duration::from_secs(60),
            monitoring_period: Duration::from_secs(300),
            half_open_calls: 3,
        }
    }
}

/// State.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A few trials pass.
    HalfOpen,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        })
    }
}
