//! `steadfast run`: calls from standard input, outcomes to standard output.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use steadfast::{Caller, Config};
use steadfast_core::name::FunctionId;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};

use crate::advice::on_build_error;
use crate::args::{RedisChoices, RunArguments};
use crate::call_line::CallLine;
use crate::console::Console;
use crate::exit::Exit;
use crate::functions_file::{self, Functions};
use crate::hosting::{self, Hosting, NotServed};
use crate::line_reader::Line;
use crate::outcome_line::{Ended, render};
use crate::process_groups::ProcessGroups;
use crate::reload::{reload, retire_left};
use crate::roster::{Admission, Roster};
use crate::signals::{self, Asked};
use crate::standard_input::{self, Arrived, Place, Window};
use crate::standard_output::{self, Written};
use crate::store::{CONNECT_PATIENCE, Store};
use crate::tally::Tally;

/// What a line may hold beside its input, in bytes: names, ids, braces.
const ENVELOPE_BYTES: usize = 16 * 1_024;

/// How often a removed function is looked at, whether its last call is decided.
const RETIRE_INTERVAL: Duration = Duration::from_millis(50);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// Every call was decided.
    AllDecided,
    /// Some call was left undecided, or its outcome could not be written.
    Undecided,
    /// Nothing could be run: the file, the store's URL or standard input.
    Unusable,
    /// The store was not reached.
    Unavailable,
}

impl RunEnd {
    /// How the command ends with it.
    pub(crate) const fn exit(self) -> Exit {
        match self {
            Self::AllDecided => Exit::Success,
            Self::Undecided => Exit::Failure,
            Self::Unusable => Exit::Usage,
            Self::Unavailable => Exit::Unavailable,
        }
    }
}

/// What every line of a run shares.
struct Desk {
    /// The file, as it was named on the command line.
    file: String,
    caller: Caller,
    roster: Roster,
    tally: Tally,
    output: mpsc::Sender<Vec<u8>>,
    /// Turns true when nobody may wait for a call any more.
    gave_up: watch::Receiver<bool>,
    /// The usual deadline of a call.
    deadline: Duration,
    /// The longest line, in bytes.
    line_max_bytes: usize,
}

/// Runs until standard input has ended and every call is decided, or until it is told to end.
pub(crate) async fn run(arguments: &RunArguments) -> anyhow::Result<RunEnd> {
    let groups = ProcessGroups::default();
    let asked = signals::listen(groups.clone()).context("cannot listen for signals")?;
    let hang_ups = signals::hang_ups().context("cannot listen for SIGHUP")?;
    let tally = Tally::default();
    let console = Console::start(tally.clone());
    let functions = match functions_file::read(&arguments.functions) {
        Ok(functions) => functions,
        Err(bad) => {
            console.show(&bad.to_string());
            return Ok(RunEnd::Unusable);
        }
    };
    if arguments.redis.is_none() && arguments.choices != RedisChoices::default() {
        console.say("--layout, --durability and --prefix are for a Redis server; give --redis too");
        return Ok(RunEnd::Unusable);
    }
    let named = arguments.redis.as_ref().map(|url| Store::at(url, &arguments.choices));
    let store = match named.unwrap_or_else(|| Ok(Store::embedded())) {
        Ok(store) => store,
        Err(error) => {
            console.say(&error.to_string());
            return Ok(RunEnd::Unusable);
        }
    };
    let host = match store.host(CONNECT_PATIENCE).await {
        Ok(host) => host,
        Err(error) => {
            console.say(&on_build_error(&error, &store));
            return Ok(RunEnd::Unavailable);
        }
    };
    let hosting = Hosting::new(host, groups.clone());
    let listening = (asked, hang_ups);
    let parts = (hosting, functions, store.is_shared());
    let end = serve_and_call(arguments, parts, listening, tally, console).await;
    groups.kill_all();
    end
}

