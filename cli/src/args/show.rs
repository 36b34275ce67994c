//! `steadfast functions`, `consumers`, `health` and `completions` on the command line.

use std::time::Duration;

use clap::Args;
use clap_complete::Shell;

use super::redis::RedisArguments;
use crate::functions_file::duration;

/// What is shown, and how.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Only the functions of this scope (default: all).
    #[arg(long, value_name = "S")]
    pub(crate) scope: Option<String>,

    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,

    /// How long to wait for the store's answers.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::positive)]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) redis: RedisArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

pub(super) const FUNCTIONS_HELP: &str = r"Columns (members with --json, an array of objects):
  FUNCTION SCOPE (name, scope)   which function
  CONSUMERS (consumers)          how many processes are registered that read its calls
  OPEN (open)                    calls that are not decided
  PARKED (parked)                of these, retries and deferred calls whose time has not come
  PARAMETERS (parameters)        name:type, `?` where it may be left out
  DESCRIPTION (description)      for a person
A function is registered until an hour after its last consumer.

Exit codes:
  0  shown
  2  bad usage, or a bad Redis URL
  4  the store cannot be reached

Examples:
  steadfast functions --redis redis://127.0.0.1:6379
  steadfast functions --prefix app: --layout cluster
  steadfast functions --scope shop --json | jq -r '.[] | select(.consumers == 0) | .name'
";

pub(super) const CONSUMERS_HELP: &str = r#"Columns (members with --json, an array of objects; times in ms):
  FUNCTION SCOPE (function, scope)   what it serves
  STATUS (status)                    starting, active, stopping, or error: it backs off and returns
  CONNECTED (connected)              yes, no, or `?` (null) where the server does not let us see
  BEAT (heartbeat_age_ms)            since its last heartbeat, by the server's clock
  UP (uptime_ms)                     since it registered
  EPOCH (epoch)                      its number among the incarnations of its function
  ERRORS (error_count, last_error)   since it started
  NODE CONSUMER (node, consumer)     process and consumer id; `HGETALL consumer:state:<consumer>`

Exit codes:
  0  shown
  2  bad usage, or a bad Redis URL
  4  the store cannot be reached

Examples:
  steadfast consumers --redis redis://127.0.0.1:6379
  steadfast consumers --prefix app: --layout cluster
  steadfast consumers --json | jq -r '.[] | select(.status == "error") | .last_error'
"#;

pub(super) const HEALTH_HELP: &str = r#"Shows the server, how long it takes to answer a ping, its run id, and whether the death of workers
is judged by their sessions (a killed worker's calls run elsewhere within 3 s) or by heartbeats alone
(30 s: without the permission for CLIENT LIST, behind a proxy); with --durability replicas:N whether
there are so many; then each function, how many consumers read its calls, and why nobody serves it
where that is so.

Exit codes:
  0  healthy: every registered function is served; or degraded: it is, and some consumer is in error
  1  some function is not served, or the server has fewer replicas than the durability asks for
  2  bad usage, or a bad Redis URL
  4  the store cannot be reached

Examples:
  steadfast health --redis redis://127.0.0.1:6379
  steadfast health --durability replicas:2 --prefix app:
  steadfast health --json | jq '.functions[] | select(.state != "served")'
  until steadfast health --scope shop > /dev/null; do sleep 1; done
"#;

pub(super) const COMPLETIONS_HELP: &str = r"Examples:
  steadfast completions bash > ~/.local/share/bash-completion/completions/steadfast
  steadfast completions zsh > ~/.zfunc/_steadfast
  steadfast completions fish > ~/.config/fish/completions/steadfast.fish
";
