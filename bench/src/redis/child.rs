//! A process that this program started: this program again, as a peer.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::peer::Spec;

/// What a process is asked for is there by then, or it hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a process has to end once its input has.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Ends when dropped.
pub(crate) struct Child {
    spec: Spec,
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    ready: Duration,
}

impl Child {
    /// Starts a peer, and waits until it stands.
    pub(crate) fn start(spec: Spec) -> Result<Self> {
        let began = Instant::now();
        let mut process = Command::new(std::env::current_exe()?)
            .args(["redis-peer", &spec.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{spec}`"))?;
        let input = process.stdin.take();
        let from = BufReader::new(process.stdout.take().context("its output was piped")?);
        let (lines, output) = channel();
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let mut child = Self { spec, process, input, output, ready: Duration::ZERO };
        let _: Value = child.hear()?;
        child.ready = began.elapsed();
        Ok(child)
    }

    /// Kills it at once, by SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.process.kill().with_context(|| format!("cannot kill `{}`", self.spec))?;
        self.process.wait()?;
        Ok(())
    }

    /// How long it took until it stood, its start included.
    pub(crate) fn ready(&self) -> Duration {
        self.ready
    }

    /// Asks for something, and waits for it.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, question: &str) -> Result<T> {
        let input = self.input.as_mut().context("its input is open until it is dropped")?;
        writeln!(input, "{question}").with_context(|| format!("`{}` has ended", self.spec))?;
        self.hear().with_context(|| format!("`{}` was asked to `{question}`", self.spec))
    }

    /// Commands on the wire so far.
    pub(crate) fn commands(&mut self) -> Result<u64> {
        let answer: Value = self.ask("count")?;
        answer["commands"].as_u64().context("a count is a number")
    }

    fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => Ok(serde_json::from_str(&line)?),
            Err(_) => bail!("`{}` gave no answer", self.spec),
        }
    }

    /// Time that its threads were on a processor so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let told = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos +=
                told.split(' ').next().context("schedstat has a first number")?.parse::<u64>()?;
        }
        Ok(nanos as f64 / 1_000.0)
    }

    /// Memory that it holds, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let told = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = told.and_then(|text| text.trim().strip_suffix(" kB"));
        Ok(kib.context("its status tells VmRSS")?.trim().parse::<f64>()? / 1_024.0)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.input = None;
        let began = Instant::now();
        while began.elapsed() < END_PATIENCE {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(2));
        }
        // It may have ended by itself meanwhile.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
