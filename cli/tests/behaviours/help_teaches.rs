//! `--help` shows examples and exit codes, and no help shows what the environment holds.

use crate::redis_server::run_at;

const COMMANDS: [&str; 6] = ["run", "serve", "call", "functions", "consumers", "health"];

#[test]
fn the_help_of_each_command_has_examples_and_exit_codes() {
    for command in COMMANDS {
        let help = run_at("redis://:hunter2@h", &[command, "--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        for part in ["Usage:", "Exit codes:", "Examples:", &format!("  steadfast {command} ")] {
            assert!(help.stdout.contains(part), "{command} --help has no {part}");
        }
        assert!(!help.stdout.contains("hunter2"));
        let long = help.stdout.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{command} --help has lines too long for a terminal");
    }
    let all = run_at("", &["--help"]).stdout;
    assert!(COMMANDS.iter().all(|command| all.contains(&format!("\n  {command} "))), "{all}");
}

#[test]
fn every_shell_has_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = run_at("", &["completions", shell]);
        assert_eq!((completions.code, completions.stderr.as_str()), (Some(0), ""));
        for part in COMMANDS.iter().chain(&["idempotency-key", "result-stream"]) {
            assert!(completions.stdout.contains(part), "{shell} does not know {part}");
        }
    }
}
