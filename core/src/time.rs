//! The two clocks of the design, which never meet in arithmetic.
//!
//! [`Time`] belongs to one node and drives its timers. [`StoreTime`] belongs to the store and stamps
//! what several nodes compare: leases, deadlines, expiry. A caller sends durations; the store adds them
//! to its own clock; a delivery carries the time remaining.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds since this node started: monotonic, and it may drift against every other clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(u64);

/// Microseconds since 1970 as the store tells them. It may jump when the store's host is adjusted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct StoreTime(u64);

macro_rules! clock {
    ($clock:ident) => {
        impl $clock {
            /// The clock's zero.
            pub const ZERO: Self = Self(0);

            /// This many microseconds after the clock's zero.
            pub const fn from_micros(micros: u64) -> Self {
                Self(micros)
            }

            /// This many milliseconds after the clock's zero.
            pub const fn from_millis(millis: u64) -> Self {
                Self(millis.saturating_mul(1_000))
            }

            /// Microseconds since the clock's zero.
            pub const fn as_micros(self) -> u64 {
                self.0
            }

            /// Whole milliseconds since the clock's zero.
            pub const fn as_millis(self) -> u64 {
                self.0 / 1_000
            }

            /// How long ago `earlier` was; zero when it lies ahead.
            pub const fn since(self, earlier: Self) -> Duration {
                Duration::from_micros(self.0.saturating_sub(earlier.0))
            }
        }

        impl Add<Duration> for $clock {
            type Output = Self;

            /// Saturates instead of wrapping: a deadline too far to count is never.
            fn add(self, duration: Duration) -> Self {
                let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
                Self(self.0.saturating_add(micros))
            }
        }

        impl AddAssign<Duration> for $clock {
            fn add_assign(&mut self, duration: Duration) {
                *self = *self + duration;
            }
        }
    };
}

clock!(Time);
clock!(StoreTime);

impl fmt::Display for Time {
    /// Seconds with microseconds, as trace lines show it: `12.000350`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Display for StoreTime {
    /// Seconds since 1970 with microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_too_far_to_count_saturates() {
        assert_eq!(Time::from_micros(1) + Duration::MAX, Time::from_micros(u64::MAX));
        assert_eq!(StoreTime::from_millis(u64::MAX).as_micros(), u64::MAX);
    }

    #[test]
    fn since_never_goes_below_zero() {
        let (early, late) = (Time::from_millis(5), Time::from_millis(7));
        assert_eq!(late.since(early), Duration::from_millis(2));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
