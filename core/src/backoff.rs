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
        Self { step: Duration::from_millis(100), most: Duration::from_secs(3), jitter_percent: 25 }
    }
}

impl ConnectionBackoff {
    /// The wait before retry number `retries` (the first retry is 1; 0 does not wait).
    pub fn delay(&self, retries: u32, jitter: &mut Stream) -> Duration {
        let whole = self.step.saturating_mul(retries).min(self.most);
        let most_jitter = whole / 100 * u32::from(self.jitter_percent.min(100));
        whole.saturating_sub(jitter.up_to(most_jitter))
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
        Self { base: Duration::from_millis(200), most: Duration::from_secs(10) }
    }
}

impl CallBackoff {
    /// The wait after attempt number `failed` (from 1) failed.
    pub fn delay(&self, failed: u32, jitter: &mut Stream) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        jitter.up_to(self.base.saturating_mul(1 << doublings).min(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    fn stream() -> Stream {
        Entropy::new(1).stream("backoff")
    }

    #[test]
    fn a_connection_waits_longer_with_each_retry_up_to_the_most() {
        let check = |retries, whole_ms| {
            let whole = Duration::from_millis(whole_ms);
            let mut jitter = stream();
            let mut shortest = whole;
            for _ in 0..1_000 {
                let delay = ConnectionBackoff::default().delay(retries, &mut jitter);
                assert!(delay <= whole, "{delay:?} after {retries} retries");
                assert!(delay >= whole * 3 / 4, "{delay:?} after {retries} retries");
                shortest = shortest.min(delay);
            }
            assert!(
                whole.is_zero() || shortest < whole * 4 / 5,
                "no jitter after {retries} retries"
            );
        };
        check(0, 0);
        check(1, 100);
        check(2, 200);
        check(29, 2_900);
        check(30, 3_000);
        check(31, 3_000);
        check(u32::MAX, 3_000);
    }

    #[test]
    fn without_jitter_a_connection_waits_the_whole_delay() {
        let backoff = ConnectionBackoff { jitter_percent: 0, ..ConnectionBackoff::default() };
        let delays = [1, 2, 3, 40].map(|retries| backoff.delay(retries, &mut stream()).as_millis());
        assert_eq!(delays, [100, 200, 300, 3_000]);
    }

    #[test]
    fn no_jitter_setting_makes_a_wait_negative() {
        let backoff = ConnectionBackoff { jitter_percent: 255, ..ConnectionBackoff::default() };
        let mut jitter = stream();
        let shortest = (0..1_000).map(|_| backoff.delay(30, &mut jitter)).min();
        assert!(shortest < Some(Duration::from_millis(100)));
    }

    #[test]
    fn a_call_waits_anything_up_to_a_bound_that_doubles() {
        let check = |failed, bound_ms| {
            let bound = Duration::from_millis(bound_ms);
            let mut jitter = stream();
            let delays: Vec<Duration> =
                (0..1_000).map(|_| CallBackoff::default().delay(failed, &mut jitter)).collect();
            let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
            assert!(*most <= bound, "{most:?} after {failed} failures");
            assert!(*most > bound * 9 / 10, "{most:?} after {failed} failures");
            assert!(*least < bound / 10, "{least:?} after {failed} failures");
        };
        check(0, 200);
        check(1, 200);
        check(2, 400);
        check(5, 3_200);
        check(6, 6_400);
        check(7, 10_000);
        check(u32::MAX, 10_000);
    }
}
