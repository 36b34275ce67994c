//! What went wrong, in core's words. Server texts may quote arguments, so only their safe part is kept.

use std::fmt;

use redis::ServerError;
use steadfast_core::transport::{Applied, ErrorKind, TransportError};

use crate::connection::Unanswered;

/// What was attempted, on what: put into words only where it failed.
pub(crate) type Attempted<'a> = dyn fmt::Display + Sync + 'a;

/// Judges an error reply by its code. `attempted` says what was attempted on what.
pub(crate) fn of_server(error: &ServerError, attempted: &Attempted<'_>) -> TransportError {
    of_code(error.code(), error.details().unwrap_or_default(), attempted)
}

/// Judges an error reply that a script handed on as text: `CODE what is wrong`.
pub(crate) fn of_text(text: &str, attempted: &Attempted<'_>) -> TransportError {
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    of_code(code, rest, attempted)
}

fn of_code(code: &str, text: &str, attempted: &Attempted<'_>) -> TransportError {
    use ErrorKind as Kind;
    let kind = match code {
        "LOADING" => Kind::Loading,
        "OOM" => Kind::OutOfMemory,
        "READONLY" | "MISCONF" | "MASTERDOWN" | "NOREPLICAS" => Kind::ReadOnly,
        "NOGROUP" => Kind::NoGroup,
        "NOAUTH" | "WRONGPASS" | "NOPERM" => Kind::Denied,
        "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "UNKILLABLE" => Kind::Busy,
        "WRONGTYPE" => Kind::WrongType,
        "MOVED" | "ASK" | "CROSSSLOT" => Kind::Unsupported,
        "ERR" if text.starts_with("max number of clients") => Kind::Busy,
        "ERR" if text.contains("invalid password") || text.contains("AUTH") => Kind::Denied,
        "ERR" if text.contains("DB index") || text.starts_with("SELECT is not allowed") => {
            Kind::Unsupported
        }
        "ERR" if text.starts_with("unknown command") || text.starts_with("unknown subcommand") => {
            Kind::Unsupported
        }
        _ => Kind::Protocol,
    };
    // A script that failed in its course may have written; what the server refuses, it refuses first.
    let applied = if kind == Kind::Protocol { Applied::Unknown } else { Applied::No };
    let remedy = match code {
        "MOVED" | "ASK" => {
            "; another node owns the slot, and one connection speaks to one node: all slots of the \
             layout must be at the node of the URL"
        }
        "CROSSSLOT" => "; choose the cluster layout (`layout=cluster`)",
        "ERR" if text.contains("DB index") => {
            "; choose a database that the server has (its `databases` says how many)"
        }
        "ERR" if text.starts_with("SELECT is not allowed") => "; a cluster has database 0 only",
        "WRONGTYPE" => {
            "; somebody else wrote one of its keys: find it by TYPE, and rename or delete it"
        }
        _ => "",
    };
    let detail = format!("{attempted}: {code} {}{remedy}", quotes_nothing(text));
    TransportError { applied, kind, detail }
}

/// The part of a server's text that cannot hold arguments: up to the first quotation, and without the place
/// in a script where it happened.
fn quotes_nothing(text: &str) -> &str {
    let end = text.find(['\'', '`', '"']).unwrap_or(text.len());
    let end = text.find(" script: ").unwrap_or(end).min(end);
    text[..end].trim_end_matches([' ', ',', ':'])
}

/// Judges why a request has no answer.
pub(crate) fn of_unanswered(why: Unanswered, attempted: &Attempted<'_>) -> TransportError {
    match why {
        Unanswered::NotSent => TransportError::not_applied(
            ErrorKind::Disconnected,
            format!("{attempted}: the connection had ended before it was sent"),
        ),
        Unanswered::Ended => TransportError::unknown(
            ErrorKind::Disconnected,
            format!("{attempted}: the connection ended"),
        ),
        Unanswered::TimedOut => TransportError::unknown(
            ErrorKind::Timeout,
            format!("{attempted}: no answer within the response timeout"),
        ),
        Unanswered::NotResp => TransportError::unknown(
            ErrorKind::Protocol,
            format!("{attempted}: the answer is no RESP"),
        ),
    }
}

/// An answer that is not of the form that the script promises.
pub(crate) fn nonsense(attempted: &Attempted<'_>) -> TransportError {
    TransportError::unknown(
        ErrorKind::Protocol,
        format!("{attempted}: the answer is not of the form expected"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: ErrorKind, applied: Applied) {
        let error = of_text(text, &"submit");
        assert_eq!((error.kind, error.applied), (kind, applied), "{text}");
    }

    #[test]
    fn codes_are_told_apart() {
        check("LOADING Redis is loading the dataset in memory", ErrorKind::Loading, Applied::No);
        check("OOM command not allowed", ErrorKind::OutOfMemory, Applied::No);
        check("READONLY You can't write", ErrorKind::ReadOnly, Applied::No);
        check("MASTERDOWN Link with MASTER is down", ErrorKind::ReadOnly, Applied::No);
        check("NOGROUP No such key", ErrorKind::NoGroup, Applied::No);
        check("NOAUTH Authentication required.", ErrorKind::Denied, Applied::No);
        check("WRONGPASS invalid username-password pair", ErrorKind::Denied, Applied::No);
        check("NOPERM this user has no permissions", ErrorKind::Denied, Applied::No);
        check("BUSY Redis is busy running a script", ErrorKind::Busy, Applied::No);
        check("WRONGTYPE Operation against a key", ErrorKind::WrongType, Applied::No);
        check("CROSSSLOT Keys in request", ErrorKind::Unsupported, Applied::No);
        check("ERR DB index is out of range", ErrorKind::Unsupported, Applied::No);
        check("ERR SELECT is not allowed in cluster mode", ErrorKind::Unsupported, Applied::No);
        check("ERR something of a script's own", ErrorKind::Protocol, Applied::Unknown);
    }

    #[test]
    fn a_key_of_another_type_is_told_with_a_remedy() {
        let text = "WRONGTYPE Operation against a key holding the wrong kind of value script: \
                    efd1350e, on @user_script:499.";
        let error = of_text(text, &"survey of greet:global");
        let expect = "a key holds another type: survey of greet:global: WRONGTYPE Operation against a \
                      key holding the wrong kind of value; somebody else wrote one of its keys: \
                      find it by TYPE, and rename or delete it";
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn arguments_are_not_quoted() {
        let error =
            of_text("ERR unknown command 'AUT', with args beginning with: 'hunter2'", &"connect");
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
