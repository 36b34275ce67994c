//! What a node tells its host.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::breaker::BreakerState;
use crate::call::{CallState, DeadLetter, OutcomeKind, Payload, Record};
use crate::command::Ticket;
use crate::definition::{Definition, ParameterProblem};
use crate::name::{CallId, ConsumerId, Epoch, FunctionId, RunId};
use crate::op::{ConsumerRecord, ConsumerStatus};
use crate::transport::{Link, TransportError};

/// Why nobody serves a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MissingReason {
    /// The call stream does not exist: nobody ever served or called it, or it was deleted.
    NoStream,
    /// The stream exists without its group.
    NoGroup,
    /// No consumer is registered that still beats.
    NoLiveConsumer,
    /// Consumers are registered, and none of them reads.
    ConsumersNotReading,
}

impl fmt::Display for MissingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoStream => "its call stream does not exist; serve it first",
            Self::NoGroup => "its consumer group does not exist; recover or serve it",
            Self::NoLiveConsumer => "no live consumer is registered; start a worker that serves it",
            Self::ConsumersNotReading => {
                "consumers are registered but none reads; look at their status and last error"
            }
        })
    }
}

/// Why a request of the host was not answered as hoped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallError {
    /// A queue of this node is full. Nothing was submitted.
    #[error("busy: {queued} requests of this node wait already; try again later")]
    Busy {
        /// How many wait.
        queued: usize,
        /// The input, given back.
        input: Option<Payload>,
    },
    /// Too many calls of the function are open at the store. Nothing was submitted.
    #[error(
        "{function} has {open} open calls, the most it may have; add workers or try again later"
    )]
    FunctionFull {
        /// The function.
        function: FunctionId,
        /// How many are open.
        open: u64,
    },
    /// Nobody serves the function, and the call asked to fail fast. Nothing was submitted.
    #[error("nobody serves {function}: {reason}")]
    NoConsumer {
        /// The function.
        function: FunctionId,
        /// Why.
        reason: MissingReason,
    },
    /// The input does not fit the function's parameters. Nothing was submitted.
    #[error("the input does not fit {function}: {}", list(problems))]
    InvalidInput {
        /// The function.
        function: FunctionId,
        /// Each bad parameter.
        problems: Vec<ParameterProblem>,
    },
    /// The payload is over the limit. Nothing was submitted.
    #[error(
        "the payload is {bytes} bytes long, over the limit of {limit}; pass a reference instead"
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The circuit breaker is open. Nothing was submitted.
    #[error("the store is unavailable and the circuit breaker open; try again in {retry_after:?}")]
    Unavailable {
        /// When a trial will be let through.
        retry_after: Duration,
    },
    /// The store did not confirm in time. Submitting again with the same call id is harmless.
    #[error(
        "the store did not confirm call {call} in time; it may be open: submit again with the same id, or await it"
    )]
    Unconfirmed {
        /// The call.
        call: CallId,
    },
    /// The store could not be asked in time, and the call was not submitted.
    #[error("the store did not answer in time and the call was not submitted; try again later")]
    NotSubmitted,
    /// The store did not answer a question in time.
    #[error("the store did not answer in time; try again later")]
    NoAnswer,
    /// The awaiter's patience ended; the call goes on and can be awaited again.
    #[error("call {call} is not decided yet; await it again")]
    StillOpen {
        /// The call.
        call: CallId,
    },
    /// The call is neither open nor kept: its outcome was forgotten, or it was never submitted.
    #[error(
        "the outcome of call {call} is not kept any more (outcomes are kept for 5 min), or it was never submitted"
    )]
    OutcomeForgotten {
        /// The call.
        call: CallId,
    },
    /// The token is not valid: the call was taken over since, or is not deferred yet.
    #[error("the token of call {call} is not valid: the call is not deferred under it")]
    TokenNotValid {
        /// The call.
        call: CallId,
    },
    /// The call was decided before, otherwise.
    #[error("call {call} is decided already: {kind}")]
    AlreadyDecided {
        /// The call.
        call: CallId,
        /// How.
        kind: OutcomeKind,
    },
    /// There is no such dead letter.
    #[error("{function} has no such dead letter")]
    NoSuchLetter {
        /// The function.
        function: FunctionId,
    },
    /// The store refused, and sending it again would not help.
    #[error("the store refused: {0}")]
    Refused(TransportError),
    /// The node shuts down.
    #[error("this node shuts down; submit through another")]
    ShuttingDown,
}

