//! What a host asks of its node.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::CallBackoff;
use crate::call::{Payload, Token};
use crate::definition::Definition;
use crate::name::{CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey};

/// Names one request of the host; the answer carries it. The host never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// How one function is run by this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct FunctionOptions {
    /// Handlers that run at once, at least 1.
    pub concurrency: u32,
    /// Calls fetched beyond the free slots.
    pub prefetch: u32,
    /// The processing timeout of one attempt.
    pub timeout: Duration,
    /// Attempts per call, at least 1.
    pub attempts_max: u32,
    /// Waiting time between attempts.
    pub backoff: CallBackoff,
    /// How long a save gives what the old incarnation runs.
    pub drain: Duration,
}

impl Default for FunctionOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            prefetch: 64,
            timeout: Duration::from_secs(30),
            attempts_max: 3,
            backoff: CallBackoff::default(),
            drain: Duration::from_secs(30),
        }
    }
}

/// What becomes of the call when an awaiter's patience ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnTimeout {
    /// The wait is abandoned, and the call goes on.
    #[default]
    Abandon,
    /// The call is cancelled; the answer is the outcome that stands then.
    Cancel,
}

/// What a submission does where nobody serves the function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoConsumer {
    /// It is submitted, and waits for a consumer until its deadline.
    #[default]
    Wait,
    /// It is refused, with the reason why nobody serves.
    FailFast,
}

/// A call to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// The function.
    pub function: FunctionId,
    /// The call's id, or nothing to have one drawn.
    pub call: Option<CallId>,
    /// The input.
    pub input: Payload,
    /// The deadline, or the configured one.
    pub deadline: Option<Duration>,
    /// How long to wait for the outcome, or until the deadline.
    pub timeout: Option<Duration>,
    /// What becomes of the call then.
    pub on_timeout: OnTimeout,
    /// Not to be delivered before this has passed.
    pub delay: Duration,
    /// Joins this call to an earlier one with the same key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
    /// Whether the outcome is written to a stream of the call's own too (`function_results:CALLID`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result_stream: bool,
    /// What to do where nobody serves.
    pub no_consumer: NoConsumer,
}

impl Request {
    /// A call of `function` with every option at its default.
    pub fn new(function: FunctionId, input: Payload) -> Self {
        Self {
            function,
            call: None,
            input,
            deadline: None,
            timeout: None,
            on_timeout: OnTimeout::Abandon,
            delay: Duration::ZERO,
            idempotency_key: None,
            traceparent: None,
            result_stream: false,
            no_consumer: NoConsumer::Wait,
        }
    }
}

/// What the holder of a token wants of its call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a simulated world knows what every one offers")]
pub enum Publication {
    /// Decide it: success.
    Complete(Payload),
    /// Decide it: error.
    Fail(Arc<str>),
    /// Keep it deferred for so long from now.
    Touch(Duration),
}

/// A question about the state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Query {
    /// Where a call stands.
    Inspect {
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
    },
    /// Who serves a function.
    ActiveConsumers(FunctionId),
    /// Why a function is not served, if it is not.
    DetectMissingConsumer(FunctionId),
    /// A function's definition.
    Describe(FunctionId),
    /// The functions registered in a scope, or in all.
    Discover(Option<Arc<str>>),
    /// A page of dead letters.
    DeadLetters {
        /// The function.
        function: FunctionId,
        /// Only those after this entry.
        after: EntryId,
        /// At most so many.
        count: u32,
    },
}

/// What an operator does to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerCommand {
    /// Open until forced otherwise or reset.
    ForceOpen,
    /// Closed until forced otherwise or reset.
    ForceClosed,
    /// Closed, with nothing remembered.
    Reset,
}

