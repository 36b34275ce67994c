//! `replay`: one seed or case, as lines, as a page, and shrunk.

use std::fs;
use std::io::{self, Write};

use steadfast_core::node::Node;
use steadfast_sim::case::Case;
use steadfast_sim::checkers::Promise;
use steadfast_sim::diagram;
use steadfast_sim::run::Played;
use steadfast_sim::scenario::Scenario;
use steadfast_transport_mem::MemStore;

use super::{print_shrunk, print_violations, replay_command, shrink};
use crate::ReplayArgs;

/// Replays what is asked for.
pub(crate) fn run(arguments: &ReplayArgs, out: &mut impl Write) -> io::Result<bool> {
    let (mut case, scenario, mut command) = chosen(arguments)?;
    if arguments.shrink {
        if let Some(shrunk) = shrink(&scenario, case.clone(), arguments.runs_max) {
            print_shrunk(&shrunk, out)?;
            case = shrunk.case;
            command += " --shrink";
        } else {
            writeln!(out, "nothing to shrink: no promise is broken")?;
        }
    }
    let played = case.play_as::<Node, MemStore>(&scenario, true);
    if let Some(first) = played.violations.first()
        && !played.violations.iter().any(|found| found.promise == case.promise)
    {
        case.promise = first.promise;
    }
    print(&played, arguments, out)?;
    if let Some(path) = &arguments.save {
        case.write(path).map_err(io::Error::other)?;
        writeln!(out, "case: {}", path.display())?;
        command = format!("cargo xtask sim replay --case {}", path.display());
    }
    if let Some(path) = &arguments.html {
        fs::write(path, diagram::html(&case, &played, &command))?;
        writeln!(out, "diagram: {}", path.display())?;
    }
    Ok(played.violations.is_empty())
}

/// The case asked for, its scenario, and the command that asks for it.
fn chosen(arguments: &ReplayArgs) -> io::Result<(Case, Scenario, String)> {
    if let Some(path) = &arguments.case {
        let case = Case::read(path).map_err(io::Error::other)?;
        let scenario = case.base().map_err(io::Error::other)?;
        let command = format!("cargo xtask sim replay --case {}", path.display());
        return Ok((case, scenario, command));
    }
    let scenario = (*arguments.scenario).clone();
    let seed = arguments.seed.unwrap_or_default();
    let command = replay_command(scenario.name, seed);
    // Which promise it breaks is known once it has run.
    Ok((Case::whole(&scenario, seed, Promise::NoLostCall), scenario, command))
}

fn print(played: &Played, arguments: &ReplayArgs, out: &mut impl Write) -> io::Result<()> {
    if !arguments.quiet {
        for step in &played.run.trace {
            writeln!(out, "{step}")?;
        }
    }
    writeln!(out, "hash of all events: {:016x}", played.run.digest)?;
    if played.violations.is_empty() {
        return writeln!(out, "no promise is broken");
    }
    writeln!(out, "{} events, faults: {}", played.run.events, played.run.mask)?;
    print_violations(&played.violations, out)
}
