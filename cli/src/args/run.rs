//! `steadfast run` on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::redis::{RedisChoices, RedisUrl};
use crate::functions_file::duration;

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The file that defines the functions (see below). SIGHUP reads it again.
    #[arg(value_name = "FUNCTIONS.toml")]
    pub(crate) functions: PathBuf,

    /// The most calls that are open at once. Standard input is read no faster than that, and open calls
    /// hold at most 64 MiB of input; the store keeps each outcome in memory for 5 min.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_024,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub(crate) in_flight: u32,

    /// How long the calls in flight may go on after SIGINT or SIGTERM: `500ms`, `30s`, `2m`, or a whole
    /// number of milliseconds.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub(crate) drain: Duration,

    /// Host the functions at a Redis server instead of the embedded store: other processes may call
    /// them, and may serve them too. Only this option says so; the environment does not.
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<RedisUrl>,

    #[command(flatten)]
    pub(crate) choices: RedisChoices,
}

pub(super) const HELP: &str = r#"Calls, one JSON object a line on standard input:
  {"function":"double","input":{"n":21}}
  {"function":"double","scope":"global","input":{"n":21},"id":"order-7",
   "timeout_ms":5000,"idempotency_key":"k1"}        (on one line)
    scope            `global` where it is left out
    id               the call's id; lines with the same id are one call (for 5 min after it is
                     decided), and each of them gets its outcome
    timeout_ms       the call's deadline; a call that is not decided by then is `expired`
    idempotency_key  joins this call to an earlier one of the function with the same key

Outcomes, one JSON object a line on standard output, in the order in which they are decided:
  {"line":1,"call_id":"order-7","function":"double","scope":"global","status":"success",
   "result":42,"attempts":1,"elapsed_ms":31}
    status  success        with `result`
            error          the function's own error, final
            expired        the deadline passed
            cancelled      somebody cancelled the call
            dead_lettered  every attempt failed; the error is the last one's
            refused        never submitted: malformed line, unknown function, invalid input
            undecided      the run ended before the call was decided (exit code 1)
    error   {"kind","message"}, for every status but success

Functions, tables of FUNCTIONS.toml:
  [[function]]
  name = "double"
  scope = "global"                       # default
  exec = ["python3", "double.py"]        # or: builtin = "echo" (also "fail", "sleep")
  parameters = [{ name = "n", type = "number", required = true }]
  timeout = "5s"                         # of one attempt; default 30 s
  concurrency = 8                        # attempts at once; default 64
  max_attempts = 3                       # default
  description = "Twice n."

  A parameter's type is string, number, boolean, object or array; it may have a `default` and a
  `description`.

Programs: `exec` is started once for each attempt, without a shell, in the folder of FUNCTIONS.toml.
It reads the input as JSON from standard input and writes the result as JSON to standard output.
  exit 0 and one JSON value   success
  exit 75                     this attempt failed: try again, up to max_attempts
  anything else               final error, with the end of its standard error
  STEADFAST_CALL_ID, STEADFAST_FUNCTION, STEADFAST_SCOPE, STEADFAST_ATTEMPT (from 1) and
  STEADFAST_DEADLINE_MS (time left until it is killed) are in its environment.
  It is killed, with its whole process group, at its timeout, when its call is cancelled, and when
  the drain time is over; what it leaves running when it exits is killed too.

Signals:
  SIGHUP           reads FUNCTIONS.toml again: changed functions are saved under load, removed ones
                   finish their calls and end, new ones are served. A bad file changes nothing.
  SIGINT, SIGTERM  stop reading, wait for the calls in flight (--drain); a second one exits at once

Exit codes:
  0        every call was decided, whatever the decision
  1        some call was left undecided
  2        bad usage, a bad Redis URL, or a bad FUNCTIONS.toml
  4        --redis: the store could not be reached within 10 s, or refuses what the run needs
  130 143  a second SIGINT or SIGTERM

Examples:
  steadfast run examples/functions.toml < examples/calls.jsonl
  echo '{"function":"double","input":{"n":21}}' | steadfast run examples/functions.toml
  steadfast run functions.toml --redis redis://127.0.0.1:6379 < calls.jsonl
  steadfast run functions.toml --redis redis://127.0.0.1:6379 --durability fsync < calls.jsonl
  steadfast run functions.toml --in-flight 64 < calls.jsonl | jq -c 'select(.status != "success")'
"#;
