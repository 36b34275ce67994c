//! What a user would pick instead, measured by a harness of its own in the same run: a program
//! `drive.py` that starts each system's server, worker and caller and has them do the same work. Steadfast
//! takes a turn before and after each of its runs, as what the same machine does changes from one minute to the
//! next.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::load::{Pair, System};
use super::options::Options;
use super::server::Server;

/// The systems that are asked for, by the names that the harness gives them.
pub(crate) const SYSTEMS: [&str; 6] =
    ["bullmq-node", "bullmq-rust", "nats-jetstream", "celery", "taskiq", "apalis"];
/// Runs of each system; what the table tells is their median.
const REPEATS: usize = 3;

/// One run, in the harness' words: calls per second, latencies, and CPU time per call of the server, the
/// worker and the caller, both in microseconds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Told {
    rate: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    srv_us: f64,
    wrk_us: f64,
    clr_us: f64,
}

impl Told {
    /// The figures in the order in which they stand above.
    pub(crate) fn figures(&self) -> [f64; 7] {
        let Self { rate, p50, p99, p999, srv_us, wrk_us, clr_us } = *self;
        [rate, p50, p99, p999, srv_us, wrk_us, clr_us]
    }
}

/// A run of another system between two turns of Steadfast.
#[derive(Clone, Debug)]
pub(crate) struct Encounter {
    /// What the harness told.
    pub(crate) told: Told,
    /// Steadfast's calls per second, in the mean of both turns.
    pub(crate) steadfast: f64,
}

impl Encounter {
    /// How many times as many calls per second Steadfast made.
    pub(crate) fn ratio(&self) -> f64 {
        self.steadfast / self.told.rate
    }
}

/// The runs of each system by calls in flight.
pub(crate) type Others = BTreeMap<(u64, &'static str), Vec<Encounter>>;

/// Runs the harness where the options name one. Its progress goes to standard error.
pub(crate) fn measure(server: &mut Server, options: &Options) -> Result<Others> {
    let mut others = Others::new();
    let Some(directory) = &options.peers else {
        return Ok(others);
    };
    let program = directory.join("drive.py");
    let mut pair = Pair::start(server, System::Steadfast, options, false)?;
    for _ in 0..REPEATS {
        for system in SYSTEMS {
            for in_flight in options.in_flight.iter().copied() {
                let calls = options.calls_at(in_flight).div_ceil(options.turns);
                let mut turn = || Ok::<_, anyhow::Error>(pair.run(calls, in_flight)?.per_second);
                let before = turn()?;
                let told = run(&program, system, in_flight)?;
                let steadfast = f64::midpoint(before, turn()?);
                let encounter = Encounter { told, steadfast };
                others.entry((in_flight, system)).or_default().push(encounter);
            }
        }
    }
    Ok(others)
}

/// One run of one system.
fn run(program: &Path, system: &str, in_flight: u64) -> Result<Told> {
    let report = NamedTempFile::new().context("cannot make a file for the harness' report")?;
    let status = Command::new("python3")
        .arg(program)
        .args(["load", "--repeats", "1", "--only", system])
        .args(["--inflight", &in_flight.to_string(), "--out"])
        .arg(report.path())
        .env("PEERS_PORT", free_ports()?.to_string())
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot start `python3 {}`", program.display()))?;
    ensure!(status.success(), "`python3 {}` ended with {status}", program.display());
    let text = fs::read_to_string(report.path()).context("cannot read the harness' report")?;
    told(&text, system, in_flight).context("the harness' report")
}

/// A free port whose successor is free too: the harness takes both.
fn free_ports() -> Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if first < u16::MAX && TcpListener::bind(("127.0.0.1", first + 1)).is_ok() {
            return Ok(first);
        }
    }
    anyhow::bail!("no two neighbouring ports of 127.0.0.1 are free")
}

/// The run that a report tells of. A system that failed stands in it without one: an error, as a table that
/// leaves it out would hide it.
fn told(text: &str, system: &str, in_flight: u64) -> Result<Told> {
    let mut repeats: BTreeMap<String, Vec<BTreeMap<u64, Told>>> = serde_json::from_str(text)?;
    let mut loads = repeats
        .remove(system)
        .and_then(|mut repeats| repeats.pop())
        .with_context(|| format!("`{system}` did not run: the lines above that begin with `!!`"))?;
    loads
        .remove(&in_flight)
        .with_context(|| format!("`{system}` has no run with {in_flight} calls in flight"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"celery":[{"64":{"n":9,"c":64,"rate":2.5,"p50":1,"p99":2,"p999":3,
        "srv_us":4,"wrk_us":5,"clr_us":6}}],"apalis":[]}"#;

    #[test]
    fn a_run_is_read_by_system_and_calls_in_flight() {
        let told = told(REPORT, "celery", 64).unwrap();
        assert!((told.clr_us - 6.0).abs() < f64::EPSILON);
        let encounter = Encounter { told, steadfast: 10.0 };
        assert!((encounter.ratio() - 4.0).abs() < f64::EPSILON);
    }

    #[track_caller]
    fn check_fails(system: &str, in_flight: u64, expect: &str) {
        let failed = told(REPORT, system, in_flight).unwrap_err().to_string();
        assert!(failed.contains(expect), "{failed}");
    }

    #[test]
    fn a_system_that_did_not_run_is_an_error() {
        check_fails("apalis", 64, "`apalis` did not run");
        check_fails("taskiq", 64, "`taskiq` did not run");
        check_fails("celery", 1, "no run with 1 calls");
    }
}
