//! Runs the binary under test, and shows what it says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Nothing that a test waits for may take longer; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a functions file of a test's own.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(functions: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write(functions);
        folder
    }

    /// Replaces the functions file in one step, so that no reader sees half of it.
    pub(crate) fn write(&self, functions: &str) {
        let draft = self.path("draft.toml");
        std::fs::write(&draft, functions).unwrap();
        std::fs::rename(draft, self.functions()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn functions(&self) -> PathBuf {
        self.path("functions.toml")
    }
}

/// A function that runs a shell script; `more` is further lines of its table.
pub(crate) fn shell(name: &str, script: &str, more: &str) -> String {
    format!("[[function]]\nname = \"{name}\"\nexec = [\"sh\", \"-c\", '''{script}''']\n{more}\n")
}

/// A line that calls a function, with an id.
pub(crate) fn call(id: impl std::fmt::Display, function: &str, input: &str) -> String {
    format!("{{\"id\":\"{id}\",\"function\":\"{function}\",\"input\":{input}}}\n")
}

/// What a finished run left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) outcomes: Vec<Value>,
    pub(crate) messages: Vec<String>,
}

impl Finished {
    /// The outcome of the call with this id; there must be exactly one.
    pub(crate) fn outcome(&self, id: &str) -> &Value {
        let mut found = self.outcomes.iter().filter(|outcome| outcome["call_id"] == id);
        let outcome = found.next().unwrap_or_else(|| panic!("no outcome of {id}"));
        assert!(found.next().is_none(), "{id} has two outcomes");
        outcome
    }
}

/// Status, and result or error message, of an outcome: what most tests look at.
pub(crate) fn gist(outcome: &Value) -> String {
    let status = outcome["status"].as_str().unwrap_or("no status");
    match outcome["error"]["message"].as_str() {
        Some(message) => format!("{status}: {message}"),
        None => format!("{status}: {}", outcome["result"]),
    }
}

/// A run under way.
pub(crate) struct Run {
    child: Child,
    stdin: Option<ChildStdin>,
    outcomes: mpsc::Receiver<Value>,
    messages: mpsc::Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    seen: Vec<Value>,
    heard: Vec<String>,
}

/// The binary under test, with nothing in its environment that names a store.
pub(crate) fn steadfast() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    for (name, _) in std::env::vars_os() {
        let named = name.to_string_lossy();
        if named.starts_with("STEADFAST_") || named.starts_with("QUEUE_BULL_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end, with these lines on standard input.
pub(crate) fn run(functions: &Path, lines: &str) -> Finished {
    let mut run = Run::start(functions, &[]);
    let mut stdin = run.stdin.take().unwrap();
    let lines = lines.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let finished = run.finish();
    let _ = writer.join().unwrap();
    finished
}

impl Run {
    pub(crate) fn start(functions: &Path, options: &[&str]) -> Self {
        Self::spawn(steadfast().arg("run").args(options).arg(functions))
    }

    /// Serves, and returns once every function is active.
    pub(crate) fn serve(functions: &Path, options: &[&str]) -> Self {
        let mut run = Self::serve_unready(functions, options);
        run.hear("ready: ");
        run
    }

    /// Serves, whether any function becomes active or not.
    pub(crate) fn serve_unready(functions: &Path, options: &[&str]) -> Self {
        Self::spawn(steadfast().arg("serve").args(options).arg(functions))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (outcome, outcomes) = mpsc::channel();
        let (message, messages) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let readers = vec![
            std::thread::spawn(move || {
                for line in stdout.lines() {
                    let _ = outcome.send(serde_json::from_str(&line.unwrap()).unwrap());
                }
            }),
            std::thread::spawn(move || {
                for line in stderr.lines() {
                    let _ = message.send(line.unwrap());
                }
            }),
        ];
        Self {
            stdin: child.stdin.take(),
            child,
            outcomes,
            messages,
            readers,
            seen: Vec::new(),
            heard: Vec::new(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn send(&mut self, lines: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(lines.as_bytes()).unwrap();
    }

    pub(crate) fn take_input(&mut self) -> ChildStdin {
        self.stdin.take().expect("standard input is open")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// Waits for the next outcome.
    pub(crate) fn next_outcome(&mut self) -> Value {
        let outcome = self.outcomes.recv_timeout(PATIENCE).expect("one more outcome");
        self.seen.push(outcome.clone());
        outcome
    }

    /// Waits until standard error says something that holds `part`.
    pub(crate) fn hear(&mut self, part: &str) {
        loop {
            let heard = self.messages.recv_timeout(PATIENCE);
            let line = heard.unwrap_or_else(|_| panic!("never heard {part:?}: {:?}", self.heard));
            let found = line.contains(part);
            self.heard.push(line);
            if found {
                return;
            }
        }
    }

    /// Waits for the end; standard input is closed.
    pub(crate) fn finish(mut self) -> Finished {
        drop(self.stdin.take());
        self.end()
    }

    /// Waits for the end; standard input stays open.
    pub(crate) fn end(mut self) -> Finished {
        // Both pipes end with the process; it is awaited after they were read.
        loop {
            match self.outcomes.recv_timeout(PATIENCE) {
                Ok(outcome) => self.seen.push(outcome),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!(
                        "no end in sight; seen {} outcomes, heard {:?}",
                        self.seen.len(),
                        self.heard
                    )
                }
            }
        }
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        self.heard.extend(self.messages.try_iter());
        Finished {
            code: self.child.wait().unwrap().code(),
            outcomes: std::mem::take(&mut self.seen),
            messages: std::mem::take(&mut self.heard),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
