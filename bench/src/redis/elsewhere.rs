//! What a user would pick instead, measured by a harness of its own in the same run: a program
//! `drive.py` that starts each system's server, worker and caller and has them do the same work.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::options::Options;

/// The systems that are asked for, by the names that the harness gives them.
const SYSTEMS: [&str; 6] =
    ["bullmq-node", "bullmq-rust", "nats-jetstream", "celery", "taskiq", "apalis"];
/// Runs of each system; what the table tells is their median.
const REPEATS: &str = "3";

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

/// The runs of each system by calls in flight.
pub(crate) type Others = BTreeMap<&'static str, BTreeMap<u64, Vec<Told>>>;

/// Runs the harness where the options name one. Its progress goes to standard error.
pub(crate) fn measure(options: &Options) -> Result<Others> {
    let Some(directory) = &options.peers else {
        return Ok(Others::new());
    };
    let report = NamedTempFile::new().context("cannot make a file for the harness' report")?;
    let program = directory.join("drive.py");
    let in_flight: Vec<String> = options.in_flight.iter().map(u64::to_string).collect();
    let status = Command::new("python3")
        .arg(&program)
        .args(["load", "--repeats", REPEATS, "--only", &SYSTEMS.join(",")])
        .args(["--inflight", &in_flight.join(","), "--out"])
        .arg(report.path())
        .env("PEERS_PORT", free_ports()?.to_string())
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot start `python3 {}`", program.display()))?;
    ensure!(status.success(), "`python3 {}` ended with {status}", program.display());
    let text = fs::read_to_string(report.path()).context("cannot read the harness' report")?;
    runs_of(&text, &options.in_flight).context("the harness' report")
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

/// The runs that a report tells of. A system that failed stands in it without runs: an error, as a table
/// that leaves it out would hide it.
fn runs_of(text: &str, in_flight: &[u64]) -> Result<Others> {
    let mut told: BTreeMap<String, Vec<BTreeMap<u64, Told>>> = serde_json::from_str(text)?;
    let mut others = Others::new();
    for system in SYSTEMS {
        let repeats = told.remove(system).unwrap_or_default();
        ensure!(
            !repeats.is_empty(),
            "`{system}` did not run: the lines above that begin with `!!`"
        );
        let mut loads = BTreeMap::new();
        for in_flight in in_flight {
            let runs: Vec<Told> =
                repeats.iter().filter_map(|it| it.get(in_flight).cloned()).collect();
            ensure!(!runs.is_empty(), "`{system}` has no run with {in_flight} calls in flight");
            loads.insert(*in_flight, runs);
        }
        others.insert(system, loads);
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(systems: &[&str]) -> String {
        let run =
            r#"{"n":9,"c":1,"rate":2.5,"p50":1,"p99":2,"p999":3,"srv_us":4,"wrk_us":5,"clr_us":6}"#;
        let members = systems.iter().map(|it| format!(r#""{it}":[{{"1":{run}}},{{"1":{run}}}]"#));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn runs_are_read_by_system_and_calls_in_flight() {
        let others = runs_of(&report(&SYSTEMS), &[1]).unwrap();
        assert_eq!(others.len(), SYSTEMS.len());
        let runs = &others["celery"][&1];
        assert_eq!(runs.len(), 2);
        assert!((runs[1].clr_us - 6.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_system_that_did_not_run_is_an_error() {
        let told = runs_of(&report(&SYSTEMS[1..]), &[1]).unwrap_err().to_string();
        assert!(told.contains("`bullmq-node` did not run"), "{told}");
        let told = runs_of(&report(&SYSTEMS), &[1, 64]).unwrap_err().to_string();
        assert!(told.contains("no run with 64"), "{told}");
    }
}
