//! Attempts under way: each handler is a task of its own, which may fail in any way it likes.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_core::attempt::{Attempt, AttemptEnd, AttemptId, Interruption};
use steadfast_core::call::Payload;
use steadfast_core::name::{CallId, ConsumerId, FunctionId};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::caller::Caller;
use crate::context::Context;
use crate::error::HandlerError;
use crate::function::Handler;

/// How long a handler may go on once it was told to end, and again once its task was aborted.
const GRACE: Duration = Duration::from_millis(50);

/// An attempt under way, as [`Host::progress`](crate::Host::progress) shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Running {
    /// The function.
    pub function: FunctionId,
    /// The call.
    pub call: CallId,
    /// Which attempt of the call, from 1.
    pub attempt: u32,
    /// The incarnation that runs it.
    pub consumer: ConsumerId,
    /// How long it has run.
    pub elapsed: Duration,
    /// What the handler last said of its progress.
    pub progress: Option<Payload>,
}

/// The attempts under way, shared by the driver and whoever looks at them.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<BTreeMap<AttemptId, Slip>>);

#[derive(Debug)]
struct Slip {
    context: Context,
    task: AbortHandle,
}

impl Board {
    fn with<R>(&self, look: impl FnOnce(&mut BTreeMap<AttemptId, Slip>) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn running(&self) -> Vec<Running> {
        self.with(|slips| {
            let show = |slip: &Slip| Running {
                function: slip.context.function().clone(),
                call: slip.context.call_id().clone(),
                attempt: slip.context.attempt(),
                consumer: slip.context.consumer().clone(),
                elapsed: slip.context.elapsed(),
                progress: slip.context.last_progress(),
            };
            slips.values().map(show).collect()
        })
    }
}

/// Starts, interrupts and oversees handlers.
#[derive(Debug)]
pub(crate) struct Runner {
    runtime: Handle,
    board: Arc<Board>,
    caller: Caller,
}

impl Runner {
    pub(crate) fn new(runtime: Handle, board: Arc<Board>, caller: Caller) -> Self {
        Self { runtime, board, caller }
    }

    /// Starts the handler on a task of its own; the future tells how it ended.
    pub(crate) fn run(
        &self,
        mut attempt: Attempt,
        handler: Handler,
    ) -> impl Future<Output = AttemptEnd> + Send + use<> {
        let input = std::mem::replace(&mut attempt.input, Payload::null());
        let span = tracing::info_span!(
            "attempt",
            function = %attempt.function,
            call = %attempt.call,
            attempt = attempt.attempt,
            consumer = %attempt.consumer,
            traceparent = attempt.traceparent.as_deref(),
        );
        let id = attempt.id;
        let caller = self.caller.within(attempt.traceparent.clone());
        let context = Context::new(attempt, Instant::now(), caller, span.clone());
        let (given, overseen) = (context.clone(), context.clone());
        // The handler is called within the task as well, so that its panics are the task's.
        let work = async move { handler(given, input).await };
        let task = self.runtime.spawn(work.instrument(span));
        let slip = Slip { context, task: task.abort_handle() };
        self.board.with(|slips| slips.insert(id, slip));
        let board = self.board.clone();
        async move {
            let end = oversee(task, overseen, id).await;
            board.with(|slips| slips.remove(&id));
            end
        }
    }

