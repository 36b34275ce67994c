//! SIGHUP saves what changed, while calls run, and every call has exactly one outcome.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run, call, gist, shell, wait_until};
use crate::redis_server::RedisServer;

const CALLS: usize = 5_000;

/// Three functions; the number makes each version differ in each of them.
fn version(number: usize) -> String {
    let function = |function: usize| {
        format!(
            "[[function]]\nname = \"echo{function}\"\nbuiltin = \"echo\"\n\
             description = \"version {number}\"\n"
        )
    };
    (0..3).map(function).collect::<Vec<_>>().concat()
}

#[test]
fn saves_under_load_lose_and_repeat_no_call() {
    check_saves_under_load(&["--in-flight", "256"]);
}

#[test]
fn saves_under_load_at_a_redis_server_lose_and_repeat_no_call() {
    let server = RedisServer::start();
    check_saves_under_load(&["--in-flight", "256", "--redis", &server.url()]);
}

fn check_saves_under_load(options: &[&str]) {
    let folder = Folder::new(&version(0));
    let mut run = Run::start(&folder.functions(), options);
    // Once it answers, it listens for SIGHUP.
    run.send(&call(0, "echo0", "0"));
    run.next_outcome();
    let mut stdin = run.take_input();
    let written = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let written = written.clone();
        move || {
            for n in 1..CALLS {
                stdin
                    .write_all(call(n, &format!("echo{}", n % 3), &n.to_string()).as_bytes())
                    .unwrap();
            }
            written.store(true, Ordering::Release);
            stdin
        }
    });
    let mut saves = 0;
    while !written.load(Ordering::Acquire) || saves < 5 {
        saves += 1;
        folder.write(&version(saves));
        run.signal(Signal::SIGHUP);
        run.hear("again: 3 saved, 0 added, 0 removed");
    }
    drop(writer.join().unwrap());
    let finished = run.finish();
    assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
    let mut outcomes = BTreeSet::new();
    for outcome in &finished.outcomes {
        let id = outcome["call_id"].as_str().unwrap().to_owned();
        assert_eq!(gist(outcome), format!("success: {id}"));
        assert!(outcomes.insert(id), "a call has two outcomes");
    }
    assert_eq!(outcomes.len(), CALLS);
}

#[test]
fn a_bad_file_changes_nothing() {
    let folder = Folder::new(&version(0));
    let mut run = Run::start(&folder.functions(), &[]);
    run.send(&call("before", "echo0", "1"));
    assert_eq!(gist(&run.next_outcome()), "success: 1");
    folder.write("[[function]]\nname = 3\n");
    run.signal(Signal::SIGHUP);
    run.hear("functions.toml:2:8: invalid type: integer `3`, expected a string");
    run.hear("the functions served stay as they are");
    run.send(&call("after", "echo0", "2"));
    assert_eq!(gist(&run.next_outcome()), "success: 2");
    assert_eq!(run.finish().code, Some(0));
}

#[test]
fn only_what_changed_is_saved_and_functions_come_and_go() {
    let echo = |name: &str| format!("[[function]]\nname = \"{name}\"\nbuiltin = \"echo\"\n");
    let folder = Folder::new(&(echo("a") + &echo("b")));
    let mut run = Run::start(&folder.functions(), &[]);
    run.send(&call(1, "b", "1"));
    assert_eq!(gist(&run.next_outcome()), "success: 1");
    folder.write(&(echo("a") + &echo("c")));
    run.signal(Signal::SIGHUP);
    run.hear("again: 0 saved, 1 added, 1 removed");
    run.send(&call(2, "c", "2"));
    assert_eq!(gist(&run.next_outcome()), "success: 2");
    run.send(&call(3, "b", "3"));
    assert_eq!(run.next_outcome()["error"]["kind"], "unknown_function");
    run.signal(Signal::SIGHUP);
    run.hear("again: 0 saved, 0 added, 0 removed");
    assert_eq!(run.finish().code, Some(0));
}

#[test]
fn a_save_and_a_removal_let_a_running_program_finish() {
    let wait = "echo $$ >> begun; while [ ! -e go ]; do sleep 0.02; done; echo 1";
    let folder = Folder::new(&(shell("saved", wait, "") + &shell("removed", wait, "")));
    let mut run = Run::start(&folder.functions(), &[]);
    run.send(&(call("s", "saved", "1") + &call("r", "removed", "1")));
    let begun =
        || std::fs::read_to_string(folder.path("begun")).unwrap_or_default().lines().count();
    wait_until("both programs run", || begun() == 2);
    folder.write(&shell("saved", "echo 2", ""));
    run.signal(Signal::SIGHUP);
    run.hear("again: 1 saved, 0 added, 1 removed");
    run.send(&call("new", "saved", "1"));
    assert_eq!(gist(&run.next_outcome()), "success: 2");
    std::fs::write(folder.path("go"), "").unwrap();
    let finished = run.finish();
    assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
    for call in ["s", "r"] {
        assert_eq!(gist(finished.outcome(call)), "success: 1");
        assert_eq!(finished.outcome(call)["attempts"], 1);
    }
}
