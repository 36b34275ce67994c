//! The breaker's fingerprint: the same for states that behave alike, another for states that do not.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use proptest::prelude::*;
use steadfast_core::breaker::{Breaker, BreakerConfig, FailureRate, Verdict};
use steadfast_core::entropy::Entropy;
use steadfast_core::time::Time;

fn breaker() -> Breaker {
    let config = BreakerConfig {
        failure_threshold: 3,
        failure_rate: Some(FailureRate { percent: 90, minimum_calls: 20 }),
        monitoring_period: Duration::from_micros(16 * PART_US),
        ..BreakerConfig::default()
    };
    Breaker::new(config, Entropy::new(3).stream("breaker"))
}

/// The rate's window slides in steps of this length.
const PART_US: u64 = 1_000_000;

fn fingerprint(breaker: &Breaker, now: Time) -> u64 {
    let mut hasher = DefaultHasher::new();
    breaker.fingerprint(now, &mut hasher);
    hasher.finish()
}

fn at(micros: u64) -> Time {
    Time::from_micros(micros)
}

fn one(breaker: &mut Breaker, micros: u64, verdict: Verdict) {
    if let Ok(permit) = breaker.admit(at(micros)) {
        breaker.settle(at(micros), permit, verdict);
    }
    while breaker.poll_transition().is_some() {}
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What happened before a reset, and how long ago it was, leaves no mark.
    #[test]
    fn an_earlier_life_leaves_no_mark(
        before in 0_u64..50,
        parts in 0_u64..1_000,
        calls in prop::collection::vec((0_u64..30_000_000, any::<bool>()), 0..20),
    ) {
        let (mut young, mut old) = (breaker(), breaker());
        for _ in 0..before {
            one(&mut old, 0, Verdict::Failure);
        }
        old.reset(at(0));
        while old.poll_transition().is_some() {}
        let (mut micros, later) = (0, parts * PART_US);
        for (wait, good) in calls {
            micros += wait;
            let verdict = if good { Verdict::Success } else { Verdict::Failure };
            one(&mut young, micros, verdict);
            one(&mut old, micros + later, verdict);
            prop_assert_eq!(
                fingerprint(&young, at(micros)),
                fingerprint(&old, at(micros + later))
            );
        }
    }
}

#[test]
fn states_that_behave_differently_differ() {
    let ways: [fn(&mut Breaker); 12] = [
        |_| {},
        |breaker| one(breaker, 0, Verdict::Failure),
        |breaker| one(breaker, 5, Verdict::Failure),
        |breaker| one(breaker, 0, Verdict::Success),
        |breaker| {
            let _ = breaker.admit(at(0));
        },
        |breaker| (0..3).for_each(|_| one(breaker, 0, Verdict::Failure)),
        |breaker| (0..3).for_each(|_| one(breaker, 5, Verdict::Failure)),
        |breaker| {
            (0..3).for_each(|_| one(breaker, 0, Verdict::Failure));
            breaker.link_regained(at(0));
        },
        |breaker| {
            (0..3).for_each(|_| one(breaker, 0, Verdict::Failure));
            breaker.link_regained(at(0));
            let _ = breaker.admit(at(0));
        },
        |breaker| {
            (0..3).for_each(|_| one(breaker, 0, Verdict::Failure));
            breaker.link_regained(at(0));
            one(breaker, 0, Verdict::Success);
        },
        |breaker| breaker.force_open(at(0)),
        |breaker| breaker.force_closed(at(0)),
    ];
    let mut seen = BTreeMap::new();
    for (number, way) in ways.iter().enumerate() {
        let mut breaker = breaker();
        way(&mut breaker);
        while breaker.poll_transition().is_some() {}
        let twin = seen.insert(fingerprint(&breaker, at(10)), number);
        assert_eq!(twin, None, "way {number} has a twin");
    }
}

#[test]
fn what_has_left_the_window_leaves_no_mark() {
    let mut failed = breaker();
    one(&mut failed, 0, Verdict::Failure);
    one(&mut failed, 0, Verdict::Success);
    let later = at(17 * PART_US);
    assert_eq!(fingerprint(&failed, later), fingerprint(&breaker(), later));
    assert_ne!(fingerprint(&failed, at(1)), fingerprint(&breaker(), at(1)));
}