async fn serve_and_call(
    arguments: &RunArguments,
    (hosting, functions, is_shared): (Hosting, Functions, bool),
    (asked, hang_ups): (Asked, Signal),
    tally: Tally,
    console: Console,
) -> anyhow::Result<RunEnd> {
    let begun = Instant::now();
    let roster = Roster::default();
    match hosting.serve_all(functions.values(), &console).await {
        Ok(()) => {}
        Err(NotServed::Denied(why)) => {
            console.say(&why);
            return Ok(RunEnd::Unavailable);
        }
        Err(failed) => return Err(failed.into()),
    }
    for spec in functions.into_values() {
        roster.put(spec);
    }
    let config = Config::default();
    let line_max_bytes = config.payload_max_bytes + ENVELOPE_BYTES;
    let window = Window::new(arguments.in_flight);
    let lines = standard_input::start(window.clone(), line_max_bytes)
        .context("cannot start the thread that reads standard input")?;
    let (output, written) =
        standard_output::start().context("cannot start the thread that writes standard output")?;
    let (surrender, gave_up) = watch::channel(false);
    let desk = Desk {
        file: arguments.functions.display().to_string(),
        caller: hosting.caller(),
        roster,
        tally: tally.clone(),
        output,
        gave_up,
        deadline: config.deadline,
        line_max_bytes,
    };
    let mut session = Session {
        arguments,
        hosting: &hosting,
        console: &console,
        desk: Arc::new(desk),
        window,
        lines,
        asked,
        hang_ups,
        surrender,
        written,
        last_line: 0,
    };
    let stop = session.until_over().await;
    let written = session.close().await;
    // Calls of other processes may run here; those of this one are decided, or given up.
    let drains = is_shared && matches!(stop, Stop::EndOfInput);
    hosting.shut_down(if drains { arguments.drain } else { Duration::ZERO }).await;
    Ok(conclude(stop, written, &tally, &console, begun))
}

/// Why no more lines are read.
#[derive(Debug)]
enum Stop {
    /// Standard input has ended.
    EndOfInput,
    /// Standard input could not be read any further.
    Unreadable(io::Error),
    /// A signal asked for it; the number of the last line taken.
    Asked(&'static str, u64),
    /// Standard output was closed, or could not be written.
    NotWritten(io::Result<()>),
}

/// A run under way: what its loop listens to.
struct Session<'run> {
    arguments: &'run RunArguments,
    hosting: &'run Hosting,
    console: &'run Console,
    desk: Arc<Desk>,
    window: Window,
    lines: mpsc::Receiver<io::Result<Arrived>>,
    asked: Asked,
    hang_ups: Signal,
    surrender: watch::Sender<bool>,
    written: Written,
    last_line: u64,
}

impl Session<'_> {
    /// Reads until something ends it, then waits for the calls in flight.
    async fn until_over(&mut self) -> Stop {
        let stop = self.read_lines().await;
        self.lines.close();
        // What was read and not taken gives its place back.
        while self.lines.recv().await.is_some() {}
        let patience = match &stop {
            Stop::EndOfInput | Stop::Unreadable(_) => None,
            Stop::Asked(..) => Some(self.arguments.drain),
            Stop::NotWritten(_) => Some(Duration::ZERO),
        };
        self.wait_for_calls(stop, patience).await
    }

    async fn read_lines(&mut self) -> Stop {
        loop {
            tokio::select! {
                biased;
                asked = signals::name(&mut self.asked) => return Stop::Asked(asked, self.last_line),
                written = &mut self.written => return Stop::NotWritten(flatten(written)),
                Some(()) = self.hang_ups.recv() => tokio::select! {
                    // A save waits for the store, which may be away.
                    asked = signals::name(&mut self.asked) => {
                        return Stop::Asked(asked, self.last_line);
                    }
                    () = reload(
                        &self.arguments.functions,
                        self.hosting,
                        &self.desk.roster,
                        self.console,
                    ) => {}
                },
                () = leaving(&self.desk.roster) => self.retire_left().await,
                arrived = self.lines.recv() => match arrived {
                    Some(Ok(arrived)) => {
                        self.last_line = arrived.number;
                        self.desk.tally.read();
                        tokio::spawn(self.desk.clone().answer(arrived));
                    }
                    Some(Err(error)) => return Stop::Unreadable(error),
                    None => return Stop::EndOfInput,
                },
            }
        }
    }

    /// Waits until no call is open. A signal bounds the wait; saves go on meanwhile.
    async fn wait_for_calls(&mut self, mut stop: Stop, mut patience: Option<Duration>) -> Stop {
        let window = self.window.clone();
        let mut empty = std::pin::pin!(window.empty());
        let mut since = tokio::time::Instant::now();
        loop {
            let over = async {
                match patience {
                    Some(patience) => tokio::time::sleep_until(since + patience).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut empty => return stop,
                asked = signals::name(&mut self.asked), if patience.is_none() => {
                    since = tokio::time::Instant::now();
                    patience = Some(self.arguments.drain);
                    stop = Stop::Asked(asked, self.last_line);
                }
                () = over => {
                    self.surrender.send_replace(true);
                    empty.await;
                    return stop;
                }
                written = &mut self.written, if !matches!(stop, Stop::NotWritten(_)) => {
                    stop = Stop::NotWritten(flatten(written));
                    patience = Some(Duration::ZERO);
                }
                Some(()) = self.hang_ups.recv() => self.reload().await,
                () = leaving(&self.desk.roster) => self.retire_left().await,
            }
        }
    }

    /// Waits until every outcome is written, unless writing has ended before.
    async fn close(self) -> Option<io::Result<()>> {
        let Self { desk, written, .. } = self;
        drop(desk);
        if written.is_terminated() {
            return None;
        }
        Some(flatten(written.await))
    }

    async fn reload(&self) {
        let (path, roster) = (&self.arguments.functions, &self.desk.roster);
        reload(path, self.hosting, roster, self.console).await;
    }

    async fn retire_left(&self) {
        retire_left(self.hosting, &self.desk.roster).await;
    }
}

