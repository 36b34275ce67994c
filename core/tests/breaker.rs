//! The circuit breaker, case by case: what spares the store, and what keeps it from being stuck.

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast_core::breaker::{Breaker, BreakerConfig, BreakerState, FailureRate, Permit, Verdict};
use steadfast_core::entropy::Entropy;
use steadfast_core::time::Time;

const RECOVERY: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

fn breaker(config: BreakerConfig) -> Breaker {
    Breaker::new(config, Entropy::new(7).stream("breaker"))
}

fn one(breaker: &mut Breaker, now: Time, verdict: Verdict) {
    let permit = breaker.admit(now).expect("let through");
    breaker.settle(now, permit, verdict);
}

/// A breaker of default settings that opened at second 0.
fn opened() -> Breaker {
    let mut breaker = breaker(BreakerConfig::default());
    for _ in 0..5 {
        one(&mut breaker, at(0), Verdict::Failure);
    }
    assert_eq!(breaker.state(at(0)), BreakerState::Open);
    breaker
}

fn half_opened() -> Breaker {
    let mut breaker = opened();
    breaker.advance(at(60));
    assert_eq!(breaker.state(at(60)), BreakerState::HalfOpen);
    breaker
}

fn transitions(breaker: &mut Breaker) -> Vec<(BreakerState, BreakerState)> {
    std::iter::from_fn(|| breaker.poll_transition()).collect()
}

#[test]
fn failures_within_the_period_open_it_and_spread_ones_do_not() {
    let check = |times: &[u64], expect: BreakerState| {
        let mut breaker = breaker(BreakerConfig::default());
        for second in times {
            one(&mut breaker, at(*second), Verdict::Failure);
        }
        let last = at(*times.last().unwrap());
        assert_eq!(breaker.state(last), expect, "failures at {times:?}");
    };
    check(&[0, 1, 2, 3], BreakerState::Closed);
    check(&[0, 1, 2, 3, 4], BreakerState::Open);
    check(&[0, 0, 0, 0, 299], BreakerState::Open);
    check(&[0, 1, 2, 3, 300], BreakerState::Closed);
    check(&[0, 100, 200, 300, 400, 500, 600], BreakerState::Closed);
    check(&[0, 290, 300, 310, 320, 330], BreakerState::Open);
}

#[test]
fn a_success_between_failures_does_not_clear_the_window() {
    let mut breaker = breaker(BreakerConfig::default());
    for second in 0..4 {
        one(&mut breaker, at(second), Verdict::Failure);
        one(&mut breaker, at(second), Verdict::Success);
    }
    assert_eq!(breaker.metrics().consecutive_failures, 0);
    one(&mut breaker, at(5), Verdict::Failure);
    assert_eq!(breaker.state(at(5)), BreakerState::Open);
}

#[test]
fn what_the_caller_does_not_call_a_failure_never_opens_it() {
    let mut breaker = breaker(BreakerConfig::default());
    for second in 0..1_000 {
        one(&mut breaker, at(second), Verdict::Ignored);
    }
    assert_eq!(breaker.state(at(1_000)), BreakerState::Closed);
    assert_eq!(breaker.metrics().ignored_calls, 1_000);
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
    let check = |verdicts: &str, expect: BreakerState| {
        let mut breaker = breaker(BreakerConfig {
            failure_threshold: 0,
            failure_rate: Some(FailureRate { percent: 50, minimum_calls: 6 }),
            ..BreakerConfig::default()
        });
        for verdict in verdicts.chars() {
            let verdict = match verdict {
                'f' => Verdict::Failure,
                's' => Verdict::Success,
                _ => Verdict::Ignored,
            };
            one(&mut breaker, at(1), verdict);
        }
        assert_eq!(breaker.state(at(1)), expect, "after {verdicts}");
    };
    check("fffff", BreakerState::Closed);
    check("fffff.....", BreakerState::Closed);
    check("ffffff", BreakerState::Open);
    check("fffffs", BreakerState::Open);
    check("fffsss", BreakerState::Open);
    check("ffssss", BreakerState::Closed);
    check("ffssssff", BreakerState::Open);
    check("ssssss", BreakerState::Closed);
}

