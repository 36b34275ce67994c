//! The calls of a killed process run at another one, and end well.

use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use steadfast_tests::leaks;

use crate::binary::{Folder, Run, shell, steadfast, wait_until};
use crate::redis_server::{RedisServer, run_at};

const CALLS: usize = 8;

const WAIT: &str = "echo x >> begun; while [ ! -e go ]; do sleep 0.02; done; cat";

/// Calls `wait`, each with its number.
fn begin_calls(url: &str) -> Vec<Child> {
    let begin = |n: usize| {
        steadfast()
            .args(["call", "wait", "--timeout", "2m", "--redis", url])
            .args(["--input", &n.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    (0..CALLS).map(begin).collect()
}

/// Each of them is answered with its number.
fn end_calls(calls: Vec<Child>) {
    for (n, call) in calls.into_iter().enumerate() {
        let output = call.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{n}\n"));
    }
}

#[test]
fn calls_of_a_killed_process_run_at_another_one() {
    let server = RedisServer::start();
    let url = &server.url();
    let folder = Folder::new(&shell("wait", WAIT, "timeout = \"2m\""));
    let begun =
        || std::fs::read_to_string(folder.path("begun")).unwrap_or_default().lines().count();
    let killed = Run::serve(&folder.functions(), &["--redis", url]);
    let calls = begin_calls(url);
    wait_until("every call runs", || begun() == CALLS);
    let mut other = Run::serve(&folder.functions(), &["--verbose", "--redis", url]);
    killed.signal(Signal::SIGKILL);
    assert_eq!(killed.end().code, None);
    other.hear("calls taken over from wait-global-");
    wait_until("every call runs again", || begun() == 2 * CALLS);
    std::fs::write(folder.path("go"), "").unwrap();
    end_calls(calls);
    other.signal(Signal::SIGTERM);
    assert_eq!(other.end().code, Some(0));
    assert_eq!(begun(), 2 * CALLS);
}

/// P6 at default settings: once the observer's link has stood for ten seconds, what a killed process ran is begun
/// elsewhere within three of the kill.
#[test]
fn calls_of_a_killed_process_begin_elsewhere_within_three_seconds() {
    const PROMISED: Duration = Duration::from_secs(3);
    let server = RedisServer::start();
    let url = &server.url();
    let script = "date +%s%N >> begun; while [ ! -e go ]; do sleep 0.1; done; cat";
    let file = shell("wait", script, "timeout = \"2m\"");
    let (first, second) = (Folder::new(&file), Folder::new(&file));
    let killed = Run::serve(&first.functions(), &["--redis", url]);
    let calls = begin_calls(url);
    wait_until("every call runs", || begun_at(&first).len() == CALLS);
    let other = Run::serve(&second.functions(), &["--redis", url]);
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(begun_at(&second).len(), 0, "it was robbed while it lived");
    let killed_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    killed.signal(Signal::SIGKILL);
    assert_eq!(killed.end().code, None);
    wait_until("every call runs again", || begun_at(&second).len() == CALLS);
    let last = begun_at(&second).into_iter().max().unwrap();
    let took = last.checked_sub(killed_at).expect("they begin after the kill");
    assert!(took < PROMISED, "the last of them began {took:?} after the kill");
    std::fs::write(second.path("go"), "").unwrap();
    end_calls(calls);
    other.signal(Signal::SIGTERM);
    assert_eq!(other.end().code, Some(0));
    assert_eq!((begun_at(&first).len(), begun_at(&second).len()), (CALLS, CALLS));
    assert_eq!(leaks(&mut server.raw()), Vec::<String>::new());
}

/// When each execution began, since 1970.
fn begun_at(folder: &Folder) -> Vec<Duration> {
    let told = std::fs::read_to_string(folder.path("begun")).unwrap_or_default();
    told.lines().map(|line| Duration::from_nanos(line.parse().unwrap())).collect()
}

#[test]
fn health_tells_at_once_that_a_killed_process_serves_no_more() {
    let server = RedisServer::start();
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let serving = Run::serve(&folder.functions(), &["--redis", &server.url()]);
    assert_eq!(run_at(&server.url(), &["health"]).code, Some(0));
    serving.signal(Signal::SIGKILL);
    serving.end();
    let mut health = String::new();
    wait_until("health tells", || {
        let done = run_at(&server.url(), &["health"]);
        health = done.stdout;
        done.code == Some(1)
    });
    assert!(health.contains("disconnected: its consumers have no connection"), "{health}");
}

/// Ten seconds are what an observer's link must have stood for, and what the worker is stopped for: its
/// connections stand all the while, and its heartbeats are not missed for long enough.
#[test]
fn a_stopped_process_that_is_connected_is_not_robbed() {
    let server = RedisServer::start();
    let url = &server.url();
    let folder = Folder::new(&shell("wait", WAIT, "timeout = \"2m\""));
    let begun =
        || std::fs::read_to_string(folder.path("begun")).unwrap_or_default().lines().count();
    let stopped = Run::serve(&folder.functions(), &["--redis", url]);
    let call = steadfast()
        .args(["call", "wait", "--timeout", "2m", "--redis", url, "--input", "7"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the call runs", || begun() == 1);
    let observer = Run::serve(&folder.functions(), &["--verbose", "--redis", url]);
    std::thread::sleep(Duration::from_secs(11));
    stopped.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(10));
    stopped.signal(Signal::SIGCONT);
    std::fs::write(folder.path("go"), "").unwrap();
    let output = call.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"7\n"[..]));
    assert_eq!(begun(), 1);
    observer.signal(Signal::SIGTERM);
    let said = observer.end().messages;
    assert!(!said.iter().any(|line| line.contains("taken over")), "{said:?}");
    stopped.signal(Signal::SIGTERM);
    assert_eq!(stopped.end().code, Some(0));
}
