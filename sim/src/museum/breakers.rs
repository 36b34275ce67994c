//! Breakers of the old kind, each with one mistake, driven by random schedules beside the law.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steadfast_core::breaker::{Breaker, BreakerConfig, BreakerState, Permit, Verdict};
use steadfast_core::entropy::{Entropy, Stream};
use steadfast_core::time::Time;

use super::breaker_law::{Law, Seen};
use crate::checkers::{Promise, Violation};
use crate::moment::Moment;

/// A breaker as its users see it.
pub trait Circuit {
    /// What an operation that was let through holds.
    type Pass: Copy;

    /// A closed one.
    fn closed(config: BreakerConfig) -> Self;
    /// An operation asks.
    fn admit(&mut self, now: Time) -> Option<Self::Pass>;
    /// A step within an operation asks.
    fn admit_within(&mut self, now: Time, outer: Self::Pass) -> Option<Self::Pass>;
    /// An operation, or a step, answers.
    fn settle(&mut self, now: Time, pass: Self::Pass, verdict: Verdict);
    /// The connection came back.
    fn link_regained(&mut self, now: Time);
    /// How it stands now.
    fn state(&mut self, now: Time) -> BreakerState;
}

impl Circuit for Breaker {
    type Pass = Permit;

    fn closed(config: BreakerConfig) -> Self {
        Self::new(config, Entropy::new(0).stream("museum"))
    }

    fn admit(&mut self, now: Time) -> Option<Permit> {
        Self::admit(self, now).ok()
    }

    fn admit_within(&mut self, now: Time, outer: Permit) -> Option<Permit> {
        Self::admit_within(self, now, outer).ok()
    }

    fn settle(&mut self, now: Time, pass: Permit, verdict: Verdict) {
        Self::settle(self, now, pass, verdict);
    }

    fn link_regained(&mut self, now: Time) {
        Self::link_regained(self, now);
    }

    fn state(&mut self, now: Time) -> BreakerState {
        self.advance(now);
        Self::state(self, now)
    }
}

/// The mistakes of old breakers, to be given to [`Naive`].
pub const COUNTS_TWICE: u8 = 1;
/// See [`COUNTS_TWICE`].
pub const LEAKS_PERMITS: u8 = 2;
/// See [`COUNTS_TWICE`].
pub const FLOODS: u8 = 3;
/// See [`COUNTS_TWICE`].
pub const HEEDS_OVERHANGS: u8 = 4;

/// The pass of a naive breaker: the stretch of one state in which it was given, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass(u64, u64);

/// A breaker as they were written: a state, a counter, a timestamp. It keeps to the law but for its one
/// mistake.
#[derive(Clone, Debug)]
pub struct Naive<const MISTAKE: u8> {
    config: BreakerConfig,
    state: BreakerState,
    stretch: u64,
    since: Time,
    passes: u64,
    out: BTreeMap<u64, Time>,
    failures: Vec<Time>,
    successes: u32,
}

impl<const MISTAKE: u8> Naive<MISTAKE> {
    fn enter(&mut self, now: Time, state: BreakerState) {
        self.state = state;
        self.stretch += 1;
        self.since = now;
        self.out.clear();
        self.failures.clear();
        self.successes = 0;
    }

    fn advance(&mut self, now: Time) {
        if self.state == BreakerState::Open && now.since(self.since) >= self.config.recovery_timeout
        {
            self.enter(now, BreakerState::HalfOpen);
        }
        if self.state == BreakerState::HalfOpen && MISTAKE != LEAKS_PERMITS {
            let lease = self.config.permit_lease;
            self.out.retain(|_, admitted| now.since(*admitted) < lease);
        }
    }

    fn count(&mut self, now: Time, verdict: Verdict) {
        match (self.state, verdict) {
            (BreakerState::Closed, Verdict::Failure) => {
                let period = self.config.monitoring_period;
                self.failures.retain(|failure| now.since(*failure) < period);
                self.failures.push(now);
                if self.failures.len() >= self.config.failure_threshold as usize {
                    self.enter(now, BreakerState::Open);
                }
            }
            (BreakerState::HalfOpen, Verdict::Failure) => self.enter(now, BreakerState::Open),
            (BreakerState::HalfOpen, Verdict::Success) => {
                self.successes += 1;
                if self.successes >= self.config.half_open_calls {
                    self.enter(now, BreakerState::Closed);
                }
            }
            _ => {}
        }
    }
}

impl<const MISTAKE: u8> Circuit for Naive<MISTAKE> {
    type Pass = Pass;

