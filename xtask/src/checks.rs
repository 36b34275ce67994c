//! What a change has to pass, in the order in which it fails soonest; the tests come last, so that the
//! closing lines are the test runner's own.

use std::env;

use anyhow::{Context, Result};

use crate::cargo::Cargo;

/// One step.
struct Check {
    name: &'static str,
    what: What,
    /// Left out by `--quick`.
    slow: bool,
}

enum What {
    /// A cargo command, and what is added to its environment.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// The simulator built in release gives the same events as the one built without optimisation.
    Determinism,
}

const SIMULATOR: &str = "steadfast-sim";

/// Seeds that both builds run, by scenario.
const SAME_SEEDS: [(&str, &str); 3] =
    [("swarm", "0..100"), ("network", "0..100"), ("mini", "0..300")];

const CHECKS: [Check; 7] = [
    Check { name: "format", what: What::Cargo(&["fmt", "--all", "--check"], &[]), slow: false },
    Check {
        name: "lints",
        what: What::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
        slow: false,
    },
    Check {
        name: "documentation",
        what: What::Cargo(
            &["doc", "--workspace", "--no-deps", "--exclude", "steadfast-cli"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        ),
        slow: false,
    },
    // Members that depend on each other are packed against each other, not against the registry.
    Check {
        name: "packaging",
        what: What::Cargo(
            &[
                "package",
                "--workspace",
                "--no-verify",
                "--allow-dirty",
                "--exclude",
                "steadfast-tests",
                "--exclude",
                "steadfast-bench",
                "--exclude",
                "steadfast-xtask",
            ],
            &[],
        ),
        slow: true,
    },
    Check { name: "determinism", what: What::Determinism, slow: true },
    Check {
        name: "documentation tests",
        what: What::Cargo(&["test", "--workspace", "--doc"], &[]),
        slow: false,
    },
    Check {
        name: "tests",
        what: What::Cargo(&["test", "--workspace", "--all-targets", "--no-fail-fast"], &[]),
        slow: false,
    },
];

/// Runs the checks up to the first that fails.
pub(crate) fn run(cargo: &Cargo, quick: bool) -> Result<()> {
    let checks: Vec<&Check> = CHECKS.iter().filter(|check| !(quick && check.slow)).collect();
    for (index, check) in checks.iter().enumerate() {
        eprintln!("\n[{}/{}] {}", index + 1, checks.len(), check.name);
        match check.what {
            What::Cargo(arguments, environment) => cargo.run(arguments, environment),
            What::Determinism => compare_builds(cargo),
        }
        .with_context(|| format!("the check `{}` failed", check.name))?;
    }
    Ok(())
}

/// Runs seeds in a release build and in a build without optimisation, in processes of their own. A seed that
/// diverges fails, with the first event that differs.
fn compare_builds(cargo: &Cargo) -> Result<()> {
    cargo.run(&["build", "--package", SIMULATOR], &[])?;
    // Cargo put it where it put this program.
    let ours = env::current_exe().context("this program does not know where it is")?;
    let plain = ours.with_file_name(format!("{SIMULATOR}{}", env::consts::EXE_SUFFIX));
    for (scenario, seeds) in SAME_SEEDS {
        let words = ["determinism", "--scenario", scenario, "--seeds", seeds, "--against"];
        let mut arguments: Vec<String> = words.map(Into::into).into();
        arguments.push(plain.display().to_string());
        cargo.run_release(SIMULATOR, &arguments)?;
    }
    Ok(())
}
