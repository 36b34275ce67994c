//! The host that runs the functions of a file, and the calls made through it.

use std::sync::Arc;
use std::time::Duration;

use steadfast::{
    BuildError, CallError, CallFailed, Caller, Config, Context, Definition, Function, FunctionId,
    HandlerError, Host, Payload, ServeError, StopError, define,
};
use steadfast_transport_mem::MemTransport;

use crate::call_line::CallLine;
use crate::fault::Fault;
use crate::functions_file::{FunctionSpec, Handler};
use crate::outcome_line::Ended;
use crate::process_groups::ProcessGroups;
use crate::program::{AttemptFacts, Workshop};

/// The wait before a call is submitted again that this node or the store had no room for.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A host over a store of its own, within this process.
pub(crate) struct Hosting {
    host: Host,
    workshop: Arc<Workshop>,
}

impl Hosting {
    /// Starts a host that serves nothing yet. Programs are entered into `groups` while they run.
    pub(crate) async fn start(groups: ProcessGroups) -> Result<Self, BuildError> {
        let config = Config::default();
        let workshop = Arc::new(Workshop { groups, output_max_bytes: config.payload_max_bytes });
        let host = Host::builder(MemTransport::new()).config(config).build().await?;
        Ok(Self { host, workshop })
    }

    /// Serves a function, or saves it where it is served already.
    pub(crate) async fn serve(&self, spec: &FunctionSpec) -> Result<(), ServeError> {
        self.host.serve(self.function(spec)).await.map(drop)
    }

    /// Serves a function no longer.
    pub(crate) async fn retire(
        &self,
        function: &FunctionId,
        drain: Duration,
    ) -> Result<(), StopError> {
        self.host.stop(function.name(), function.scope(), drain).await
    }

    /// Makes calls through this host.
    pub(crate) fn caller(&self) -> Caller {
        self.host.caller()
    }

    /// Ends the host; what runs is interrupted.
    pub(crate) async fn shut_down(&self) {
        // A host that has ended already is what is wanted.
        let _ = self.host.shutdown(Duration::ZERO).await;
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
/// `deadline`, or the default.
pub(crate) async fn call(caller: &Caller, line: &CallLine, deadline: Option<Duration>) -> Ended {
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
        match answer {
            Ok(record) => return record.into(),
            Err(CallFailed::Refused(CallError::Unconfirmed { call })) => id = Some(call),
            Err(CallFailed::Refused(
                CallError::Busy { .. }
                | CallError::FunctionFull { .. }
                | CallError::Unavailable { .. },
            )) => tokio::time::sleep(BUSY_PAUSE).await,
            Err(error) => return not_decided(&error),
        }
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
