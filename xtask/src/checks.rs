//! What a change has to pass, in the order in which it fails soonest; the tests come last, so that the
//! closing lines are the test runner's own.

use anyhow::{Context, Result};

use crate::cargo::Cargo;

/// One step: a name, and the cargo command that is it.
struct Check {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// Left out by `--quick`.
    slow: bool,
}

const CHECKS: [Check; 6] = [
    Check {
        name: "format",
        arguments: &["fmt", "--all", "--check"],
        environment: &[],
        slow: false,
    },
    Check {
        name: "lints",
        arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        environment: &[],
        slow: false,
    },
    Check {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps", "--exclude", "steadfast-cli"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        slow: false,
    },
    // Members that depend on each other are packed against each other, not against the registry.
    Check {
        name: "packaging",
        arguments: &[
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
        environment: &[],
        slow: true,
    },
    Check {
        name: "documentation tests",
        arguments: &["test", "--workspace", "--doc"],
        environment: &[],
        slow: false,
    },
    Check {
        name: "tests",
        arguments: &["test", "--workspace", "--all-targets", "--no-fail-fast"],
        environment: &[],
        slow: false,
    },
];

/// Runs the checks up to the first that fails.
pub(crate) fn run(cargo: &Cargo, quick: bool) -> Result<()> {
    let checks: Vec<&Check> = CHECKS.iter().filter(|check| !(quick && check.slow)).collect();
    for (index, check) in checks.iter().enumerate() {
        eprintln!("\n[{}/{}] {}", index + 1, checks.len(), check.name);
        cargo
            .run(check.arguments, check.environment)
            .with_context(|| format!("the check `{}` failed", check.name))?;
    }
    Ok(())
}
