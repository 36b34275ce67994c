//! `steadfast-sim`: runs scenarios by seed, replays, draws and shrinks what fails.

mod commands;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use steadfast_sim::explore::Options;
use steadfast_sim::network_world::{self, NetworkScenario};
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::shrink::RUNS_MAX;

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
    Run(RunArgs),
    /// Runs one seed, or a case's file, and prints each event as a line.
    Replay(ReplayArgs),
    /// Runs each seed here and in another process, and compares the hashes of all events.
    Determinism(DeterminismArgs),
    /// Runs the museum: exhibits with one historic mistake each; exits 1 if one is not caught.
    Museum(MuseumArgs),
    /// Searches every interleaving within a small budget.
    Explore(ExploreArgs),
    /// Runs hosts over a simulated network: the tokio host and the Redis adapter's bytes.
    Turmoil(TurmoilArgs),
    /// Lists the scenarios and the budgets.
    List,
}

/// What `run` takes.
#[derive(Debug, Args)]
struct RunArgs {
    /// First and one past the last seed: `0..10000`.
    #[arg(long, default_value = "0..1000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Which scenario; `list` shows them.
    #[arg(long, default_value = "mini", value_parser = named)]
    scenario: Box<Scenario>,
    /// Stops after so many failing seeds.
    #[arg(long, default_value_t = 10)]
    failures_max: usize,
    /// Fails if a situation that a thousand seeds must meet was never met.
    #[arg(long)]
    require_probes: bool,
    /// Prints how often each situation was met.
    #[arg(long)]
    probes: bool,
    /// Shrinks each failing seed, and writes its case into this directory.
    #[arg(long, value_name = "DIRECTORY", num_args = 0..=1, default_missing_value = ".")]
    shrink: Option<PathBuf>,
    /// Runs the world at most so often to shrink a seed.
    #[arg(long, default_value_t = RUNS_MAX)]
    runs_max: u32,
}

/// What `replay` takes.
#[derive(Debug, Args)]
struct ReplayArgs {
    /// The seed.
    #[arg(long, required_unless_present = "case", conflicts_with = "case")]
    seed: Option<u64>,
    /// Which scenario; `list` shows them.
    #[arg(long, default_value = "mini", value_parser = named, conflicts_with = "case")]
    scenario: Box<Scenario>,
    /// A case's file, as `--shrink` writes it.
    #[arg(long, value_name = "FILE.json")]
    case: Option<PathBuf>,
    /// Shrinks the seed first, and shows the smallest case that breaks the same promise.
    #[arg(long)]
    shrink: bool,
    /// Runs the world at most so often to shrink.
    #[arg(long, default_value_t = RUNS_MAX)]
    runs_max: u32,
    /// Writes the case that was run (with `--shrink`, the smallest) into this file.
    #[arg(long, value_name = "FILE.json")]
    save: Option<PathBuf>,
    /// Draws a space-time diagram into this file: one page that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Leaves out the lines of the single events.
    #[arg(long)]
    quiet: bool,
}

/// What `determinism` takes.
#[derive(Debug, Args)]
struct DeterminismArgs {
    /// First and one past the last seed.
    #[arg(long, default_value = "0..100", value_parser = seeds)]
    seeds: Range<u64>,
    /// Which scenario; `list` shows them.
    #[arg(long, default_value = "swarm", value_parser = named)]
    scenario: Box<Scenario>,
    /// The other program, such as `target/debug/steadfast-sim`; without it, this one once more.
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// Only prints each seed's hash, for the other process.
    #[arg(long, hide = true)]
    hashes: bool,
}

/// What `museum` takes.
#[derive(Debug, Args)]
struct MuseumArgs {
    /// First and one past the last seed that may catch an exhibit.
    #[arg(long, default_value = "0..10000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Runs an exhibit's world at most so often to shrink the seed that caught it; 0 shrinks none.
    #[arg(long, default_value_t = RUNS_MAX)]
    runs_max: u32,
}

/// What `explore` takes.
#[derive(Debug, Args)]
struct ExploreArgs {
    /// Which budget; `list` shows them. Without it, the smallest.
    #[arg(long, default_value = "tiny", value_parser = budget)]
    budget: Box<Options>,
}

/// What `turmoil` takes.
#[derive(Debug, Args)]
struct TurmoilArgs {
    /// First and one past the last seed of each scenario.
    #[arg(long, default_value = "0..10", value_parser = seeds)]
    seeds: Range<u64>,
    /// Which scenario; without it, all of them.
    #[arg(long, value_parser = networked)]
    scenario: Option<Box<NetworkScenario>>,
    /// Runs this seed alone, and prints each event as a line.
    #[arg(long, conflicts_with = "seeds", requires = "scenario")]
    seed: Option<u64>,
    /// Runs each seed in another process too, and compares the hashes of all events.
    #[arg(long, conflicts_with = "seed")]
    determinism: bool,
    /// Only prints each seed's hash, for the other process.
    #[arg(long, hide = true)]
    hashes: bool,
}

fn networked(text: &str) -> Result<Box<NetworkScenario>, String> {
    let names: Vec<&str> = network_world::all().iter().map(|scenario| scenario.name).collect();
    let unknown = format!("no such scenario; there are: {}", names.join(", "));
    network_world::named(text).map(Box::new).ok_or(unknown)
}

fn budget(text: &str) -> Result<Box<Options>, String> {
    let names: Vec<&str> = Options::all().iter().map(|options| options.name).collect();
    let unknown = format!("no such budget; there are: {}", names.join(", "));
    Options::named(text).map(Box::new).ok_or(unknown)
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
    let mut out = io::stdout().lock();
    let outcome = match Arguments::parse().verb {
        Verb::Run(arguments) => commands::run::run(&arguments, &mut out),
        Verb::Replay(arguments) => commands::replay::run(&arguments, &mut out),
        Verb::Determinism(arguments) => commands::determinism::run(&arguments, &mut out),
        Verb::Museum(arguments) => commands::museum(&arguments, &mut out),
        Verb::Explore(arguments) => commands::explore(&arguments, &mut out),
        Verb::Turmoil(arguments) => commands::turmoil::run(&arguments, &mut out),
        Verb::List => commands::list(&mut out),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read our output has closed it: nobody is left to tell.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(2),
        Err(error) => {
            eprintln!("steadfast-sim: {error}");
            ExitCode::from(2)
        }
    }
}
