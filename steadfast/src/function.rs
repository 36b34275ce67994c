//! What a host serves: a function's definition, how it is run, and its handler.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::backoff::CallBackoff;
use steadfast_core::call::Payload;
use steadfast_core::command::FunctionOptions;
use steadfast_core::definition::{Definition, Parameter};
use steadfast_core::name::{FunctionId, NameError};

use crate::context::Context;
use crate::error::{HandlerError, ServeError};
use crate::json;

pub(crate) type Handled = Pin<Box<dyn Future<Output = Result<Payload, HandlerError>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(Context, Payload) -> Handled + Send + Sync>;

/// Begins the description of a function: a name in a scope. A bad name is reported when it is served.
///
/// ```
/// use std::time::Duration;
/// use steadfast::{Function, function};
///
/// let double: Function = function("double", "global")
///     .description("Doubles a number")
///     .concurrency(8)
///     .timeout(Duration::from_secs(2))
///     .handler(|_ctx, number: i64| async move { Ok(number * 2) });
/// ```
pub fn function(name: &str, scope: &str) -> FunctionBuilder {
    FunctionBuilder {
        definition: FunctionId::new(name, scope).map(Definition::new),
        options: FunctionOptions::default(),
    }
}

/// Begins with a whole definition, for hosts that keep definitions as data.
pub fn define(definition: Definition) -> FunctionBuilder {
    FunctionBuilder { definition: Ok(definition), options: FunctionOptions::default() }
}

/// A function without its handler; ends with [`FunctionBuilder::handler`] or
/// [`FunctionBuilder::handler_json`].
#[derive(Clone, Debug)]
#[must_use = "give it a handler and serve it"]
pub struct FunctionBuilder {
    definition: Result<Definition, NameError>,
    options: FunctionOptions,
}

impl FunctionBuilder {
    fn define(mut self, change: impl FnOnce(&mut Definition)) -> Self {
        if let Ok(definition) = &mut self.definition {
            change(definition);
        }
        self
    }

    /// What it does, for a person; it stands in the registry.
    pub fn description(self, description: impl Into<String>) -> Self {
        self.define(|definition| definition.description = description.into())
    }

    /// One more parameter; inputs are checked against them before they are submitted.
    pub fn parameter(self, parameter: Parameter) -> Self {
        self.define(|definition| definition.parameters.push(parameter))
    }

    /// All options at once.
    pub fn options(mut self, options: FunctionOptions) -> Self {
        self.options = options;
        self
    }

    /// Handlers that run at once in this process, at least 1 (default 64).
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.options.concurrency = concurrency;
        self
    }

    /// Calls fetched beyond the free slots (default 64).
    pub fn prefetch(mut self, prefetch: u32) -> Self {
        self.options.prefetch = prefetch;
        self
    }

    /// How long one attempt may take before it is interrupted and counts as failed (default 30 s).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Attempts per call before it becomes a dead letter, at least 1 (default 3).
    pub fn attempts(mut self, attempts_max: u32) -> Self {
        self.options.attempts_max = attempts_max;
        self
    }

    /// Waiting time between attempts (default: exponential from 200 ms to 10 s, with full jitter).
    pub fn backoff(mut self, backoff: CallBackoff) -> Self {
        self.options.backoff = backoff;
        self
    }

    /// How long a save gives what the old incarnation runs (default 30 s).
    pub fn drain(mut self, drain: Duration) -> Self {
        self.options.drain = drain;
        self
    }

    /// The handler, with its input and result by their types. An input that does not fit its type is
    /// a final error that names the place and quotes none of the input.
    pub fn handler<T, R, F, Fut>(self, handler: F) -> Function
    where
        T: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        self.with(Arc::new(move |context, payload| {
            let work = match json::decode::<T>(&payload) {
                Ok(input) => handler(context, input),
                Err(problem) => {
                    let error = HandlerError::new(format!("the input does not fit: {problem}"));
                    return Box::pin(std::future::ready(Err(error)));
                }
            };
            Box::pin(async move {
                json::encode(&work.await?).map_err(|problem| {
                    HandlerError::new(format!("the result has no JSON: {problem}"))
                })
            })
        }))
    }

    /// The handler, with input and result as JSON text.
    pub fn handler_json<F, Fut>(self, handler: F) -> Function
    where
        F: Fn(Context, Payload) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Payload, HandlerError>> + Send + 'static,
    {
        self.with(Arc::new(move |context, payload| Box::pin(handler(context, payload))))
    }

    fn with(self, handler: Handler) -> Function {
        Function { definition: self.definition, options: self.options, handler }
    }
}

/// A function with its handler, ready to be served. A clone shares the handler.
#[derive(Clone)]
#[must_use = "serve it"]
pub struct Function {
    definition: Result<Definition, NameError>,
    options: FunctionOptions,
    pub(crate) handler: Handler,
}

impl Function {
    /// What the registry will show.
    pub fn definition(&self) -> Result<&Definition, &NameError> {
        self.definition.as_ref()
    }

    /// How it will be run.
    pub fn options(&self) -> &FunctionOptions {
        &self.options
    }

    /// The parts, once name and options have been looked at.
    pub(crate) fn checked(&self) -> Result<(Definition, FunctionOptions), ServeError> {
        let definition = self.definition.clone()?;
        let at_least_one =
            [("concurrency", self.options.concurrency), ("attempts", self.options.attempts_max)];
        match at_least_one.iter().find(|(_, value)| *value == 0) {
            Some((option, _)) => {
                Err(ServeError::AtLeastOne { function: definition.function, option })
            }
            None => Ok((definition, self.options.clone())),
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("function", &self.definition.as_ref().map(|it| &it.function))
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
