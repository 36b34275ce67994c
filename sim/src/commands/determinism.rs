//! `determinism`: the same seeds here and in another process, which may be another build.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::{env, iter};

use steadfast_sim::run;

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
    let theirs = trace.map(Some).chain(iter::repeat(None));
    let ours = ours.iter().map(|line| Some(line.as_str())).chain(iter::once(None));
    for (index, (mine, other)) in ours.zip(theirs).enumerate() {
        if mine != other {
            writeln!(out, "first difference, in line {} of the trace:", index + 1)?;
            writeln!(out, "  here:  {}", mine.unwrap_or("(the end)"))?;
            return writeln!(out, "  there: {}", other.unwrap_or("(the end)"));
        }
    }
    writeln!(out, "the traces' lines do not differ: what differs is not shown in them")
}

/// What a program prints; an error where it cannot be started. It may well exit with a failure: a
/// seed that breaks a promise does.
fn ask(program: &OsStr, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let cannot = |error| io::Error::other(format!("cannot run {}: {error}", program.display()));
    String::from_utf8(output.map_err(cannot)?.stdout).map_err(io::Error::other)
}
