//! Functions of this binary, for trying things out and for measuring.

use std::time::Duration;

use serde::Deserialize;
use steadfast_core::call::Payload;

use crate::fault::Fault;

/// A function of this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    /// Returns its input.
    Echo,
    /// Fails, with the input's `message` where it has one.
    Fail,
    /// Waits for the input's `ms` milliseconds, then returns its input.
    Sleep,
}

#[derive(Deserialize)]
struct FailInput {
    message: String,
}

#[derive(Deserialize)]
struct SleepInput {
    ms: u64,
}

impl Builtin {
    /// The builtin of that name, or what to write instead.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "echo" => Ok(Self::Echo),
            "fail" => Ok(Self::Fail),
            "sleep" => Ok(Self::Sleep),
            _ => Err(format!(
                "there is no builtin `{name}`; there are \"echo\", \"fail\" and \"sleep\""
            )),
        }
    }

    /// Runs one attempt.
    pub(crate) async fn run(self, input: Payload) -> Result<Payload, Fault> {
        match self {
            Self::Echo => Ok(input),
            Self::Fail => Err(Fault::Final(
                serde_json::from_str::<FailInput>(input.as_str())
                    .map_or_else(|_| "it always fails".to_owned(), |input| input.message),
            )),
            Self::Sleep => {
                let Ok(SleepInput { ms }) = serde_json::from_str(input.as_str()) else {
                    return Err(Fault::Final(
                        "the input has no `ms`: a number of milliseconds, 0 or more".into(),
                    ));
                };
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(input)
            }
        }
    }
}
