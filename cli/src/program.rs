//! One program per attempt: input on its standard input, result on its standard output, and nothing of
//! it left behind.
//!
//! Each program leads a process group of its own. The group is killed when the program ends, when its
//! output is over the limit, and when the attempt's future is dropped: that is how the host interrupts an
//! attempt. A process that leaves the group on purpose (`setsid`) is not followed.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use steadfast_core::call::Payload;
use steadfast_core::name::{CallId, FunctionId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::fault::Fault;
use crate::process_groups::{ProcessGroup, ProcessGroups};

/// The exit status with which a program asks for another attempt: `EX_TEMPFAIL` of sysexits.
const EXIT_RETRY: i32 = 75;

/// So much of the end of a program's standard error is kept, in bytes.
const STDERR_TAIL_BYTES: usize = 2 * 1_024;

/// Pipes that a process outside the group still holds are given up so long after the program's end.
const ESCAPED_GRACE: Duration = Duration::from_millis(500);

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Absolute, or a bare name to look up in `PATH`.
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Where it starts: absolute.
    pub(crate) folder: PathBuf,
}

/// What a program is told of its attempt, beside the input.
#[derive(Clone, Debug)]
pub(crate) struct AttemptFacts {
    pub(crate) call: CallId,
    pub(crate) function: FunctionId,
    /// Which attempt of the call this is, from 1.
    pub(crate) attempt: u32,
    /// Time until it is interrupted.
    pub(crate) left: Duration,
}

/// Where programs run: what they share, and how much they may write.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    pub(crate) groups: ProcessGroups,
    /// The longest standard output, in bytes.
    pub(crate) output_max_bytes: usize,
}

/// A started program. Dropped, it kills the group and leaves a task behind that reaps the program.
struct Running {
    child: Option<Child>,
    group: ProcessGroup,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        self.group.kill();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { child.wait().await });
        }
    }
}

/// What a program wrote and how it ended.
struct Ending {
    status: io::Result<ExitStatus>,
    stdout: Captured,
    stderr: Tail,
}

