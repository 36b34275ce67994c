//! Judges of a history. They know the promises, and nothing of the code that is to keep them.

mod bounds;
mod breaker;
mod leases;
mod outcomes;
mod poison;
mod presence;
mod promptness;
mod stops;
mod store_clock;
mod takeovers;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::config::Config;

use crate::history::{Fact, History};
use crate::moment::Moment;

/// What is promised (DESIGN §3), and the bounds that stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Promise {
    /// P1: each accepted call ends in exactly one outcome.
    NoLostCall,
    /// P2: decided once; every awaiter sees that one, whatever its value.
    DecidedOnce,
    /// P3: a stop ends the incarnation it names, and no other.
    StopNames,
    /// P4: a consumer ends only by its own stop, its host's end, a save, or being fenced.
    NeverLeaves,
    /// P5: a save stalls nothing.
    SaveStallsNothing,
    /// P6: the dead are noticed within 3 s; the living are left alone.
    DeadNoticed,
    /// P7: nothing is left over after quiet.
    NothingLeaks,
    /// P8: the breaker changes only as it may, and is not stuck.
    BreakerLegal,
    /// P9: when faults end, every open call is decided, and every awaiter told.
    Liveness,
    /// P10: bad input becomes a dead letter, and harms nobody else.
    BadInput,
    /// What an `always` probe states.
    ProbeHolds,
    /// Neither machines nor store ever panic, whatever they are told.
    NeverPanics,
    /// Attempts stay within the function's most.
    BoundedAttempts,
    /// Handlers that run at once stay within the function's most; no call runs twice in one consumer.
    BoundedConcurrency,
    /// A function's epochs never go back, and a consumer has one.
    EpochsAdvance,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLostCall => "P1 no lost call",
            Self::DecidedOnce => "P2 decided once",
            Self::StopNames => "P3 a stop stops what it names",
            Self::NeverLeaves => "P4 a consumer never leaves by accident",
            Self::SaveStallsNothing => "P5 a save stalls nothing",
            Self::DeadNoticed => "P6 dead is noticed, alive is left alone",
            Self::NothingLeaks => "P7 nothing leaks",
            Self::BreakerLegal => "P8 the breaker is never stuck",
            Self::Liveness => "P9 liveness",
            Self::BadInput => "P10 bad input costs nothing",
            Self::ProbeHolds => "an always probe",
            Self::NeverPanics => "no panic",
            Self::BoundedAttempts => "bounded attempts",
            Self::BoundedConcurrency => "bounded concurrency",
            Self::EpochsAdvance => "epochs never go back",
        })
    }
}

/// A promise that a history breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// When it showed.
    pub at: Moment,
    /// What is wrong, for a person.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.promise, self.at, self.what)
    }
}

/// What the promises' bounds are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Without a heartbeat for so long, a consumer may be taken for dead.
    pub consumer_timeout: Duration,
    /// An observer judges by sessions once its own link stood for so long.
    pub observer_settle: Duration,
    /// A killed worker's calls run elsewhere within this.
    pub takeover: Duration,
    /// An undisturbed call is begun within this.
    pub prompt: Duration,
    /// How long an outcome is kept.
    pub kept: Duration,
    /// A breaker is open for so long at most.
    pub breaker_recovery: Duration,
}

impl Terms {
    /// The terms of nodes with these settings.
    pub const fn of(config: &Config) -> Self {
        Self {
            consumer_timeout: config.consumer_timeout,
            observer_settle: config.observer_settle,
            takeover: Duration::from_secs(3),
            prompt: Duration::from_secs(2),
            kept: Duration::from_secs(300),
            breaker_recovery: config.breaker.recovery_timeout,
        }
    }
}

/// Every promise that the history breaks, in order of time.
pub fn judge(history: &History, terms: &Terms) -> Vec<Violation> {
    let mut found = Vec::new();
    outcomes::check(history, terms, &mut found);
    stops::check(history, &mut found);
    bounds::check(history, terms, &mut found);
    leases::check(history, &mut found);
    takeovers::check(history, terms, &mut found);
    promptness::check(history, terms, &mut found);
    presence::check(history, terms, &mut found);
    breaker::check(history, terms, &mut found);
    poison::check(history, &mut found);
    for (at, fact) in history.facts() {
        let (promise, what) = match fact {
            Fact::LeftOver { what } => (Promise::NothingLeaks, what.clone()),
            Fact::Stuck { call, why } => (Promise::Liveness, format!("{call} is open: {why}")),
            Fact::Runaway { events } => {
                (Promise::Liveness, format!("machines run in circles: {events} events"))
            }
            _ => continue,
        };
        found.push(Violation { promise, at: *at, what });
    }
    found.sort_by_key(|violation| violation.at);
    found
}

/// Disturbances that excuse delays.
struct Calm<'a> {
    history: &'a History,
}

impl Calm<'_> {
    /// Nothing that `excuses` a host's delay overlaps the stretch.
    fn holds(
        &self,
        (from, until): (Moment, Moment),
        concerns: impl Fn(Option<crate::history::HostId>) -> bool,
    ) -> bool {
        self.history.facts().iter().all(|(at, fact)| match fact {
            Fact::Disturbed { host, until: over, .. } => {
                *at > until || *over < from || !concerns(*host)
            }
            _ => true,
        })
    }
}
