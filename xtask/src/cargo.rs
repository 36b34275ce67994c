//! Running cargo at the root of the repository.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The cargo that started this program, and where to run it.
#[derive(Debug)]
pub(crate) struct Cargo {
    program: OsString,
    root: PathBuf,
}

impl Cargo {
    /// What `cargo run` tells in the environment; without it, `cargo` and the working directory.
    pub(crate) fn of_this_repository() -> Self {
        let root = env::var_os("CARGO_MANIFEST_DIR")
            .and_then(|manifest| PathBuf::from(manifest).parent().map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("."));
        Self { program: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), root }
    }

    /// Runs cargo with its output passed through; fails where cargo does.
    pub(crate) fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
        let line = command_line(arguments, environment);
        eprintln!("$ {line}");
        let mut command = Command::new(&self.program);
        command.args(arguments).envs(environment.iter().copied()).current_dir(&self.root);
        // What cargo set for this package is not meant for the build it starts.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_")) {
                command.env_remove(name);
            }
        }
        command.env_remove("CARGO_MANIFEST_DIR");
        let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
        if !status.success() {
            bail!("`{line}` failed ({status})");
        }
        Ok(())
    }

    /// Builds a package's program in release, quietly, and runs it.
    pub(crate) fn run_release(&self, package: &str, arguments: &[String]) -> Result<()> {
        let mut line = vec!["run", "--quiet", "--release", "--package", package, "--"];
        line.extend(arguments.iter().map(String::as_str));
        self.run(&line, &[])
    }
}

/// The command as a person would type it.
fn command_line(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut line = String::new();
    for (name, value) in environment {
        line.extend([name, "='", value, "' "]);
    }
    line += "cargo";
    for argument in arguments {
        line += " ";
        line += argument;
    }
    line
}