impl Program {
    /// Runs one attempt. Dropping the future kills the program and its group.
    pub(crate) async fn run(
        &self,
        workshop: &Workshop,
        facts: &AttemptFacts,
        input: &Payload,
    ) -> Result<Payload, Fault> {
        let mut child = self.command(facts).spawn().map_err(|error| self.not_started(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let running = Running {
            group: workshop
                .groups
                .enter(child.id().expect("a child has an id until it is awaited")),
            child: Some(child),
        };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            unreachable!("every pipe was asked for")
        };
        let limit = workshop.output_max_bytes;
        judge(finish(running, stdin, stdout, stderr, input, limit).await, limit)
    }

    fn command(&self, facts: &AttemptFacts) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env("STEADFAST_CALL_ID", facts.call.as_str())
            .env("STEADFAST_FUNCTION", facts.function.name())
            .env("STEADFAST_SCOPE", facts.function.scope())
            .env("STEADFAST_ATTEMPT", facts.attempt.to_string())
            .env("STEADFAST_DEADLINE_MS", facts.left.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    /// A machine that is short of something now may not be later; a program that is not there stays away.
    fn not_started(&self, error: &io::Error) -> Fault {
        use nix::errno::Errno;
        let message = format!("cannot start `{}`: {error}", self.path.display());
        match error.raw_os_error().map(Errno::from_raw) {
            Some(
                Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE | Errno::ETXTBSY,
            ) => Fault::Retry(message),
            _ => Fault::Final(message),
        }
    }
}

/// Feeds the program and takes what it writes until it has ended.
async fn finish(
    mut running: Running,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    input: &Payload,
    limit: usize,
) -> Ending {
    let (mut captured, mut tail) = (Captured::default(), Tail::default());
    let child = running.child.as_mut().expect("held until it has ended");
    let group = &running.group;
    let mut pipes = Box::pin(async {
        tokio::join!(
            feed(stdin, input.as_str()),
            captured.fill(stdout, limit, group),
            tail.fill(stderr),
        )
    });
    let mut pipes_open = true;
    let status = loop {
        tokio::select! {
            _ = &mut pipes, if pipes_open => pipes_open = false,
            status = child.wait() => break status,
        }
    };
    // No await stands between the end of the leader and this: its number still is the group's.
    group.kill();
    if pipes_open {
        let _ = tokio::time::timeout(ESCAPED_GRACE, &mut pipes).await;
    }
    drop(pipes);
    if status.is_ok() {
        running.child = None;
    }
    Ending { status, stdout: captured, stderr: tail }
}

/// Writes the input. A program that reads none of it, or not all, has its reasons.
async fn feed(mut stdin: ChildStdin, input: &str) {
    if stdin.write_all(input.as_bytes()).await.is_ok() {
        let _ = stdin.write_all(b"\n").await;
    }
}

/// Standard output, up to a limit.
#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    over: bool,
}

impl Captured {
    /// Reads to the end. Over the limit, the group is killed: nobody wants the rest.
    async fn fill(&mut self, mut stdout: ChildStdout, limit: usize, group: &ProcessGroup) {
        let mut chunk = vec![0; 16 * 1_024];
        while let Ok(read @ 1..) = stdout.read(&mut chunk).await {
            if self.bytes.len() + read > limit {
                self.over = true;
                self.bytes = Vec::new();
                group.kill();
                return;
            }
            self.bytes.extend_from_slice(&chunk[..read]);
        }
    }
}

/// The end of standard error.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    async fn fill(&mut self, mut stderr: ChildStderr) {
        let mut chunk = [0; STDERR_TAIL_BYTES];
        while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
            self.push(&chunk[..read]);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(STDERR_TAIL_BYTES);
        self.0.drain(..excess);
    }

    /// As text, after a colon, or nothing. A character that was cut in half is left out.
    fn clause(&self) -> String {
        let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let cut = if self.0.len() == STDERR_TAIL_BYTES {
            self.0.iter().take(3).take_while(is_continuation).count()
        } else {
            0
        };
        let text = String::from_utf8_lossy(&self.0[cut..]);
        match text.trim() {
            "" => String::new(),
            text => format!(": {text}"),
        }
    }
}

/// What a program's ending means for its attempt.
fn judge(ending: Ending, limit: usize) -> Result<Payload, Fault> {
    use std::os::unix::process::ExitStatusExt as _;
    let Ending { status, stdout, stderr } = ending;
    let why = stderr.clause();
    if stdout.over {
        return Err(Fault::Final(format!(
            "the program wrote more than {limit} bytes to its standard output and was killed{why}"
        )));
    }
    let status = status
        .map_err(|error| Fault::Retry(format!("cannot learn how the program ended: {error}")))?;
    match (status.code(), status.signal()) {
        (Some(0), _) => result(&stdout.bytes).map_err(|problem| {
            Fault::Final(format!("the program exited with 0, and its output is {problem}{why}"))
        }),
        (Some(EXIT_RETRY), _) => {
            Err(Fault::Retry(format!("the program exited with {EXIT_RETRY}{why}")))
        }
        (Some(code), _) => Err(Fault::Final(format!("the program exited with {code}{why}"))),
        (None, signal) => {
            let number = signal.unwrap_or_default();
            let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
            Err(Fault::Final(format!("the program was killed by signal {number} ({name}){why}")))
        }
    }
}

