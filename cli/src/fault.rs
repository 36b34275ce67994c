//! How an attempt fails.

/// How an attempt fails, with a message for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call is over: another attempt would fail too.
    Final(String),
    /// This attempt failed; another may succeed.
    Retry(String),
}
