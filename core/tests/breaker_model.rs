//! The breaker against an independent model of it: a ledger of everything that ever happened, from
//! which each answer is worked out anew.

use std::time::Duration;

use proptest::prelude::*;
use steadfast_core::breaker::{Breaker, BreakerConfig, BreakerState, FailureRate, Permit, Verdict};
use steadfast_core::entropy::Entropy;
use steadfast_core::time::Time;

/// One operation that was let through.
#[derive(Clone, Debug)]
struct Operation {
    era: usize,
    admitted_us: u64,
    /// When and how it was settled, if that counted.
    settled: Option<(u64, Verdict)>,
}

/// A stretch of time in one state.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Era {
    Closed,
    Open { from_us: u64, timeout_us: u64 },
    HalfOpen { timeout_us: u64 },
    HeldOpen,
    HeldClosed,
}

/// The model: nothing is ever dropped from its lists.
struct Ledger {
    config: BreakerConfig,
    eras: Vec<Era>,
    operations: Vec<Operation>,
    rejected: u64,
    uncounted: u64,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

impl Ledger {
    fn new(config: BreakerConfig) -> Self {
        Self { config, eras: vec![Era::Closed], operations: Vec::new(), rejected: 0, uncounted: 0 }
    }

    fn era(&self) -> Era {
        *self.eras.last().unwrap()
    }

    fn of_this_era(&self) -> impl Iterator<Item = &Operation> {
        let era = self.eras.len() - 1;
        self.operations.iter().filter(move |op| op.era == era)
    }

    fn count(&self, wanted: Verdict) -> usize {
        self.of_this_era()
            .filter(|op| matches!(op.settled, Some((_, verdict)) if verdict == wanted))
            .count()
    }

    fn leased(&self, op: &Operation, now_us: u64) -> bool {
        now_us - op.admitted_us < micros(self.config.permit_lease)
    }

    fn under_way(&self, now_us: u64) -> usize {
        self.of_this_era().filter(|op| op.settled.is_none() && self.leased(op, now_us)).count()
    }

    fn pass_time(&mut self, now_us: u64) {
        if let Era::Open { from_us, timeout_us } = self.era()
            && now_us >= from_us + timeout_us
        {
            self.eras.push(Era::HalfOpen { timeout_us });
        }
    }

    fn passes(&self, now_us: u64) -> bool {
        match self.era() {
            Era::Closed | Era::HeldClosed => true,
            Era::Open { .. } | Era::HeldOpen => false,
            Era::HalfOpen { .. } => {
                let taken = self.under_way(now_us) + self.count(Verdict::Success);
                taken < self.config.half_open_calls as usize
            }
        }
    }

    fn admit(&mut self, now_us: u64) -> Option<usize> {
        if !self.passes(now_us) {
            self.rejected += 1;
            return None;
        }
        self.operations.push(Operation {
            era: self.eras.len() - 1,
            admitted_us: now_us,
            settled: None,
        });
        Some(self.operations.len() - 1)
    }

    fn settle(&mut self, now_us: u64, number: usize, verdict: Verdict) {
        let op = &self.operations[number];
        let ended_lease = matches!(self.era(), Era::HalfOpen { .. }) && !self.leased(op, now_us);
        if op.era != self.eras.len() - 1 || op.settled.is_some() || ended_lease {
            self.uncounted += 1;
            return;
        }
        self.operations[number].settled = Some((now_us, verdict));
        match (self.era(), verdict) {
            (Era::Closed, Verdict::Success | Verdict::Failure)
                if self.too_many(now_us, verdict) || self.too_often(now_us) =>
            {
                self.eras.push(Era::Open {
                    from_us: now_us,
                    timeout_us: micros(self.config.recovery_timeout),
                });
            }
            (Era::HalfOpen { timeout_us }, Verdict::Failure) => {
                let grown = timeout_us * u64::from(self.config.recovery_growth_percent) / 100;
                self.eras.push(Era::Open {
                    from_us: now_us,
                    timeout_us: grown.min(micros(self.config.recovery_timeout_max)),
                });
            }
            (Era::HalfOpen { .. }, Verdict::Success)
                if self.count(Verdict::Success) == self.config.half_open_calls as usize =>
            {
                self.eras.push(Era::Closed);
            }
            _ => {}
        }
    }

