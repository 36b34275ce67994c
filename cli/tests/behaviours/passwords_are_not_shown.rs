//! A password in a Redis URL is shown nowhere, whatever goes wrong.

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run};
use crate::redis_server::{Done, RedisServer, run_at};

const PASSWORD: &str = "hunter2";

/// What the command said, with its exit code; the password must not be there.
fn said(url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let Done { code, stdout, stderr } = run_at(url, arguments);
    let said = stdout + &stderr;
    assert!(!said.contains(PASSWORD), "{arguments:?}: {said}");
    (code, said)
}

fn check(arguments: &[&str], expect_code: i32, expect_part: &str) {
    let (code, said) = said("", arguments);
    assert_eq!(code, Some(expect_code), "{arguments:?}: {said}");
    assert!(said.contains(expect_part), "{arguments:?}: {said}");
}

#[test]
fn mistakes_on_the_command_line_do_not_quote_it() {
    let url = "redis://me:hunter2@127.0.0.1:1";
    check(&["health", "--redis", url], 4, "Connection refused");
    check(&["call", "f", "--timeout", "300ms", "--redis", url], 4, "redis://127.0.0.1:1/0");
    check(&["health", url], 2, "unexpected argument 'redis://***@127.0.0.1:1' found");
    check(&[url], 2, "unrecognized subcommand 'redis://***@127.0.0.1:1'");
    check(&["health", "--timeout", url], 2, "invalid value 'redis://***@127.0.0.1:1");
    check(&["health", "redis://me:hunter2 x@h"], 2, "unexpected argument 'redis://***@h' found");
    for bad in [
        "redis://u:12?hunter2@127.0.0.1",
        "redis://hunter2:12#x@h",
        "hunter2:foo@h",
        "u:hunter2://x@h",
    ] {
        check(&["health", "--redis", bad], 2, "the Redis URL");
    }
    for bad in ["redis://:hunter2@h:99999", "redis://:hunter2@h/x", "hunter://hunter2@h"] {
        for command in ["functions", "consumers", "health"] {
            check(&[command, "--redis", bad], 2, "the Redis URL");
        }
        check(&["call", "f", "--redis", bad], 2, "the Redis URL");
    }
}

#[test]
fn what_speaks_to_a_server_does_not_show_it() {
    let server = RedisServer::with(&["--requirepass", PASSWORD]);
    server.leaves("without the password nobody may look");
    let right = server.url_as(&format!(":{PASSWORD}"));
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let serving = Run::serve(&folder.functions(), &["--verbose", "--redis", &right]);
    for command in ["functions", "consumers", "health"] {
        assert_eq!(said(&right, &[command]).0, Some(0));
        assert_eq!(said(&right, &[command, "--json"]).0, Some(0));
    }
    assert_eq!(said(&right, &["call", "echo"]), (Some(0), "null\n".into()));

    let wrong = server.url_as(&format!("default:not-{PASSWORD}"));
    for arguments in [&["health"][..], &["call", "echo", "--timeout", "300ms"]] {
        for url in [&wrong, &server.url()] {
            let (code, said) = said(url, arguments);
            assert_eq!(code, Some(4), "{said}");
            assert!(said.contains("denied"), "{said}");
        }
    }
    // Nobody waits for a password to become right.
    let functions = folder.functions();
    let functions = functions.to_str().unwrap();
    for arguments in [&["serve", functions][..], &["run", functions], &["call", "echo"]] {
        let (code, said) = said("", &[arguments, &["--redis", &wrong]].concat());
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("refuses the connection (denied"), "{said}");
    }
    serving.signal(Signal::SIGTERM);
    let finished = serving.end();
    assert_eq!(finished.code, Some(0));
    assert!(finished.messages.len() > 3, "{:?}", finished.messages);
    assert!(finished.messages.iter().all(|said| !said.contains(PASSWORD)));
}
