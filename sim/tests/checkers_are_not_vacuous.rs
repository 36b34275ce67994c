//! Histories of real worlds against terms that nobody could keep: the checkers must object.

use std::time::Duration;

use steadfast_core::node::Node;
use steadfast_sim::checkers::{Promise, Terms, judge};
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::world::World;
use steadfast_transport_mem::MemStore;

/// Counts what breaks `promise` in these seeds under the scenario's terms as altered.
fn check(scenario: &Scenario, promise: Promise, alter: impl Fn(&mut Terms)) -> usize {
    let mut terms = Terms::of(&scenario.config);
    alter(&mut terms);
    (0..40)
        .map(|seed| World::<Node, MemStore>::new(scenario.clone(), seed).run())
        .flat_map(|run| judge(&run.history, &terms))
        .filter(|violation| violation.promise == promise)
        .count()
}

#[test]
fn a_takeover_takes_longer_than_a_second() {
    let crash = scenario::crash();
    assert_eq!(check(&crash, Promise::DeadNoticed, |_| {}), 0);
    let broken = check(&crash, Promise::DeadNoticed, |terms| {
        terms.takeover = Duration::from_secs(1);
    });
    assert!(broken >= 5, "only {broken} kills were judged at all");
}

#[test]
fn a_call_takes_longer_than_a_tenth_of_a_millisecond_to_begin() {
    let storm = scenario::save_storm();
    assert_eq!(check(&storm, Promise::SaveStallsNothing, |_| {}), 0);
    let broken = check(&storm, Promise::SaveStallsNothing, |terms| {
        terms.prompt = Duration::from_micros(100);
    });
    assert!(broken >= 5_000, "only {broken} calls were judged at all");
}