    fn too_many(&self, now_us: u64, verdict: Verdict) -> bool {
        let recent = self
            .of_this_era()
            .filter_map(|op| op.settled)
            .filter(|(at, verdict)| {
                *verdict == Verdict::Failure && now_us - at < micros(self.config.monitoring_period)
            })
            .count();
        let threshold = self.config.failure_threshold as usize;
        verdict == Verdict::Failure && threshold > 0 && recent >= threshold
    }

    /// The rate's window is made of sixteenths of the monitoring period.
    fn too_often(&self, now_us: u64) -> bool {
        let Some(rate) = self.config.failure_rate else {
            return false;
        };
        let part_us = micros(self.config.monitoring_period).div_ceil(16);
        let recent: Vec<Verdict> = self
            .of_this_era()
            .filter_map(|op| op.settled)
            .filter(|(at, verdict)| {
                now_us / part_us - at / part_us < 16 && *verdict != Verdict::Ignored
            })
            .map(|(_, verdict)| verdict)
            .collect();
        let failed = recent.iter().filter(|verdict| **verdict == Verdict::Failure).count();
        failed > 0
            && recent.len() >= rate.minimum_calls as usize
            && failed * 100 >= usize::from(rate.percent) * recent.len()
    }

    fn state(&self) -> BreakerState {
        match self.era() {
            Era::Closed | Era::HeldClosed => BreakerState::Closed,
            Era::Open { .. } | Era::HeldOpen => BreakerState::Open,
            Era::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn deadline_us(&self, now_us: u64) -> Option<u64> {
        match self.era() {
            Era::Open { from_us, timeout_us } => Some(from_us + timeout_us),
            Era::HalfOpen { .. } => self
                .of_this_era()
                .filter(|op| op.settled.is_none() && self.leased(op, now_us))
                .map(|op| op.admitted_us + micros(self.config.permit_lease))
                .min(),
            _ => None,
        }
    }

    fn changes(&self) -> Vec<BreakerState> {
        let mut states: Vec<BreakerState> = Vec::new();
        for era in &self.eras {
            let state = Self {
                config: self.config.clone(),
                eras: vec![*era],
                operations: Vec::new(),
                rejected: 0,
                uncounted: 0,
            }
            .state();
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
        states
    }

    fn total(&self, wanted: Verdict) -> u64 {
        self.operations
            .iter()
            .filter(|op| matches!(op.settled, Some((_, verdict)) if verdict == wanted))
            .count() as u64
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Admit,
    /// Settles the operation this far back among all that were let through.
    Settle(usize, Verdict),
    LinkRegained,
    ForceOpen,
    ForceClosed,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        4 => Just(Verdict::Failure),
        4 => Just(Verdict::Success),
        1 => Just(Verdict::Ignored),
    ];
    prop_oneof![
        40 => Just(Step::Admit),
        50 => (0_usize..6, verdict).prop_map(|(back, verdict)| Step::Settle(back, verdict)),
        20 => (0_u64..40).prop_map(Step::Wait),
        6 => (100_u64..1_000).prop_map(Step::Wait),
        2 => Just(Step::LinkRegained),
        1 => Just(Step::ForceOpen),
        1 => Just(Step::ForceClosed),
        2 => Just(Step::Reset),
    ]
}

fn config() -> impl Strategy<Value = BreakerConfig> {
    let rate = prop::option::of(
        (1_u8..=100, 1_u32..8)
            .prop_map(|(percent, minimum_calls)| FailureRate { percent, minimum_calls }),
    );
    (0_u32..5, rate, 1_u64..200, 100_u32..400, 1_u64..300, 1_u32..4, 1_u64..60).prop_map(
        |(threshold, rate, timeout, growth, period, trials, lease)| BreakerConfig {
            failure_threshold: threshold,
            failure_rate: rate,
            recovery_timeout: Duration::from_micros(timeout),
            recovery_growth_percent: growth,
            recovery_timeout_max: Duration::from_micros(timeout * 3),
            recovery_jitter_percent: 0,
            monitoring_period: Duration::from_micros(period),
            half_open_calls: trials,
            permit_lease: Duration::from_micros(lease),
        },
    )
}

/// Both, side by side.
struct Pair {
    breaker: Breaker,
    ledger: Ledger,
    permits: Vec<Permit>,
    told: Vec<BreakerState>,
    now_us: u64,
}

impl Pair {
    fn new(config: BreakerConfig) -> Self {
        Self {
            breaker: Breaker::new(config.clone(), Entropy::new(1).stream("breaker")),
            ledger: Ledger::new(config),
            permits: Vec::new(),
            told: vec![BreakerState::Closed],
            now_us: 1_000,
        }
    }

    fn take(&mut self, step: &Step) {
        let now = Time::from_micros(self.now_us);
        self.ledger.pass_time(self.now_us);
        match step {
            Step::Wait(us) => self.now_us += us,
            Step::Admit => {
                let admitted = self.breaker.admit(now);
                assert_eq!(self.ledger.admit(self.now_us).is_some(), admitted.is_ok());
                self.permits.extend(admitted);
            }
            Step::Settle(back, verdict) => {
                if let Some(number) = self.permits.len().checked_sub(back + 1) {
                    self.breaker.settle(now, self.permits[number], *verdict);
                    self.ledger.settle(self.now_us, number, *verdict);
                }
            }
            Step::LinkRegained => {
                self.breaker.link_regained(now);
                if let Era::Open { timeout_us, .. } = self.ledger.era() {
                    self.ledger.eras.push(Era::HalfOpen { timeout_us });
                }
            }
            Step::ForceOpen => {
                self.breaker.force_open(now);
                self.ledger.eras.push(Era::HeldOpen);
            }
            Step::ForceClosed => {
                self.breaker.force_closed(now);
                self.ledger.eras.push(Era::HeldClosed);
            }
            Step::Reset => {
                self.breaker.reset(now);
                self.ledger.eras.push(Era::Closed);
            }
        }
        // A recovery timeout that is over at once.
        self.ledger.pass_time(self.now_us);
    }

    fn compare(&mut self) {
        let now = Time::from_micros(self.now_us);
        assert_eq!(self.breaker.state(now), self.ledger.state());
        self.breaker.advance(now);
        assert_eq!(self.breaker.state(now), self.ledger.state());
        assert_eq!(
            self.breaker.next_deadline().map(Time::as_micros),
            self.ledger.deadline_us(self.now_us)
        );
        assert_eq!(
            self.breaker.retry_after(now).is_zero(),
            self.ledger.passes(self.now_us),
            "a call passes exactly where there is nothing to wait for"
        );
        while let Some((from, to)) = self.breaker.poll_transition() {
            assert_eq!(self.told.last(), Some(&from), "a change begins where the last ended");
            self.told.push(to);
        }
        assert_eq!(self.told, self.ledger.changes());
        let metrics = self.breaker.metrics();
        let counted = [
            metrics.successful_calls,
            metrics.failed_calls,
            metrics.ignored_calls,
            metrics.rejected_calls,
            metrics.uncounted_results,
            metrics.total_calls,
        ];
        let ledger = &self.ledger;
        let expected = [
            ledger.total(Verdict::Success),
            ledger.total(Verdict::Failure),
            ledger.total(Verdict::Ignored),
            ledger.rejected,
            ledger.uncounted,
            ledger.operations.len() as u64 + ledger.rejected,
        ];
        assert_eq!(counted, expected);
        assert_eq!(metrics.transitions, self.told.len() as u64 - 1);
    }

    /// From any state: with the operator's hands off and every call answered well, it closes.
    fn closes_in_the_end(mut self) {
        if matches!(self.ledger.era(), Era::HeldOpen) {
            return;
        }
        for _ in 0..8 {
            self.now_us += 100_000;
            let now = Time::from_micros(self.now_us);
            if let Ok(permit) = self.breaker.admit(now) {
                self.breaker.settle(now, permit, Verdict::Success);
            }
        }
        let now = Time::from_micros(self.now_us);
        assert_eq!(self.breaker.state(now), BreakerState::Closed, "stuck");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn the_breaker_does_what_the_ledger_says(
        config in config(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut pair = Pair::new(config);
        for step in &steps {
            pair.take(step);
            pair.compare();
        }
        pair.closes_in_the_end();
    }
}
