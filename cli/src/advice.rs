//! What a person can do about an error of the store.

use steadfast::{BuildError, TransportError};
use steadfast_core::transport::ErrorKind;

use crate::store::Store;

/// Said where a TLS handshake was not answered: a port without TLS waits for more.
const NO_TLS: &str = "; the port may not speak TLS (redis:// is for one without)";

/// An error of the store, and what to do about it.
pub(crate) fn on_error(error: &TransportError, store: &Store) -> String {
    let advice = advice(error.kind);
    format!("{error}; {advice}{}", tls(store, Some(error), &error.detail))
}

/// Why a host is not connected, and what to do about it.
pub(crate) fn on_build_error(error: &BuildError, store: &Store) -> String {
    match error {
        BuildError::Refused { error: refused, .. } => {
            format!("{error}: {}", advice(refused.kind))
        }
        BuildError::NotConnected { last_error, .. } => {
            let told = error.to_string();
            let hint = tls(store, last_error.as_ref(), &told);
            format!("{told}{hint}")
        }
        _ => error.to_string(),
    }
}

fn tls(store: &Store, error: Option<&TransportError>, told: &str) -> &'static str {
    let is_silent = error.is_none_or(|error| error.kind == ErrorKind::Timeout);
    if is_silent && store.is_tls() && !told.contains("TLS") { NO_TLS } else { "" }
}

/// What to do, by what is wrong.
pub(crate) fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => {
            "check user, password and what the user may do (examples/acl has least rights)"
        }
        ErrorKind::WrongType => {
            "another program uses the key: choose a prefix (--prefix) or a database of your own"
        }
        ErrorKind::Unsupported => "waiting does not mend it",
        ErrorKind::OutOfMemory => {
            "the server is full: raise its `maxmemory`, or remove what is not needed"
        }
        ErrorKind::ReadOnly => {
            "give the address of a server that takes writes: a primary whose disk is well"
        }
        ErrorKind::Loading | ErrorKind::Busy => "the server is busy: try again later",
        ErrorKind::NotDurable => {
            "look at the server's replicas and disk, or ask for less (--durability)"
        }
        ErrorKind::Protocol => "check that what listens there is a Redis server of 7.0 or later",
        _ => "check --redis or STEADFAST_REDIS_URL, and that the server runs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ErrorKind, expect: &str) {
        let error = TransportError::not_applied(kind, "connect");
        let told = on_error(&error, &Store::embedded());
        assert!(told.contains(expect), "{told}");
        assert_eq!(told.contains("that the server runs"), expect.contains("that the server runs"));
    }

    #[test]
    fn each_kind_has_its_own_advice() {
        check(ErrorKind::Disconnected, "and that the server runs");
        check(ErrorKind::Timeout, "and that the server runs");
        check(ErrorKind::Denied, "check user, password");
        check(ErrorKind::WrongType, "--prefix");
        check(ErrorKind::Unsupported, "waiting does not mend it");
        check(ErrorKind::ReadOnly, "takes writes");
    }
}
