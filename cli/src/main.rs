//! The command `steadfast`: hosts functions and makes calls.

mod advice;
mod args;
mod builtin;
mod call;
mod call_line;
mod completions;
mod console;
mod consumers;
mod exit;
mod fault;
mod functions;
mod functions_file;
mod health;
mod hosting;
mod line_reader;
mod look;
mod outcome_line;
mod process_groups;
mod program;
mod redact;
mod reload;
mod roster;
mod run;
mod serve;
mod show;
mod signals;
mod standard_input;
mod standard_output;
mod store;
mod table;
mod tally;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};
use crate::exit::Exit;
use crate::run::RunEnd;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let ended = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(execute(&arguments.command));
        runtime.shutdown_background();
        ended
    });
    let exit = ended.unwrap_or_else(|error| {
        console::complain(&format!("{error:#}"));
        Exit::Usage
    });
    exit.into()
}

async fn execute(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(arguments) => run::run(arguments).await.map(RunEnd::exit),
        Command::Serve(arguments) => serve::serve(arguments).await,
        Command::Call(arguments) => call::call(arguments).await,
        Command::Functions(arguments) => functions::functions(arguments).await,
        Command::Consumers(arguments) => consumers::consumers(arguments).await,
        Command::Health(arguments) => health::health(arguments).await,
        Command::Completions(arguments) => completions::completions(arguments),
    }
}

/// Says what is wrong with the arguments, or shows the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let redacted = redact::redact(&text);
    if !error.use_stderr() || redacted == text {
        error.exit();
    }
    // clap quotes what it does not understand: here, what may be a URL with a password.
    console::Console::plain().show(&redacted);
    Exit::Usage.into()
}