#[test]
fn the_share_is_of_the_last_period_only() {
    let mut breaker = breaker(BreakerConfig {
        failure_threshold: 0,
        failure_rate: Some(FailureRate { percent: 50, minimum_calls: 2 }),
        ..BreakerConfig::default()
    });
    for _ in 0..100 {
        one(&mut breaker, at(0), Verdict::Success);
    }
    one(&mut breaker, at(299), Verdict::Failure);
    assert_eq!(breaker.state(at(299)), BreakerState::Closed);
    one(&mut breaker, at(320), Verdict::Failure);
    assert_eq!(breaker.state(at(320)), BreakerState::Open);
}

#[test]
fn a_leaked_trial_frees_its_slot_when_its_lease_ends() {
    let mut breaker = half_opened();
    let leaked: Vec<Permit> = (0..3).map(|_| breaker.admit(at(60)).unwrap()).collect();
    let rejected = breaker.admit(at(61)).unwrap_err();
    assert_eq!(rejected.state, BreakerState::HalfOpen);
    assert_eq!(rejected.retry_after, Duration::from_secs(9));
    assert_eq!(breaker.next_deadline(), Some(at(70)));
    breaker.advance(at(70));
    assert_eq!(breaker.next_deadline(), None);
    for _ in 0..3 {
        one(&mut breaker, at(70), Verdict::Success);
    }
    assert_eq!(breaker.state(at(70)), BreakerState::Closed);
    for permit in leaked {
        assert!(!breaker.counts(at(71), permit));
        breaker.settle(at(71), permit, Verdict::Failure);
    }
    assert_eq!(breaker.metrics().leases_ended, 3);
    assert_eq!(breaker.metrics().uncounted_results, 3);
}

#[test]
fn a_result_after_its_lease_counts_for_nothing_in_the_same_generation() {
    let mut breaker = half_opened();
    let slow = breaker.admit(at(60)).unwrap();
    breaker.settle(at(70), slow, Verdict::Failure);
    assert_eq!(breaker.state(at(70)), BreakerState::HalfOpen);
    assert_eq!(breaker.metrics().uncounted_results, 1);
}

#[test]
fn a_trial_that_says_nothing_frees_its_slot_at_once() {
    let mut breaker = half_opened();
    for _ in 0..100 {
        one(&mut breaker, at(60), Verdict::Ignored);
    }
    assert_eq!(breaker.state(at(60)), BreakerState::HalfOpen);
    for _ in 0..3 {
        one(&mut breaker, at(60), Verdict::Success);
    }
    assert_eq!(breaker.state(at(60)), BreakerState::Closed);
}

#[test]
fn of_a_flood_while_half_open_three_pass() {
    let mut breaker = half_opened();
    let permits: BTreeSet<Permit> = (0..1_000).flat_map(|_| breaker.admit(at(60))).collect();
    assert_eq!(permits.len(), 3);
    assert_eq!(breaker.metrics().rejected_calls, 997);
    let mut permits = permits.into_iter();
    breaker.settle(at(61), permits.next().unwrap(), Verdict::Success);
    assert!(
        breaker.admit(at(61)).is_err(),
        "one succeeded and two are under way: no further trial is needed"
    );
    for permit in permits {
        breaker.settle(at(61), permit, Verdict::Success);
    }
    assert_eq!(breaker.state(at(61)), BreakerState::Closed);
}

#[test]
fn a_result_of_an_earlier_generation_does_not_count() {
    let mut breaker = breaker(BreakerConfig::default());
    let early: Vec<Permit> = (0..10).map(|_| breaker.admit(at(0)).unwrap()).collect();
    for permit in &early[..5] {
        breaker.settle(at(1), *permit, Verdict::Failure);
    }
    breaker.advance(at(61));
    let trial = breaker.admit(at(61)).unwrap();
    breaker.settle(at(61), early[5], Verdict::Failure);
    assert_eq!(
        breaker.state(at(61)),
        BreakerState::HalfOpen,
        "an old failure does not fail the trial"
    );
    for permit in &early[6..9] {
        breaker.settle(at(61), *permit, Verdict::Success);
    }
    assert_eq!(breaker.state(at(61)), BreakerState::HalfOpen, "old successes do not close it");
    breaker.settle(at(61), trial, Verdict::Failure);
    assert_eq!(breaker.state(at(61)), BreakerState::Open);
    breaker.settle(at(62), early[9], Verdict::Success);
    assert_eq!(breaker.state(at(62)), BreakerState::Open);
    assert_eq!(breaker.metrics().uncounted_results, 5);
}

