//! The store's clock, which jumps, as a checker follows it.

use std::time::Duration;

use crate::moment::Moment;

/// A moment, and what the store's clock showed then, in microseconds from the world's beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) at: Moment,
    pub(super) micros: i128,
}

/// What the store's clock has shown.
#[derive(Debug, Default)]
pub(super) struct StoreClock {
    ahead_micros: i128,
    /// What it showed last before each of its jumps.
    peaks: Vec<Shown>,
}

impl StoreClock {
    /// What it shows at a moment that is not before its last jump.
    pub(super) fn at(&self, at: Moment) -> Shown {
        Shown { at, micros: i128::from(at.as_micros()) + self.ahead_micros }
    }

    /// It is ahead of the world's by so much from now on.
    pub(super) fn jump(&mut self, at: Moment, ahead_micros: i64) {
        self.peaks.push(self.at(at));
        self.ahead_micros = i128::from(ahead_micros);
    }

    /// It has shown, between then and now, a time so much later than what it showed then.
    pub(super) fn has_shown(&self, since: Shown, later: Duration, now: Moment) -> bool {
        let highest = self.highest_since(since.at, now);
        highest - since.micros >= later.as_micros().cast_signed()
    }

    /// The latest that it ever showed: what expired then does not come back with the clock.
    pub(super) fn highest(&self, now: Moment) -> i128 {
        self.highest_since(Moment::ZERO, now)
    }

    fn highest_since(&self, since: Moment, now: Moment) -> i128 {
        let peaks = self.peaks.iter().filter(|peak| peak.at >= since);
        peaks.map(|peak| peak.micros).fold(self.at(now).micros, i128::max)
    }
}
