//! What a breaker may do, judged from what was seen of it: who asked, whom it let through, what the store
//! answered, and how it said to stand. It knows the rules of DESIGN P8, and no breaker.

use std::time::Duration;

use steadfast_core::breaker::{BreakerConfig, BreakerState, Verdict};
use steadfast_core::time::Time;

/// Something that was seen. An operation is named by its number, whatever steps it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// An operation asked, and was let through or not.
    Asked {
        /// Which.
        operation: usize,
        /// It was let through.
        admitted: bool,
    },
    /// The store answered an operation; only the first answer is one.
    Answered {
        /// Which.
        operation: usize,
        /// What that says of the store.
        verdict: Verdict,
    },
    /// The connection came back.
    LinkRegained,
    /// The breaker says that it stands so.
    Stands(BreakerState),
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    number: usize,
    /// The stretch of one state in which it was let through.
    stretch: usize,
    admitted: Time,
    answered: Option<(Time, Verdict)>,
}

/// The judge of one breaker.
#[derive(Clone, Debug)]
pub struct Law<'a> {
    config: &'a BreakerConfig,
    state: BreakerState,
    stretch: usize,
    since: Time,
    regained: bool,
    operations: Vec<Operation>,
}

impl<'a> Law<'a> {
    /// Of a breaker that was just made, closed.
    pub const fn new(config: &'a BreakerConfig) -> Self {
        Self {
            config,
            state: BreakerState::Closed,
            stretch: 0,
            since: Time::ZERO,
            regained: false,
            operations: Vec::new(),
        }
    }

    /// Takes what was seen; says what is illegal about it.
    pub fn see(&mut self, now: Time, seen: Seen) -> Result<(), String> {
        match seen {
            Seen::Asked { operation, admitted } => self.asked(now, operation, admitted),
            Seen::Answered { operation, verdict } => {
                let known = self.operations.iter_mut().find(|known| known.number == operation);
                if let Some(known) = known {
                    known.answered.get_or_insert((now, verdict));
                }
                Ok(())
            }
            Seen::LinkRegained => {
                self.regained = true;
                Ok(())
            }
            Seen::Stands(state) => self.stands(now, state),
        }
    }

    fn asked(&mut self, now: Time, number: usize, admitted: bool) -> Result<(), String> {
        let free = match self.state {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => {
                let taken = self.under_way(now) + self.succeeded(now);
                taken < self.config.half_open_calls as usize
            }
        };
        if admitted && !free {
            return Err(format!(
                "it let an operation through while {}, with {} trials under way and {} done",
                self.state,
                self.under_way(now),
                self.succeeded(now)
            ));
        }
        if !admitted && free {
            let waited = now.since(self.since);
            return Err(format!(
                "stuck: it is {} for {waited:?}, has a free slot, and refuses",
                self.state
            ));
        }
        if admitted {
            let (stretch, answered) = (self.stretch, None);
            self.operations.push(Operation { number, stretch, admitted: now, answered });
        }
        Ok(())
    }

    fn of_stretch(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.stretch == self.stretch)
    }

    fn is_leased(&self, operation: &Operation, now: Time) -> bool {
        now.since(operation.admitted) < self.config.permit_lease
    }

    fn under_way(&self, now: Time) -> usize {
        self.of_stretch().filter(|it| it.answered.is_none() && self.is_leased(it, now)).count()
    }

    /// Operations of this stretch that were answered so, while their permits held, and lately.
    fn answered(&self, wanted: Verdict, now: Time, lately: Duration) -> usize {
        self.of_stretch()
            .filter(|it| {
                it.answered.is_some_and(|(at, verdict)| {
                    let in_time = self.state != BreakerState::HalfOpen || self.is_leased(it, at);
                    verdict == wanted && in_time && now.since(at) < lately
                })
            })
            .count()
    }

    fn succeeded(&self, now: Time) -> usize {
        self.answered(Verdict::Success, now, Duration::MAX)
    }

    fn stands(&mut self, now: Time, state: BreakerState) -> Result<(), String> {
        use BreakerState::{Closed, HalfOpen, Open};
        let failed = self.answered(Verdict::Failure, now, self.config.monitoring_period);
        let failed_ever = self.answered(Verdict::Failure, now, Duration::MAX);
        let threshold = self.config.failure_threshold as usize;
        let trials = self.config.half_open_calls as usize;
        let recovered = now.since(self.since) >= self.config.recovery_timeout || self.regained;
        let illegal = match (self.state, state) {
            (Closed, Closed) => (failed >= threshold)
                .then(|| format!("it stays closed after {failed} failures of {threshold}")),
            (Closed, Open) => (failed < threshold).then(|| {
                format!(
                    "it opens after {failed} failed operations of this circuit, not {threshold}"
                )
            }),
            (Open, Open) => {
                recovered.then(|| format!("stuck: it is open for {:?}", now.since(self.since)))
            }
            (Open, HalfOpen) => (!recovered).then(|| "it goes half-open too soon".to_owned()),
            (HalfOpen, HalfOpen) => (failed_ever > 0 || self.succeeded(now) >= trials)
                .then(|| "it stays half-open after its trials said otherwise".to_owned()),
            (HalfOpen, Open) => (failed_ever == 0)
                .then(|| "it opens again, and none of its trials failed".to_owned()),
            (HalfOpen, Closed) => (self.succeeded(now) < trials).then(|| {
                format!("it closes after {} good trials, not {trials}", self.succeeded(now))
            }),
            (Open, Closed) | (Closed, HalfOpen) => Some(format!("{} becomes {state}", self.state)),
        };
        if state != self.state {
            self.state = state;
            self.stretch += 1;
            self.since = now;
        }
        self.regained = false;
        illegal.map_or(Ok(()), Err)
    }
}
