//! The same seed gives the same events, in the same order, with the same content.

use steadfast_sim::run::{judge, judge_traced};
use steadfast_sim::scenario;

#[test]
fn a_seed_run_twice_has_one_hash() {
    for scenario in [scenario::mini(), scenario::network(), scenario::swarm()] {
        for seed in 0..10 {
            let (first, second) = (judge(scenario.clone(), seed), judge(scenario.clone(), seed));
            assert_eq!(first.digest, second.digest, "{} seed {seed}", scenario.name);
            assert_eq!(first.events, second.events);
        }
    }
}

#[test]
fn two_seeds_differ() {
    let digests: std::collections::BTreeSet<u64> =
        (0..50).map(|seed| judge(scenario::mini(), seed).digest).collect();
    assert_eq!(digests.len(), 50);
}

#[test]
fn tracing_changes_nothing() {
    for seed in 0..5 {
        let (plain, traced) =
            (judge(scenario::swarm(), seed), judge_traced(scenario::swarm(), seed));
        assert_eq!(plain.digest, traced.digest);
        assert!(plain.trace.is_empty() && traced.trace.len() > 100);
    }
}
