//! Waiting times: linear for connections, exponential with full jitter for calls.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entropy::Stream;

/// The waiting time before a connection attempt: `min(retries × step, most)`; jitter only shortens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionBackoff {
    /// Added with each retry.
    pub step: Duration,
    /// The longest wait.
    pub most: Duration,
    /// The share of the wait that jitter may take away, in percent.
    pub jitter_percent: u8,
}

impl Default for ConnectionBackoff {
    fn default() -> Self {
        Self {
            step: Duration::from_millis(100),
            most: Duration::from_secs(3),
            jitter_percent: 25,
        }
    }
}

impl ConnectionBackoff {
    /// The wait before retry number `retries` (the first retry is 1; 0 does not wait).
    pub fn delay(&self, retries: u32, jitter: &mut Stream) -> Duration {
        let whole = self.step.saturating_mul(retries).min(self.most);
        whole - jitter.up_to(whole * u32::from(self.jitter_percent.min(100)) / 100)
    }
}

/// The waiting time before another attempt at a call: drawn from zero to
/// `min(base × 2^(failed - 1), most)` (full jitter, after Brooker, "Exponential Backoff And Jitter", 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct CallBackoff {
    /// The most after the first failed attempt.
    pub base: Duration,
    /// The most after any.
    pub most: Duration,
}

impl Default for CallBackoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(200),
            most: Duration::from_secs(10),
        }
    }
}

impl CallBackoff {
    /// The wait after attempt number `failed` (from 1) failed.
    pub fn delay(&self, failed: u32, jitter: &mut Stream) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        jitter.up_to(self.base.saturating_mul(1 << doublings).min(self.most))
    }
}
