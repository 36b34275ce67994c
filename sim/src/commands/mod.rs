//! What the program's verbs do. Each answers whether every promise was kept.

pub(crate) mod determinism;
mod other_process;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod turmoil;

use std::io::{self, Write};
use std::panic;
use std::time::Instant;

use steadfast_core::node::Node;
use steadfast_sim::case::Case;
use steadfast_sim::checkers::Violation;
use steadfast_sim::explore::{Options, report};
use steadfast_sim::museum;
use steadfast_sim::network_world;
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::shrink::{Shrunk, shrink_case_as};
use steadfast_transport_mem::MemStore;

use crate::{ExploreArgs, MuseumArgs};

/// More violations of one seed than anybody reads.
const VIOLATIONS_MAX: usize = 5;

/// More lines of a story than are printed.
const STORY_MAX: usize = 60;

pub(crate) fn list(out: &mut impl Write) -> io::Result<bool> {
    for scenario in scenario::all() {
        writeln!(out, "{:12} {}", scenario.name, scenario.about)?;
    }
    for scenario in network_world::all() {
        writeln!(out, "turmoil --scenario {:13} {}", scenario.name, scenario.about)?;
    }
    for options in Options::all() {
        writeln!(out, "explore --budget {:8} {}", options.name, options.about)?;
    }
    Ok(true)
}

/// Every exhibit, how it was caught, and how few events tell it.
pub(crate) fn museum(arguments: &MuseumArgs, out: &mut impl Write) -> io::Result<bool> {
    let lines = silently(|| museum::report(&arguments.seeds, arguments.runs_max));
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    let caught = lines.iter().filter(|line| line.caught.is_some()).count();
    writeln!(out, "caught: {caught} of {}", lines.len())?;
    let mut shrunk: Vec<u64> = lines.iter().filter_map(|line| line.shrunk).collect();
    shrunk.sort_unstable();
    if let Some(median) = shrunk.get(shrunk.len() / 2) {
        writeln!(out, "once shrunk, the median is {median} events")?;
    }
    Ok(caught == lines.len())
}

/// Searches the interleavings of a budget.
pub(crate) fn explore(arguments: &ExploreArgs, out: &mut impl Write) -> io::Result<bool> {
    let started = Instant::now();
    report(&arguments.budget, out, || started.elapsed())
}

/// Does something without a word of the panics that it catches itself: worlds are run hundreds of
/// times here, and once is enough to read.
fn silently<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let done = work();
    panic::set_hook(hook);
    done
}

/// How this program is called to replay a seed.
fn replay_command(scenario: &str, seed: u64) -> String {
    format!("cargo xtask sim replay --scenario {scenario} --seed {seed}")
}

fn print_violations(violations: &[Violation], out: &mut impl Write) -> io::Result<()> {
    for violation in violations.iter().take(VIOLATIONS_MAX) {
        writeln!(out, "  {violation}")?;
    }
    match violations.len().checked_sub(VIOLATIONS_MAX) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "  and {more} more"),
    }
}

/// Shrinks a case of production nodes to the first promise that it breaks.
fn shrink(scenario: &Scenario, case: Case, runs_max: u32) -> Option<Shrunk> {
    silently(|| shrink_case_as::<Node, MemStore>(scenario, case, None, runs_max))
}

fn print_shrunk(shrunk: &Shrunk, out: &mut impl Write) -> io::Result<()> {
    let Shrunk { violation, before, after, runs, is_cut_short, story, .. } = shrunk;
    writeln!(
        out,
        "  shrunk in {runs} runs{}",
        if *is_cut_short { " (all that it may)" } else { "" }
    )?;
    writeln!(out, "    from {before}")?;
    writeln!(out, "    to   {after}; {} events matter:", story.len())?;
    for line in story.iter().take(STORY_MAX) {
        writeln!(out, "      {line}")?;
    }
    if story.len() > STORY_MAX {
        writeln!(out, "      and {} more", story.len() - STORY_MAX)?;
    }
    writeln!(out, "    {violation}")
}
