//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use steadfast::IoPlacement;

/// How it is called.
pub(crate) const USAGE: &str = "\
  redis                  Steadfast beside a floor, each a worker and a caller process over one
                         redis-server of its own; and what idle functions cost
    --quick              fewer calls, fewer passes, no 1,000 idle functions, no kills: under 40 s
    --calls N            calls of each system in each pass (with one in flight, a fifth of them)
    --inflight 1,64,256  calls in flight
    --passes N           how often both systems start anew, at most
    --turns N            turns in which both run the calls of a pass; the medians are taken of all turns
    --idle 1,100,1000    idle functions in one process; 0 leaves that part out
    --idle-seconds N     how long the idle are watched, once they have settled
    --kills N            workers that are killed while they run a call; 0 leaves that part out
    --io own|ambient     Steadfast's connections on a thread of their own, or beside the handlers
    --peers DIRECTORY    what a user would pick instead (BullMQ and its Rust port, NATS JetStream,
                         Celery, taskiq, apalis), by DIRECTORY/drive.py, in the same table";

const SETTLE: Duration = Duration::from_secs(7);

/// See [`USAGE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Print an object.
    pub(crate) json: bool,
    /// Calls of each system in each pass.
    pub(crate) calls: u64,
    /// Calls in flight, in the order of the runs.
    pub(crate) in_flight: Vec<u64>,
    /// The most passes: in each, both systems start anew.
    pub(crate) passes: usize,
    /// Turns into which a run of each pass is cut.
    pub(crate) turns: u64,
    /// No pass begins that would not end by then.
    pub(crate) load_time: Duration,
    /// Idle functions in one process.
    pub(crate) idle: Vec<u64>,
    /// Before that, so that what a start leaves to do is done: each function's first sweep comes within
    /// 5 s.
    pub(crate) settle_time: Duration,
    /// How long the idle are watched.
    pub(crate) idle_time: Duration,
    /// Lone calls of each kind.
    pub(crate) lone_calls: u64,
    /// Workers that are killed.
    pub(crate) kills: u64,
    /// Where Steadfast drives its connections.
    pub(crate) io: IoPlacement,
    /// Where the harness lies that measures other systems, if they are asked for.
    pub(crate) peers: Option<PathBuf>,
}

impl Options {
    fn whole() -> Self {
        Self {
            json: false,
            calls: 40_000,
            in_flight: vec![1, 64, 256],
            passes: 7,
            turns: 2,
            load_time: Duration::from_secs(120),
            idle: vec![1, 100, 1_000],
            settle_time: SETTLE,
            idle_time: Duration::from_secs(10),
            lone_calls: 150,
            kills: 5,
            io: IoPlacement::Ambient,
            peers: None,
        }
    }

    fn quick() -> Self {
        Self {
            calls: 8_000,
            passes: 2,
            load_time: Duration::from_secs(12),
            idle: vec![1, 100],
            idle_time: Duration::from_secs(5),
            lone_calls: 30,
            kills: 0,
            ..Self::whole()
        }
    }

    /// Reads the arguments behind `redis`.
    pub(crate) fn read(arguments: &[&str]) -> Result<Self> {
        let quick = arguments.contains(&"--quick");
        let mut options = if quick { Self::quick() } else { Self::whole() };
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
            match argument {
                "--quick" => {}
                "--json" => options.json = true,
                "--calls" => options.calls = number(argument, value()?)?,
                "--passes" => options.passes = number(argument, value()?)? as usize,
                "--turns" => options.turns = number(argument, value()?)?,
                "--inflight" => options.in_flight = numbers(argument, value()?)?,
                "--idle" => {
                    options.idle = match value()? {
                        "0" => Vec::new(),
                        list => numbers(argument, list)?,
                    }
                }
                "--idle-seconds" => {
                    options.idle_time = Duration::from_secs(number(argument, value()?)?);
                    options.settle_time = options.idle_time.min(SETTLE);
                }
                "--kills" => {
                    options.kills = match value()? {
                        "0" => 0,
                        some => number(argument, some)?,
                    }
                }
                "--io" => {
                    options.io = match value()? {
                        "own" => IoPlacement::OwnThread,
                        "ambient" => IoPlacement::Ambient,
                        other => bail!("--io is `own` or `ambient`, not `{other}`"),
                    }
                }
                "--peers" => {
                    let directory = PathBuf::from(value()?);
                    let program = directory.join("drive.py");
                    ensure!(program.is_file(), "--peers: there is no {}", program.display());
                    options.peers = Some(directory);
                }
                other => bail!("`{other}` is no option of redis"),
            }
        }
        Ok(options)
    }

    /// Calls of each system in a pass with so many in flight.
    pub(crate) fn calls_at(&self, in_flight: u64) -> u64 {
        if in_flight == 1 { self.calls.div_ceil(5) } else { self.calls }
    }
}

fn number(name: &str, text: &str) -> Result<u64> {
    let number = text.parse().with_context(|| format!("{name} {text}: no whole number"))?;
    ensure!((1..=1_000_000).contains(&number), "{name} is from 1 to 1,000,000");
    Ok(number)
}

fn numbers(name: &str, list: &str) -> Result<Vec<u64>> {
    list.split(',').map(|text| number(name, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &str, expect: Option<(u64, &[u64], &[u64])>) {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let read = Options::read(&words).ok();
        let told = read.as_ref().map(|it| (it.calls, &it.in_flight[..], &it.idle[..]));
        assert_eq!(told, expect, "{arguments}");
    }

    #[test]
    fn options_are_read_in_any_order() {
        check("", Some((40_000, &[1, 64, 256], &[1, 100, 1_000])));
        check("--calls 9 --quick", Some((9, &[1, 64, 256], &[1, 100])));
        check("--inflight 1,8 --idle 0 --calls 200", Some((200, &[1, 8], &[])));
        check("--calls", None);
        check("--calls none", None);
        check("--inflight 0", None);
        check("--io elsewhere", None);
        check("--peers nowhere", None);
        check("--turns 0", None);
        check("--slow", None);
    }
}
