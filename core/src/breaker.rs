//! The circuit breaker: spares a sick store what users start, and is never stuck (DESIGN P8).
//!
//! ```text
//!            a rule of the window                recovery timeout, or a regained link
//!   CLOSED ────────────────────────▶ OPEN ────────────────────────▶ HALF-OPEN
//!      ▲                              ▲                               │    │
//!      │                              └────────── one failure ────────┘    │
//!      └───────────────────────── `half_open_calls` successes ─────────────┘
//! ```
//!
//! Besides these, an operator may force it open or closed from any state, and reset it to closed.
//! Every change of state begins a new generation; a result counts only in the generation that admitted
//! its call. Which errors count is the caller's classification, given as a [`Verdict`]: a function's own
//! error says nothing about the store that carried it.
//!
//! An operation asks once ([`Breaker::admit`]) and answers once ([`Breaker::settle`]). A step within it
//! asks with [`Breaker::admit_within`] and shares the permit, so that the operation counts once however
//! it is nested. A half-open permit is leased: one that was dropped, cancelled or never answered frees
//! its slot when the lease ends.

mod permits;
mod settings;
mod window;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::entropy::Stream;
use crate::time::Time;

use permits::{Outstanding, Trials};
pub use settings::{BreakerConfig, FailureRate};
use window::Window;

/// State.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the three states of the pattern")]
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

/// What an operation's result says about the health of what was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "every error is classified as one of these")]
pub enum Verdict {
    /// It answered.
    Success,
    /// It did not answer, or answered that it is unwell.
    Failure,
    /// The result says nothing: the operation was cancelled, or never sent.
    Ignored,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Ignored => "ignored",
        })
    }
}

/// The permission for one operation; to be given back with [`Breaker::settle`].
///
/// It is a plain value: copies stand for the same operation, and the first that is settled counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Permit {
    generation: u64,
    id: u64,
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "permit {}.{}", self.generation, self.id)
    }
}

/// The breaker refused an operation; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[error("the circuit breaker is {state}; try again in {retry_after:?}")]
pub struct Rejected {
    /// Open, or half-open with all its trials under way.
    pub state: BreakerState,
    /// After so long a trial is let through, at the latest. Where an operator forced it open nobody
    /// knows, and this is the configured recovery timeout.
    pub retry_after: Duration,
}

/// What a breaker has counted since it was made. A reset leaves all but the consecutive failures alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerMetrics {
    /// State at the last input.
    pub state: BreakerState,
    /// An operator holds it in that state.
    pub forced: bool,
    /// Operations that asked: those let through and those rejected.
    pub total_calls: u64,
    /// Operations that counted as a success.
    pub successful_calls: u64,
    /// Operations that counted as a failure.
    pub failed_calls: u64,
    /// Operations whose result said nothing.
    pub ignored_calls: u64,
    /// Operations that were refused.
    pub rejected_calls: u64,
    /// Results that did not count: of an earlier generation, after a lease's end, repeated, unknown.
    pub uncounted_results: u64,
    /// Trials that were not answered within their lease.
    pub leases_ended: u64,
    /// Failures that counted since the last success that counted, or since a reset.
    pub consecutive_failures: u64,
    /// When the last failure that counted was settled.
    pub last_failure: Option<Time>,
    /// Changes of state.
    pub transitions: u64,
    /// Changes of state to open.
    pub openings: u64,
}

/// Changes of state that are kept for [`Breaker::poll_transition`]; of more, the oldest are forgotten.
const TRANSITIONS_MAX: usize = 64;

/// What each state needs to know, and nothing else.
#[derive(Clone, Debug)]
enum Phase {
    Closed {
        outstanding: Outstanding,
        window: Window,
    },
    Open {
        until: Time,
        /// The recovery timeout before jitter, from which the next one grows.
        timeout: Duration,
    },
    HalfOpen {
        trials: Trials,
        /// The recovery timeout before jitter that led here.
        timeout: Duration,
    },
    ForcedOpen,
    ForcedClosed {
        outstanding: Outstanding,
    },
}

/// The circuit breaker. See the module's documentation.
///
/// Times given to it never go back. Memory is bounded by the configuration: failure times by the
/// threshold, trials by `half_open_calls`, open permits by 131,072 (older ones do not count).
#[derive(Clone, Debug)]
pub struct Breaker {
    config: BreakerConfig,
    jitter: Stream,
    phase: Phase,
    generation: u64,
    next_id: u64,
    counters: BreakerMetrics,
    unreported: VecDeque<(BreakerState, BreakerState)>,
}

impl Breaker {
    /// A closed breaker. The stream is drawn from once for each opening with jitter.
    pub fn new(config: BreakerConfig, jitter: Stream) -> Self {
        Self {
            phase: Phase::Closed {
                outstanding: Outstanding::default(),
                window: Window::new(&config),
            },
            config,
            jitter,
            generation: 0,
            next_id: 0,
            counters: BreakerMetrics {
                state: BreakerState::Closed,
                forced: false,
                total_calls: 0,
                successful_calls: 0,
                failed_calls: 0,
                ignored_calls: 0,
                rejected_calls: 0,
                uncounted_results: 0,
                leases_ended: 0,
                consecutive_failures: 0,
                last_failure: None,
                transitions: 0,
                openings: 0,
            },
            unreported: VecDeque::new(),
        }
    }

