//! What can go wrong, each with what to do about it.

use std::fmt;
use std::time::Duration;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::{Failure, Record};
use steadfast_core::event::{CallError, StopCause};
use steadfast_core::name::{CallId, FunctionId, NameError};
use steadfast_core::transport::TransportError;
use thiserror::Error;

/// Why no host was built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// `build` was called outside of a tokio runtime.
    #[error("handlers need a tokio runtime; call `build` within one")]
    NoRuntime,
    /// The thread for [`IoPlacement::OwnThread`](crate::IoPlacement::OwnThread) could not be started.
    #[error("could not start the I/O thread")]
    Thread(#[source] std::io::Error),
    /// The store was reached and refused the connection: a wrong password, a missing permission, a
    /// server that cannot do what is needed. Trying again does not mend it.
    #[error("{store} refuses the connection ({error}); mend its cause")]
    Refused {
        /// Where the transport leads.
        store: String,
        /// Why.
        error: TransportError,
    },
    /// The store was not reached in time.
    #[error(
        "no connection to {store} within {patience:?}{}; check its address and that it runs, or be more patient",
        last_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default()
    )]
    NotConnected {
        /// Where the transport leads.
        store: String,
        /// How long it was tried.
        patience: Duration,
        /// Why the last attempt failed, if one has failed.
        last_error: Option<TransportError>,
    },
}

/// The host has ended: it was shut down or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the host has ended; build another one")]
pub struct HostGone;

/// Why a function is not served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The name or the scope is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An option makes no sense.
    #[error("{function}: {option} must be at least 1")]
    AtLeastOne {
        /// The function.
        function: FunctionId,
        /// The option's name.
        option: &'static str,
    },
    /// The incarnation was stopped before it became active.
    #[error("{function} was stopped ({cause}) before it became active")]
    Stopped {
        /// The function.
        function: FunctionId,
        /// Why.
        cause: StopCause,
    },
    /// The host shuts down.
    #[error("the host shuts down; serve {function} on another one")]
    ShuttingDown {
        /// The function.
        function: FunctionId,
    },
    /// The host has ended.
    #[error(transparent)]
    HostGone(#[from] HostGone),
}

/// Why a function could not be told to stop.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StopError {
    /// The name or the scope is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The host has ended, and with it all that it served.
    #[error(transparent)]
    HostGone(#[from] HostGone),
}

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallFailed {
    /// A name, scope, key or id is none. Nothing was submitted.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The input has no JSON. Nothing was submitted.
    #[error(transparent)]
    Input(#[from] InputNotJson),
    /// The node or the store did not do what was asked; the source says whether anything was submitted.
    #[error(transparent)]
    Refused(#[from] CallError),
    /// The handler returned an error: final. Calling again makes a new call.
    #[error("call {call} failed after {attempts} attempt(s): {failure}")]
    Failed {
        /// The call.
        call: CallId,
        /// What the handler said.
        failure: Failure,
        /// Attempts begun.
        attempts: u32,
    },
    /// The deadline passed before the call was decided otherwise.
    #[error(
        "call {call} expired after {attempts} attempt(s); give it a later deadline or add workers"
    )]
    Expired {
        /// The call.
        call: CallId,
        /// Attempts begun.
        attempts: u32,
    },
    /// Somebody cancelled the call.
    #[error("call {call} was cancelled")]
    Cancelled {
        /// The call.
        call: CallId,
    },
    /// The attempts were exhausted. The dead letter stands and can be requeued.
    #[error(
        "call {call} is a dead letter after {attempts} attempt(s): {failure}; mend the cause and requeue it"
    )]
    DeadLettered {
        /// The call.
        call: CallId,
        /// The last attempt's failure.
        failure: Failure,
        /// Attempts begun.
        attempts: u32,
    },
    /// The call succeeded, and its result does not fit the type that was asked for.
    #[error("the result of call {call} does not fit the type asked for: {problem}")]
    BadResult {
        /// The call.
        call: CallId,
        /// Where and how it does not fit; quotes none of it.
        problem: String,
    },
    /// The call ended in a way that this version does not know.
    #[error("call {} ended in a way unknown to this version: {}", .0.call, .0.outcome)]
    Other(Record),
    /// The host has ended. Whether the call was submitted is unknown: await it through another host.
    #[error(
        "the host has ended before the call was answered; await its outcome through another one"
    )]
    HostGone,
}

impl From<HostGone> for CallFailed {
    fn from(_: HostGone) -> Self {
        Self::HostGone
    }
}

/// A value that has no JSON, such as a map whose keys are not text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the value has no JSON: {problem}; look at its `Serialize`")]
pub struct InputNotJson {
    /// What is wrong; quotes none of the value.
    pub problem: String,
}

/// How a handler ends an attempt other than with a result.
///
/// Any [`std::error::Error`] becomes one by `?`, and is final. It is no `std::error::Error` itself.
///
/// ```
/// use std::time::Duration;
/// use steadfast::{HandlerError, Retry};
///
/// fn parse(text: &str) -> Result<u32, HandlerError> {
///     Ok(text.parse()?) // final: another attempt would fail alike
/// }
/// fn look_up(reachable: bool) -> Result<u32, HandlerError> {
///     if !reachable {
///         Err(Retry::after(Duration::from_secs(2)).because("the shop is closed"))?;
///     }
///     Ok(7)
/// }
/// assert_eq!(parse("x").unwrap_err().to_string(), "invalid digit found in string");
/// assert_eq!(look_up(false).unwrap_err().to_string(), "retry: the shop is closed");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HandlerError(AttemptEnd);

impl HandlerError {
    /// A final error with this message: the call is decided. For errors that are no
    /// [`std::error::Error`], such as `anyhow`'s: `.map_err(HandlerError::new)`, which shows their
    /// causes too.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(AttemptEnd::Error(format!("{message:#}").into()))
    }

    /// The attempt failed; another one is made after the function's backoff, if attempts are left.
    pub fn retry(message: impl fmt::Display) -> Self {
        Retry::soon().because(message).into()
    }

    /// The call is completed by its token. [`Context::defer`](crate::Context::defer) is the shorter way.
    pub fn deferred(lease: Duration) -> Self {
        Self(AttemptEnd::Deferred { lease })
    }

    pub(crate) fn into_end(self) -> AttemptEnd {
        self.0
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            AttemptEnd::Error(message) => f.write_str(message),
            AttemptEnd::Retry { message, .. } => write!(f, "retry: {message}"),
            other => other.fmt(f),
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerError({self})")
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    /// A final error, with the message and those of its causes.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self::new(message)
    }
}

/// Asks for another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "return it from the handler: `Err(Retry::soon().into())`"]
pub struct Retry {
    after: Option<Duration>,
    message: String,
}

impl Retry {
    /// After the function's backoff.
    pub fn soon() -> Self {
        Self { after: None, message: "the handler asked for another attempt".into() }
    }

    /// Not before this has passed, instead of the function's backoff.
    pub fn after(delay: Duration) -> Self {
        Self { after: Some(delay), ..Self::soon() }
    }

    /// Why, for a person; it stands in the dead letter if no attempt is left.
    pub fn because(self, message: impl fmt::Display) -> Self {
        Self { message: format!("{message:#}"), ..self }
    }
}

impl From<Retry> for HandlerError {
    fn from(retry: Retry) -> Self {
        Self(AttemptEnd::Retry { message: retry.message.into(), after: retry.after })
    }
}
