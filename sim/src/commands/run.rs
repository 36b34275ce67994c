//! `run`: many seeds, judged and added up.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use steadfast_sim::case::Case;
use steadfast_sim::faults::{FaultKind, Injected};
use steadfast_sim::probes::Tallies;
use steadfast_sim::run::{self, Report};

use super::{print_shrunk, print_violations, replay_command, shrink};
use crate::RunArgs;

/// What a run of many seeds adds up to.
#[derive(Default)]
struct Totals {
    seeds: u64,
    events: u64,
    calls: u64,
    simulated: Duration,
    injected: Injected,
    probes: Tallies,
    failed: Vec<u64>,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.events += report.events;
        self.calls += report.calls as u64;
        self.simulated += report.simulated;
        self.injected.add(&report.injected);
        self.probes.add(&report.probes);
        if !report.violations.is_empty() {
            self.failed.push(report.seed);
        }
    }

    fn print(&self, arguments: &RunArgs, wall: Duration, out: &mut impl Write) -> io::Result<()> {
        let secs = wall.as_secs_f64().max(1e-9);
        writeln!(
            out,
            "{}: {} seeds in {secs:.1} s ({:.0} seeds/s), {} calls",
            arguments.scenario.name,
            self.seeds,
            self.seeds as f64 / secs,
            self.calls
        )?;
        writeln!(
            out,
            "{} events ({:.0} events/s); simulated {:.0} s, {:.0} x real time",
            self.events,
            self.events as f64 / secs,
            self.simulated.as_secs_f64(),
            self.simulated.as_secs_f64() / secs
        )?;
        write!(out, "faults injected:")?;
        for kind in FaultKind::ALL {
            let count = self.injected.of(kind);
            if count > 0 {
                write!(out, " {kind} {count}")?;
            }
        }
        writeln!(out, "\nprobes hit: {}", self.probes.hit())?;
        if arguments.probes {
            writeln!(out, "{}", self.probes)?;
        }
        if arguments.require_probes {
            for kind in
                arguments.scenario.faults.iter().filter(|kind| self.injected.of(**kind) == 0)
            {
                writeln!(out, "never injected: {kind}")?;
            }
            for name in self.probes.missing() {
                writeln!(out, "never met: {name}")?;
            }
        }
        writeln!(out, "seeds with violations: {}", self.failed.len())
    }

    /// Whether everything was met that was asked for.
    fn met_enough(&self, arguments: &RunArgs) -> bool {
        !arguments.require_probes
            || (self.probes.missing().is_empty()
                && arguments.scenario.faults.iter().all(|kind| self.injected.of(*kind) > 0))
    }
}

/// A line on the terminal that tells how far it is; nothing where standard error is none.
fn progress_of(seeds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("[{bar:30}] {pos}/{len} seeds, {per_sec}, {msg}");
    ProgressBar::new(seeds).with_style(style.expect("the template is one"))
}

/// Runs the seeds.
pub(crate) fn run(arguments: &RunArgs, out: &mut impl Write) -> io::Result<bool> {
    let started = Instant::now();
    let mut totals = Totals::default();
    let seeds = arguments.seeds.clone();
    let progress = progress_of(seeds.end - seeds.start);
    for seed in seeds {
        let report = run::judge((*arguments.scenario).clone(), seed);
        totals.add(&report);
        if !report.violations.is_empty() {
            progress.suspend(|| print_failure(arguments, &report, out))?;
            progress.set_message(format!("{} failed", totals.failed.len()));
        }
        progress.inc(1);
        if totals.failed.len() >= arguments.failures_max {
            break;
        }
    }
    progress.finish_and_clear();
    totals.print(arguments, started.elapsed(), out)?;
    Ok(totals.failed.is_empty() && totals.met_enough(arguments))
}

fn print_failure(arguments: &RunArgs, report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (name, seed) = (arguments.scenario.name, report.seed);
    writeln!(out, "seed {seed} ({} events, faults: {})", report.events, report.mask)?;
    print_violations(&report.violations, out)?;
    writeln!(out, "  replay: {}", replay_command(name, seed))?;
    let Some(directory) = &arguments.shrink else {
        return writeln!(out, "  shrink: {} --shrink --quiet", replay_command(name, seed));
    };
    let case = Case::whole(&arguments.scenario, seed, report.violations[0].promise);
    if let Some(shrunk) = shrink(&arguments.scenario, case, arguments.runs_max) {
        print_shrunk(&shrunk, out)?;
        let path = directory.join(format!("{name}-{seed}.json"));
        shrunk.case.write(&path).map_err(io::Error::other)?;
        writeln!(out, "  shrunk case: cargo xtask sim replay --case {}", path.display())?;
    }
    Ok(())
}
