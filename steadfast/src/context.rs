//! What a handler knows of its attempt.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use steadfast_core::attempt::{Attempt, Interruption};
use steadfast_core::call::{Payload, Token};
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::Span;

use crate::caller::Caller;
use crate::error::{HandlerError, InputNotJson};
use crate::json;

/// What a handler knows of its attempt. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    /// Its input is the handler's own, and is null here.
    attempt: Attempt,
    begun: Instant,
    /// Why it is to end; whatever is said after that says no more.
    interruption: OnceLock<Interruption>,
    interrupted: Notify,
    progress: Mutex<Option<Payload>>,
    caller: Caller,
    span: Span,
}

impl Context {
    pub(crate) fn new(attempt: Attempt, begun: Instant, caller: Caller, span: Span) -> Self {
        let inner = Inner {
            attempt,
            begun,
            interruption: OnceLock::new(),
            interrupted: Notify::new(),
            progress: Mutex::new(None),
            caller,
            span,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Tells the handler to end.
    pub(crate) fn interrupt(&self, why: Interruption) {
        if self.inner.interruption.set(why).is_ok() {
            self.inner.interrupted.notify_waiters();
        }
    }

    /// How long it has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.inner.begun.elapsed()
    }

    /// What the handler last said of its progress.
    pub(crate) fn last_progress(&self) -> Option<Payload> {
        self.inner.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The function called.
    pub fn function(&self) -> &FunctionId {
        &self.inner.attempt.function
    }

    /// The call. The same for each of its attempts: a good key for making an effect happen once.
    pub fn call_id(&self) -> &CallId {
        &self.inner.attempt.call
    }

    /// Which attempt of the call this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.inner.attempt.attempt
    }

    /// The incarnation that runs it.
    pub fn consumer(&self) -> &ConsumerId {
        &self.inner.attempt.consumer
    }

    /// The incarnation's epoch: a fencing token that grows with each registration of the function.
    pub fn epoch(&self) -> Epoch {
        self.inner.attempt.epoch
    }

    /// When the call expires, by this process's clock. One too far away to count is a day ahead.
    pub fn deadline(&self) -> Instant {
        let begun = self.inner.begun;
        begun
            .checked_add(self.inner.attempt.remaining)
            .unwrap_or_else(|| begun + Duration::from_secs(86_400))
    }

    /// Time left until the call expires; zero when it has.
    pub fn remaining(&self) -> Duration {
        let attempt = &self.inner.attempt;
        attempt.remaining.saturating_sub(self.inner.begun.elapsed())
    }

    /// Time left for this attempt: until its processing timeout or the call's deadline.
    pub fn attempt_remaining(&self) -> Duration {
        let left = self.inner.attempt.timeout.saturating_sub(self.inner.begun.elapsed());
        left.min(self.remaining())
    }

    /// The W3C trace context that the caller sent. [`Context::caller`] passes it on.
    pub fn traceparent(&self) -> Option<&str> {
        self.inner.attempt.traceparent.as_deref()
    }

    /// Makes calls of the handler's own, through the same host, within the same trace.
    pub fn caller(&self) -> Caller {
        self.inner.caller.clone()
    }

    /// Whether the attempt was told to end. Synchronous handlers should look now and then.
    pub fn is_cancelled(&self) -> bool {
        self.interruption().is_some()
    }

    /// Why the attempt was told to end, if it was.
    pub fn interruption(&self) -> Option<Interruption> {
        self.inner.interruption.get().copied()
    }

    /// Waits until the attempt is told to end: its timeout or its call's deadline passed, its call was
    /// decided or cancelled, or the host's drain time is over. The handler is dropped 50 ms later.
    ///
    /// By then the call goes on without this attempt, or is decided. What the handler still returns is
    /// at best a success that comes before another attempt's; an error is not taken for the outcome.
    pub async fn cancelled(&self) -> Interruption {
        loop {
            // From here on it is heard, even if it comes before the wait.
            let interrupted = self.inner.interrupted.notified();
            if let Some(why) = self.interruption() {
                return why;
            }
            interrupted.await;
        }
    }

    /// The token with which the call can be completed from anywhere once this handler has deferred it.
    /// Hand it on as text with [`token_text`](crate::token_text).
    pub fn token(&self) -> Token {
        self.inner.attempt.token()
    }

    /// Ends the attempt without a result: the call stays open until somebody completes or fails it by
    /// its [`Context::token`]. If nobody does, or touches it, within `lease`, the attempt has failed.
    ///
    /// Like an error it is an early end, so it is returned as one: `return ctx.defer(lease);`
    pub fn defer<R>(&self, lease: Duration) -> Result<R, HandlerError> {
        Err(HandlerError::deferred(lease))
    }

    /// Shows how far the handler is, as any value with JSON: [`Host::progress`](crate::Host::progress)
    /// tells the last one. It is kept in this process only, and its content is not logged.
    pub fn progress<P: Serialize + ?Sized>(&self, progress: &P) -> Result<(), InputNotJson> {
        let payload = json::encode(progress).map_err(|problem| InputNotJson { problem })?;
        tracing::debug!(parent: &self.inner.span, bytes = payload.bytes(), "progress");
        let mut last = self.inner.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(payload);
        Ok(())
    }

    /// The span in which the handler runs: function, call id, attempt, consumer.
    pub fn span(&self) -> &Span {
        &self.inner.span
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", self.inner.attempt)
    }
}
