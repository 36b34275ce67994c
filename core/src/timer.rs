//! All timers of a node in one place: armed by key, popped in order of time and key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::attempt::AttemptId;
use crate::command::Ticket;
use crate::machine::EffectId;
use crate::op::Lane;
use crate::time::Time;
use crate::transport::Link;

/// A consumer's place in its node: a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConsumerKey(pub u32);

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Timer {
    /// A connection attempt is to be made.
    Reconnect(Link),
    /// A connection attempt is to be given up.
    ConnectTimeout(Link),
    /// A batch or watch has had no answer for too long: its connection is dead.
    ResponseTimeout(EffectId),
    /// A lane may send again after an error.
    LaneBackoff(Lane),
    /// A quiet connection is to be pinged.
    HealthCheck,
    /// The consumers' heartbeat.
    Beat,
    /// The leases of what is in flight.
    Renew,
    /// A look at who else serves our functions.
    Survey,
    /// A function's housekeeping.
    Sweep(ConsumerKey),
    /// A consumer returns from an error.
    ConsumerBackoff(ConsumerKey),
    /// A stopping consumer's drain time is over.
    Drain(ConsumerKey),
    /// An attempt's processing timeout, or its call's deadline.
    Attempt(ConsumerKey, AttemptId),
    /// The reply stream's time to live.
    KeepReplies,
    /// An awaited call is to be inspected.
    Poll(Ticket),
    /// An awaiter's patience, or a submit's.
    Patience(Ticket),
    /// An awaited call's deadline.
    Deadline(Ticket),
    /// The breaker changes state by time alone.
    Breaker,
    /// A shutdown's drain time is over.
    Shutdown,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reconnect(link) => write!(f, "reconnect {link}"),
            Self::ConnectTimeout(link) => write!(f, "connect timeout {link}"),
            Self::ResponseTimeout(effect) => write!(f, "response timeout {effect}"),
            Self::LaneBackoff(lane) => write!(f, "lane backoff {lane}"),
            Self::HealthCheck => f.write_str("health check"),
            Self::Beat => f.write_str("beat"),
            Self::Renew => f.write_str("renew"),
            Self::Survey => f.write_str("survey"),
            Self::Sweep(key) => write!(f, "sweep {}", key.0),
            Self::ConsumerBackoff(key) => write!(f, "consumer backoff {}", key.0),
            Self::Drain(key) => write!(f, "drain {}", key.0),
            Self::Attempt(_, attempt) => write!(f, "attempt {attempt}"),
            Self::KeepReplies => f.write_str("keep replies"),
            Self::Poll(ticket) => write!(f, "poll {ticket}"),
            Self::Patience(ticket) => write!(f, "patience {ticket}"),
            Self::Deadline(ticket) => write!(f, "deadline {ticket}"),
            Self::Breaker => f.write_str("breaker"),
            Self::Shutdown => f.write_str("shutdown"),
        }
    }
}

/// The armed timers. One key has one time; arming again moves it.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    by_key: BTreeMap<Timer, Time>,
    by_time: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Arms or moves a timer.
    pub fn arm(&mut self, timer: Timer, at: Time) {
        if let Some(before) = self.by_key.insert(timer, at) {
            self.by_time.remove(&(before, timer));
        }
        self.by_time.insert((at, timer));
    }

    /// Arms a timer, or moves it if it would fire later.
    pub fn arm_no_later(&mut self, timer: Timer, at: Time) {
        if self.by_key.get(&timer).is_none_or(|armed| *armed > at) {
            self.arm(timer, at);
        }
    }

    /// Forgets a timer.
    pub fn disarm(&mut self, timer: Timer) {
        if let Some(at) = self.by_key.remove(&timer) {
            let was_there = self.by_time.remove(&(at, timer));
            debug_assert!(was_there, "{timer} stands under its key and not under its time");
        }
    }

    /// When this timer fires.
    pub fn at(&self, timer: Timer) -> Option<Time> {
        self.by_key.get(&timer).copied()
    }

    /// The next timer to fire.
    pub fn next(&self) -> Option<(Time, Timer)> {
        self.by_time.first().copied()
    }

    /// Takes the next timer that is due.
    pub fn pop_due(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = self.next()?;
        if at > now {
            return None;
        }
        self.disarm(timer);
        Some(timer)
    }

    /// Hashes every timer with its time relative to `now`, and an effect's by what `purpose` says of it.
    pub(crate) fn fingerprint<P: Hash + Ord>(
        &self,
        now: Time,
        purpose: impl Fn(EffectId) -> P,
        mut into: &mut dyn Hasher,
    ) {
        let mut responses = BTreeSet::new();
        for (timer, at) in &self.by_key {
            if let Timer::ResponseTimeout(id) = timer {
                responses.insert((purpose(*id), at.since(now)));
            } else {
                (timer, at.since(now)).hash(&mut into);
            }
        }
        responses.hash(&mut into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_of_time_then_key_and_once() {
        let mut timers = Timers::default();
        let at = Time::from_millis;
        timers.arm(Timer::Renew, at(2));
        timers.arm(Timer::Beat, at(2));
        timers.arm(Timer::Survey, at(1));
        timers.arm(Timer::Survey, at(9));
        assert_eq!(timers.pop_due(at(1)), None);
        assert_eq!(timers.pop_due(at(2)), Some(Timer::Beat));
        assert_eq!(timers.pop_due(at(2)), Some(Timer::Renew));
        assert_eq!(timers.pop_due(at(2)), None);
        timers.arm_no_later(Timer::Survey, at(10));
        assert_eq!(timers.next(), Some((at(9), Timer::Survey)));
        timers.disarm(Timer::Survey);
        assert_eq!(timers.next(), None);
    }
}
