//! Steadfast calls a named function in a scope, gets its result back, and never loses the call.
//!
//! A [`Host`] is a process's node: it serves functions, makes calls, or both, over any
//! [`Transport`].
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use steadfast::{Host, MemTransport, function};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Who {
//!     name: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder(MemTransport::new()).build().await?;
//! host.serve(
//!     function("greet", "global")
//!         .handler(|_ctx, who: Who| async move { Ok(format!("Hello, {}!", who.name)) }),
//! )
//! .await?;
//!
//! let who = Who { name: "Ada".into() };
//! let greeting: String = host.caller().call("greet", "global", &who).await?;
//! assert_eq!(greeting, "Hello, Ada!");
//! # host.shutdown(std::time::Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a handler may answer
//!
//! | a handler returns | the call |
//! |---|---|
//! | `Ok(value)` | is decided: `Success` |
//! | `Err(..)` of any error, by `?` or [`HandlerError::new`] | is decided: `Error`, for good |
//! | `Err(Retry::soon().into())`, [`HandlerError::retry`] | has another attempt, until its attempts are exhausted |
//! | [`ctx.defer(lease)`](Context::defer) | stays open until its [`Token`] completes it |
//!
//! A panic, a processing timeout and a lost worker are failed attempts and are retried like `Retry`.
//!
//! # Saving
//!
//! Serving a function that is served already is a save: the new incarnation starts at once, the old
//! one returns what it has not begun and finishes what it has. Save as often as you like, under load.
//!
//! # Where the work is done
//!
//! The node itself is a state machine without I/O ([`steadfast_core`]). One task drives it, on the
//! runtime of the [`build`](HostBuilder::build) call or on a thread of its own
//! ([`IoPlacement`]); handlers always run on the former.

mod attempt;
mod builder;
mod caller;
mod context;
mod driver;
mod error;
mod function;
mod host;
mod inbox;
mod json;
mod placement;
mod request;
mod switchboard;
mod token;

pub use attempt::Running;
pub use builder::HostBuilder;
pub use caller::{Caller, Recovery};
pub use context::Context;
pub use error::{
    BuildError, CallFailed, HandlerError, HostGone, InputNotJson, Retry, ServeError, StopError,
};
pub use function::{Function, FunctionBuilder, define, function};
pub use host::{Host, Served};
pub use placement::IoPlacement;
pub use request::RequestBuilder;
pub use token::{BadToken, parse_token, token_text};

pub use steadfast_core::attempt::Interruption;
pub use steadfast_core::backoff::CallBackoff;
pub use steadfast_core::call::{
    CallState, DeadLetter, Failure, FailureKind, Outcome, OutcomeKind, Payload, Place, Record,
    Token,
};
pub use steadfast_core::command::{BreakerCommand, FunctionOptions, Publication};
pub use steadfast_core::config::Config;
pub use steadfast_core::definition::{Definition, Parameter, ParameterType};
pub use steadfast_core::event::{CallError, Event, LinkState, MissingReason, StopCause};
pub use steadfast_core::health::Health;
pub use steadfast_core::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey, NameError, NodeId,
};
pub use steadfast_core::op::{ConsumerRecord, ConsumerStatus};
pub use steadfast_core::transport::{Transport, TransportError};
/// The store within this process: for tests, and where one process is all there is.
#[doc(no_inline)]
pub use steadfast_transport_mem::MemTransport;
