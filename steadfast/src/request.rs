//! A call to be made, with everything that it can have.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::call::{Outcome, Payload, Record};
use steadfast_core::command::{Command, NoConsumer, OnTimeout, Request};
use steadfast_core::event::Answer;
use steadfast_core::name::{CallId, FunctionId, IdempotencyKey, NameError};

use crate::caller::{Caller, record, unexpected};
use crate::error::{CallFailed, InputNotJson};
use crate::json;

/// A call to be made; [`Caller::request`] begins one. It ends with [`RequestBuilder::send`],
/// [`RequestBuilder::record`] or [`RequestBuilder::submit`].
///
/// ```
/// # use std::time::Duration;
/// # use steadfast::{CallFailed, Caller};
/// # async fn example(caller: Caller, order: &str) -> Result<(), CallFailed> {
/// let receipt: String = caller
///     .request("charge", "shop")
///     .input(order)?
///     .idempotency_key("order-17")
///     .deadline(Duration::from_secs(60))
///     .send()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is submitted until it is sent"]
pub struct RequestBuilder {
    caller: Caller,
    request: Result<Request, NameError>,
}

impl RequestBuilder {
    pub(crate) fn new(
        caller: Caller,
        function: Result<FunctionId, NameError>,
        traceparent: Option<Arc<str>>,
    ) -> Self {
        let request = function
            .map(|function| Request { traceparent, ..Request::new(function, Payload::null()) });
        Self { caller, request }
    }

    fn set(mut self, change: impl FnOnce(&mut Request)) -> Self {
        if let Ok(request) = &mut self.request {
            change(request);
        }
        self
    }

    /// The input, as any value with JSON.
    pub fn input(self, input: &(impl Serialize + ?Sized)) -> Result<Self, InputNotJson> {
        let payload = json::encode(input).map_err(|problem| InputNotJson { problem })?;
        Ok(self.payload(payload))
    }

    /// The input, as JSON text.
    pub fn payload(self, payload: Payload) -> Self {
        self.set(|request| request.input = payload)
    }

    /// The call's id (default: a unique one). Submitting again with the same id is harmless.
    pub fn call_id(self, call: CallId) -> Self {
        self.set(|request| request.call = Some(call))
    }

    /// How long to wait for the outcome (default: until the deadline). The call goes on after that,
    /// unless [`RequestBuilder::cancel_on_timeout`] says otherwise.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|request| request.timeout = Some(timeout))
    }

    /// The call expires this long after it was submitted (default 5 min).
    pub fn deadline(self, deadline: Duration) -> Self {
        self.set(|request| request.deadline = Some(deadline))
    }

    /// The call is not delivered before this has passed (default: at once).
    pub fn delay(self, delay: Duration) -> Self {
        self.set(|request| request.delay = delay)
    }

    /// Joins this call to an earlier one of the function with the same key: it is executed once, and
    /// both see its outcome. A key that is empty or too long is reported when the call is sent.
    pub fn idempotency_key(mut self, key: impl AsRef<str>) -> Self {
        match IdempotencyKey::new(key) {
            Ok(key) => self.set(|request| request.idempotency_key = Some(key)),
            Err(error) => {
                self.request = self.request.and(Err(error));
                self
            }
        }
    }

    /// W3C trace context for the handler (default: the one of the handler that makes this call).
    pub fn traceparent(self, traceparent: impl Into<Arc<str>>) -> Self {
        self.set(|request| request.traceparent = Some(traceparent.into()))
    }

    /// Writes the outcome to a stream of the call's own too, in the step that decides it. On Redis that is
    /// `function_results:CALLID`, kept for 5 min: another program waits for the outcome by
    /// `XREAD BLOCK MS STREAMS function_results:CALLID 0` and knows no more than the call's id. The stream has
    /// one entry, whose field `record` is the text of `result:CALLID`. A call that joins an earlier one by
    /// an idempotency key has the stream that the earlier one asked for, or none.
    pub fn result_stream(self) -> Self {
        self.set(|request| request.result_stream = true)
    }

    /// Cancels the call when the timeout passes, or when the future is dropped.
    pub fn cancel_on_timeout(self) -> Self {
        self.set(|request| request.on_timeout = OnTimeout::Cancel)
    }

    /// Refuses the call at once where nobody serves the function, instead of letting it wait.
    pub fn fail_fast(self) -> Self {
        self.set(|request| request.no_consumer = NoConsumer::FailFast)
    }

    /// Makes the call, and waits for its result.
    pub async fn send<R: DeserializeOwned>(self) -> Result<R, CallFailed> {
        let record = self.record().await?;
        let (call, attempts) = (record.call.clone(), record.attempts);
        match record.outcome {
            Outcome::Success(result) => {
                json::decode(&result).map_err(|problem| CallFailed::BadResult { call, problem })
            }
            Outcome::Error(failure) => Err(CallFailed::Failed { call, failure, attempts }),
            Outcome::Expired => Err(CallFailed::Expired { call, attempts }),
            Outcome::Cancelled => Err(CallFailed::Cancelled { call }),
            Outcome::DeadLettered(failure) => {
                Err(CallFailed::DeadLettered { call, failure, attempts })
            }
            _ => Err(CallFailed::Other(record)),
        }
    }

    /// Makes the call, and waits for its outcome, whichever it is.
    pub async fn record(self) -> Result<Record, CallFailed> {
        let mut request = self.request?;
        let cancel = (request.on_timeout == OnTimeout::Cancel).then(|| {
            let call = request.call.get_or_insert_with(|| self.caller.draw_call_id());
            (request.function.clone(), call.clone())
        });
        let request = Box::new(request);
        let call = |ticket| Command::Call { ticket, request };
        let answer = self.caller.ask_for(cancel, call).await?;
        record(answer)
    }

    /// Submits the call, and returns once it is accepted: from then on it is never lost. With an
    /// idempotency key, the id may be that of an earlier call.
    pub async fn submit(self) -> Result<CallId, CallFailed> {
        let request = Box::new(self.request?);
        let submit = |ticket| Command::Submit { ticket, request };
        match self.caller.ask_for(None, submit).await? {
            Answer::Submitted(call) => Ok(call),
            other => Err(unexpected(&other)),
        }
    }
}
