//! `functions`, `consumers` and `health` show what is registered at a server, as tables and as JSON.

use std::fmt::Write as _;

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run};
use crate::redis_server::{NOWHERE, RedisServer, run_at};

const FUNCTIONS: &str = r#"
[[function]]
name = "charge: once"
scope = "shop"
builtin = "sleep"
description = "Takes money."
parameters = [
  { name = "order", type = "number", required = true },
  { name = "note", type = "string", default = "" },
]

[[function]]
name = "echo"
builtin = "echo"
"#;

/// Each command as a table and as JSON, with what differs from run to run replaced.
fn shown(url: &str, scope: &[&str]) -> String {
    let mut shown = String::new();
    for command in ["functions", "consumers", "health"] {
        for format in [&[][..], &["--json"]] {
            let done = run_at(url, &[&[command][..], scope, format].concat());
            let code = done.code.unwrap();
            let options = [scope, format].concat().join(" ");
            let said = done.stdout + &done.stderr;
            writeln!(shown, "$ steadfast {command} {options}\n{said}(exit code {code})\n").unwrap();
        }
    }
    shown
}

fn check(name: &str, shown: &str) {
    insta::with_settings!({
        filters => [
            (r"127\.0\.0\.1:\d+/", "[server]/"),
            (r"(_ms.: )[\d.]+", "$1[ms]"),
            (r"[0-9a-f]{40}", "[run id]"),
            (r"[0-9a-f]{32}", "[id]"),
            (r"\d{16}", "[epoch]"),
            (r"(ping +)[\d.]+ ms", "$1[ms] ms"),
            (r" (yes|no|\?) +\d+(?:ms|s) +\d+(?:ms|s) ", " $1  [beat]  [up] "),
            // A column is as wide as what differs in it.
            (r"([^ \n]) {3,}", "$1  "),
            (r" +\n", "\n"),
        ],
    }, { insta::assert_snapshot!(name, shown) });
}

#[test]
fn a_server_with_functions_is_shown() {
    let server = RedisServer::start();
    let folder = Folder::new(FUNCTIONS);
    let serving = Run::serve(&folder.functions(), &["--redis", &server.url()]);
    check("served", &shown(&server.url(), &[]));
    check("served_in_a_scope", &shown(&server.url(), &["--scope", "shop"]));
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
    check("no_longer_served", &shown(&server.url(), &[]));
}

#[test]
fn an_empty_server_is_shown() {
    check("empty", &shown(&RedisServer::start().url(), &[]));
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_unavailable() {
    let url = format!("{NOWHERE}/0");
    check("unavailable", &shown(&url, &[]));
}

/// Somebody else wrote keys of some functions: these are named with the reason, and the others are shown.
#[test]
fn a_function_that_cannot_be_read_hides_no_other() {
    let server = RedisServer::start();
    server.leaves("keys of another type");
    let folder = Folder::new(FUNCTIONS);
    let serving = Run::serve(&folder.functions(), &["--redis", &server.url()]);
    server.replace_by_a_list("function_parked:echo:global");
    check("one_unread", &shown(&server.url(), &[]));
    server.replace_by_a_list("function:echo:global");
    check("one_definition_unread", &shown(&server.url(), &[]));
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}