    fn closed(config: BreakerConfig) -> Self {
        Self {
            config,
            state: BreakerState::Closed,
            stretch: 0,
            since: Time::ZERO,
            passes: 0,
            out: BTreeMap::new(),
            failures: Vec::new(),
            successes: 0,
        }
    }

    fn admit(&mut self, now: Time) -> Option<Pass> {
        self.advance(now);
        let taken = self.out.len() + self.successes as usize;
        let free = match self.state {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => {
                MISTAKE == FLOODS || taken < self.config.half_open_calls as usize
            }
        };
        free.then(|| {
            self.passes += 1;
            self.out.insert(self.passes, now);
            Pass(self.stretch, self.passes)
        })
    }

    fn admit_within(&mut self, now: Time, outer: Pass) -> Option<Pass> {
        self.advance(now);
        if MISTAKE == COUNTS_TWICE && self.state == BreakerState::Closed {
            return self.admit(now);
        }
        if outer.0 == self.stretch { Some(outer) } else { self.admit(now) }
    }

    fn settle(&mut self, now: Time, pass: Pass, verdict: Verdict) {
        self.advance(now);
        let held = self.out.remove(&pass.1).is_some() && pass.0 == self.stretch;
        if held || (MISTAKE == HEEDS_OVERHANGS && pass.0 != self.stretch) {
            self.count(now, verdict);
        }
    }

    fn link_regained(&mut self, now: Time) {
        self.advance(now);
        if self.state == BreakerState::Open {
            self.enter(now, BreakerState::HalfOpen);
        }
    }

    fn state(&mut self, now: Time) -> BreakerState {
        self.advance(now);
        self.state
    }
}

/// When an operation gives its permit back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guard {
    /// When the store has answered: the breaker judges the store.
    Store,
    /// When the function's result is there: a slow function is a failed operation.
    Result,
}

/// What a schedule makes happen.
#[derive(Clone, Copy, Debug)]
enum Step {
    Start(usize),
    /// The store answers the step within.
    Inner(usize),
    /// The store answers.
    Answer(usize),
    /// The function's result is there, or its time is over.
    Result(usize),
    LinkRegained,
}

/// One operation of a schedule, drawn before it begins.
#[derive(Clone, Copy, Debug)]
struct Plan {
    nested: bool,
    cancelled: bool,
    takes: Duration,
    runs: Duration,
    store: Verdict,
    function: Verdict,
}

/// The breaker's settings in every schedule: small, so that much happens.
fn config() -> BreakerConfig {
    BreakerConfig {
        failure_threshold: 3,
        failure_rate: None,
        recovery_timeout: Duration::from_millis(500),
        recovery_growth_percent: 100,
        recovery_timeout_max: Duration::from_millis(500),
        recovery_jitter_percent: 0,
        monitoring_period: Duration::from_secs(10),
        half_open_calls: 2,
        permit_lease: Duration::from_secs(1),
    }
}

/// Operations of one schedule.
const OPERATIONS: usize = 60;

fn draw(random: &mut Stream, is_sick: bool) -> Plan {
    let fails = random.below(100) < if is_sick { 80 } else { 3 };
    Plan {
        nested: random.below(4) == 0,
        cancelled: random.below(8) == 0,
        takes: match random.below(10) {
            0 => Duration::from_millis(700) + random.up_to(Duration::from_secs(2)),
            _ => Duration::from_millis(1) + random.up_to(Duration::from_millis(60)),
        },
        runs: Duration::from_millis(50) + random.up_to(Duration::from_millis(400)),
        store: if fails { Verdict::Failure } else { Verdict::Success },
        function: if random.below(4) == 0 { Verdict::Failure } else { Verdict::Success },
    }
}

fn schedule(seed: u64) -> (Vec<Plan>, BTreeMap<(Time, usize), Step>) {
    let mut random = Entropy::new(seed).stream("museum/breaker");
    let mut queue = BTreeMap::new();
    let mut plans = Vec::with_capacity(OPERATIONS);
    let (mut at, mut is_sick) = (Time::ZERO, false);
    for operation in 0..OPERATIONS {
        at = at + Duration::from_millis(1) + random.up_to(Duration::from_millis(120));
        is_sick ^= random.below(8) == 0;
        plans.push(draw(&mut random, is_sick));
        queue.insert((at, queue.len()), Step::Start(operation));
        if random.below(20) == 0 {
            queue.insert((at, queue.len()), Step::LinkRegained);
        }
    }
    (plans, queue)
}

/// A run of one schedule.
struct Play<'a, C: Circuit> {
    circuit: C,
    guard: Guard,
    law: Law<'a>,
    plans: Vec<Plan>,
    passes: Vec<Option<(C::Pass, C::Pass)>>,
    queue: BTreeMap<(Time, usize), Step>,
    scheduled: usize,
    steps: u64,
}

