//! Memory does not grow with the length of the input.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::binary::{Folder, Run, shell, wait_until};

/// The most memory that the process ever held, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn long_lines_wait_outside_while_calls_are_open() {
    let gate = "while [ ! -e go ]; do sleep 0.02; done; echo 1";
    let functions = shell("gate", gate, "concurrency = 1")
        + "[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n";
    let folder = Folder::new(&functions);
    let mut run = Run::start(&folder.functions(), &["--in-flight", "4"]);
    let (pid, mut stdin) = (run.pid(), run.take_input());
    // 200 MB in lines under the limit, and a line of 200 MB over it.
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let writer = std::thread::spawn(move || {
        let long = "x".repeat(1_000_000);
        for _ in 0..200 {
            writeln!(stdin, "{{\"function\":\"gate\",\"input\":\"{long}\"}}")?;
            counter.fetch_add(1, Ordering::Relaxed);
        }
        for _ in 0..200 {
            stdin.write_all(long.as_bytes())?;
        }
        writeln!(stdin)?;
        // The process lives as long as this is open.
        Ok::<_, std::io::Error>(stdin)
    });
    // Nothing is decided before the file is there: four lines are open, and the next ones wait.
    wait_until("the window is full", || taken.load(Ordering::Relaxed) >= 4);
    let waiting_kib = peak_kib(pid);
    assert!(taken.load(Ordering::Relaxed) <= 8, "standard input is read ahead of the window");
    std::fs::write(folder.path("go"), "").unwrap();
    let outcomes: Vec<_> = (0..201).map(|_| run.next_outcome()).collect();
    let decided_kib = peak_kib(pid);
    drop(writer.join().unwrap().unwrap());
    let finished = run.finish();
    assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
    let count =
        |status: &str| outcomes.iter().filter(|outcome| outcome["status"] == status).count();
    assert_eq!((count("success"), count("refused")), (200, 1));
    assert!(waiting_kib < 64 * 1_024, "{waiting_kib} KiB while 4 calls are open");
    assert!(decided_kib < 128 * 1_024, "{decided_kib} KiB in all");
}
