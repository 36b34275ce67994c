//! `determinism`: the same seeds here and in another process, which may be another build.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};

use steadfast_sim::run;

use super::other_process::{ask, print_first_difference};
use crate::DeterminismArgs;

/// Compares the hashes of all events of each seed; shows the first event that differs.
pub(crate) fn run(arguments: &DeterminismArgs, out: &mut impl Write) -> io::Result<bool> {
    let scenario = &arguments.scenario;
    let seeds = arguments.seeds.clone();
    let hash = |seed| run::judge((**scenario).clone(), seed).digest;
    if arguments.hashes {
        for seed in seeds {
            writeln!(out, "{:016x}", hash(seed))?;
        }
        return Ok(true);
    }
    let other = match &arguments.against {
        Some(program) => program.clone(),
        None => env::current_exe()?,
    };
    let range = format!("{}..{}", seeds.start, seeds.end);
    let theirs = ask(
        other.as_os_str(),
        &["determinism", "--hashes", "--scenario", scenario.name, "--seeds", &range],
    )?;
    let mut theirs = theirs.lines();
    let mut all = 0_u64;
    for seed in seeds.clone() {
        let ours = hash(seed);
        if theirs.next() != Some(format!("{ours:016x}").as_str()) {
            writeln!(out, "seed {seed} of {} diverges", scenario.name)?;
            print_difference(arguments, other.as_os_str(), seed, out)?;
            return Ok(false);
        }
        all = all.rotate_left(7) ^ ours;
    }
    let against = if arguments.against.is_some() { "another build" } else { "another process" };
    let count = seeds.end - seeds.start;
    let name = scenario.name;
    writeln!(out, "{name}: {count} seeds, the same in {against}; hash of all {all:016x}")?;
    Ok(true)
}

/// Finds the first line in which the traces of the two processes differ.
fn print_difference(
    arguments: &DeterminismArgs,
    other: &OsStr,
    seed: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    let ours = run::judge_traced((*arguments.scenario).clone(), seed).trace;
    let number = seed.to_string();
    let theirs = ask(other, &["replay", "--scenario", arguments.scenario.name, "--seed", &number])?;
    // What follows the trace is its hash and the judgement.
    let trace = theirs.lines().take_while(|line| !line.starts_with("hash of all events"));
    print_first_difference(&ours, trace, out)
}
