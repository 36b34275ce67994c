//! `steadfast call` on the command line.

use std::time::Duration;

use clap::Args;

use super::redis::RedisArguments;
use crate::functions_file::duration;

#[derive(Debug, Args)]
pub(crate) struct CallArguments {
    /// The function's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The function's scope.
    #[arg(long, value_name = "S", default_value = "global")]
    pub(crate) scope: String,

    /// The input, as JSON; `-` reads it from standard input.
    #[arg(long, value_name = "JSON|-", default_value = "null", allow_hyphen_values = true)]
    pub(crate) input: String,

    /// How long to wait for the result: `500ms`, `30s`, `2m`, or a whole number of milliseconds. It is
    /// the call's deadline too: the call expires then, and is not begun later. The command ends at the
    /// latest a second after it.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::positive)]
    pub(crate) timeout: Duration,

    /// The call's id. Calls with the same id are one call, for 5 min after it is decided: after a
    /// failure of the connection, repeating the command with the id given does no harm.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,

    /// Joins this call to an earlier one of the function with the same key.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,

    /// Fail at once where nobody serves the function, instead of waiting for somebody who does.
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// Writes the outcome to a stream of the call's own too, `function_results:ID`, which another program
    /// may wait for: one entry, whose field `record` is the text of `result:ID`. It is kept for 5 min.
    #[arg(long, requires = "id")]
    pub(crate) result_stream: bool,

    #[command(flatten)]
    pub(crate) redis: RedisArguments,
}

pub(super) const HELP: &str = r#"The result is printed as JSON on standard output, and nothing else is; what went wrong is said on
standard error. `0`, `false`, `""` and `null` are results like any other.

Exit codes:
  0  success: the result is on standard output
  1  the call was decided without a result: the function's own error, a dead letter (every attempt
     failed), or cancelled by somebody
  2  bad usage, and nothing was submitted: a name, the Redis URL or JSON that cannot be read, or an
     input that does not fit the function's parameters or is too large
  3  the call expired, or was not decided within --timeout
  4  unavailable: the store cannot be reached, is full or refuses; or with --fail-fast nobody serves
     the function. Where nobody can tell whether the call was submitted, its id is told

Ending the command (Ctrl-C) abandons the wait and not the call.

Examples:
  steadfast call double --input '{"n":21}' --redis redis://127.0.0.1:6379
  jq -n '{name:"Ada"}' | steadfast call greet --input - --timeout 5s
  steadfast call charge --scope shop --input '{"order":17}' --idempotency-key order-17
  steadfast call charge --id order-17 --result-stream; redis-cli XRANGE function_results:order-17 - +
  steadfast call double --input '{"n":21}' --durability replicas:1 --prefix app:
  steadfast call nightly --fail-fast || echo "not served, or failed: $?"
"#;
