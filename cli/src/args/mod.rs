//! The command line.

mod call;
mod redis;
mod run;
mod serve;
mod show;

use clap::{Parser, Subcommand};

pub(crate) use call::CallArguments;
pub(crate) use redis::{RedisArguments, RedisChoices, RedisUrl};
pub(crate) use run::RunArguments;
pub(crate) use serve::ServeArguments;
pub(crate) use show::{CompletionsArguments, ShowArguments};

/// Calls a named function in a scope and gets its result back, and never loses the call.
#[derive(Debug, Parser)]
#[command(
    name = "steadfast",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_long_help = HELP
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Host the functions of a file, call them with the lines of standard input, print every outcome.
    #[command(after_long_help = run::HELP)]
    Run(RunArguments),

    /// Host the functions of a file at a Redis server, until it is told to end.
    #[command(after_long_help = serve::HELP)]
    Serve(ServeArguments),

    /// Call a function that is served somewhere, and print its result.
    #[command(after_long_help = call::HELP)]
    Call(CallArguments),

    /// List the functions that are registered.
    #[command(after_long_help = show::FUNCTIONS_HELP)]
    Functions(ShowArguments),

    /// List who serves the functions, in any process.
    #[command(after_long_help = show::CONSUMERS_HELP)]
    Consumers(ShowArguments),

    /// Say whether the server answers and every function is served.
    #[command(after_long_help = show::HEALTH_HELP)]
    Health(ShowArguments),

    /// Print the completions of a shell.
    #[command(after_long_help = show::COMPLETIONS_HELP)]
    Completions(CompletionsArguments),
}

const HELP: &str = r#"A first try, without a server:
  echo '{"function":"echo","input":[1,2]}' | steadfast run examples/functions.toml

With a Redis server, each command in a terminal of its own:
  export STEADFAST_REDIS_URL=redis://127.0.0.1:6379
  steadfast serve examples/functions.toml      # as often as you like, on any machine
  steadfast call double --input '{"n":21}'     # prints 42
  steadfast health                             # who serves what, and how well
  steadfast health --prefix app: --layout cluster   # the same server, keys of another fleet

Exit codes of every command: 0 success, 1 it did not succeed, 2 bad usage, 3 expired or timed out,
4 the store is unavailable. `steadfast COMMAND --help` tells which of them a command has.
"#;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use clap::CommandFactory as _;

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        let arguments = ["steadfast"].iter().chain(arguments);
        Arguments::try_parse_from(arguments)
            .map(|arguments| arguments.command)
            .map_err(|error| error.to_string())
    }

    fn check_refused(arguments: &[&str], expect: &str) {
        let error = parse(arguments).unwrap_err();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn bad_bounds_and_durations_are_refused() {
        check_refused(&["run", "f", "--in-flight", "0"], "1..=10000");
        check_refused(&["call", "f", "--timeout", "0"], "must be at least 1 ms");
        check_refused(&["serve", "f", "--drain", "soon"], "`soon` is no duration");
        check_refused(&["completions", "tcsh"], "possible values");
    }

    #[test]
    fn a_drain_time_has_a_unit() {
        let Ok(Command::Run(run)) = parse(&["run", "f", "--drain", "2m"]) else {
            panic!("`run` was not read");
        };
        assert_eq!(run.drain, Duration::from_secs(120));
        assert_eq!(run.redis, None);
    }

    #[test]
    fn a_call_has_the_defaults_of_its_help() {
        let Ok(Command::Call(call)) = parse(&["call", "f", "--input", "-1"]) else {
            panic!("`call` was not read");
        };
        assert_eq!((call.scope.as_str(), call.input.as_str()), ("global", "-1"));
        assert_eq!(call.timeout, Duration::from_secs(30));
    }

    #[test]
    fn a_choice_is_read_or_refused() {
        let arguments =
            ["health", "--layout", "cluster", "--durability", "replicas:2", "--prefix", "a:"];
        let Ok(Command::Health(health)) = parse(&arguments) else {
            panic!("`health` was not read");
        };
        let choices = health.redis.choices;
        assert_eq!(choices.layout.unwrap().to_string(), "cluster");
        assert_eq!(choices.durability.unwrap().to_string(), "replicas:2");
        assert_eq!(choices.prefix.unwrap(), "a:");
        check_refused(&["health", "--layout", "x"], "it is neither `plain` nor `cluster`");
        check_refused(&["call", "f", "--durability", "replicas:0"], "it is none of `memory`");
    }

    #[test]
    fn arguments_that_hold_a_password_do_not_show_it() {
        let shown = format!("{:?}", parse(&["health", "--redis", "redis://:hunter2@h"]).unwrap());
        assert!(shown.contains("(a Redis URL)") && !shown.contains("hunter2"), "{shown}");
    }
}
