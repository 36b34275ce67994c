//! Every bug that was found by seed stays fixed: its seeds and its shrunk case break nothing.

use std::collections::BTreeSet;

use steadfast_core::node::Node;
use steadfast_sim::checkers::Violation;
use steadfast_sim::regressions::{ALL, Regression};
use steadfast_sim::run::judge;
use steadfast_transport_mem::MemStore;

fn check(name: &str) {
    let regression: &Regression =
        ALL.iter().find(|known| known.name == name).expect("a regression of this name");
    if let Some(case) = regression.shrunk().expect("the case is one of this version") {
        assert_eq!(case.promise, regression.promise);
        let base = case.base().expect("the case's scenario exists");
        let played = case.play_as::<Node, MemStore>(&base, false);
        assert_eq!(told(&played.violations), Vec::<String>::new(), "the case of {name}");
        assert!(played.run.events > 100, "the case of {name} does nothing");
    }
    for (scenario, seeds) in regression.found {
        for seed in *seeds {
            let report = judge(scenario(), *seed);
            assert_eq!(told(&report.violations), Vec::<String>::new(), "{name}, seed {seed}");
        }
    }
}

fn told(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn a_delayed_call_is_promoted_in_time_though_who_parked_it_is_gone() {
    check("late-promotion");
}

#[test]
fn a_stale_look_does_not_tell_a_later_awaiter_that_its_call_is_forgotten() {
    check("stale-look");
}

#[test]
fn a_late_registration_does_not_bring_a_removed_consumer_back() {
    check("revenant");
}

#[test]
fn an_adopted_call_is_not_run_again_by_the_late_answer_of_its_read() {
    check("adopted-twice");
}

#[test]
fn a_removed_consumer_is_known_for_five_minutes_since_its_removal() {
    check("slow-clock-removal");
}

#[test]
fn who_was_handed_a_call_last_decides_its_failure_though_another_begins_it_later() {
    check("handed-out-again");
}

#[test]
fn who_held_a_call_before_the_store_went_back_decides_its_failure() {
    check("handover-undone");
}

#[test]
fn a_call_whose_taker_falls_too_was_taken_over() {
    check("taker-falls-too");
}

#[test]
fn a_function_saved_whenever_it_is_active_goes_on_serving() {
    check("saved-without-pause");
}

#[test]
fn each_regression_has_a_name_of_its_own_and_its_story_is_told() {
    let names: BTreeSet<&str> = ALL.iter().map(|known| known.name).collect();
    assert_eq!(names.len(), ALL.len());
    let told = include_str!("../BUGS.md");
    for known in ALL {
        assert!(told.contains(&format!("## {}", known.name)), "{} is not told", known.name);
        for (_, seeds) in known.found {
            assert!(seeds.iter().all(|seed| told.contains(&seed.to_string())), "{}", known.name);
        }
    }
}
