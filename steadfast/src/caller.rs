//! Makes calls, and asks about them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::call::{CallState, DeadLetter, Payload, Record, Token};
use steadfast_core::command::{Command, OnTimeout, Publication, Query, Ticket};
use steadfast_core::definition::Definition;
use steadfast_core::entropy::{Entropy, Stream};
use steadfast_core::event::{Answer, CallError, MissingReason};
use steadfast_core::name::{CallId, EntryId, FunctionId, NodeId};
use steadfast_core::op::ConsumerRecord;
use tokio::sync::oneshot;

use crate::error::{CallFailed, InputNotJson};
use crate::inbox::{Message, NotSent, Outlet};
use crate::json;
use crate::request::RequestBuilder;

/// What [`Caller::attempt_function_recovery`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The stream or its group were missing and were created.
    pub created: bool,
    /// Calls taken over from dead consumers.
    pub taken_over: u32,
}

/// Makes calls through a host, and asks about them. Cheap to clone.
///
/// A request that finds the node's queue full is answered [`CallError::Busy`] at once. Dropping the
/// future of a call abandons the wait and not the call, unless it was to be cancelled with it
/// ([`RequestBuilder::cancel_on_timeout`]).
#[derive(Clone)]
pub struct Caller {
    shared: Arc<Shared>,
    traceparent: Option<Arc<str>>,
}

struct Shared {
    outlet: Outlet,
    tickets: AtomicU64,
    call_ids: Mutex<Stream>,
}

impl Caller {
    pub(crate) fn new(outlet: Outlet, node: &NodeId, seed: u64) -> Self {
        let call_ids = Entropy::new(seed).stream(&format!("host-call-ids {node}"));
        Self {
            shared: Arc::new(Shared {
                outlet,
                tickets: AtomicU64::new(1),
                call_ids: Mutex::new(call_ids),
            }),
            traceparent: None,
        }
    }

    /// The same, within a trace.
    pub(crate) fn within(&self, traceparent: Option<Arc<str>>) -> Self {
        Self { shared: self.shared.clone(), traceparent }
    }

    pub(crate) fn outlet(&self) -> &Outlet {
        &self.shared.outlet
    }

    pub(crate) fn draw_call_id(&self) -> CallId {
        let mut call_ids = self.shared.call_ids.lock().unwrap_or_else(PoisonError::into_inner);
        CallId::new(call_ids.hex_id()).expect("32 hexadecimal digits are an id")
    }