/// Plays the schedule of a seed; answers how many steps it took, and what broke the law.
pub fn play<C: Circuit>(guard: Guard, seed: u64) -> (u64, Result<(), Violation>) {
    play_without::<C>(guard, seed, &BTreeSet::new())
}

/// Leaves operations out of a schedule for as long as the rest still breaks the law; answers how many
/// steps remain, or nothing where the whole breaks none.
pub fn shrink<C: Circuit>(guard: Guard, seed: u64) -> Option<u64> {
    let mut left_out = BTreeSet::new();
    let (mut steps, whole) = play::<C>(guard, seed);
    whole.err()?;
    loop {
        let before = left_out.len();
        for operation in 0..OPERATIONS {
            if !left_out.insert(operation) {
                continue;
            }
            match play_without::<C>(guard, seed, &left_out) {
                (fewer, Err(_)) => steps = fewer,
                (_, Ok(())) => {
                    left_out.remove(&operation);
                }
            }
        }
        if left_out.len() == before {
            return Some(steps);
        }
    }
}

fn play_without<C: Circuit>(
    guard: Guard,
    seed: u64,
    left_out: &BTreeSet<usize>,
) -> (u64, Result<(), Violation>) {
    let config = config();
    let (plans, mut queue) = schedule(seed);
    queue.retain(|_, step| !matches!(step, Step::Start(it) if left_out.contains(it)));
    let mut play = Play {
        circuit: C::closed(config.clone()),
        guard,
        law: Law::new(&config),
        passes: plans.iter().map(|_| None).collect(),
        plans,
        scheduled: OPERATIONS * 2,
        queue,
        steps: 0,
    };
    while let Some(((now, _), step)) = play.queue.pop_first() {
        play.steps += 1;
        if let Err(what) = play.take(now, step) {
            let at = Moment::from_micros(now.as_micros());
            let violation = Violation { promise: Promise::BreakerLegal, at, what };
            return (play.steps, Err(violation));
        }
    }
    (play.steps, Ok(()))
}

impl<C: Circuit> Play<'_, C> {
    fn later(&mut self, at: Time, step: Step) {
        self.queue.insert((at, self.scheduled), step);
        self.scheduled += 1;
    }

    fn look(&mut self, now: Time) -> Result<(), String> {
        let state = self.circuit.state(now);
        self.law.see(now, Seen::Stands(state))
    }

    fn take(&mut self, now: Time, step: Step) -> Result<(), String> {
        self.look(now)?;
        match step {
            Step::Start(operation) => self.start(now, operation)?,
            Step::Inner(operation) => {
                if let Some((_, inner)) = self.passes[operation] {
                    self.answer(now, operation, inner)?;
                }
            }
            Step::Answer(operation) => {
                if let Some((outer, _)) = self.passes[operation] {
                    self.answer(now, operation, outer)?;
                }
            }
            Step::Result(operation) => {
                if let (Guard::Result, Some((outer, _))) = (self.guard, self.passes[operation]) {
                    self.circuit.settle(now, outer, self.plans[operation].function);
                }
            }
            Step::LinkRegained => {
                self.circuit.link_regained(now);
                self.law.see(now, Seen::LinkRegained)?;
            }
        }
        self.look(now)
    }

    fn start(&mut self, now: Time, operation: usize) -> Result<(), String> {
        let pass = self.circuit.admit(now);
        self.law.see(now, Seen::Asked { operation, admitted: pass.is_some() })?;
        let Some(outer) = pass else {
            return Ok(());
        };
        let plan = self.plans[operation];
        let inner = if plan.nested { self.circuit.admit_within(now, outer) } else { None };
        self.passes[operation] = Some((outer, inner.unwrap_or(outer)));
        // Whoever awaited a cancelled operation is gone: nobody gives the permit back.
        if !plan.cancelled {
            if inner.is_some() {
                self.later(now + plan.takes, Step::Inner(operation));
            }
            self.later(now + plan.takes, Step::Answer(operation));
            self.later(now + plan.takes + plan.runs, Step::Result(operation));
        }
        Ok(())
    }

    fn answer(&mut self, now: Time, operation: usize, pass: C::Pass) -> Result<(), String> {
        let verdict = self.plans[operation].store;
        // Who waits for the result learns at once where the store fails.
        if self.guard == Guard::Store || verdict == Verdict::Failure {
            self.circuit.settle(now, pass, verdict);
        }
        self.law.see(now, Seen::Answered { operation, verdict })
    }
}
