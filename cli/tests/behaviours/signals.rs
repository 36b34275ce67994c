//! SIGTERM and SIGINT drain, a second one ends at once, and a reader that goes away ends quietly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run, call, gist, shell, steadfast, wait_until};

const WAIT: &str = "echo x >> begun; while [ ! -e go ]; do sleep 0.02; done; echo 1";

fn waiting(options: &[&str]) -> (Folder, Run) {
    let folder = Folder::new(&shell("wait", WAIT, ""));
    let mut run = Run::start(&folder.functions(), options);
    run.send(&call("c", "wait", "1"));
    wait_until("the program runs", || folder.path("begun").exists());
    (folder, run)
}

#[test]
fn the_first_signal_waits_for_the_calls_in_flight() {
    for (signal, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT")] {
        let (folder, run) = waiting(&[]);
        run.signal(signal);
        std::fs::write(folder.path("go"), "").unwrap();
        let finished = run.end();
        assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
        assert_eq!(gist(finished.outcome("c")), "success: 1");
        let said = format!("steadfast: {name}: standard input was not read after line 1");
        assert_eq!(finished.messages[0], said);
    }
}

#[test]
fn the_second_signal_ends_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let (_folder, run) = waiting(&[]);
        // Two at once may arrive as one: signals go on until the process has ended.
        let pid = run.pid();
        let signals = std::thread::spawn(move || {
            let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
            let gone = || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.is_empty() || stat.contains(") Z ")
            };
            wait_until("the process ends", || {
                gone() || nix::sys::signal::kill(pid, signal).is_err()
            });
        });
        let finished = run.end();
        signals.join().unwrap();
        assert_eq!(finished.code, Some(code));
    }
}

#[test]
fn the_drain_time_bounds_the_wait() {
    let (_folder, run) = waiting(&["--drain", "50ms"]);
    run.signal(Signal::SIGTERM);
    let finished = run.end();
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.outcome("c")["status"], "undecided");
}

#[test]
fn a_signal_after_the_end_of_input_drains_too() {
    let (folder, mut run) = waiting(&[]);
    drop(run.take_input());
    run.signal(Signal::SIGTERM);
    std::fs::write(folder.path("go"), "").unwrap();
    let finished = run.end();
    assert_eq!(finished.code, Some(0));
    assert_eq!(gist(finished.outcome("c")), "success: 1");
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let mut child = steadfast()
        .arg("run")
        .arg(folder.functions())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Lines without end: only the reader's going away can end the run.
    let writer = std::thread::spawn(move || {
        let line = call("x", "echo", "1");
        while stdin.write_all(line.as_bytes()).is_ok() {}
    });
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    writer.join().unwrap();
    assert!(first.contains("\"status\":\"success\""), "{first}");
    assert_eq!(said, "");
    assert!(matches!(child.wait().unwrap().code(), Some(0 | 1)));
}
