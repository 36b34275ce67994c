//! The world's own time, and a node's clock over it.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::time::{StoreTime, Time};

/// Microseconds of simulated time since the world began. No machine ever sees it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// The world's beginning.
    pub const ZERO: Self = Self(0);

    /// This many microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// This many milliseconds after the beginning.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// This many seconds after the beginning.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }

    /// Microseconds since the beginning.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This much earlier, or the beginning.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl fmt::Display for Moment {
    /// Seconds with microseconds: `12.000350`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The store's wall clock: microseconds since 1970 at the world's beginning.
const STORE_EPOCH_MICROS: u64 = 1_700_000_000_000_000;

/// What the store's clock shows at a moment.
pub const fn store_time(moment: Moment) -> StoreTime {
    store_time_ahead(moment, 0)
}

/// What the store's clock shows at a moment when it is ahead by so many microseconds.
pub const fn store_time_ahead(moment: Moment, ahead_micros: i64) -> StoreTime {
    StoreTime::from_micros((STORE_EPOCH_MICROS + moment.0).saturating_add_signed(ahead_micros))
}

/// A node's monotonic clock: it starts at zero with the incarnation, and may run fast or slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeClock {
    /// When the incarnation started.
    started: Moment,
    /// What it gains on the world, in parts per million; negative for a slow one.
    drift_ppm: i32,
    /// How far it has jumped forwards, in microseconds.
    jumped_micros: u64,
}

impl NodeClock {
    /// A clock started now, with this drift.
    pub const fn new(started: Moment, drift_ppm: i32) -> Self {
        Self { started, drift_ppm, jumped_micros: 0 }
    }

    /// Jumps forwards.
    pub fn jump(&mut self, by: Duration) {
        self.jumped_micros += micros(by);
    }

    /// What the clock shows at a moment.
    pub fn show(self, at: Moment) -> Time {
        let elapsed = u128::from(at.0.saturating_sub(self.started.0));
        Time::from_micros(
            (elapsed * self.rate_millionths() / 1_000_000) as u64 + self.jumped_micros,
        )
    }

    /// The first moment at which the clock shows `time` or more.
    pub fn moment_of(self, time: Time) -> Moment {
        let rate = self.rate_millionths();
        let shown = time.as_micros().saturating_sub(self.jumped_micros);
        let elapsed = (u128::from(shown) * 1_000_000).div_ceil(rate);
        Moment(self.started.0.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX)))
    }

    fn rate_millionths(self) -> u128 {
        u128::from((1_000_000 + self.drift_ppm).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_never_early_whatever_the_drift() {
        for drift_ppm in [-50_000, -1, 0, 1, 333, 50_000] {
            let clock = NodeClock::new(Moment::from_millis(17), drift_ppm);
            for micros in [0, 1, 2, 999, 1_000_003, 59_999_999_999] {
                let time = Time::from_micros(micros);
                let at = clock.moment_of(time);
                assert!(clock.show(at) >= time, "{drift_ppm} ppm, {micros} us");
                let earlier = at.before(Duration::from_micros(1));
                assert!(micros == 0 || clock.show(earlier) < time);
            }
        }
    }
}
