//! `turmoil`: seeds of the network world, judged; one seed as lines; both processes' hashes.

use std::env;
use std::io::{self, Write};
use std::time::Instant;

use steadfast_sim::network_world::{self, NetworkScenario, Run};

use super::other_process::{ask, print_first_difference};
use crate::TurmoilArgs;

pub(crate) fn run(arguments: &TurmoilArgs, out: &mut impl Write) -> io::Result<bool> {
    let scenarios = match &arguments.scenario {
        Some(scenario) => vec![scenario.as_ref().clone()],
        None => network_world::all(),
    };
    if let (Some(seed), [scenario]) = (arguments.seed, &scenarios[..]) {
        return replay(scenario, seed, out);
    }
    let mut holds = true;
    for scenario in &scenarios {
        holds &= if arguments.hashes {
            hashes(arguments, scenario, out)?
        } else if arguments.determinism {
            compare(arguments, scenario, out)?
        } else {
            judge(arguments, scenario, out)?
        };
    }
    Ok(holds)
}

fn replay(scenario: &NetworkScenario, seed: u64, out: &mut impl Write) -> io::Result<bool> {
    let run = network_world::run(scenario.clone(), seed, true);
    for line in &run.lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{} events, hash {:016x}", run.events, run.digest)?;
    for trouble in &run.troubles {
        writeln!(out, "trouble from {}: {trouble}", trouble.from)?;
    }
    tell(&run, out)
}

fn tell(run: &Run, out: &mut impl Write) -> io::Result<bool> {
    for violation in &run.violations {
        writeln!(out, "  {violation}")?;
    }
    Ok(run.violations.is_empty())
}

fn judge(
    arguments: &TurmoilArgs,
    scenario: &NetworkScenario,
    out: &mut impl Write,
) -> io::Result<bool> {
    let began = Instant::now();
    let (mut failed, mut events, mut calls, mut troubles, mut simulated) = (0, 0, 0, 0, 0.0);
    for seed in arguments.seeds.clone() {
        let run = network_world::run(scenario.clone(), seed, false);
        events += run.events;
        calls += run.calls;
        troubles += run.troubles.len();
        simulated += run.ended_at.as_micros() as f64 / 1e6;
        if !run.violations.is_empty() {
            failed += 1;
            writeln!(out, "seed {seed} breaks a promise:")?;
            tell(&run, out)?;
            let name = scenario.name;
            writeln!(out, "  replay: cargo xtask sim turmoil --scenario {name} --seed {seed}")?;
        }
    }
    let (seeds, took) = (arguments.seeds.clone().count(), began.elapsed().as_secs_f64());
    writeln!(
        out,
        "{}: {seeds} seeds, {failed} broken; {calls} calls, {troubles} troubles, {events} events; \
         {simulated:.0} s simulated in {took:.1} s ({:.2} seeds/s, {:.0} times real time)",
        scenario.name,
        seeds as f64 / took,
        simulated / took,
    )?;
    Ok(failed == 0)
}

fn hashes(
    arguments: &TurmoilArgs,
    scenario: &NetworkScenario,
    out: &mut impl Write,
) -> io::Result<bool> {
    for seed in arguments.seeds.clone() {
        let run = network_world::run(scenario.clone(), seed, false);
        writeln!(out, "{}", hash(seed, &run))?;
    }
    Ok(true)
}

/// Runs the seeds here and in another process; shows the first event that differs.
fn compare(
    arguments: &TurmoilArgs,
    scenario: &NetworkScenario,
    out: &mut impl Write,
) -> io::Result<bool> {
    let (name, range) = (scenario.name, &arguments.seeds);
    let range = format!("{}..{}", range.start, range.end);
    let theirs = other_process(&["--hashes", "--scenario", name, "--seeds", &range])?;
    let mut theirs = theirs.lines();
    for seed in arguments.seeds.clone() {
        let run = network_world::run(scenario.clone(), seed, false);
        let mine = hash(seed, &run);
        if theirs.next() != Some(&mine) {
            writeln!(out, "{name}: seed {seed} diverges")?;
            let theirs = other_process(&["--scenario", name, "--seed", &seed.to_string()])?;
            let mine = network_world::run(scenario.clone(), seed, true).lines;
            // What follows the trace is its hash and the judgement.
            let trace = theirs.lines().take_while(|line| !line.contains(" events, hash "));
            print_first_difference(&mine, trace, out)?;
            return Ok(false);
        }
    }
    writeln!(out, "{name}: seeds {range} alike in two processes")?;
    Ok(true)
}

/// What another process of this program prints for these arguments of `turmoil`.
fn other_process(arguments: &[&str]) -> io::Result<String> {
    let program = env::current_exe()?;
    ask(program.as_os_str(), &[&["turmoil"], arguments].concat())
}

fn hash(seed: u64, run: &Run) -> String {
    format!("{seed} {:016x} {}", run.digest, run.events)
}
