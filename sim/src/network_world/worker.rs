//! A worker's process: it serves every function, with handlers as the policy has them.

use std::sync::Arc;
use std::time::Duration;

use steadfast::{Context, Function, HandlerError, Payload, Retry, function};
use steadfast_core::attempt::{Attempt, AttemptEnd, AttemptId};
use steadfast_core::name::{CallId, ConsumerId, FunctionId};

use super::process::{Process, Yard};
use super::recorder::Recorder;
use super::tokens::Held;
use crate::faults::SlotId;
use crate::history::{Fact, HostId};
use crate::policy::Act;

/// One life of a worker's process.
pub(super) async fn live(yard: Yard, slot: SlotId) -> turmoil::Result {
    let process = yard.start(slot).await?;
    for number in 0..yard.scenario.functions.len() {
        serve(&yard, &process, number);
    }
    process.obey(&yard, slot, |process, number| serve(&yard, process, number)).await;
    Ok(())
}

/// Serves a function: a first time, or a save. Serving takes as long as the store is away.
fn serve(yard: &Yard, process: &Process, number: usize) {
    let (id, host) = (process.id, process.host.clone());
    let function = served(yard, id, &yard.scenario.functions[number]);
    let (of, options) = (yard.scenario.functions[number].clone(), yard.scenario.options.clone());
    yard.recorder.fact_of(id, Fact::Served { host: id, function: of, options });
    drop(tokio::spawn(async move { host.serve(function).await.map(drop) }));
}

fn served(yard: &Yard, id: HostId, of: &FunctionId) -> Function {
    let (recorder, entropy) = (yard.recorder.clone(), yard.entropy);
    let policy = Arc::new(yard.scenario.policy.clone());
    function(of.name(), of.scope()).options(yard.scenario.options.clone()).handler_json(
        move |context: Context, _input: Payload| {
            let (recorder, policy) = (recorder.clone(), policy.clone());
            async move {
                let running = Running::begin(recorder, id, &context);
                let mut follow = None;
                let end = match policy.act(entropy, &attempt(&context), true) {
                    Act::End(after, end) => before_its_end(&context, after).await.then_some(end),
                    Act::Hang => {
                        context.cancelled().await;
                        None
                    }
                    Act::Defer(after, then) => {
                        follow = Some(then);
                        let end = AttemptEnd::Deferred { lease: policy.lease };
                        before_its_end(&context, after).await.then_some(end)
                    }
                };
                if let (Some(follow), Some(_)) = (follow, &end) {
                    let held = Held {
                        recorder: running.recorder.clone(),
                        host: id,
                        caller: context.caller(),
                        token: context.token(),
                        lease: policy.lease,
                    };
                    drop(tokio::spawn(held.follow(follow)));
                }
                match end {
                    Some(end) => running.end(end),
                    // Told to end: what it says now is not its verdict.
                    None => Err(HandlerError::new("told to end")),
                }
            }
        },
    )
}

/// Works for so long; answers whether it was not told to end before.
async fn before_its_end(context: &Context, after: Duration) -> bool {
    tokio::select! {
        biased;
        _ = context.cancelled() => false,
        () = tokio::time::sleep(after) => true,
    }
}

/// What the policy draws from.
fn attempt(context: &Context) -> Attempt {
    Attempt {
        id: AttemptId(0),
        function: context.function().clone(),
        consumer: context.consumer().clone(),
        epoch: context.epoch(),
        call: context.call_id().clone(),
        attempt: context.attempt(),
        input: Payload::null(),
        remaining: context.remaining(),
        timeout: context.attempt_remaining(),
        nonce: "".into(),
        traceparent: None,
    }
}

/// A handler that runs. Dropped before its end, it was interrupted.
struct Running {
    recorder: Recorder,
    host: HostId,
    consumer: ConsumerId,
    call: CallId,
    has_ended: bool,
}

impl Running {
    fn begin(recorder: Recorder, host: HostId, context: &Context) -> Self {
        let (consumer, call) = (context.consumer().clone(), context.call_id().clone());
        recorder.fact_of(
            host,
            Fact::Begun {
                host,
                function: context.function().clone(),
                consumer: consumer.clone(),
                epoch: context.epoch(),
                call: call.clone(),
                attempt: context.attempt(),
            },
        );
        Self { recorder, host, consumer, call, has_ended: false }
    }

    fn end(mut self, end: AttemptEnd) -> Result<Payload, HandlerError> {
        self.has_ended = true;
        let (host, consumer) = (self.host, self.consumer.clone());
        let ended = Fact::Ended { host, consumer, call: self.call.clone(), end: end.clone() };
        self.recorder.fact_of(host, ended);
        match end {
            AttemptEnd::Success(result) => Ok(result),
            AttemptEnd::Retry { message, after } => {
                let retry = after.map_or_else(Retry::soon, Retry::after);
                Err(retry.because(message).into())
            }
            AttemptEnd::Deferred { lease } => Err(HandlerError::deferred(lease)),
            AttemptEnd::Error(message) => Err(HandlerError::new(message)),
            other => Err(HandlerError::new(format!("{other}"))),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            let (host, consumer, call) = (self.host, self.consumer.clone(), self.call.clone());
            self.recorder.fact_of(host, Fact::Interrupted { host, consumer, call });
        }
    }
}
