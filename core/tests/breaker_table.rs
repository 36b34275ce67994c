//! What the breaker does with each input in each state: the whole table.

use std::fmt::Write as _;

use steadfast_core::breaker::{Breaker, BreakerConfig, BreakerState, Permit, Verdict};
use steadfast_core::entropy::Entropy;
use steadfast_core::time::Time;

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

/// One row of the table: a way into a state, and a permit given out on the way (if any).
type Row = (&'static str, fn() -> (Breaker, Permit));

const ROWS: [Row; 8] = [
    ("closed, fresh", || {
        let mut breaker = breaker(BreakerConfig::default());
        let permit = breaker.admit(at(0)).unwrap();
        (breaker, permit)
    }),
    ("closed, one failure short", || {
        let mut breaker = breaker(BreakerConfig::default());
        for _ in 0..4 {
            one(&mut breaker, at(0), Verdict::Failure);
        }
        let permit = breaker.admit(at(0)).unwrap();
        (breaker, permit)
    }),
    ("open", || {
        let mut breaker = breaker(BreakerConfig::default());
        let permit = breaker.admit(at(0)).unwrap();
        for _ in 0..5 {
            one(&mut breaker, at(55), Verdict::Failure);
        }
        (breaker, permit)
    }),
    ("half-open, one trial", || {
        let mut breaker = half_opened();
        let permit = breaker.admit(at(60)).unwrap();
        (breaker, permit)
    }),
    ("half-open, full", || {
        let mut breaker = half_opened();
        let permit = breaker.admit(at(60)).unwrap();
        let more = (0..5).filter(|_| breaker.admit(at(60)).is_ok()).count();
        assert_eq!(more, 2);
        (breaker, permit)
    }),
    ("half-open, one success short", || {
        let mut breaker = half_opened();
        one(&mut breaker, at(60), Verdict::Success);
        one(&mut breaker, at(60), Verdict::Success);
        let permit = breaker.admit(at(60)).unwrap();
        (breaker, permit)
    }),
    ("forced open", || {
        let mut breaker = breaker(BreakerConfig::default());
        let permit = breaker.admit(at(0)).unwrap();
        breaker.force_open(at(0));
        (breaker, permit)
    }),
    ("forced closed", || {
        let mut breaker = breaker(BreakerConfig::default());
        breaker.force_closed(at(0));
        let permit = breaker.admit(at(0)).unwrap();
        (breaker, permit)
    }),
];

type Column = (&'static str, fn(&mut Breaker, Permit) -> String);

const COLUMNS: [Column; 12] = [
    ("admit", |breaker, _| match breaker.admit(at(60)) {
        Ok(_) => "passes".to_owned(),
        Err(rejected) => format!("{rejected}"),
    }),
    ("admit within", |breaker, permit| match breaker.admit_within(at(60), permit) {
        Ok(inner) if inner == permit => "shares".to_owned(),
        Ok(_) => "passes afresh".to_owned(),
        Err(rejected) => format!("{rejected}"),
    }),
    ("success", |breaker, permit| {
        breaker.settle(at(60), permit, Verdict::Success);
        String::new()
    }),
    ("failure", |breaker, permit| {
        breaker.settle(at(60), permit, Verdict::Failure);
        String::new()
    }),
    ("ignored", |breaker, permit| {
        breaker.settle(at(60), permit, Verdict::Ignored);
        String::new()
    }),
    ("ignored, then failure", |breaker, permit| {
        breaker.settle(at(60), permit, Verdict::Ignored);
        breaker.settle(at(60), permit, Verdict::Failure);
        String::new()
    }),
    ("60 s pass", |breaker, _| {
        breaker.advance(at(120));
        String::new()
    }),
    ("60 s pass, then failure", |breaker, permit| {
        breaker.settle(at(120), permit, Verdict::Failure);
        String::new()
    }),
    ("link regained", |breaker, _| {
        breaker.link_regained(at(60));
        String::new()
    }),
    ("force open", |breaker, _| {
        breaker.force_open(at(60));
        String::new()
    }),
    ("force closed", |breaker, _| {
        breaker.force_closed(at(60));
        String::new()
    }),
    ("reset", |breaker, _| {
        breaker.reset(at(60));
        String::new()
    }),
];

#[test]
fn every_cell_of_states_and_inputs() {
    let mut table = String::new();
    for (row, make) in ROWS {
        writeln!(table, "{row}").unwrap();
        for (column, act) in COLUMNS {
            let (mut breaker, permit) = make();
            transitions(&mut breaker);
            let uncounted = breaker.metrics().uncounted_results;
            let answer = act(&mut breaker, permit);
            let metrics = breaker.metrics();
            let mut path = String::new();
            for (from, to) in transitions(&mut breaker) {
                write!(path, "{from} > {to}; ").unwrap();
            }
            let mut line = format!("    {column:<24} {path}{}", metrics.state);
            if metrics.forced {
                line += " (forced)";
            }
            if let Some(deadline) = breaker.next_deadline() {
                write!(line, ", until {deadline}").unwrap();
            }
            if metrics.uncounted_results > uncounted {
                write!(line, ", {} uncounted", metrics.uncounted_results - uncounted).unwrap();
            }
            if !answer.is_empty() {
                write!(line, ": {answer}").unwrap();
            }
            writeln!(table, "{line}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
