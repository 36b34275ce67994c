//! One line of standard output: how a call of standard input ended.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use steadfast_core::call::{FailureKind, Outcome, OutcomeKind, Payload, Record};
use steadfast_core::name::{CallId, FunctionId};

/// The word for how a line of standard input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// The call was decided.
    Decided(OutcomeKind),
    /// No call was made of it.
    Refused,
    /// The run ended, or the store failed, before the call was decided.
    Undecided,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Decided(kind) => kind.as_str(),
            Self::Refused => "refused",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why there is no result: a word for machines, a sentence for a person.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failed {
    kind: &'static str,
    message: String,
}

impl Failed {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What came of a line.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    pub(crate) call: Option<CallId>,
    pub(crate) attempts: u32,
    pub(crate) result: Result<Payload, Failed>,
}

impl Ended {
    pub(crate) fn refused(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: Status::Refused,
            call: None,
            attempts: 0,
            result: Err(Failed::new(kind, message)),
        }
    }

    pub(crate) fn undecided(message: impl Into<String>) -> Self {
        Self {
            status: Status::Undecided,
            call: None,
            attempts: 0,
            result: Err(Failed::new("undecided", message)),
        }
    }
}

impl From<Record> for Ended {
    fn from(record: Record) -> Self {
        let status = Status::Decided(record.outcome.kind());
        let result = match record.outcome {
            Outcome::Success(result) => Ok(result),
            Outcome::Error(failure) | Outcome::DeadLettered(failure) => {
                Err(Failed::new(word(failure.kind), &*failure.message))
            }
            Outcome::Expired => {
                Err(Failed::new("expired", "the deadline passed before the call was decided"))
            }
            Outcome::Cancelled => Err(Failed::new("cancelled", "the call was cancelled")),
            other => Err(Failed::new("unknown", other.to_string())),
        };
        Self { status, call: Some(record.call), attempts: record.attempts, result }
    }
}

/// A failure's kind as one word.
fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Handler => "handler",
        FailureKind::Retry => "retry",
        FailureKind::Timeout => "timeout",
        FailureKind::Panic => "panic",
        FailureKind::LostWorker => "lost_worker",
        FailureKind::LeaseEnded => "lease_ended",
        FailureKind::Malformed => "malformed",
        FailureKind::AckedWithoutOutcome => "acked_without_outcome",
        FailureKind::Interrupted => "interrupted",
        _ => "other",
    }
}

/// The line as it is written.
#[derive(Serialize)]
struct Written<'a> {
    line: u64,
    call_id: Option<&'a str>,
    function: Option<&'a str>,
    scope: Option<&'a str>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failed>,
    attempts: u32,
    elapsed_ms: u128,
}

/// The JSON text of an outcome, on one line and with its end. `line` counts from 1; `function` is absent
/// where the line names none.
pub(crate) fn render(
    line: u64,
    function: Option<&FunctionId>,
    ended: &Ended,
    elapsed: Duration,
) -> Vec<u8> {
    let one_line = ended.result.as_ref().ok().map(single_line);
    let written = Written {
        line,
        call_id: ended.call.as_ref().map(CallId::as_str),
        function: function.map(FunctionId::name),
        scope: function.map(FunctionId::scope),
        status: ended.status,
        result: one_line.as_deref(),
        error: ended.result.as_ref().err(),
        attempts: ended.attempts,
        elapsed_ms: elapsed.as_millis(),
    };
    let mut text = serde_json::to_vec(&written).expect("text, numbers and JSON serialize");
    text.push(b'\n');
    text
}

/// The result as it was written, without line ends: in JSON they stand between tokens only.
fn single_line(result: &Payload) -> Box<RawValue> {
    let text = result.as_str();
    let text =
        if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ") } else { text.to_owned() };
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast_core::call::Failure;
    use steadfast_core::time::StoreTime;

    fn check(outcome: Outcome, expect: &str) {
        let record = Record {
            call: CallId::new("c").unwrap(),
            outcome,
            attempts: 2,
            decided_at: StoreTime::default(),
        };
        let function = FunctionId::new("f", "s").unwrap();
        let line = render(3, Some(&function), &record.into(), Duration::from_millis(5));
        let expect = format!(
            r#"{{"line":3,"call_id":"c","function":"f","scope":"s",{expect},"attempts":2,"elapsed_ms":5}}"#
        );
        assert_eq!(String::from_utf8(line).unwrap(), expect + "\n");
    }

    #[test]
    fn an_outcome_is_one_line() {
        let success = |text: &str| Outcome::Success(Payload::parse(text).unwrap());
        check(success("0"), r#""status":"success","result":0"#);
        check(success("null"), r#""status":"success","result":null"#);
        check(success("{\n\"a\":\r\n1}"), r#""status":"success","result":{ "a":  1}"#);
        check(
            Outcome::Error(Failure::new(FailureKind::Handler, "no\nway")),
            r#""status":"error","error":{"kind":"handler","message":"no\nway"}"#,
        );
        check(
            Outcome::DeadLettered(Failure::new(FailureKind::Timeout, "slow")),
            r#""status":"dead_lettered","error":{"kind":"timeout","message":"slow"}"#,
        );
        check(
            Outcome::Expired,
            r#""status":"expired","error":{"kind":"expired","message":"the deadline passed before the call was decided"}"#,
        );
    }

    #[test]
    fn a_refused_line_says_which_it_was() {
        let line = render(7, None, &Ended::refused("malformed", "not JSON"), Duration::ZERO);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"line\":7,\"call_id\":null,\"function\":null,\"scope\":null,\"status\":\"refused\",\
             \"error\":{\"kind\":\"malformed\",\"message\":\"not JSON\"},\"attempts\":0,\
             \"elapsed_ms\":0}\n"
        );
    }
}