    /// Calls a function and waits for its result, up to the call's deadline.
    ///
    /// [`Caller::request`] sets everything else that a call can have.
    pub async fn call<R: DeserializeOwned>(
        &self,
        name: &str,
        scope: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<R, CallFailed> {
        let request = self.request(name, scope).input(input)?;
        request.send().await
    }

    /// Prepares a call. Its input is `null` unless one is given.
    pub fn request(&self, name: &str, scope: &str) -> RequestBuilder {
        let function = FunctionId::new(name, scope);
        RequestBuilder::new(self.clone(), function, self.traceparent.clone())
    }

    /// Waits for the outcome of a call that anybody submitted, for at most `timeout` or without end.
    pub async fn outcome(
        &self,
        function: &FunctionId,
        call: &CallId,
        timeout: Option<Duration>,
    ) -> Result<Record, CallFailed> {
        let command = |ticket| Command::Await {
            ticket,
            function: function.clone(),
            call: call.clone(),
            timeout,
            on_timeout: OnTimeout::Abandon,
        };
        let answer = self.ask(command).await?;
        record(answer)
    }

    /// Cancels a call; the record tells the outcome that stands then, which may be another one.
    pub async fn cancel(&self, function: &FunctionId, call: &CallId) -> Result<Record, CallFailed> {
        let command =
            |ticket| Command::Cancel { ticket, function: function.clone(), call: call.clone() };
        let answer = self.ask(command).await?;
        record(answer)
    }

    /// Completes, fails or touches a deferred call by its token.
    pub async fn publish(&self, token: &Token, publication: Publication) -> Result<(), CallFailed> {
        let command = |ticket| Command::Publish { ticket, token: token.clone(), publication };
        let answer = self.ask(command).await?;
        settled(answer)
    }

    /// Completes a deferred call with its result.
    pub async fn complete(
        &self,
        token: &Token,
        result: &(impl Serialize + ?Sized),
    ) -> Result<(), CallFailed> {
        let result = json::encode(result).map_err(|problem| InputNotJson { problem })?;
        self.publish(token, Publication::Complete(result)).await
    }

    /// Ends a deferred call with an error, for good.
    pub async fn fail(&self, token: &Token, message: &str) -> Result<(), CallFailed> {
        self.publish(token, Publication::Fail(message.into())).await
    }

    /// Keeps a deferred call deferred for `lease` from now.
    pub async fn touch(&self, token: &Token, lease: Duration) -> Result<(), CallFailed> {
        self.publish(token, Publication::Touch(lease)).await
    }

    /// Settles what a decided call may have left behind.
    pub async fn acknowledge(
        &self,
        function: &FunctionId,
        call: &CallId,
    ) -> Result<(), CallFailed> {
        let command = |ticket| Command::Acknowledge {
            ticket,
            function: function.clone(),
            call: call.clone(),
        };
        let answer = self.ask(command).await?;
        settled(answer)
    }

    /// Why nobody serves the function, or nothing where somebody does.
    pub async fn detect_missing_consumer(
        &self,
        name: &str,
        scope: &str,
    ) -> Result<Option<MissingReason>, CallFailed> {
        let function = FunctionId::new(name, scope)?;
        match self.query(Query::DetectMissingConsumer(function)).await? {
            Answer::Missing(reason) => Ok(reason),
            other => Err(unexpected(&other)),
        }
    }

    /// Re-creates a function's stream, group and registrations, and takes over what is orphaned. It
    /// never adds a call.
    pub async fn attempt_function_recovery(
        &self,
        name: &str,
        scope: &str,
    ) -> Result<Recovery, CallFailed> {
        let function = FunctionId::new(name, scope)?;
        let recover = |ticket| Command::Recover { ticket, function };
        match self.ask(recover).await? {
            Answer::Recovered { created, taken_over } => Ok(Recovery { created, taken_over }),
            other => Err(unexpected(&other)),
        }
    }

    /// Who serves a function, in any process, as the store knows.
    pub async fn active_consumers(
        &self,
        name: &str,
        scope: &str,
    ) -> Result<Vec<ConsumerRecord>, CallFailed> {
        let function = FunctionId::new(name, scope)?;
        match self.query(Query::ActiveConsumers(function)).await? {
            Answer::Consumers(consumers) => Ok(consumers),
            other => Err(unexpected(&other)),
        }
    }

    /// A function's definition, or nothing where none is registered.
    pub async fn describe(
        &self,
        name: &str,
        scope: &str,
    ) -> Result<Option<Definition>, CallFailed> {
        let function = FunctionId::new(name, scope)?;
        match self.query(Query::Describe(function)).await? {
            Answer::Definition(definition) => Ok(definition.map(|it| *it)),
            other => Err(unexpected(&other)),
        }
    }

    /// The functions registered in a scope, or in all.
    pub async fn discover(&self, scope: Option<&str>) -> Result<Vec<Definition>, CallFailed> {
        match self.query(Query::Discover(scope.map(Into::into))).await? {
            Answer::Definitions(definitions) => Ok(definitions),
            other => Err(unexpected(&other)),
        }
    }

    /// A page of a function's dead letters, oldest first: those after `after`
    /// ([`EntryId::ZERO`] to begin), at most `count`.
    pub async fn dead_letters(
        &self,
        name: &str,
        scope: &str,
        after: EntryId,
        count: u32,
    ) -> Result<Vec<DeadLetter>, CallFailed> {
        let function = FunctionId::new(name, scope)?;
        let query = Query::DeadLetters { function, after, count };
        match self.query(query).await? {
            Answer::Letters(letters) => Ok(letters),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes a new call of a dead letter; returns the new call's id.
    pub async fn requeue(
        &self,
        name: &str,
        scope: &str,
        letter: EntryId,
    ) -> Result<CallId, CallFailed> {
        let function = FunctionId::new(name, scope)?;
        let requeue = |ticket| Command::Requeue { ticket, function, letter };
        match self.ask(requeue).await? {
            Answer::Submitted(call) => Ok(call),
            other => Err(unexpected(&other)),
        }
    }

    /// Where a call stands.
    pub async fn inspect(
        &self,
        function: &FunctionId,
        call: &CallId,
    ) -> Result<CallState, CallFailed> {
        let query = Query::Inspect { function: function.clone(), call: call.clone() };
        match self.query(query).await? {
            Answer::State(state) => Ok(state),
            other => Err(unexpected(&other)),
        }
    }

    async fn query(&self, query: Query) -> Result<Answer, CallFailed> {
        self.ask(|ticket| Command::Query { ticket, query }).await
    }

    async fn ask(&self, command: impl FnOnce(Ticket) -> Command) -> Result<Answer, CallFailed> {
        self.ask_for(None, command).await
    }

    /// Asks the node; `cancel` names the call to be cancelled should this future be dropped.
    pub(crate) async fn ask_for(
        &self,
        cancel: Option<(FunctionId, CallId)>,
        command: impl FnOnce(Ticket) -> Command,
    ) -> Result<Answer, CallFailed> {
        let ticket = self.next_ticket();
        let (reply, answer) = oneshot::channel();
        let command = command(ticket);
        let ask = Message::Ask { ticket, command, reply };
        match self.outlet().offer(ask) {
            Ok(()) => {}
            Err(NotSent::Gone) => return Err(CallFailed::HostGone),
            Err(NotSent::Full(ask)) => {
                return Err(CallFailed::Refused(CallError::Busy {
                    queued: self.outlet().capacity(),
                    input: input_of(*ask),
                }));
            }
        }
        let mut notice = Notice { caller: self, ticket, cancel, is_due: true };
        let answer = answer.await;
        notice.is_due = false;
        Ok(answer.map_err(|_| CallFailed::HostGone)??)
    }

    fn next_ticket(&self) -> Ticket {
        Ticket(self.shared.tickets.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("traceparent", &self.traceparent).finish_non_exhaustive()
    }
}

/// Tells the node that nobody waits any more, if it is dropped before the answer is there.
struct Notice<'a> {
    caller: &'a Caller,
    ticket: Ticket,
    cancel: Option<(FunctionId, CallId)>,
    is_due: bool,
}

impl Drop for Notice<'_> {
    fn drop(&mut self) {
        if self.is_due {
            let cancel = self.cancel.take();
            let cancel = cancel.map(|(function, call)| (self.caller.next_ticket(), function, call));
            self.caller.outlet().forget(self.ticket, cancel);
        }
    }
}

pub(crate) fn record(answer: Answer) -> Result<Record, CallFailed> {
    match answer {
        Answer::Outcome(record) => Ok(record),
        other => Err(unexpected(&other)),
    }
}

fn settled(answer: Answer) -> Result<(), CallFailed> {
    match answer {
        // A call that was decided as was asked is settled just as well.
        Answer::Settled | Answer::Outcome(_) => Ok(()),
        other => Err(unexpected(&other)),
    }
}

/// An answer to another question than was asked: never, as long as node and host are of one version.
pub(crate) fn unexpected(answer: &Answer) -> CallFailed {
    debug_assert!(false, "an answer to another question: {answer}");
    CallFailed::Refused(CallError::NoAnswer)
}

fn input_of(message: Message) -> Option<Payload> {
    match message {
        Message::Ask {
            command: Command::Submit { request, .. } | Command::Call { request, .. },
            ..
        } => Some(request.input),
        Message::Ask {
            command: Command::Publish { publication: Publication::Complete(result), .. },
            ..
        } => Some(result),
        _ => None,
    }
}
