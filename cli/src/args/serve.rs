//! `steadfast serve` on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::redis::RedisArguments;
use crate::functions_file::duration;

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The file that defines the functions (`steadfast run --help` tells its format). SIGHUP reads it
    /// again.
    #[arg(value_name = "FUNCTIONS.toml")]
    pub(crate) functions: PathBuf,

    #[command(flatten)]
    pub(crate) redis: RedisArguments,

    /// How long what runs may go on after SIGINT or SIGTERM: `500ms`, `30s`, `2m`, or a whole number of
    /// milliseconds. What has not ended by then runs elsewhere.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub(crate) drain: Duration,

    /// Say on standard error whenever a consumer, a connection or the circuit breaker changes.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

pub(super) const HELP: &str = r"Standard error tells what a person should know, one line each:
  steadfast: ready: 8 functions are active at redis://127.0.0.1:6379/0; ...
    once every function is active: from then on calls are served
  steadfast: the store cannot be reached; ...      and once it is back
  steadfast: the store refuses (denied; ...): ...  what waiting does not mend, at most every 30 s

Several processes may serve the same functions: each call runs at one of them, and the calls of one
that is killed run at the others within 3 s. Start a new version before you end the old one, and
nothing waits.

Signals:
  SIGHUP           reads FUNCTIONS.toml again: changed functions are saved under load, new ones are
                   served, removed ones finish what they run. A bad file changes nothing.
  SIGINT, SIGTERM  take no new call, give back what was not begun, wait for what runs (--drain);
                   a second one exits at once

Exit codes:
  0        ended by SIGINT or SIGTERM
  2        bad usage, a bad Redis URL, or a bad FUNCTIONS.toml
  4        the store could not be reached within 10 s of the start, or denies what serving needs (the
           user lacks a permission); once every function is active, it is waited for
  130 143  a second SIGINT or SIGTERM

Examples:
  steadfast serve functions.toml --redis redis://127.0.0.1:6379
  steadfast serve functions.toml --prefix app: --layout cluster --durability replicas:1
  STEADFAST_REDIS_URL=rediss://worker:secret@redis.example/0 steadfast serve functions.toml -v
  kill -HUP $(pidof steadfast)           # after functions.toml was edited
";
