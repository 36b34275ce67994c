//! What keys are of.

use steadfast_core::call::CallerId;
use steadfast_core::name::FunctionId;

use super::words::{Nonsense, Read};

/// The function whose call stream this key is.
pub(crate) fn of_calls(key: &str) -> Read<FunctionId> {
    function(key, "function_calls:")
}

/// The function whose definition this key holds.
pub(crate) fn of_definition(key: &str) -> Read<FunctionId> {
    function(key, "function:")
}

/// The function whose dead letters this key holds.
pub(crate) fn of_dead_letters(key: &str) -> Read<FunctionId> {
    function(key, "function_dlq:")
}

/// The caller whose reply stream this key is.
pub(crate) fn of_replies(key: &str) -> Read<CallerId> {
    key.strip_prefix("replies:").ok_or(Nonsense)?.parse().map_err(|_| Nonsense)
}

fn function(key: &str, kind: &str) -> Read<FunctionId> {
    key.strip_prefix(kind).ok_or(Nonsense)?.parse().map_err(|_| Nonsense)
}
