//! The host that runs the functions of a file, and the calls made through it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use steadfast::{
    CallError, CallFailed, Caller, Config, Context, Definition, Event, Function, FunctionId,
    HandlerError, Host, Payload, ServeError, TransportError, define,
};
use steadfast_core::health::DeathRule;
use steadfast_core::transport::ErrorKind;
use thiserror::Error;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::advice::advice;
use crate::call_line::CallLine;
use crate::console::Console;
use crate::fault::Fault;
use crate::functions_file::{FunctionSpec, Handler};
use crate::outcome_line::Ended;
use crate::process_groups::ProcessGroups;
use crate::program::{AttemptFacts, Workshop};

/// The wait before a call is submitted again that this node or the store had no room for.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// The least time between two refusals of the store that are said.
const REFUSAL_PAUSE: Duration = Duration::from_secs(30);

/// The longest wait before a call is submitted again to a store that is away.
const AWAY_PAUSE: Duration = Duration::from_millis(200);

/// Why the functions of a process that starts are not served.
#[derive(Debug, Error)]
pub(crate) enum NotServed {
    /// The store denies it, as this says.
    #[error("{0}")]
    Denied(String),
    /// The host does not.
    #[error(transparent)]
    Failed(#[from] ServeError),
}

/// The next refusal of the store.
async fn refusal(refusals: &mut broadcast::Receiver<TransportError>) -> TransportError {
    loop {
        match refusals.recv().await {
            Ok(error) => return error,
            Err(RecvError::Lagged(_)) => {}
            // The sender lives as long as the host.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn of_refusal(error: &TransportError) -> String {
    format!("the store refuses ({error}): {}", advice(error.kind))
}

/// A host and the programs that it runs.
pub(crate) struct Hosting {
    host: Arc<Host>,
    workshop: Arc<Workshop>,
}

impl Hosting {
    /// Takes a host that serves nothing yet. Programs are entered into `groups` while they run.
    pub(crate) fn new(host: Host, groups: ProcessGroups) -> Self {
        let output_max_bytes = Config::default().payload_max_bytes;
        let workshop = Arc::new(Workshop { groups, output_max_bytes });
        Self { host: Arc::new(host), workshop }
    }

    /// Serves the functions of a process that starts; returns once each of them is active. What the store
    /// refuses meanwhile is said, and what it denies ends it: nobody waits for a permission.
    pub(crate) async fn serve_all<'a>(
        &self,
        specs: impl IntoIterator<Item = &'a FunctionSpec>,
        console: &Console,
    ) -> Result<(), NotServed> {
        let mut refusals = self.host.refusals();
        let served = try_join_all(specs.into_iter().map(|spec| self.serve(spec)));
        let denied = async {
            let mut said = BTreeSet::new();
            loop {
                let refused = refusal(&mut refusals).await;
                if refused.kind == ErrorKind::Denied {
                    return NotServed::Denied(of_refusal(&refused));
                }
                if said.insert(refused.kind) {
                    console.say(&of_refusal(&refused));
                }
            }
        };
        tokio::select! {
            served = served => Ok(served.map(drop)?),
            denied = denied => Err(denied),
        }
    }

    /// Says what the store refuses, now and then, for ever.
    pub(crate) async fn say_refusals(&self, console: &Console) -> Infallible {
        let mut refusals = self.host.refusals();
        loop {
            console.say(&of_refusal(&refusal(&mut refusals).await));
            tokio::time::sleep(REFUSAL_PAUSE).await;
            refusals = refusals.resubscribe();
        }
    }

    /// Serves a function, or saves it where it is served already.
    pub(crate) async fn serve(&self, spec: &FunctionSpec) -> Result<(), ServeError> {
        self.host.serve(self.function(spec)).await.map(drop)
    }

    /// Serves a function no longer. It takes no new call from here on; what runs has `drain` to end,
    /// and is not waited for.
    pub(crate) async fn retire(&self, function: &FunctionId, drain: Duration) {
        let (host, function) = (self.host.clone(), function.clone());
        let mut stop = Box::pin(async move {
            // A host that has ended serves nothing any more either.
            let _ = host.stop(function.name(), function.scope(), drain).await;
        });
        // Asked before anything else is: serving it anew comes after this, and is not undone by it.
        let asked = poll_fn(|context| Poll::Ready(stop.as_mut().poll(context))).await;
        if asked.is_pending() {
            tokio::spawn(stop);
        }
    }

    /// What the node tells from now on.
    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.host.events()
    }

    /// How the death of other workers is noticed, once connected.
    pub(crate) async fn death_rule(&self) -> Option<DeathRule> {
        self.host.health().await.ok().map(|health| health.death_rule)
    }

    /// Makes calls through this host.
    pub(crate) fn caller(&self) -> Caller {
        self.host.caller()
    }

    /// Ends the host: what was not begun goes back, what runs has `drain` to end.
    pub(crate) async fn shut_down(&self, drain: Duration) {
        // A host that has ended already is what is wanted.
        let _ = self.host.shutdown(drain).await;
    }

    fn function(&self, spec: &FunctionSpec) -> Function {
        let handler = spec.handler.clone();
        let workshop = self.workshop.clone();
        let definition = Definition {
            parameters: spec.parameters.clone(),
            description: spec.description.clone(),
            ..Definition::new(spec.function.clone())
        };
        define(definition).options(spec.options()).handler_json(move |context, input| {
            let (handler, workshop) = (handler.clone(), workshop.clone());
            async move { attempt(&handler, &workshop, &context, input).await }
        })
    }
}

/// Runs one attempt. An interrupted one is dropped at once, and its program killed with it.
async fn attempt(
    handler: &Handler,
    workshop: &Workshop,
    context: &Context,
    input: Payload,
) -> Result<Payload, HandlerError> {
    let run = async {
        match handler {
            Handler::Builtin(builtin) => builtin.run(input).await,
            Handler::Program(program) => {
                let facts = AttemptFacts {
                    call: context.call_id().clone(),
                    function: context.function().clone(),
                    attempt: context.attempt(),
                    left: context.attempt_remaining(),
                };
                program.run(workshop, &facts, &input).await
            }
        }
    };
    let ended = tokio::select! {
        ended = run => ended,
        why = context.cancelled() => Err(Fault::Final(format!("interrupted: {why}"))),
    };
    ended.map_err(|fault| match fault {
        Fault::Final(message) => HandlerError::new(message),
        Fault::Retry(message) => HandlerError::retry(message),
    })
}

/// Makes the call of a line and waits until it is decided. The call's deadline is the line's, or
/// `deadline`, or the default. While the store is away the call is tried again, until the line's own
/// deadline.
pub(crate) async fn call(caller: &Caller, line: &CallLine, deadline: Option<Duration>) -> Ended {
    let begun = Instant::now();
    let function = &line.function;
    let mut id = line.id.clone();
    loop {
        let mut request =
            caller.request(function.name(), function.scope()).payload(line.input.clone());
        if let Some(id) = &id {
            request = request.call_id(id.clone());
        }
        if let Some(deadline) = line.deadline.or(deadline) {
            request = request.deadline(deadline);
        }
        if let Some(key) = &line.idempotency_key {
            request = request.idempotency_key(key.as_str());
        }
        let mut answer = request.record().await;
        while let Err(CallFailed::Refused(CallError::StillOpen { call })) = &answer {
            answer = caller.outcome(function, call, None).await;
        }
        let error = match answer {
            Ok(record) => return record.into(),
            Err(error) => error,
        };
        let pause = match &error {
            CallFailed::Refused(CallError::Unconfirmed { call }) => {
                id = Some(call.clone());
                Duration::ZERO
            }
            CallFailed::Refused(CallError::Busy { .. } | CallError::FunctionFull { .. }) => {
                BUSY_PAUSE
            }
            CallFailed::Refused(CallError::Unavailable { retry_after }) => {
                (*retry_after).clamp(BUSY_PAUSE, AWAY_PAUSE)
            }
            CallFailed::Refused(CallError::NotSubmitted) => AWAY_PAUSE,
            _ => return not_decided(&error),
        };
        if line.deadline.is_some_and(|deadline| begun.elapsed() + pause >= deadline) {
            return not_decided(&error);
        }
        tokio::time::sleep(pause).await;
    }
}

/// What came of a call that gave no record.
fn not_decided(error: &CallFailed) -> Ended {
    let message = error.to_string();
    match error {
        CallFailed::Name(_) => Ended::refused("malformed", message),
        CallFailed::Refused(CallError::InvalidInput { .. }) => {
            Ended::refused("invalid_input", message)
        }
        CallFailed::Refused(CallError::TooLarge { .. }) => Ended::refused("too_large", message),
        _ => Ended::undecided(message),
    }
}
