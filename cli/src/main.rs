//! The command `steadfast`: hosts functions and makes calls.

mod args;
mod builtin;
mod call_line;
mod console;
mod fault;
mod functions_file;
mod hosting;
mod line_reader;
mod outcome_line;
mod process_groups;
mod program;
mod reload;
mod roster;
mod run;
mod signals;
mod standard_input;
mod standard_output;
mod tally;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};
use crate::run::RunEnd;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = match &arguments.command {
            Command::Run(arguments) => runtime.block_on(run::run(arguments)),
        };
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(RunEnd::AllDecided) => ExitCode::SUCCESS,
        Ok(RunEnd::Undecided) => ExitCode::from(1),
        Ok(RunEnd::Unusable) => ExitCode::from(2),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "steadfast: {error:#}");
            ExitCode::from(2)
        }
    }
}
