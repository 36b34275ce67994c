//! `serve` hosts functions until it is told to end, and saves them on SIGHUP.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run, shell, steadfast, wait_until};
use crate::redis_server::{NOWHERE, RedisServer, run_at};

const WAIT: &str = "echo x >> begun; while [ ! -e go ]; do sleep 0.02; done; echo 1";

fn begun(folder: &Folder) -> usize {
    std::fs::read_to_string(folder.path("begun")).unwrap_or_default().lines().count()
}

#[test]
fn a_signal_drains_what_runs_and_the_caller_gets_its_result() {
    let server = RedisServer::start();
    let folder = Folder::new(&shell("wait", WAIT, ""));
    let serving = Run::serve(&folder.functions(), &["--redis", &server.url()]);
    let call = steadfast()
        .args(["call", "wait", "--redis", &server.url()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the program runs", || begun(&folder) == 1);
    serving.signal(Signal::SIGTERM);
    std::fs::write(folder.path("go"), "").unwrap();
    let finished = serving.end();
    assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
    assert_eq!(finished.messages.last().unwrap(), "steadfast: ended");
    let output = call.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"1\n"[..]));
    assert_eq!(begun(&folder), 1);
}

#[test]
fn a_hang_up_saves_adds_and_removes_functions() {
    let server = RedisServer::start();
    let call = |name| run_at(&server.url(), &["call", name, "--fail-fast"]);
    let folder = Folder::new(&(shell("a", "echo 1", "") + &shell("leaving", WAIT, "")));
    let mut serving = Run::serve(&folder.functions(), &["--redis", &server.url()]);
    assert_eq!(call("a").stdout, "1\n");
    let url = server.url();
    let left = std::thread::spawn(move || run_at(&url, &["call", "leaving", "--timeout", "2m"]));
    wait_until("the program runs", || begun(&folder) == 1);

    folder.write(&(shell("a", "echo 2", "") + &shell("b", "echo 3", "")));
    serving.signal(Signal::SIGHUP);
    serving.hear("again: 1 saved, 1 added, 1 removed");
    assert_eq!(call("a").stdout, "2\n");
    assert_eq!(call("b").stdout, "3\n");
    // What the removed function runs goes on, while it takes no new call.
    wait_until("the removed function takes no new call", || {
        run_at(&server.url(), &["consumers", "--json"]).stdout.contains("\"stopping\"")
    });
    assert_eq!(call("leaving").code, Some(4));
    std::fs::write(folder.path("go"), "").unwrap();
    assert_eq!(left.join().unwrap().stdout, "1\n");

    folder.write("nonsense");
    serving.signal(Signal::SIGHUP);
    serving.hear("the functions served stay as they are");
    assert_eq!(call("b").stdout, "3\n");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

#[test]
fn what_cannot_be_served_is_said_and_ends_with_its_code() {
    let good = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let bad = Folder::new("[[function]]\nname = 3\n");
    let check = |arguments: &[&str], code, part| {
        let done = run_at("", arguments);
        assert_eq!(done.code, Some(code), "{}", done.stderr);
        assert!(done.stderr.contains(part), "{}", done.stderr);
    };
    let (good, bad) = (good.functions(), bad.functions());
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    check(&["serve", bad, "--redis", NOWHERE], 2, "invalid type: integer `3`");
    check(&["serve", good, "--redis", "http://h"], 2, "the Redis URL's scheme is `http`");
    check(&["run", good, "--redis", "http://h"], 2, "the Redis URL's scheme is `http`");
    std::thread::scope(|scope| {
        for command in ["serve", "run"] {
            let arguments = [command, good, "--redis", NOWHERE];
            scope.spawn(move || check(&arguments, 4, "Connection refused"));
        }
    });
}
