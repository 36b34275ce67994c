//! Whatever a program does, it ends with its attempt, and leaves nothing behind.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::binary::{Finished, Folder, Run, call, gist, run, shell, wait_until};

/// Processes, zombies as well, of these groups.
fn alive(groups: &[i32]) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            // After the name in brackets: state, parent, group.
            let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            let group = fields.split_whitespace().nth(2);
            group.and_then(|group| group.parse().ok()).is_some_and(|group| groups.contains(&group))
        })
        .map(|process| process.path())
        .collect()
}

/// The groups that the scripts of a test wrote down.
fn groups(folder: &Folder) -> Vec<i32> {
    let noted = std::fs::read_to_string(folder.path("groups")).unwrap_or_default();
    noted.lines().map(|line| line.trim().parse().unwrap()).collect()
}

fn one(script: &str, more: &str, input: &str) -> (Folder, Finished) {
    let folder = Folder::new(&shell("f", script, more));
    let finished = run(&folder.functions(), &call("c", "f", input));
    assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
    (folder, finished)
}

fn check(script: &str, input: &str, expect: &str) {
    let (_folder, finished) = one(script, "", input);
    assert_eq!(gist(finished.outcome("c")), expect, "{script}");
}

#[test]
fn a_timeout_kills_the_program_and_its_grandchildren() {
    let script = "echo $$ >> groups; (sleep 600 & sleep 600) & sleep 600 & sleep 600";
    let folder = Folder::new(&shell("f", script, "timeout = 200\nmax_attempts = 2"));
    let mut run = Run::start(&folder.functions(), &[]);
    run.send(&call("c", "f", "1"));
    let outcome = run.next_outcome();
    assert_eq!(
        (&outcome["status"], &outcome["error"]["kind"], &outcome["attempts"]),
        (&"dead_lettered".into(), &"timeout".into(), &2.into()),
    );
    let groups = groups(&folder);
    assert_eq!(groups.len(), 2);
    // The binary still runs: it has killed and reaped them by itself.
    wait_until("no process of the groups is left", || alive(&groups).is_empty());
    assert_eq!(run.finish().code, Some(0));
}

#[test]
fn what_a_finished_program_left_running_is_killed() {
    let script = "echo $$ >> groups; sleep 600 & sleep 600 >/dev/null 2>&1 & echo 1";
    let folder = Folder::new(&shell("f", script, ""));
    let mut run = Run::start(&folder.functions(), &[]);
    run.send(&call("c", "f", "1"));
    assert_eq!(gist(&run.next_outcome()), "success: 1");
    let groups = groups(&folder);
    wait_until("no process of the group is left", || alive(&groups).is_empty());
    assert_eq!(run.finish().code, Some(0));
}

#[test]
fn a_deadline_kills_the_program() {
    let folder = Folder::new(&shell("f", "echo $$ >> groups; sleep 600", "max_attempts = 1"));
    let mut run = Run::start(&folder.functions(), &[]);
    run.send("{\"id\":\"c\",\"function\":\"f\",\"input\":1,\"timeout_ms\":300}\n");
    assert_eq!(run.next_outcome()["status"], "expired");
    wait_until("no process of the group is left", || alive(&groups(&folder)).is_empty());
    assert_eq!(run.finish().code, Some(0));
}

#[test]
fn the_end_of_the_drain_time_kills_the_program() {
    let folder = Folder::new(&shell("f", "echo $$ >> groups; sleep 600 & sleep 600", ""));
    let mut run = Run::start(&folder.functions(), &["--drain", "10ms"]);
    run.send(&call("c", "f", "1"));
    wait_until("the program runs", || groups(&folder).len() == 1);
    run.signal(Signal::SIGTERM);
    let finished = run.end();
    assert_eq!(finished.code, Some(1));
    assert_eq!(gist(finished.outcome("c")), "undecided: the run ended before the call was decided");
    wait_until("no process of the group is left", || alive(&groups(&folder)).is_empty());
}

#[test]
fn a_program_that_reads_no_input_neither_hangs_nor_fails() {
    let long = format!("\"{}\"", "x".repeat(500_000));
    check("exec <&-; echo 1", &long, "success: 1");
    check("echo 2", &long, "success: 2");
    check("sleep 0.05; head -c 3 >/dev/null; echo 3", &long, "success: 3");
}

#[test]
fn output_over_the_limit_is_cut() {
    check(
        "echo flood >&2; yes",
        "1",
        "error: the program wrote more than 1048576 bytes to its standard output and was killed: flood",
    );
}

#[test]
fn output_that_is_no_json_is_an_error() {
    check(
        "echo '{\"a\":'",
        "1",
        "error: the program exited with 0, and its output is not JSON at line 1, column 5: eof error",
    );
    check(
        "true",
        "1",
        "error: the program exited with 0, and its output is empty; `null` is a result, nothing is not",
    );
}

#[test]
fn an_error_has_the_end_of_standard_error() {
    let (_folder, finished) = one("yes long | head -n 100000 >&2; echo last >&2; exit 4", "", "1");
    let gist = gist(finished.outcome("c"));
    assert!(gist.starts_with("error: the program exited with 4: "), "{gist}");
    assert!(gist.ends_with("long\nlast"), "{gist}");
    assert!(gist.len() < 2_200, "{} bytes", gist.len());
}

#[test]
fn a_program_that_died_by_a_signal_is_an_error_with_its_name() {
    check(
        "echo why >&2; kill -KILL $$",
        "1",
        "error: the program was killed by signal 9 (SIGKILL): why",
    );
}

#[test]
fn a_program_that_is_not_there_is_an_error_with_its_path() {
    let folder = Folder::new("[[function]]\nname = \"f\"\nexec = [\"/nowhere/program\"]\n");
    let finished = run(&folder.functions(), &call("c", "f", "1"));
    assert_eq!(
        gist(finished.outcome("c")),
        "error: cannot start `/nowhere/program`: No such file or directory (os error 2)"
    );
}

#[test]
fn many_programs_leak_neither_descriptors_nor_zombies() {
    let folder = Folder::new(&shell("f", "cat", "concurrency = 8"));
    let mut run = Run::start(&folder.functions(), &[]);
    let pid = run.pid();
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let children = || {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.unwrap_or_default().split_whitespace().count()
    };
    let round = |run: &mut Run, name: &str| {
        for n in 0..50 {
            run.send(&call(format!("{name}-{n}"), "f", "1"));
        }
        for _ in 0..50 {
            assert_eq!(gist(&run.next_outcome()), "success: 1");
        }
    };
    round(&mut run, "first");
    wait_until("every child is reaped", || children() == 0);
    let before = descriptors();
    round(&mut run, "second");
    wait_until("every child is reaped", || children() == 0);
    wait_until("no descriptor is left open", || descriptors() <= before);
    assert_eq!(run.finish().code, Some(0));
}
