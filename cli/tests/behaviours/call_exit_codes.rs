//! `call` prints a result, or says what went wrong; its exit code tells which.

use std::io::Write as _;
use std::process::Stdio;

use nix::sys::signal::Signal;
use steadfast_tests::command;

use crate::binary::{Folder, Run, shell, steadfast};
use crate::redis_server::{NOWHERE, RedisServer, run_at};

fn functions() -> String {
    let typed = "parameters = [{ name = \"n\", type = \"number\", required = true }]";
    [
        "[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n".to_owned(),
        "[[function]]\nname = \"fail\"\nbuiltin = \"fail\"\n".to_owned(),
        "[[function]]\nname = \"sleep\"\nbuiltin = \"sleep\"\n".to_owned(),
        "[[function]]\nname = \"of a shop: 1\"\nscope = \"shop\"\nbuiltin = \"echo\"\n".to_owned(),
        shell("double", "echo 42", typed),
        shell("closed", "exit 75", "max_attempts = 2"),
    ]
    .concat()
}

/// Runs `call` with these arguments; `expect` is what it prints, or a part of what it says.
fn check(url: &str, arguments: &[&str], expect: Result<&str, (i32, &str)>) {
    let arguments = [&["call"], arguments].concat();
    let done = run_at(url, &arguments);
    match expect {
        Ok(result) => {
            assert_eq!((done.code, done.stdout.as_str()), (Some(0), result), "{arguments:?}");
            assert_eq!(done.stderr, "", "{arguments:?}");
        }
        Err((code, part)) => {
            assert_eq!(done.code, Some(code), "{arguments:?}: {}", done.stderr);
            assert!(done.stderr.contains(part), "{arguments:?}: {}", done.stderr);
            assert_eq!(done.stdout, "", "{arguments:?}");
        }
    }
}

#[test]
fn each_end_of_a_call_has_its_exit_code() {
    let server = RedisServer::start();
    let url = &server.url();
    let folder = Folder::new(&functions());
    let serving = Run::serve(&folder.functions(), &["--redis", url]);

    for result in ["0", "false", "\"\"", "null", "{\"a\": 1.0}", "-1"] {
        check(url, &["echo", "--input", result], Ok(&format!("{result}\n")));
    }
    check(url, &["echo"], Ok("null\n"));
    check(url, &["of a shop: 1", "--scope", "shop", "--input", "1"], Ok("1\n"));
    check(url, &["double", "--input", "{\"n\":21}"], Ok("42\n"));
    check("", &["echo", "--input", "7", "--redis", url], Ok("7\n"));

    check(url, &["fail", "--input", "{\"message\":\"no way\"}"], Err((1, "no way")));
    check(url, &["closed"], Err((1, "is a dead letter after 2 attempt(s)")));

    check(url, &["echo", "--input", "{"], Err((2, "the input is not JSON at line 1, column 1")));
    check(url, &["double", "--input", "{}"], Err((2, "parameter `n` is missing")));
    check(url, &["echo", "--scope", "a:b"], Err((2, "scope `a:b` contains `:`")));
    check(url, &["echo", "--id", ""], Err((2, "call id is empty")));
    check(url, &["echo", "--timeout", "soon"], Err((2, "`soon` is no duration")));
    check(url, &["echo", "--redis", "http://h"], Err((2, "the Redis URL's scheme is `http`")));
    check(url, &[], Err((2, "<NAME>")));

    let nap = ["sleep", "--input", "{\"ms\":60000}", "--timeout", "2s"];
    check(url, &nap, Err((3, "expired after 1 attempt(s)")));
    check(url, &["nobody", "--timeout", "300ms"], Err((3, "expired after 0 attempt(s)")));

    check(url, &["nobody", "--fail-fast"], Err((4, "nobody serves nobody:global")));
    check(NOWHERE, &["echo", "--timeout", "300ms"], Err((4, "Connection refused")));

    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

#[test]
fn calls_with_the_same_id_or_key_are_one_call() {
    let server = RedisServer::start();
    let folder = Folder::new(&shell("count", "echo x >> begun; wc -l < begun", ""));
    let serving = Run::serve(&folder.functions(), &["--redis", &server.url()]);
    for option in ["--id", "--idempotency-key"] {
        let call = || run_at(&server.url(), &["call", "count", option, "same"]);
        let first = call();
        assert_eq!(first.code, Some(0), "{}", first.stderr);
        assert_eq!(call(), first);
    }
    assert_eq!(std::fs::read_to_string(folder.path("begun")).unwrap(), "x\nx\n");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

#[test]
fn the_outcome_goes_to_a_stream_where_that_is_asked_for() {
    let server = RedisServer::start();
    let url = &server.url();
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let serving = Run::serve(&folder.functions(), &["--redis", url]);
    check(url, &["echo", "--input", "7", "--id", "a", "--result-stream"], Ok("7\n"));
    check(url, &["echo", "--input", "7", "--id", "b"], Ok("7\n"));
    check(url, &["echo", "--result-stream"], Err((2, "--id <ID>")));
    let mut raw = server.raw();
    let streams: Vec<String> = command(&mut raw, &["KEYS", "function_results:*"]);
    assert_eq!(streams, ["function_results:a"]);
    let text: String = command(&mut raw, &["GET", "result:a"]);
    let entries: Vec<(String, [String; 2])> =
        command(&mut raw, &["XRANGE", "function_results:a", "-", "+"]);
    let records: Vec<_> = entries.into_iter().map(|(_, record)| record).collect();
    assert_eq!(records, [["record".to_owned(), text]]);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

/// Runs `call` with this text on its standard input.
fn check_standard_input(url: &str, text: &str, expect: (i32, &str, &str)) {
    let mut child = steadfast()
        .args(["call", "echo", "--input", "-", "--redis", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A reader that has seen too much reads no further.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    let (code, stdout, stderr) = expect;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), stdout);
    assert!(said.contains(stderr), "{said}");
}

#[test]
fn the_input_may_come_from_standard_input() {
    let server = RedisServer::start();
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let _serving = Run::serve(&folder.functions(), &["--redis", &server.url()]);
    check_standard_input(&server.url(), " [1,\n2]\n", (0, "[1,\n2]\n", ""));
    check_standard_input(&server.url(), "", (2, "", "the input is not JSON"));
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    check_standard_input(&server.url(), &large, (2, "", "over the limit of 1048576 bytes"));
}
