//! The same seed gives the same events, run twice and in two processes.

use std::process::Command;

use steadfast_sim::network_world::{all, named, run};

#[test]
fn a_seed_repeats_itself_and_two_seeds_differ() {
    // Kinds that end processes: a runtime drops its tasks in an order that must not show.
    for name in ["crash", "store-restart", "storm"] {
        let hash = |seed| run(named(name).unwrap(), seed, false).digest;
        let first = hash(1);
        assert_eq!(first, hash(1), "{name}");
        assert_ne!(first, hash(2), "{name}");
    }
}

#[test]
fn another_process_sees_the_same_events() {
    for scenario in all() {
        let output = Command::new(env!("CARGO_BIN_EXE_steadfast-sim"))
            .args(["turmoil", "--determinism", "--scenario", scenario.name, "--seeds", "7..8"])
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        assert_eq!(said, format!("{}: seeds 7..8 alike in two processes\n", scenario.name));
    }
}