impl Desk {
    /// Sees one line through to its outcome. Its place in the window is held until then.
    async fn answer(self: Arc<Self>, arrived: Arrived) {
        let begun = Instant::now();
        let Arrived { number, line, place } = arrived;
        match self.read(line) {
            Ok((call, admission)) => {
                let mut gave_up = self.gave_up.clone();
                let deadline = admission.deadline;
                let mut ended = tokio::select! {
                    ended = hosting::call(&self.caller, &call, deadline) => ended,
                    _ = gave_up.wait_for(|gave_up| *gave_up) => {
                        Ended::undecided("the run ended before the call was decided")
                    }
                };
                ended.call = ended.call.or_else(|| call.id.clone());
                drop(admission);
                self.write(number, Some(&call.function), ended, begun, place).await;
            }
            Err((function, ended)) => {
                self.write(number, function.as_ref(), ended, begun, place).await;
            }
        }
    }

    /// The call of a line, admitted; or the refusal, with the function where the line names one.
    fn read(&self, line: Line) -> Result<(CallLine, Admission), (Option<FunctionId>, Ended)> {
        let text = match line {
            Line::Text(text) => text,
            Line::TooLong(bytes) => {
                let most = self.line_max_bytes;
                let message = format!("the line is {bytes} bytes long; at most {most} are read");
                return Err((None, Ended::refused("too_large", message)));
            }
        };
        let call = CallLine::parse(&text)
            .map_err(|message| (None, Ended::refused("malformed", message)))?;
        if let Some(admission) = self.roster.admit(&call.function, self.deadline) {
            return Ok((call, admission));
        }
        let function = call.function;
        let message = format!(
            "{} has no function `{}` in scope `{}`",
            self.file,
            function.name(),
            function.scope()
        );
        let mut ended = Ended::refused("unknown_function", message);
        ended.call = call.id;
        Err((Some(function), ended))
    }

    async fn write(
        &self,
        number: u64,
        function: Option<&FunctionId>,
        ended: Ended,
        begun: Instant,
        place: Place,
    ) {
        let text = render(number, function, &ended, begun.elapsed());
        self.tally.ended(ended.status);
        // Where nobody reads outcomes any more, the loop has heard of it.
        let _ = self.output.send(text).await;
        drop(place);
    }
}

/// Ready now and then while some function waits for its last call.
async fn leaving(roster: &Roster) {
    if !roster.has_leaving() {
        return std::future::pending().await;
    }
    tokio::time::sleep(RETIRE_INTERVAL).await;
}

/// A writer that vanished has written nothing more.
fn flatten(written: Result<io::Result<()>, oneshot::error::RecvError>) -> io::Result<()> {
    written.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
}

/// Says how the run ended. A reader of the outcomes that went away wanted no more, and hears nothing.
fn conclude(
    stop: Stop,
    written: Option<io::Result<()>>,
    tally: &Tally,
    console: &Console,
    begun: Instant,
) -> RunEnd {
    let (mut end, mut quiet) = (RunEnd::AllDecided, false);
    let written = match stop {
        Stop::EndOfInput => written,
        Stop::Unreadable(error) => {
            console.say(&format!("cannot read standard input: {error}"));
            end = RunEnd::Unusable;
            written
        }
        Stop::Asked(signal, line) => {
            console.say(&format!("{signal}: standard input was not read after line {line}"));
            written
        }
        Stop::NotWritten(error) => Some(error),
    };
    match written {
        Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => quiet = true,
        Some(Err(error)) => {
            console.say(&format!("cannot write outcomes to standard output: {error}"));
            end = RunEnd::Undecided;
        }
        Some(Ok(())) | None => {}
    }
    if !quiet {
        console.say(&format!("{tally} in {:.1} s", begun.elapsed().as_secs_f64()));
    }
    match end {
        RunEnd::AllDecided if tally.undecided() > 0 => RunEnd::Undecided,
        end => end,
    }
}
