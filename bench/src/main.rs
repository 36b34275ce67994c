//! Benchmarks of Steadfast: `steadfast-bench core [--json]`.
//!
//! Every figure of a table comes from the same run on the same machine, beside a yardstick that is the
//! same everywhere; the ratios between them travel, the nanoseconds do not.

mod breaker;
mod measure;
mod node;
mod report;
mod store;
mod timers;

use std::process::ExitCode;

use crate::measure::Figure;

const USAGE: &str = "usage: steadfast-bench core [--json]

  core    the breaker, the timers, the reference store, and a call's whole life through a node
  --json  one JSON object in place of the table";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let json = match arguments[..] {
        ["core"] => false,
        ["core", "--json"] | ["--json", "core"] => true,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let figures = core();
    if json {
        report::json(&figures);
    } else {
        report::table(&figures);
    }
    ExitCode::SUCCESS
}

fn core() -> Vec<Figure> {
    let mut figures = vec![measure::yardstick()];
    figures.extend(breaker::figures());
    figures.extend(timers::figures());
    figures.extend(store::figures());
    figures.extend(node::figures());
    figures
}
