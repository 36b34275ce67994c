//! A search in lines for a person.

use std::io::{self, Write};
use std::time::Duration;

use steadfast_core::node::Node;
use steadfast_transport_mem::MemStore;

use super::options::Options;
use super::search::{Explored, explore};

/// Explores production nodes over the reference store, and writes what was found. `elapsed` tells how
/// long it has taken: this library has no clock. Answers whether nothing is wrong.
pub fn report(
    options: &Options,
    out: &mut impl Write,
    elapsed: impl Fn() -> Duration,
) -> io::Result<bool> {
    writeln!(out, "{}: {}", options.name, options.about)?;
    let began = elapsed();
    let explored = explore::<Node, MemStore>(options);
    tell(&explored, elapsed().saturating_sub(began), out)?;
    Ok(explored.breach.is_none())
}

/// Writes what a search came to, and the path to what is wrong.
pub fn tell(explored: &Explored, took: Duration, out: &mut impl Write) -> io::Result<()> {
    let secs = took.as_secs_f64().max(1e-9);
    writeln!(
        out,
        "{} states, {} steps between them ({} to states met before), depth {}, {secs:.1} s \
         ({:.0} steps/s)",
        explored.states,
        explored.transitions,
        explored.transitions.saturating_sub(explored.states.saturating_sub(1)),
        explored.depth,
        explored.transitions as f64 / secs,
    )?;
    writeln!(
        out,
        "{} quiet states, each shut down and judged to the end; at most {} states waited; {} steps \
         of machines and {} of the store differ in themselves",
        explored.quiet, explored.widest, explored.worked_out.0, explored.worked_out.1
    )?;
    if explored.laws.states > 0 {
        let laws = explored.laws;
        writeln!(
            out,
            "laws examined in {} states: {} steps repeated, {} inputs without meaning",
            laws.states, laws.repeats, laws.garbage
        )?;
    }
    if let Some(breach) = &explored.breach {
        writeln!(out, "BROKEN: {}", breach.what)?;
        writeln!(out, "a shortest path, {} steps:", breach.steps.len())?;
        for (index, step) in breach.steps.iter().enumerate() {
            writeln!(out, "{:4}. {}", index + 1, step.what)?;
            for note in &step.notes {
                writeln!(out, "      {note}")?;
            }
        }
        return Ok(());
    }
    match explored.bounded_at {
        Some(states) => writeln!(
            out,
            "no promise is broken so far; bounded at {states} states, not exhaustive (all paths of \
             fewer than {} steps were taken)",
            explored.depth
        ),
        None => writeln!(out, "no promise is broken; exhaustive within this budget"),
    }
}
