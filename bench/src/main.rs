//! Benchmarks of Steadfast: `steadfast-bench core [--json]`, `steadfast-bench redis [--json] [..]`.
//!
//! Every figure of a table comes from the same run on the same machine, beside a yardstick that is the
//! same everywhere; the ratios between them travel, the nanoseconds do not.

mod breaker;
mod measure;
mod node;
mod redis;
mod report;
mod store;
mod timers;

use std::process::ExitCode;

use crate::measure::Figure;

const USAGE: &str = "usage: steadfast-bench core [--json]
       steadfast-bench redis [--json] [OPTIONS]

  --json  one JSON object in place of the tables
  core    the breaker, the timers, the reference store, and a call's whole life through a node";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["core"] => report::table(&core()),
        ["core", "--json"] | ["--json", "core"] => report::json(&core()),
        ["redis", ref rest @ ..] => match redis::Options::read(rest) {
            Ok(options) => return done(redis::run(&options)),
            Err(error) => return misused(&format!("{error:#}\n\n")),
        },
        // How `redis` starts its workers and callers.
        ["redis-peer", spec] => return done(redis::peer(spec)),
        _ => return misused(""),
    }
    ExitCode::SUCCESS
}

fn done(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("steadfast-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn misused(why: &str) -> ExitCode {
    eprintln!("{why}{USAGE}\n{}", redis::USAGE);
    ExitCode::from(2)
}

fn core() -> Vec<Figure> {
    let mut figures = vec![measure::yardstick()];
    figures.extend(breaker::figures());
    figures.extend(timers::figures());
    figures.extend(store::figures());
    figures.extend(node::figures());
    figures
}