    /// Asks for one operation.
    pub fn admit(&mut self, now: Time) -> Result<Permit, Rejected> {
        self.advance(now);
        self.counters.total_calls += 1;
        let id = self.next_id;
        match &mut self.phase {
            Phase::Closed { outstanding, .. } | Phase::ForcedClosed { outstanding } => {
                outstanding.insert(id);
            }
            Phase::HalfOpen { trials, .. } if trials.has_room(self.config.trials()) => {
                trials.start(id, now + self.config.permit_lease);
            }
            Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::ForcedOpen => {
                self.counters.rejected_calls += 1;
                return Err(Rejected {
                    state: self.state(now),
                    retry_after: self.retry_after(now),
                });
            }
        }
        self.next_id += 1;
        Ok(Permit { generation: self.generation, id })
    }

    /// Asks for a step within an operation that holds a permit already. While the generation lasts the
    /// step shares that permit, settled or not, and takes no slot; after it, the step asks afresh.
    pub fn admit_within(&mut self, now: Time, outer: Permit) -> Result<Permit, Rejected> {
        self.advance(now);
        if outer.generation == self.generation && outer.id < self.next_id {
            return Ok(outer);
        }
        self.admit(now)
    }

    /// Gives a permit back with what the operation's result says. The first settlement of a permit
    /// counts; a repeated, unknown or late one (of an earlier generation, after the lease) does not.
    pub fn settle(&mut self, now: Time, permit: Permit, verdict: Verdict) {
        self.advance(now);
        let held = permit.generation == self.generation
            && match &mut self.phase {
                Phase::Closed { outstanding, .. } | Phase::ForcedClosed { outstanding } => {
                    outstanding.remove(permit.id)
                }
                Phase::HalfOpen { trials, .. } => trials.end(permit.id),
                Phase::Open { .. } | Phase::ForcedOpen => false,
            };
        if !held {
            self.counters.uncounted_results += 1;
            return;
        }
        match verdict {
            Verdict::Success => {
                self.counters.successful_calls += 1;
                self.counters.consecutive_failures = 0;
            }
            Verdict::Failure => {
                self.counters.failed_calls += 1;
                self.counters.consecutive_failures += 1;
                self.counters.last_failure = Some(now);
            }
            Verdict::Ignored => {
                self.counters.ignored_calls += 1;
                return;
            }
        }
        self.judge(now, verdict == Verdict::Failure);
    }

    /// What a result that counts does to the state.
    fn judge(&mut self, now: Time, failed: bool) {
        match &mut self.phase {
            Phase::Closed { window, .. } => {
                if window.record(now, failed, &self.config) {
                    self.open(now, self.config.recovery_timeout);
                }
            }
            Phase::HalfOpen { timeout, .. } if failed => {
                let grown = self.config.grown(*timeout);
                self.open(now, grown);
            }
            Phase::HalfOpen { trials, .. } => {
                if trials.succeed() >= self.config.trials() {
                    self.close();
                }
            }
            Phase::Open { .. } | Phase::ForcedOpen | Phase::ForcedClosed { .. } => {}
        }
    }