#[test]
fn an_operation_counts_once_however_it_is_nested() {
    let mut breaker = breaker(BreakerConfig::default());
    let outer = breaker.admit(at(0)).unwrap();
    for _ in 0..10 {
        let step = breaker.admit_within(at(0), outer).unwrap();
        let deeper = breaker.admit_within(at(0), step).unwrap();
        breaker.settle(at(0), deeper, Verdict::Failure);
        breaker.settle(at(0), step, Verdict::Failure);
    }
    breaker.settle(at(0), outer, Verdict::Failure);
    assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    let metrics = breaker.metrics();
    assert_eq!((metrics.total_calls, metrics.failed_calls), (1, 1));
}

#[test]
fn a_step_of_an_operation_from_before_it_opened_asks_afresh() {
    let mut breaker = breaker(BreakerConfig::default());
    let outer = breaker.admit(at(0)).unwrap();
    for _ in 0..5 {
        one(&mut breaker, at(0), Verdict::Failure);
    }
    let rejected = breaker.admit_within(at(10), outer).unwrap_err();
    assert_eq!(rejected.retry_after, Duration::from_secs(50));
    let trial = breaker.admit_within(at(60), outer).unwrap();
    assert_ne!(trial, outer);
}

#[test]
fn a_permit_of_another_breaker_is_ignored() {
    let mut other = breaker(BreakerConfig::default());
    let mut foreign = other.admit(at(0)).unwrap();
    for _ in 0..200 {
        foreign = other.admit(at(0)).unwrap();
    }
    let mut breaker = breaker(BreakerConfig::default());
    for _ in 0..10 {
        breaker.settle(at(0), foreign, Verdict::Failure);
    }
    assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    assert_eq!(breaker.metrics().failed_calls, 0);
}

#[test]
fn permits_that_are_never_given_back_cost_bounded_memory_and_no_later_result() {
    let mut breaker = breaker(BreakerConfig::default());
    let first = breaker.admit(at(0)).unwrap();
    for _ in 0..200_000 {
        breaker.admit(at(0)).unwrap();
    }
    assert!(!breaker.counts(at(1), first), "the oldest are forgotten");
    for _ in 0..5 {
        one(&mut breaker, at(1), Verdict::Failure);
    }
    assert_eq!(breaker.state(at(1)), BreakerState::Open);
}

#[test]
fn forced_open_it_stays_open_whatever_time_and_links_do() {
    let mut breaker = breaker(BreakerConfig::default());
    breaker.force_open(at(0));
    breaker.link_regained(at(1));
    breaker.advance(Time::from_micros(u64::MAX));
    let later = Time::from_micros(u64::MAX);
    let rejected = breaker.admit(later).unwrap_err();
    assert_eq!(rejected.state, BreakerState::Open);
    assert_eq!(rejected.retry_after, RECOVERY);
    assert_eq!(breaker.next_deadline(), None);
    assert!(breaker.metrics().forced);
    breaker.reset(later);
    assert!(breaker.admit(later).is_ok());
    assert!(!breaker.metrics().forced);
}

#[test]
fn forced_closed_it_stays_closed_whatever_fails() {
    let mut breaker = opened();
    breaker.force_closed(at(1));
    for _ in 0..100 {
        one(&mut breaker, at(1), Verdict::Failure);
    }
    assert_eq!(breaker.state(at(1)), BreakerState::Closed);
    assert_eq!(breaker.metrics().failed_calls, 105);
    breaker.reset(at(2));
    for _ in 0..5 {
        one(&mut breaker, at(2), Verdict::Failure);
    }
    assert_eq!(breaker.state(at(2)), BreakerState::Open, "a reset ends the force and starts over");
}

#[test]
fn a_regained_link_opens_the_way_for_trials_at_once() {
    let mut breaker = opened();
    breaker.link_regained(at(1));
    assert_eq!(breaker.state(at(1)), BreakerState::HalfOpen);
    for _ in 0..3 {
        one(&mut breaker, at(1), Verdict::Success);
    }
    assert_eq!(
        transitions(&mut breaker),
        [
            (BreakerState::Closed, BreakerState::Open),
            (BreakerState::Open, BreakerState::HalfOpen),
            (BreakerState::HalfOpen, BreakerState::Closed),
        ]
    );
}

