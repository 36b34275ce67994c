//! Scenarios that nobody wrote: proptest draws who is there, what befalls them and how callers behave, and
//! no promise breaks in any. What fails is shrunk by proptest to the smallest scenario, and kept as a seed
//! in `generated_scenarios.regressions` beside this file, which every later run tries first.
//!
//! The cases of a run are the same each time; `PROPTEST_CASES=2000` draws more of them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use steadfast_core::command::FunctionOptions;
use steadfast_core::name::FunctionId;
use steadfast_sim::faults::FaultKind;
use steadfast_sim::policy::Policy;
use steadfast_sim::run::judge;
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::workload::Habits;

/// Names that only the last `:` divides, and one that is no identifier anywhere.
const FUNCTIONS: [(&str, &str); 4] =
    [("greet", "global"), ("a:b:c", "global"), ("a:b", "wf-1"), ("two words", "tenant 7")];

fn habits() -> impl Strategy<Value = Habits> {
    let chance = 0..200_u32;
    (1..200_u32, [chance.clone(), chance.clone(), chance.clone(), chance.clone(), chance]).prop_map(
        |(calls, [short_deadline, impatient, cancel, again, delay])| Habits {
            short_deadline,
            impatient,
            cancel,
            again,
            delay,
            ..Habits::mixed(calls)
        },
    )
}

fn options() -> impl Strategy<Value = FunctionOptions> {
    (1..20_u32, 0..10_u32, 1..6_u32, 100..6_000_u64).prop_map(
        |(concurrency, prefetch, attempts_max, drain_ms)| FunctionOptions {
            concurrency,
            prefetch,
            attempts_max,
            drain: Duration::from_millis(drain_ms),
            ..scenario::swarm().options
        },
    )
}

/// A scenario, and the seed to run it with.
fn world() -> impl Strategy<Value = (Scenario, u64)> {
    let nodes = (1..5_u16, 1..4_u16);
    let functions = subsequence(FUNCTIONS.to_vec(), 1..=FUNCTIONS.len());
    let faults = subsequence(FaultKind::ALL.to_vec(), 0..=FaultKind::ALL.len());
    let policy = prop_oneof![Just(Policy::EASY), Just(Policy::MIXED)];
    (nodes, functions, faults, policy, habits(), options(), 5..60_u64, 0..500_u32, any::<u64>())
        .prop_map(
            |(
                (workers, callers),
                functions,
                faults,
                policy,
                habits,
                options,
                secs,
                drift,
                seed,
            )| {
                let functions = functions.into_iter().map(|(name, scope)| {
                    FunctionId::new(name, scope).expect("a literal name is valid")
                });
                let scenario = Scenario {
                    name: "generated",
                    workers,
                    callers,
                    functions: functions.collect(),
                    options,
                    length: Duration::from_secs(secs),
                    policy,
                    habits,
                    faults,
                    swarm: false,
                    drift_ppm: drift,
                    ..scenario::swarm()
                };
                (scenario, seed)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x57ea_dfa5),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_scenario_breaks_a_promise((scenario, seed) in world()) {
        let report = judge(scenario, seed);
        let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        prop_assert!(violations.is_empty(), "{violations:#?}");
        prop_assert!(report.events > 0);
    }
}