    /// Does what time alone does: an open breaker goes half-open, ended leases free their slots. Every
    /// other method that takes `&mut self` and a time does this first.
    #[inline]
    pub fn advance(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Open { until, timeout } if *until <= now => {
                let timeout = *timeout;
                self.half_open(timeout);
            }
            Phase::HalfOpen { trials, .. } => {
                self.counters.leases_ended += trials.end_leases(now);
            }
            _ => {}
        }
    }

    /// The link to what is guarded stands again: an open breaker goes half-open at once, unless an
    /// operator forced it open.
    pub fn link_regained(&mut self, now: Time) {
        self.advance(now);
        if let Phase::Open { timeout, .. } = self.phase {
            self.half_open(timeout);
        }
    }

    /// Refuses every operation until [`Breaker::reset`] or [`Breaker::force_closed`].
    pub fn force_open(&mut self, now: Time) {
        self.advance(now);
        self.enter(Phase::ForcedOpen);
    }

    /// Lets every operation through, whatever fails, until [`Breaker::reset`] or
    /// [`Breaker::force_open`]. Results are counted still.
    pub fn force_closed(&mut self, now: Time) {
        self.advance(now);
        self.enter(Phase::ForcedClosed { outstanding: Outstanding::default() });
    }

    /// Closed, with nothing remembered but the counters, and no longer forced.
    pub fn reset(&mut self, now: Time) {
        self.advance(now);
        self.counters.consecutive_failures = 0;
        self.close();
    }

    /// The state at that time.
    pub fn state(&self, now: Time) -> BreakerState {
        match self.phase {
            Phase::Open { until, .. } if until <= now => BreakerState::HalfOpen,
            _ => self.phase.state(),
        }
    }

    /// After so long an operation is let through, at the latest; zero where one would be now. See
    /// [`Rejected::retry_after`].
    pub fn retry_after(&self, now: Time) -> Duration {
        match &self.phase {
            Phase::Open { until, .. } => until.since(now),
            Phase::HalfOpen { trials, .. } if !trials.has_room(self.config.trials()) => {
                trials.next_lease_end().map_or(Duration::ZERO, |end| end.since(now))
            }
            Phase::ForcedOpen => self.config.recovery_timeout,
            Phase::HalfOpen { .. } | Phase::Closed { .. } | Phase::ForcedClosed { .. } => {
                Duration::ZERO
            }
        }
    }

    /// When time alone changes something: the state, or the slots of the trials.
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Open { until, .. } => Some(*until),
            Phase::HalfOpen { trials, .. } => trials.next_lease_end(),
            Phase::Closed { .. } | Phase::ForcedOpen | Phase::ForcedClosed { .. } => None,
        }
    }

    /// The oldest change of state not told yet: from, to.
    pub fn poll_transition(&mut self) -> Option<(BreakerState, BreakerState)> {
        self.unreported.pop_front()
    }

    /// What it has counted.
    pub fn metrics(&self) -> BreakerMetrics {
        BreakerMetrics {
            state: self.phase.state(),
            forced: matches!(self.phase, Phase::ForcedOpen | Phase::ForcedClosed { .. }),
            ..self.counters
        }
    }

    /// Whether settling this permit now would count. A fingerprint of a holder hashes this in place of
    /// the permit, whose numbers differ between states that behave alike.
    pub fn counts(&self, now: Time, permit: Permit) -> bool {
        permit.generation == self.generation
            && match &self.phase {
                Phase::Closed { outstanding, .. } | Phase::ForcedClosed { outstanding } => {
                    outstanding.contains(permit.id)
                }
                Phase::HalfOpen { trials, .. } => trials.contains(permit.id, now),
                Phase::Open { .. } | Phase::ForcedOpen => false,
            }
    }

    /// Hashes what decides its behaviour: times relative to `now`, no counters, no numbers of permits.
    pub fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        mem::discriminant(&self.phase).hash(&mut into);
        match &self.phase {
            Phase::Closed { outstanding, window } => {
                outstanding.len().hash(&mut into);
                window.fingerprint(now, &self.config, into);
            }
            Phase::Open { until, timeout } => (until.since(now), timeout).hash(&mut into),
            Phase::HalfOpen { trials, timeout } => {
                timeout.hash(&mut into);
                trials.fingerprint(now, into);
            }
            Phase::ForcedOpen => {}
            Phase::ForcedClosed { outstanding } => outstanding.len().hash(&mut into),
        }
        if self.config.recovery_jitter_percent > 0 {
            self.jitter.hash(&mut into);
        }
        self.unreported.hash(&mut into);
    }

    fn open(&mut self, now: Time, timeout: Duration) {
        let percent = u32::from(self.config.recovery_jitter_percent.min(100));
        let shortened =
            if percent == 0 { Duration::ZERO } else { self.jitter.up_to(timeout / 100 * percent) };
        self.enter(Phase::Open { until: now + timeout.saturating_sub(shortened), timeout });
    }

    fn half_open(&mut self, timeout: Duration) {
        self.enter(Phase::HalfOpen { trials: Trials::default(), timeout });
    }

    fn close(&mut self) {
        self.enter(Phase::Closed {
            outstanding: Outstanding::default(),
            window: Window::new(&self.config),
        });
    }

    /// Begins a new generation. The only place at which the phase changes.
    fn enter(&mut self, phase: Phase) {
        let (from, to) = (self.phase.state(), phase.state());
        debug_assert!(
            self.phase.may_become(&phase),
            "the breaker may not go from {:?} to {phase:?}",
            self.phase
        );
        self.phase = phase;
        self.generation += 1;
        if from == to {
            return;
        }
        self.counters.transitions += 1;
        self.counters.openings += u64::from(to == BreakerState::Open);
        if self.unreported.len() == TRANSITIONS_MAX {
            self.unreported.pop_front();
        }
        self.unreported.push_back((from, to));
    }
}

impl Phase {
    const fn state(&self) -> BreakerState {
        match self {
            Self::Closed { .. } | Self::ForcedClosed { .. } => BreakerState::Closed,
            Self::Open { .. } | Self::ForcedOpen => BreakerState::Open,
            Self::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// The picture of the module's documentation, with what an operator may do (force, reset).
    const fn may_become(&self, next: &Self) -> bool {
        match next {
            Self::Open { .. } => matches!(self, Self::Closed { .. } | Self::HalfOpen { .. }),
            Self::HalfOpen { .. } => matches!(self, Self::Open { .. }),
            Self::Closed { .. } | Self::ForcedOpen | Self::ForcedClosed { .. } => true,
        }
    }
}
