//! Hosts over a simulated network keep every promise, whatever befalls their links.

use steadfast_sim::network_world::{all, named, run};

/// Seeds of each scenario in an ordinary test run; `cargo xtask sim turmoil` runs more.
const SEEDS: std::ops::Range<u64> = 0..3;

#[track_caller]
fn check(name: &str) {
    let scenario = named(name).expect("the scenario is listed");
    let (mut calls, mut troubles) = (0, 0);
    for seed in SEEDS {
        let run = run(scenario.clone(), seed, false);
        assert!(
            run.violations.is_empty(),
            "{}\nreplay: cargo xtask sim turmoil --scenario {name} --seed {seed}",
            run.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        );
        calls += run.calls;
        troubles += run.troubles.len();
    }
    assert!(calls > 200, "so few calls show nothing: {calls}");
    assert_eq!(troubles > 0, name != "calm");
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { check($name); })*

        #[test]
        fn every_scenario_is_run() {
            let names: Vec<&str> = all().iter().map(|scenario| scenario.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

scenarios! {
    nothing_wrong: "calm",
    workers_killed_under_load: "crash",
    the_store_restarts_with_its_data: "store-restart",
    links_partitioned_one_way_and_both: "partition",
    messages_held_longer_than_timeouts: "hold",
    uneven_links: "jitter",
    functions_saved_under_load: "saves",
    scripts_flushed_under_load: "script-flush",
    everything_at_once: "storm",
}
