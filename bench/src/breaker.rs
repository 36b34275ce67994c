//! The breaker: one call is an admission and a settlement.

use std::collections::VecDeque;
use std::hint::black_box;

use steadfast_core::breaker::{Breaker, BreakerConfig, FailureRate, Permit, Verdict};
use steadfast_core::entropy::Entropy;
use steadfast_core::time::Time;

use crate::measure::Figure;

/// The most a call through the breaker may cost.
const LIMIT_NS: f64 = 50.0;

fn breaker(config: BreakerConfig) -> Breaker {
    Breaker::new(config, Entropy::new(1).stream("bench"))
}

pub(crate) fn figures() -> Vec<Figure> {
    let with_rate = BreakerConfig {
        failure_rate: Some(FailureRate { percent: 50, minimum_calls: 20 }),
        ..BreakerConfig::default()
    };
    vec![
        calls("breaker: a call, closed", breaker(BreakerConfig::default())),
        calls("breaker: a call, closed, with a failure rate", breaker(with_rate)),
        overlapping(),
        failing(),
        refused(),
    ]
}

/// A success each 10 µs.
fn calls(name: &'static str, mut breaker: Breaker) -> Figure {
    let mut micros = 0;
    Figure::of(name, || {
        micros += 10;
        let now = Time::from_micros(micros);
        if let Ok(permit) = black_box(breaker.admit(now)) {
            breaker.settle(now, permit, Verdict::Success);
        }
    })
    .at_most(LIMIT_NS)
}

/// Ten thousand calls are under way at any time.
fn overlapping() -> Figure {
    let mut breaker = breaker(BreakerConfig::default());
    let mut micros = 0;
    let mut open: VecDeque<Permit> =
        (0..10_000).filter_map(|_| breaker.admit(Time::ZERO).ok()).collect();
    Figure::of("breaker: a call, closed, 10,000 under way", || {
        micros += 10;
        let now = Time::from_micros(micros);
        open.extend(breaker.admit(now));
        if let Some(permit) = open.pop_front() {
            breaker.settle(now, permit, Verdict::Success);
        }
    })
    .at_most(LIMIT_NS)
}

/// Each call fails, a minute after the last, with a threshold that six failures do not reach.
fn failing() -> Figure {
    let mut breaker = breaker(BreakerConfig { failure_threshold: 10, ..BreakerConfig::default() });
    let mut minutes = 0;
    Figure::of("breaker: a call that fails, closed", || {
        minutes += 1;
        let now = Time::from_millis(minutes * 60_000);
        if let Ok(permit) = black_box(breaker.admit(now)) {
            breaker.settle(now, permit, Verdict::Failure);
        }
    })
    .at_most(LIMIT_NS)
}

fn refused() -> Figure {
    let mut breaker = breaker(BreakerConfig::default());
    for _ in 0..5 {
        if let Ok(permit) = breaker.admit(Time::ZERO) {
            breaker.settle(Time::ZERO, permit, Verdict::Failure);
        }
    }
    Figure::of("breaker: a call refused, open", || {
        black_box(breaker.admit(Time::from_millis(1)).is_err());
    })
    .at_most(LIMIT_NS)
}