#[test]
fn a_clock_that_jumps_far_ahead_leaves_it_able_to_close() {
    let end = Time::from_micros(u64::MAX);
    let mut breaker = opened();
    assert_eq!(breaker.state(end), BreakerState::HalfOpen);
    for _ in 0..3 {
        one(&mut breaker, end, Verdict::Ignored);
    }
    assert_eq!(breaker.state(end), BreakerState::HalfOpen);

    let almost = Time::from_micros(u64::MAX / 2);
    let mut breaker = opened();
    for _ in 0..3 {
        one(&mut breaker, almost, Verdict::Success);
    }
    assert_eq!(breaker.state(almost), BreakerState::Closed);
}

#[test]
fn the_recovery_timeout_grows_with_each_reopening_and_starts_over_after_closing() {
    let mut breaker = breaker(BreakerConfig {
        failure_threshold: 1,
        half_open_calls: 1,
        recovery_timeout: Duration::from_secs(1),
        recovery_growth_percent: 200,
        recovery_timeout_max: Duration::from_secs(6),
        ..BreakerConfig::default()
    });
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..5 {
        one(&mut breaker, now, Verdict::Failure);
        waits.push(breaker.retry_after(now).as_secs());
        now = breaker.next_deadline().unwrap();
    }
    one(&mut breaker, now, Verdict::Success);
    one(&mut breaker, now, Verdict::Failure);
    waits.push(breaker.retry_after(now).as_secs());
    assert_eq!(waits, [1, 2, 4, 6, 6, 1]);
}

#[test]
fn jitter_takes_away_up_to_its_share_and_spreads() {
    let mut waits = BTreeSet::new();
    for seed in 0..200 {
        let config = BreakerConfig {
            failure_threshold: 1,
            recovery_jitter_percent: 20,
            ..BreakerConfig::default()
        };
        let mut breaker = Breaker::new(config, Entropy::new(seed).stream("breaker"));
        one(&mut breaker, at(0), Verdict::Failure);
        let wait = breaker.retry_after(at(0));
        assert!(wait <= RECOVERY && wait >= RECOVERY * 4 / 5, "{wait:?}");
        waits.insert(wait);
    }
    assert!(waits.len() > 190, "{} different waits", waits.len());
}

#[test]
fn settings_that_make_no_sense_do_not_get_it_stuck() {
    let mut breaker = breaker(BreakerConfig {
        failure_threshold: 1,
        failure_rate: Some(FailureRate { percent: 0, minimum_calls: 0 }),
        recovery_timeout: Duration::ZERO,
        recovery_growth_percent: 0,
        recovery_timeout_max: Duration::ZERO,
        recovery_jitter_percent: 255,
        monitoring_period: Duration::ZERO,
        half_open_calls: 0,
        permit_lease: Duration::from_secs(1),
    });
    one(&mut breaker, at(1), Verdict::Success);
    assert_eq!(breaker.state(at(1)), BreakerState::Closed);
    one(&mut breaker, at(1), Verdict::Failure);
    assert_eq!(breaker.metrics().openings, 1);
    one(&mut breaker, at(1), Verdict::Success);
    assert_eq!(breaker.state(at(1)), BreakerState::Closed);
}

#[test]
fn every_call_is_accounted_for() {
    let mut breaker = half_opened();
    let trials: Vec<Permit> = (0..10).flat_map(|_| breaker.admit(at(60))).collect();
    breaker.settle(at(60), trials[0], Verdict::Success);
    breaker.settle(at(60), trials[1], Verdict::Ignored);
    breaker.settle(at(60), trials[2], Verdict::Failure);
    let metrics = breaker.metrics();
    assert_eq!(metrics.total_calls, 15);
    assert_eq!(
        metrics.total_calls,
        metrics.successful_calls
            + metrics.failed_calls
            + metrics.ignored_calls
            + metrics.rejected_calls
    );
    assert_eq!(metrics.last_failure, Some(at(60)));
    assert_eq!(metrics.consecutive_failures, 1);
    assert_eq!((metrics.transitions, metrics.openings), (3, 2));
}
