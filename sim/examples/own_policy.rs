//! Your own handlers, simulated: does your host keep its promises when they behave like yours?
//!
//! A scenario describes a world: how many workers, how your functions are served, how your handlers
//! behave, what goes wrong. Its fields are plain values, so that a host's real settings go in as
//! they are: the same `FunctionOptions` and `Config` that production runs with. Every seed is
//! another history of that world, and each is judged by every promise. Put the loop of `main` into
//! a test, and your continuous integration runs it; a failing seed is shrunk, and its case is a
//! file for a bug report.
//!
//! ```text
//! cargo run --release -p steadfast-sim --example own_policy
//! ```

use std::process::ExitCode;
use std::time::Duration;

use steadfast_core::backoff::CallBackoff;
use steadfast_core::command::FunctionOptions;
use steadfast_core::config::Config;
use steadfast_core::name::FunctionId;
use steadfast_sim::faults::FaultKind;
use steadfast_sim::policy::Policy;
use steadfast_sim::run;
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::shrink::{self, RUNS_MAX};
use steadfast_sim::workload::Habits;

/// An image resizer: seconds for each image, flaky storage behind it, saved while it works. It has more
/// places than it needs: the promises in time (a dead worker's calls run elsewhere within 3 s) suppose a
/// worker with a free one.
fn resizer() -> Scenario {
    Scenario {
        name: "resizer",
        about: "two workers that resize images, saved and killed meanwhile",
        workers: 2,
        functions: vec![FunctionId::new("resize", "images").expect("a literal name is valid")],
        // As the host serves it in production.
        options: FunctionOptions {
            concurrency: 16,
            prefetch: 4,
            timeout: Duration::from_secs(10),
            attempts_max: 5,
            backoff: CallBackoff { base: Duration::from_millis(500), most: Duration::from_secs(5) },
            drain: Duration::from_secs(10),
        },
        config: Config::default(),
        // As its handlers behave: of a thousand, 20 fail for good, 100 wish to be tried again.
        policy: Policy {
            at_least: Duration::from_millis(200),
            at_most: Duration::from_secs(2),
            error: 20,
            retry: 100,
            panic: 5,
            hang: 5,
            ..Policy::EASY
        },
        // As its callers behave: 30 calls a minute, of which some give up and some are made twice.
        length: Duration::from_secs(120),
        habits: Habits { impatient: 50, again: 50, ..Habits::plain(60) },
        // As its environment fails. A seed leaves some of it out.
        faults: vec![
            FaultKind::Save,
            FaultKind::WorkerCrash,
            FaultKind::ConnectionKill,
            FaultKind::StoreRestart,
            FaultKind::Handler,
        ],
        swarm: true,
        // Everything else as in a calm world.
        ..scenario::calm()
    }
}

fn main() -> ExitCode {
    let scenario = resizer();
    let (mut calls, mut simulated) = (0, Duration::ZERO);
    for seed in 0..200 {
        let report = run::judge(scenario.clone(), seed);
        calls += report.calls;
        simulated += report.simulated;
        let Some(violation) = report.violations.first() else {
            continue;
        };
        eprintln!("seed {seed}: {violation}");
        if let Some(shrunk) = shrink::shrink(&scenario, seed, RUNS_MAX) {
            eprintln!("shrunk from {} to {}:", shrunk.before, shrunk.after);
            shrunk.story.iter().for_each(|line| eprintln!("  {line}"));
        }
        return ExitCode::FAILURE;
    }
    eprintln!(
        "200 seeds, {calls} calls, {} simulated minutes: every promise kept",
        simulated.as_secs() / 60
    );
    ExitCode::SUCCESS
}