fn result(stdout: &[u8]) -> Result<Payload, String> {
    let text = std::str::from_utf8(stdout)
        .map_err(|error| format!("not UTF-8 after {} bytes", error.valid_up_to()))?;
    match text.trim() {
        "" => Err("empty; `null` is a result, nothing is not".into()),
        text => Payload::parse(text).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program {
            path: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            folder: "/".into(),
        }
    }

    fn workshop() -> Workshop {
        Workshop { groups: ProcessGroups::default(), output_max_bytes: 64 * 1_024 }
    }

    fn facts() -> AttemptFacts {
        AttemptFacts {
            call: CallId::new("c1").unwrap(),
            function: FunctionId::new("f", "s").unwrap(),
            attempt: 2,
            left: Duration::from_millis(1_500),
        }
    }

    async fn run(script: &str, input: &str) -> String {
        let input = Payload::parse(input).unwrap();
        let workshop = workshop();
        let ended = shell(script).run(&workshop, &facts(), &input).await;
        assert_eq!(workshop.groups.len(), 0, "a group is left behind");
        match ended {
            Ok(result) => format!("ok {}", result.as_str()),
            Err(Fault::Final(message)) => format!("final {message}"),
            Err(Fault::Retry(message)) => format!("retry {message}"),
        }
    }

    async fn check(script: &str, input: &str, expect: &str) {
        assert_eq!(run(script, input).await, expect, "{script}");
    }

    #[tokio::test]
    async fn how_a_program_ends_decides_its_attempt() {
        check("cat", r#"{"n":1}"#, r#"ok {"n":1}"#).await;
        check("echo '  null  '", "1", "ok null").await;
        check("echo oops >&2; exit 75", "1", "retry the program exited with 75: oops").await;
        check("echo oops >&2; exit 3", "1", "final the program exited with 3: oops").await;
        check("exit 1", "1", "final the program exited with 1").await;
        check("kill -SEGV $$", "1", "final the program was killed by signal 11 (SIGSEGV)").await;
        check(
            "echo '{'",
            "1",
            "final the program exited with 0, and its output is not JSON at line 1, column 1: \
             eof error",
        )
        .await;
        check(
            "printf '\\377'",
            "1",
            "final the program exited with 0, and its output is not UTF-8 after 0 bytes",
        )
        .await;
        check(
            "true",
            "1",
            "final the program exited with 0, and its output is empty; `null` is a result, nothing \
             is not",
        )
        .await;
    }

    #[tokio::test]
    async fn a_program_is_told_its_attempt() {
        check(
            r#"echo "[\"$STEADFAST_CALL_ID\",\"$STEADFAST_FUNCTION\",\"$STEADFAST_SCOPE\",$STEADFAST_ATTEMPT,$STEADFAST_DEADLINE_MS]""#,
            "1",
            r#"ok ["c1","f","s",2,1500]"#,
        )
        .await;
    }

    #[tokio::test]
    async fn a_program_need_not_read_its_input() {
        let long = format!("\"{}\"", "x".repeat(300_000));
        check("exec 0<&-; echo 1", &long, "ok 1").await;
        check("echo 2", &long, "ok 2").await;
    }

    #[tokio::test]
    async fn endless_output_is_cut_and_its_writer_killed() {
        check(
            "echo why >&2; yes",
            "1",
            "final the program wrote more than 65536 bytes to its standard output and was killed: why",
        )
        .await;
    }

    #[tokio::test]
    async fn what_a_program_leaves_running_does_not_hold_its_result() {
        check("sleep 1000 & echo 3", "1", "ok 3").await;
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_final_error() {
        let program =
            Program { path: "/nowhere/x".into(), arguments: Vec::new(), folder: "/".into() };
        let ended = program.run(&workshop(), &facts(), &Payload::null()).await;
        let message = "cannot start `/nowhere/x`: No such file or directory (os error 2)";
        assert_eq!(ended, Err(Fault::Final(message.into())));
    }

    #[tokio::test]
    async fn a_dropped_attempt_kills_and_reaps_its_program() {
        let workshop = workshop();
        let program = shell("sleep 1000 & sleep 1000");
        let (facts, input) = (facts(), Payload::null());
        {
            let running = program.run(&workshop, &facts, &input);
            tokio::pin!(running);
            let _ = tokio::time::timeout(Duration::from_millis(50), &mut running).await;
            assert_eq!(workshop.groups.len(), 1);
        }
        assert_eq!(workshop.groups.len(), 0);
    }

    #[test]
    fn the_tail_of_standard_error_is_cut_at_a_character() {
        let mut tail = Tail::default();
        tail.push(format!("x{}y", "é".repeat(STDERR_TAIL_BYTES)).as_bytes());
        let clause = tail.clause();
        assert!(clause.starts_with(": é") && clause.ends_with("éy"));
        assert!(!clause.contains('\u{fffd}'));
        assert_eq!(Tail::default().clause(), "");
    }
}
