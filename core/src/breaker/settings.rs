//! The breaker's settings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerConfig {
    /// Failures within the monitoring period that open it; 0 turns this rule off.
    pub failure_threshold: u32,
    /// A share of failures within the monitoring period that opens it as well.
    pub failure_rate: Option<FailureRate>,
    /// How long it stays open before trials are let through.
    pub recovery_timeout: Duration,
    /// Each re-opening by a failed trial stretches the recovery timeout to so many percent of the
    /// last; 100 (and less) leaves it as it is, 200 doubles it. Closing starts over.
    pub recovery_growth_percent: u32,
    /// The longest a grown recovery timeout becomes. It never shortens `recovery_timeout`.
    pub recovery_timeout_max: Duration,
    /// The share of the recovery timeout that jitter may take away, in percent, up to 100.
    pub recovery_jitter_percent: u8,
    /// The sliding window in which failures count.
    pub monitoring_period: Duration,
    /// Successful trials that close it, and the most that are under way at once; 0 is taken as 1.
    pub half_open_calls: u32,
    /// A trial that is not answered for so long frees its slot, and its result no longer counts. Longer
    /// than any guarded operation may take.
    pub permit_lease: Duration,
}

/// A share of failures, from a number of calls on that makes it mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FailureRate {
    /// At this share of failures it opens, in percent. With no failure it never does.
    pub percent: u8,
    /// With fewer results in the monitoring period the share is not looked at.
    pub minimum_calls: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            failure_rate: None,
            recovery_timeout: Duration::from_secs(60),
            recovery_growth_percent: 100,
            recovery_timeout_max: Duration::from_secs(600),
            recovery_jitter_percent: 0,
            monitoring_period: Duration::from_secs(300),
            half_open_calls: 3,
            permit_lease: Duration::from_secs(10),
        }
    }
}

impl BreakerConfig {
    /// Successes that close it, and trials at once.
    pub(super) fn trials(&self) -> u32 {
        self.half_open_calls.max(1)
    }

    /// The recovery timeout after one of `timeout` did not help, in whole microseconds.
    pub(super) fn grown(&self, timeout: Duration) -> Duration {
        let percent = u128::from(self.recovery_growth_percent.max(100));
        let most = self.recovery_timeout_max.max(self.recovery_timeout);
        let micros = timeout.as_micros().saturating_mul(percent) / 100;
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(most)
    }

    /// The monitoring period; an empty one is taken as 1 µs.
    pub(super) fn period(&self) -> Duration {
        self.monitoring_period.max(Duration::from_micros(1))
    }
}
