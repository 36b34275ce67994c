//! The repository's chores: `cargo xtask test`, `cargo xtask bench`, `cargo xtask sim`.

mod cargo;
mod checks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cargo::Cargo;

/// Chores of the Steadfast repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Everything a change has to pass: format, lints, documentation, packaging, determinism, all tests.
    Test {
        /// Leave out what takes longest: packaging, and comparing a debug with a release build.
        #[arg(long)]
        quick: bool,
    },
    /// Build the benchmarks in release and run them: `cargo xtask bench core --json`.
    Bench {
        /// What to measure, and its options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "core")]
        arguments: Vec<String>,
    },
    /// Build the simulator in release and run it with these arguments.
    Sim {
        /// Passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cargo = Cargo::of_this_repository();
    let done = match Arguments::parse().chore {
        Chore::Test { quick } => checks::run(&cargo, quick),
        Chore::Bench { arguments } => cargo.run_release("steadfast-bench", &arguments),
        Chore::Sim { arguments } => cargo.run_release("steadfast-sim", &arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