fn list(problems: &[ParameterProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A good answer to a request of the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// The call is open. With an idempotency key, it may be an earlier one.
    Submitted(CallId),
    /// The call is decided.
    Outcome(Record),
    /// The publication or the acknowledgement took effect.
    Settled,
    /// Where the call stands.
    State(CallState),
    /// Who serves the function.
    Consumers(Vec<ConsumerRecord>),
    /// Why nobody serves the function, or nothing where somebody does.
    Missing(Option<MissingReason>),
    /// The function's definition.
    Definition(Option<Box<Definition>>),
    /// The definitions registered.
    Definitions(Vec<Definition>),
    /// Dead letters.
    Letters(Vec<DeadLetter>),
    /// What a recovery did.
    Recovered {
        /// Stream or group had to be created.
        created: bool,
        /// Entries taken over from dead consumers.
        taken_over: u32,
    },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitted(call) => write!(f, "submitted {call}"),
            Self::Outcome(record) => write!(f, "outcome: {record}"),
            Self::Settled => f.write_str("settled"),
            Self::State(state) => state.fmt(f),
            Self::Consumers(consumers) => write!(f, "{} consumers", consumers.len()),
            Self::Missing(Some(reason)) => write!(f, "missing: {reason:?}"),
            Self::Missing(None) => f.write_str("served"),
            Self::Definition(definition) => write!(f, "definition: {}", definition.is_some()),
            Self::Definitions(definitions) => write!(f, "{} definitions", definitions.len()),
            Self::Letters(letters) => write!(f, "{} letters", letters.len()),
            Self::Recovered { created, taken_over } => {
                write!(f, "recovered, created: {created}, {taken_over} taken over")
            }
        }
    }
}

/// Whether a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LinkState {
    /// Being opened.
    Connecting,
    /// Stands.
    Up,
    /// Waiting to be opened again.
    Waiting,
    /// Reported down after many attempts. It goes on probing.
    Down,
    /// Not needed.
    Closed,
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Waiting => "waiting",
            Self::Down => "down",
            Self::Closed => "closed",
        })
    }
}

/// Why a consumer stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopCause {
    /// Its own stop, or its host's end.
    Asked,
    /// A save: a newer incarnation of the same node serves.
    Saved,
    /// It was removed by another node; a new incarnation registers.
    Fenced,
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked",
            Self::Saved => "saved",
            Self::Fenced => "fenced",
        })
    }
}

/// What a node tells its host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The answer to a request; one for each ticket that was not abandoned.
    Answer {
        /// The ticket.
        ticket: Ticket,
        /// The answer.
        answer: Result<Answer, CallError>,
    },
    /// A consumer's status changed.
    Consumer {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its epoch, once it is registered.
        epoch: Option<Epoch>,
        /// Its status now.
        status: ConsumerStatus,
        /// Why it stopped, if it did.
        cause: Option<StopCause>,
    },
    /// A connection's state changed.
    Link {
        /// Which.
        link: Link,
        /// Its state now.
        state: LinkState,
    },
    /// The breaker's state changed.
    Breaker {
        /// From this.
        from: BreakerState,
        /// To this.
        to: BreakerState,
    },
    /// The store lives another life than before: it was restarted, or is another one.
    StoreRestarted {
        /// Its life now.
        run_id: RunId,
    },
    /// A dead consumer's calls were taken over.
    TakenOver {
        /// The function.
        function: FunctionId,
        /// The consumer that was removed.
        consumer: ConsumerId,
        /// How many calls.
        entries: u32,
    },
    /// A call's attempt ended and is settled at the store.
    Settled {
        /// The function.
        function: FunctionId,
        /// The call.
        call: CallId,
        /// The outcome that stands, or nothing where the call goes on (retried, deferred, released).
        outcome: Option<OutcomeKind>,
    },
    /// The node has ended.
    ShutDown,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { ticket, answer: Ok(answer) } => write!(f, "{ticket} {answer}"),
            Self::Answer { ticket, answer: Err(error) } => write!(f, "{ticket} refused: {error}"),
            Self::Consumer { consumer, epoch, status, cause, .. } => {
                write!(f, "consumer {consumer}")?;
                epoch.iter().try_for_each(|epoch| write!(f, " {epoch}"))?;
                write!(f, " is {status}")?;
                cause.iter().try_for_each(|cause| write!(f, " ({cause})"))
            }
            Self::Link { link, state } => write!(f, "link {link} is {state}"),
            Self::Breaker { from, to } => write!(f, "breaker {from} to {to}"),
            Self::StoreRestarted { run_id } => write!(f, "store restarted as {run_id}"),
            Self::TakenOver { consumer, entries, .. } => {
                write!(f, "{entries} calls taken over from {consumer}")
            }
            Self::Settled { call, outcome: Some(kind), .. } => write!(f, "{call} settled: {kind}"),
            Self::Settled { call, outcome: None, .. } => write!(f, "{call} moved on"),
            Self::ShutDown => f.write_str("shut down"),
        }
    }
}