    /// Tells a handler to end; one that has ended is not there any more.
    pub(crate) fn interrupt(&self, attempt: AttemptId, why: Interruption) {
        self.board.with(|slips| {
            if let Some(slip) = slips.get(&attempt) {
                slip.context.interrupt(why);
            }
        });
    }
}

impl Drop for Runner {
    /// A dropped host takes its handlers with it.
    fn drop(&mut self) {
        self.board.with(|slips| {
            for slip in std::mem::take(slips).into_values() {
                slip.task.abort();
            }
        });
    }
}

type Returned = Result<Payload, HandlerError>;

/// Waits for the handler's end: by itself, within the grace of an interruption, or by force.
async fn oversee(
    mut task: JoinHandle<Returned>,
    context: Context,
    attempt: AttemptId,
) -> AttemptEnd {
    tokio::select! {
        biased;
        joined = &mut task => return end_of(joined, false),
        _ = context.cancelled() => {}
    }
    if let Ok(joined) = timeout(GRACE, &mut task).await {
        return end_of(joined, true);
    }
    task.abort();
    if let Ok(joined) = timeout(GRACE, &mut task).await {
        return end_of(joined, true);
    }
    tracing::warn!(
        %attempt,
        "an interrupted handler blocks its thread and goes on unseen; move blocking work to spawn_blocking"
    );
    AttemptEnd::Interrupted
}

fn end_of(joined: Result<Returned, JoinError>, interrupted: bool) -> AttemptEnd {
    match joined {
        Ok(Ok(result)) => AttemptEnd::Success(result),
        Ok(Err(error)) => match error.into_end() {
            // What a handler says because it was interrupted is not its verdict on the call.
            AttemptEnd::Error(_) if interrupted => AttemptEnd::Interrupted,
            end => end,
        },
        Err(error) => match error.try_into_panic() {
            Ok(_) if interrupted => AttemptEnd::Interrupted,
            Ok(panic) => AttemptEnd::Panic(panic_message(panic.as_ref()).into()),
            Err(_) => AttemptEnd::Interrupted,
        },
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the handler panicked with a value that is no text")
}

#[cfg(test)]
mod tests {
    use steadfast_core::name::{Epoch, NodeId};

    use super::*;
    use crate::error::Retry;
    use crate::function::function;
    use crate::inbox::inbox;

    fn runner() -> Runner {
        let (outlet, _driver) = inbox(1);
        let caller = Caller::new(outlet, &NodeId::new("n1").unwrap(), 1);
        Runner::new(Handle::current(), Arc::default(), caller)
    }

    fn attempt(input: &str) -> Attempt {
        Attempt {
            id: AttemptId(1),
            function: "f:global".parse().unwrap(),
            consumer: "k1".parse().unwrap(),
            epoch: Epoch(1),
            call: "c1".parse().unwrap(),
            attempt: 1,
            input: Payload::trusted(input),
            remaining: Duration::from_secs(300),
            timeout: Duration::from_secs(30),
            nonce: "secret".into(),
            traceparent: None,
        }
    }

    /// Answers in every way there is, by its input.
    fn moody() -> Handler {
        let moody = function("f", "global").handler(|ctx, mood: String| async move {
            match mood.as_str() {
                "glad" => Ok(7),
                "picky" => Err("seven".parse::<u8>().unwrap_err().into()),
                "weary" => Err(Retry::after(Duration::from_secs(2)).because("not now").into()),
                "absent" => ctx.defer(Duration::from_secs(60)),
                "angry" => panic!("not {mood} but furious"),
                "deaf" => std::future::pending().await,
                "obedient" => {
                    let why = ctx.cancelled().await;
                    Err(HandlerError::new(format!("ended by {why}")))
                }
                "quick" => {
                    ctx.cancelled().await;
                    Ok(8)
                }
                other => unreachable!("{other}"),
            }
        });
        moody.handler
    }

    async fn check(mood: &str, expect: AttemptEnd) {
        let runner = runner();
        let end = runner.run(attempt(&format!("{mood:?}")), moody());
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            runner.interrupt(AttemptId(1), Interruption::Timeout);
        };
        let (end, ()) = tokio::join!(end, interrupt);
        assert_eq!(end, expect);
        assert_eq!(runner.board.running(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn each_way_to_end_is_told_as_what_it_is() {
        check("glad", AttemptEnd::Success(Payload::trusted("7"))).await;
        check("picky", AttemptEnd::Error("invalid digit found in string".into())).await;
        let after = Some(Duration::from_secs(2));
        let message = "not now".into();
        check("weary", AttemptEnd::Retry { message, after }).await;
        let lease = Duration::from_secs(60);
        check("absent", AttemptEnd::Deferred { lease }).await;
        check("angry", AttemptEnd::Panic("not angry but furious".into())).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupted_handler_ends_by_itself_or_is_dropped() {
        check("deaf", AttemptEnd::Interrupted).await;
        check("obedient", AttemptEnd::Interrupted).await;
        check("quick", AttemptEnd::Success(Payload::trusted("8"))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_runner_drops_its_handlers() {
        let runner = runner();
        let end = runner.run(attempt("\"deaf\""), moody());
        tokio::task::yield_now().await;
        assert_eq!(runner.board.running().len(), 1);
        drop(runner);
        assert_eq!(end.await, AttemptEnd::Interrupted);
    }
}
