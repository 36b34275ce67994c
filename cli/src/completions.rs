//! `steadfast completions`: what a shell completes.

use clap::CommandFactory as _;

use crate::args::{Arguments, CompletionsArguments};
use crate::exit::Exit;
use crate::table::print;

/// Prints the completions of a shell.
pub(crate) fn completions(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "steadfast", &mut text);
    print(&String::from_utf8(text)?)?;
    Ok(Exit::Success)
}
