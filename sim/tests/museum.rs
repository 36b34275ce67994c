//! Every exhibit of the museum is caught by the promise that it breaks, and what carries no mistake is
//! not caught in the same scenario under the same seed.

use std::collections::BTreeSet;

use steadfast_core::breaker::Breaker;
use steadfast_sim::museum::breakers::{Guard, play};
use steadfast_sim::museum::{Exhibit, exhibits};

/// Each exhibit, and the first seed that catches it.
const CAUGHT: [(&str, u64); 34] = [
    ("stop-of-another", 1),
    ("error-ends-loop", 3),
    ("nogroup-ends-loop", 0),
    ("still-registered", 0),
    ("closes-shared-connection", 1),
    ("skipped-at-stop", 6),
    ("lost-wake-up", 0),
    ("impatient-read", 0),
    ("two-readers", 0),
    ("lease-not-renewed", 2),
    ("prefetched-ages", 12),
    ("failure-acknowledged", 0),
    ("acknowledged-first", 3),
    ("recovery-re-adds", 3),
    ("first-reader-deletes", 0),
    ("falsy-is-null", 0),
    ("robbed-failure-decides", 105),
    ("two-dead-letters", 2),
    ("delay-past-lease", 0),
    ("decided-call-resurrected", 6),
    ("beat-resurrects", 0),
    ("checks-then-acts", 2),
    ("removes-healthy", 0),
    ("names-left", 1),
    ("drops-pending", 3),
    ("fence-resets", 1),
    ("lock-without-ttl", 53),
    ("group-at-end", 1),
    ("trims-undelivered", 0),
    ("nested-counts-twice", 0),
    ("leaked-permit", 1),
    ("half-open-flood", 1),
    ("overhanging-result", 0),
    ("waits-within", 0),
];

/// Worlds that a shrinker may run for one exhibit.
const SHRINK_RUNS_MAX: u32 = 250;

fn caught() -> impl Iterator<Item = (Exhibit, u64)> {
    exhibits().into_iter().map(|exhibit| {
        let known = CAUGHT.iter().find(|(name, _)| *name == exhibit.name);
        let (_, seed) = known.unwrap_or_else(|| panic!("{} has no seed here", exhibit.name));
        (exhibit, *seed)
    })
}

#[test]
fn every_exhibit_is_caught_by_the_promise_that_it_breaks() {
    let mut names = BTreeSet::new();
    for (exhibit, seed) in caught() {
        let violation = exhibit.run(seed).expect_err(exhibit.name);
        assert_eq!(violation.promise, exhibit.breaks, "{}: {violation}", exhibit.name);
        assert!(names.insert(exhibit.name), "{} stands twice", exhibit.name);
    }
    assert_eq!(names.len(), CAUGHT.len());
}

#[test]
fn what_carries_no_mistake_passes_where_the_exhibits_are_caught() {
    for (exhibit, seed) in caught() {
        for seed in (0..8).chain([seed]) {
            let alarms = exhibit.control(seed).violations;
            assert!(alarms.is_empty(), "{}, seed {seed}: {alarms:#?}", exhibit.name);
        }
    }
}

#[test]
fn the_production_breaker_keeps_the_law_under_three_thousand_schedules() {
    for seed in 0..3_000 {
        let (steps, kept) = play::<Breaker>(Guard::Store, seed);
        assert!(steps >= 60, "seed {seed} had only {steps} steps");
        assert_eq!(kept, Ok(()), "seed {seed}");
    }
}

#[test]
fn the_median_exhibit_is_told_in_at_most_twenty_events() {
    let mut shrunk: Vec<u64> = caught()
        .map(|(exhibit, seed)| exhibit.shrink(seed, SHRINK_RUNS_MAX).expect(exhibit.name))
        .collect();
    shrunk.sort_unstable();
    assert!(shrunk[shrunk.len() / 2] <= 20, "{shrunk:?}");
}
