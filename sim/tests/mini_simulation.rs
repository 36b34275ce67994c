//! One worker, one caller, with loss, duplication, delay and crash: every promise holds by seed.

use steadfast_sim::faults::{FaultKind, Injected};
use steadfast_sim::run::judge;
use steadfast_sim::scenario::{self, Scenario};

/// Runs seeds, expects no violation, and gives back what was injected.
fn check(scenario: &Scenario, seeds: std::ops::Range<u64>) -> Injected {
    let mut injected = Injected::default();
    for seed in seeds {
        let report = judge(scenario.clone(), seed);
        let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        assert!(
            violations.is_empty(),
            "seed {seed}: {violations:#?}\nreplay: steadfast-sim replay --scenario {} --seed {seed}",
            scenario.name,
        );
        assert!(report.calls > 0, "seed {seed} admitted no call");
        injected.add(&report.injected);
    }
    injected
}

#[test]
fn a_thousand_seeds_break_no_promise_and_meet_every_fault() {
    let mini = scenario::mini();
    let injected = check(&mini, 0..1_000);
    for kind in &mini.faults {
        assert!(injected.of(*kind) > 100, "{kind} was hardly injected");
    }
}

#[test]
fn saves_in_bursts_under_load_stall_nothing() {
    let injected = check(&scenario::save_storm(), 0..40);
    assert!(injected.of(FaultKind::Save) > 400);
}

#[test]
fn killed_workers_calls_run_elsewhere_in_time() {
    let injected = check(&scenario::crash(), 0..60);
    assert!(injected.of(FaultKind::WorkerCrash) > 30);
}

#[test]
fn stops_end_only_what_they_name() {
    let injected = check(&scenario::stops(), 0..40);
    assert!(injected.of(FaultKind::Stop) > 100);
}

#[test]
fn dead_links_partitions_and_store_restarts_lose_nothing() {
    let injected = check(&scenario::network(), 0..60);
    assert!(injected.of(FaultKind::Partition) > 20 && injected.of(FaultKind::StoreRestart) > 20);
}