/// What a host asks of its node. Those with a ticket are answered by one
/// [`Event::Answer`](crate::event::Event::Answer).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// Serve a function. Where it is served already, this is a save: a new incarnation starts at once,
    /// and the old one stops with its drain time.
    Serve {
        /// What the function is.
        definition: Box<Definition>,
        /// How it is run.
        options: FunctionOptions,
    },
    /// Serve a function no longer: stops whatever incarnation there is.
    Retire {
        /// The function.
        function: FunctionId,
        /// How long what runs may go on.
        drain: Duration,
    },
    /// Stop one incarnation. Late, duplicated or foreign, it does nothing (P3).
    Stop {
        /// Which consumer.
        consumer: ConsumerId,
        /// Its epoch.
        epoch: Epoch,
        /// How long what runs may go on.
        drain: Duration,
    },
    /// Submit a call, and answer once it is accepted.
    Submit {
        /// The ticket.
        ticket: Ticket,
        /// The call.
        request: Box<Request>,
    },
    /// Submit a call, and answer with its outcome.
    Call {
        /// The ticket.
        ticket: Ticket,
        /// The call.
        request: Box<Request>,
    },
    /// Answer with the outcome of a call that anybody submitted.
    Await {
        /// The ticket.
        ticket: Ticket,
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
        /// How long to wait, or without end.
        timeout: Option<Duration>,
        /// What becomes of the call then.
        on_timeout: OnTimeout,
    },
    /// Forget a ticket: nobody waits for its answer any more. The call goes on.
    Abandon {
        /// The ticket.
        ticket: Ticket,
    },
    /// Cancel a call, and answer with the outcome that stands then.
    Cancel {
        /// The ticket.
        ticket: Ticket,
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
    },
    /// Complete, fail or touch a deferred call by its token (`publish_response`).
    Publish {
        /// The ticket.
        ticket: Ticket,
        /// The token.
        token: Token,
        /// What to do.
        publication: Publication,
    },
    /// Settle what a decided call may have left behind (`acknowledge_call`).
    Acknowledge {
        /// The ticket.
        ticket: Ticket,
        /// The function called.
        function: FunctionId,
        /// The call.
        call: CallId,
    },
    /// Re-create a function's stream, group and registrations, and take over what is orphaned
    /// (`attempt_function_recovery`). It never adds a call.
    Recover {
        /// The ticket.
        ticket: Ticket,
        /// The function.
        function: FunctionId,
    },
    /// Make a new call of a dead letter.
    Requeue {
        /// The ticket.
        ticket: Ticket,
        /// The function.
        function: FunctionId,
        /// The dead letter.
        letter: EntryId,
    },
    /// Answer a question.
    Query {
        /// The ticket.
        ticket: Ticket,
        /// The question.
        query: Query,
    },
    /// Operate the breaker.
    Breaker(BreakerCommand),
    /// End: stop every consumer, settle what is held, refuse what is new, close every connection.
    Shutdown {
        /// How long what runs may go on.
        drain: Duration,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve { definition, .. } => write!(f, "serve {}", definition.function),
            Self::Retire { function, drain } => write!(f, "retire {function} within {drain:?}"),
            Self::Stop { consumer, epoch, drain } => {
                write!(f, "stop {consumer} {epoch} within {drain:?}")
            }
            Self::Submit { ticket, request } => write!(f, "{ticket} submit {}", request.function),
            Self::Call { ticket, request } => {
                write!(f, "{ticket} call {}", request.function)?;
                request.call.iter().try_for_each(|call| write!(f, " {call}"))
            }
            Self::Await { ticket, function, call, .. } => {
                write!(f, "{ticket} await {function} {call}")
            }
            Self::Abandon { ticket } => write!(f, "{ticket} abandon"),
            Self::Cancel { ticket, call, .. } => write!(f, "{ticket} cancel {call}"),
            Self::Publish { ticket, token, publication } => {
                let verb = match publication {
                    Publication::Complete(_) => "complete",
                    Publication::Fail(_) => "fail",
                    Publication::Touch(_) => "touch",
                };
                write!(f, "{ticket} {verb} by {token}")
            }
            Self::Acknowledge { ticket, call, .. } => write!(f, "{ticket} acknowledge {call}"),
            Self::Recover { ticket, function } => write!(f, "{ticket} recover {function}"),
            Self::Requeue { ticket, letter, .. } => write!(f, "{ticket} requeue {letter}"),
            Self::Query { ticket, query } => match query {
                Query::Inspect { call, .. } => write!(f, "{ticket} inspect {call}"),
                Query::ActiveConsumers(function) => write!(f, "{ticket} consumers of {function}"),
                Query::DetectMissingConsumer(function) => {
                    write!(f, "{ticket} missing consumer of {function}")
                }
                Query::Describe(function) => write!(f, "{ticket} describe {function}"),
                Query::Discover(scope) => {
                    write!(f, "{ticket} discover {}", scope.as_deref().unwrap_or("every scope"))
                }
                Query::DeadLetters { function, .. } => {
                    write!(f, "{ticket} dead letters of {function}")
                }
            },
            Self::Breaker(command) => write!(f, "breaker {command:?}"),
            Self::Shutdown { drain } => write!(f, "shut down within {drain:?}"),
        }
    }
}
