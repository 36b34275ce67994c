//! `steadfast-sim`: runs scenarios by seed, and replays one as a readable trace.

use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use steadfast_sim::faults::{FaultKind, Injected};
use steadfast_sim::run::{self, Report};
use steadfast_sim::scenario::{self, Scenario};

/// Finds races by seed: production nodes over the reference store, in simulated time.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs many seeds and judges each; exits 1 if one broke a promise.
    Run {
        /// First and one past the last seed: `0..10000`.
        #[arg(long, default_value = "0..1000", value_parser = seeds)]
        seeds: Range<u64>,
        /// Which scenario; `list` shows them.
        #[arg(long, default_value = "mini", value_parser = named)]
        scenario: Box<Scenario>,
        /// Stops after so many failing seeds.
        #[arg(long, default_value_t = 10)]
        failures_max: usize,
    },
    /// Runs one seed and prints each event as a line.
    Replay {
        /// The seed.
        #[arg(long)]
        seed: u64,
        /// Which scenario; `list` shows them.
        #[arg(long, default_value = "mini", value_parser = named)]
        scenario: Box<Scenario>,
    },
    /// Runs each seed twice and compares the hashes of all events.
    Determinism {
        /// First and one past the last seed.
        #[arg(long, default_value = "0..100", value_parser = seeds)]
        seeds: Range<u64>,
        /// Which scenario; `list` shows them.
        #[arg(long, default_value = "swarm", value_parser = named)]
        scenario: Box<Scenario>,
    },
    /// Lists the scenarios.
    List,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parse = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let (from, until) = text.split_once("..").ok_or("write FIRST..END, such as 0..10000")?;
    let seeds = parse(from)?..parse(until)?;
    if seeds.is_empty() {
        return Err("the range holds no seed".into());
    }
    Ok(seeds)
}

fn named(text: &str) -> Result<Box<Scenario>, String> {
    let known = scenario::all();
    let names: Vec<&str> = known.iter().map(|scenario| scenario.name).collect();
    let unknown = format!("no such scenario; there are: {}", names.join(", "));
    known.into_iter().find(|scenario| scenario.name == text).map(Box::new).ok_or(unknown)
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Run { seeds, scenario, failures_max } => run_seeds(seeds, &scenario, failures_max),
        Verb::Replay { seed, scenario } => replay(seed, *scenario),
        Verb::Determinism { seeds, scenario } => determinism(seeds, &scenario),
        Verb::List => list(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read our output has closed it: nobody is left to tell.
        Err(_) => ExitCode::from(2),
    }
}

/// What a run of many seeds adds up to.
#[derive(Default)]
struct Totals {
    seeds: u64,
    events: u64,
    calls: u64,
    simulated: Duration,
    injected: Injected,
    failed: Vec<u64>,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.events += report.events;
        self.calls += report.calls as u64;
        self.simulated += report.simulated;
        self.injected.add(&report.injected);
        if !report.violations.is_empty() {
            self.failed.push(report.seed);
        }
    }

    fn print(&self, name: &str, wall: Duration, out: &mut impl Write) -> io::Result<()> {
        let secs = wall.as_secs_f64().max(1e-9);
        writeln!(
            out,
            "{name}: {} seeds in {secs:.1} s ({:.0} seeds/s), {} calls",
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
        writeln!(out, "\nseeds with violations: {}", self.failed.len())
    }
}

fn run_seeds(seeds: Range<u64>, scenario: &Scenario, failures_max: usize) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let started = Instant::now();
    let mut totals = Totals::default();
    for seed in seeds {
        let report = run::judge(scenario.clone(), seed);
        totals.add(&report);
        if !report.violations.is_empty() {
            print_failure(scenario.name, &report, &mut out)?;
        }
        if totals.failed.len() >= failures_max {
            break;
        }
    }
    totals.print(scenario.name, started.elapsed(), &mut out)?;
    Ok(totals.failed.is_empty())
}

fn print_failure(name: &str, report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "seed {} ({} events, faults: {})", report.seed, report.events, report.mask)?;
    for violation in report.violations.iter().take(5) {
        writeln!(out, "  {violation}")?;
    }
    if report.violations.len() > 5 {
        writeln!(out, "  and {} more", report.violations.len() - 5)?;
    }
    writeln!(out, "  replay: steadfast-sim replay --scenario {name} --seed {}", report.seed)
}

fn replay(seed: u64, scenario: Scenario) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let name = scenario.name;
    let report = run::judge_traced(scenario, seed);
    for line in &report.trace {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "hash of all events: {:016x}", report.digest)?;
    if report.violations.is_empty() {
        writeln!(out, "no promise is broken")?;
    } else {
        print_failure(name, &report, &mut out)?;
    }
    Ok(report.violations.is_empty())
}

fn determinism(seeds: Range<u64>, scenario: &Scenario) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut all = 0_u64;
    for seed in seeds.clone() {
        let first = run::judge(scenario.clone(), seed);
        let second = run::judge(scenario.clone(), seed);
        if first.digest != second.digest {
            writeln!(out, "seed {seed} of {} diverges", scenario.name)?;
            return Ok(false);
        }
        all = all.rotate_left(7) ^ first.digest;
    }
    writeln!(
        out,
        "{}: {} seeds, each twice the same; hash of all {all:016x}",
        scenario.name,
        seeds.end - seeds.start
    )?;
    Ok(true)
}

fn list() -> io::Result<bool> {
    let mut out = io::stdout().lock();
    for scenario in scenario::all() {
        writeln!(out, "{:12} {}", scenario.name, scenario.about)?;
    }
    Ok(true)
}
