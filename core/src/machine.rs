//! The two verbs of every machine, and the words that cross its edge.
//!
//! A machine is mutated by one input, then drained with [`Machine::poll`] until [`Output::Wait`], then
//! mutated again. It has no clock, no randomness but its seed, and does no I/O: a driver performs its
//! effects and hands the results back as inputs. The three drivers (tokio host, simulator, turmoil) have
//! no branch on domain state.

use std::fmt;
use std::hash::Hasher;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, AttemptEnd, AttemptId, Interruption};
use crate::command::Command;
use crate::event::Event;
use crate::name::SessionId;
use crate::op::{Lane, Op, OpResult};
use crate::pending::Pending;
use crate::time::{StoreTime, Time};
use crate::timer::Timer;
use crate::transport::{Connected, Interest, Link, TransportError, Wake};

/// A sans-IO state machine: the production `Node`, or a museum exhibit.
pub trait Machine: Clone {
    /// Takes one input. Total: any input in any state; what has no meaning is ignored and counted.
    fn handle(&mut self, now: Time, input: Input);

    /// The next output; to be called after each [`Machine::handle`] until it answers [`Output::Wait`].
    fn poll(&mut self) -> Output;

    /// Each open matter: what it waits for, and since when.
    fn pending(&self) -> Vec<Pending>;

    /// Feeds the state into a hasher for the explorer: times relative to `now`, metrics left out, so
    /// that two states that behave alike hash alike.
    fn fingerprint(&self, now: Time, into: &mut dyn Hasher);
}

/// A store as a pure state machine: the reference store, or a store exhibit.
pub trait StoreMachine: Clone {
    /// Opens a session.
    fn connect(&mut self, now: StoreTime) -> Connected;

    /// Ends a session and its watch. Unknown sessions are ignored.
    fn disconnect(&mut self, now: StoreTime, session: SessionId);

    /// Applies one operation.
    fn apply(&mut self, now: StoreTime, session: SessionId, op: &Op) -> OpResult;

    /// Starts a blocking read. It is answered at once where something is there; otherwise nothing is
    /// returned, the session is blocked, and [`StoreMachine::poll_wake`] answers once something comes.
    fn watch(
        &mut self,
        now: StoreTime,
        session: SessionId,
        interest: &Interest,
    ) -> Option<Result<Wake, TransportError>>;

    /// Ends a session's watch without an answer: its block time is over, or it was aborted.
    fn unwatch(&mut self, session: SessionId);

    /// The next blocked session that has something, in the order in which they blocked. To be called
    /// after each [`StoreMachine::apply`] until it answers nothing.
    fn poll_wake(&mut self) -> Option<(SessionId, Result<Wake, TransportError>)>;
}

/// Names one effect of one machine, so that its result finds home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub u64);

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What a machine is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a machine is total: it handles every input")]
pub enum Input {
    /// Time passed.
    Tick,
    /// The host wants something.
    Command(Command),
    /// An effect ended. An unknown, late or repeated id is ignored and counted.
    Done {
        /// Which effect.
        id: EffectId,
        /// How it ended.
        done: Done,
    },
    /// Several that came at the same time, in their order: what follows from them leaves together, once all
    /// of them are handled.
    Several(Vec<Input>),
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a machine handles every end of an effect")]
pub enum Done {
    /// [`Effect::Connect`].
    Connected(Result<Connected, TransportError>),
    /// [`Effect::Execute`].
    Executed(Result<Vec<OpResult>, TransportError>),
    /// [`Effect::Watch`].
    Watched(Result<Wake, TransportError>),
    /// [`Effect::Run`].
    Ran(AttemptEnd),
}

/// What a machine says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver handles every one; a new one must not compile until it does"
)]
pub enum Output {
    /// Do this.
    Effect {
        /// The effect's name, for its [`Input::Done`].
        id: EffectId,
        /// What to do.
        effect: Effect,
    },
    /// Know this. What a caller is told has been persisted first.
    Event(Event),
    /// Nothing more until an input, or until the time named.
    Wait {
        /// When to send [`Input::Tick`], if no other input comes first.
        until: Option<Time>,
        /// What that time is for.
        reason: Reason,
    },
}

/// Why a machine waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// No timer is armed: only an input can wake it.
    Idle,
    /// The next timer.
    Timer(Timer),
    /// It was shut down; no input has an effect any more.
    Ended,
}

/// What a driver is to do. `Connect`, `Execute`, `Watch` and `Run` end with an [`Input::Done`]; the
/// others have no answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver handles every one; a new one must not compile until it does"
)]
pub enum Effect {
    /// Open a connection. One that is established after the machine gave it up is answered by a
    /// `Close`.
    Connect(Link),
    /// Close a connection; whatever is under way on it ends.
    Close(SessionId),
    /// Send a batch.
    Execute {
        /// On this connection.
        session: SessionId,
        /// From this lane.
        lane: Lane,
        /// The operations.
        ops: Vec<Op>,
    },
    /// Wait on a connection of its own.
    Watch {
        /// On this connection.
        session: SessionId,
        /// For this.
        interest: Interest,
        /// For at most so long.
        block: Duration,
    },
    /// End a connection's watch early; the watch still answers.
    Abort(SessionId),
    /// Run a handler.
    Run(Attempt),
    /// Tell a running handler to end, and drop it if it does not. It still answers.
    Interrupt {
        /// Which attempt.
        attempt: AttemptId,
        /// Why.
        why: Interruption,
    },
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick => f.write_str("tick"),
            Self::Command(command) => write!(f, "command: {command}"),
            Self::Done { id, done } => write!(f, "{id} done: {done}"),
            Self::Several(inputs) => {
                for (place, input) in inputs.iter().enumerate() {
                    write!(f, "{}{input}", if place == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(Ok(connected)) => {
                write!(f, "connected as {} to {}", connected.session, connected.run_id)
            }
            Self::Executed(Ok(results)) => {
                results.iter().enumerate().try_for_each(|(index, result)| {
                    f.write_str(if index == 0 { "" } else { "; " })?;
                    match result {
                        Ok(reply) => reply.fmt(f),
                        Err(error) => write!(f, "error: {error}"),
                    }
                })
            }
            Self::Watched(Ok(wake)) => wake.fmt(f),
            Self::Ran(end) => end.fmt(f),
            Self::Connected(Err(error))
            | Self::Executed(Err(error))
            | Self::Watched(Err(error)) => write!(f, "failed: {error}"),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effect { id, effect } => write!(f, "{id} {effect}"),
            Self::Event(event) => write!(f, "event: {event}"),
            Self::Wait { until: Some(until), reason } => {
                write!(f, "wait until {until} for {reason}")
            }
            Self::Wait { until: None, reason } => write!(f, "wait: {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("idle"),
            Self::Timer(timer) => timer.fmt(f),
            Self::Ended => f.write_str("ended"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(link) => write!(f, "connect {link}"),
            Self::Close(session) => write!(f, "close {session}"),
            Self::Execute { session, lane, ops } => {
                write!(f, "execute on {session} ({lane}):")?;
                ops.iter().try_for_each(|op| write!(f, " [{op}]"))
            }
            Self::Watch { session, interest, block } => {
                write!(f, "watch on {session} for {interest}, {block:?}")
            }
            Self::Abort(session) => write!(f, "abort the watch on {session}"),
            Self::Run(attempt) => write!(f, "run {attempt}"),
            Self::Interrupt { attempt, why } => write!(f, "interrupt {attempt}: {why}"),
        }
    }
}
