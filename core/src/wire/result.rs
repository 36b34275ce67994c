//! The text of a result, as it stands in `result:CALLID` and in replies.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::call::{Failure, FailureKind, Outcome, OutcomeKind, Payload, Record};
use crate::name::CallId;
use crate::time::StoreTime;

/// Why a text is no result. Quotes none of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MalformedResult {
    /// The text is no JSON object.
    #[error("the result is no JSON object")]
    NoObject,
    /// It names no call.
    #[error("the result's `callId` is missing or no call id")]
    NoCall,
    /// Neither `status` nor `outcome` says how the call ended.
    #[error("the result's `status` and `outcome` are missing or unknown")]
    NoOutcome,
}

/// The members in the order in which they are written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    call_id: &'a CallId,
    result: Option<&'a str>,
    error: Option<&'a str>,
    timestamp: u64,
    status: &'static str,
    outcome: OutcomeKind,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureKind>,
}

/// Writes a record as JSON: `callId result error timestamp status outcome attempts`, and `failure`, the
/// kind of failure, where there is one. `result` is the JSON *text* of the value (`"0"`, `"null"`), and
/// JSON null only where there is none. `timestamp` is in ms since 1970.
pub fn encode_result(record: &Record) -> String {
    let (result, failure) = match &record.outcome {
        Outcome::Success(result) => (Some(result.as_str()), None),
        Outcome::Error(failure) | Outcome::DeadLettered(failure) => (None, Some(failure)),
        Outcome::Expired | Outcome::Cancelled => (None, None),
    };
    let error = match &record.outcome {
        Outcome::Success(_) => None,
        Outcome::Error(failure) | Outcome::DeadLettered(failure) => Some(failure.message.as_ref()),
        Outcome::Expired => Some("the deadline passed"),
        Outcome::Cancelled => Some("the call was cancelled"),
    };
    let written = Written {
        call_id: &record.call,
        result,
        error,
        timestamp: record.decided_at.as_millis(),
        status: if result.is_some() { "success" } else { "error" },
        outcome: record.outcome.kind(),
        attempts: record.attempts,
        failure: failure.map(|failure| failure.kind),
    };
    serde_json::to_string(&written).expect("a struct of texts and numbers is always JSON")
}

/// How the record of a success begins: all of it that is known before the store decides. What follows is
/// the store's to write, in the order of [`encode_result`].
pub fn begin_success(call: &CallId, result: &Payload) -> String {
    let (call, result) = (call.as_str(), result.as_str());
    // A result that is an object has quotation marks, each of which is written as two characters.
    let mut record = Vec::with_capacity(call.len() + result.len() + result.len() / 4 + 32);
    for (before, text) in [("{\"callId\":", call), (",\"result\":", result)] {
        record.extend_from_slice(before.as_bytes());
        serde_json::to_writer(&mut record, text).expect("a text is always JSON");
    }
    String::from_utf8(record).expect("JSON is text")
}

/// Reads what [`begin_success`] wrote: the call and its result.
pub fn read_success_begin(text: &str) -> Option<(CallId, Payload)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Begin {
        call_id: CallId,
        result: String,
    }
    let Begin { call_id, result } = serde_json::from_str(&format!("{text}}}")).ok()?;
    Some((call_id, Payload::parse(&result).ok()?))
}

/// A success as it is ordinarily written. Whatever does not fit is read member by member.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrdinarySuccess<'a> {
    #[serde(borrow)]
    call_id: Cow<'a, str>,
    #[serde(borrow)]
    result: Cow<'a, str>,
    timestamp: u64,
    outcome: Success,
    attempts: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Success {
    Success,
}

fn decode_ordinary(text: &str) -> Option<Record> {
    let OrdinarySuccess { call_id, result, timestamp, outcome: Success::Success, attempts } =
        serde_json::from_str(text).ok()?;
    Some(Record {
        call: CallId::new(call_id).ok()?,
        outcome: Outcome::Success(Payload::parse(&result).ok()?),
        attempts,
        decided_at: StoreTime::from_millis(timestamp),
    })
}

/// Reads a record. An older peer's has no `outcome`, `attempts` or `failure`: `status` decides between
/// success and a handler's error, and one attempt was made. A `result` that is a JSON value rather than
/// the text of one is taken as the value.
pub fn decode_result(text: &str) -> Result<Record, MalformedResult> {
    if let Some(record) = decode_ordinary(text) {
        return Ok(record);
    }
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return Err(MalformedResult::NoObject);
    };
    let text_of = |member: &str| members.get(member).and_then(Value::as_str);
    let call =
        text_of("callId").and_then(|text| CallId::new(text).ok()).ok_or(MalformedResult::NoCall)?;
    let kind = text_of("outcome")
        .and_then(kind_of)
        .or(match text_of("status") {
            Some("success") => Some(OutcomeKind::Success),
            Some("error") => Some(OutcomeKind::Error),
            _ => None,
        })
        .ok_or(MalformedResult::NoOutcome)?;
    let failure = || {
        let kind = members
            .get("failure")
            .and_then(|kind| serde_json::from_value(kind.clone()).ok())
            .unwrap_or(FailureKind::Handler);
        match members.get("error") {
            Some(Value::String(message)) => Failure::new(kind, message),
            Some(Value::Null) | None => Failure::new(kind, ""),
            Some(other) => Failure::new(kind, other.to_string()),
        }
    };
    Ok(Record {
        call,
        outcome: match kind {
            OutcomeKind::Success => Outcome::Success(payload(members.get("result"))),
            OutcomeKind::Error => Outcome::Error(failure()),
            OutcomeKind::Expired => Outcome::Expired,
            OutcomeKind::Cancelled => Outcome::Cancelled,
            OutcomeKind::DeadLettered => Outcome::DeadLettered(failure()),
        },
        attempts: members
            .get("attempts")
            .and_then(Value::as_u64)
            .and_then(|attempts| u32::try_from(attempts).ok())
            .unwrap_or(1),
        decided_at: members
            .get("timestamp")
            .and_then(|time| time.as_u64().or_else(|| time.as_str()?.parse().ok()))
            .map_or(StoreTime::ZERO, StoreTime::from_millis),
    })
}

fn kind_of(word: &str) -> Option<OutcomeKind> {
    [
        OutcomeKind::Success,
        OutcomeKind::Error,
        OutcomeKind::Expired,
        OutcomeKind::Cancelled,
        OutcomeKind::DeadLettered,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == word)
}

fn payload(result: Option<&Value>) -> Payload {
    match result {
        Some(Value::String(text)) => {
            Payload::parse(text).unwrap_or_else(|_| Payload::from_value(&text.as_str().into()))
        }
        Some(value) => Payload::from_value(value),
        None => Payload::null(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(outcome: Outcome) -> Record {
        Record {
            call: CallId::new("c1").unwrap(),
            outcome,
            attempts: 2,
            decided_at: StoreTime::from_millis(1_700_000_000_123),
        }
    }

    #[test]
    fn every_outcome_has_its_text() {
        let failure = Failure::new(FailureKind::LostWorker, "the worker died");
        let texts: Vec<String> = [
            Outcome::Success(Payload::trusted("0")),
            Outcome::Success(Payload::null()),
            Outcome::Success(Payload::trusted(r#"{"a":"b"}"#)),
            Outcome::Error(Failure::new(FailureKind::Handler, "no \"such\" user")),
            Outcome::Expired,
            Outcome::Cancelled,
            Outcome::DeadLettered(failure),
        ]
        .into_iter()
        .map(|outcome| encode_result(&record(outcome)))
        .collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn a_success_begins_as_it_is_written() {
        let check = |call: &str, result: &str| {
            let (call, result) = (CallId::new(call).unwrap(), Payload::trusted(result));
            let begin = begin_success(&call, &result);
            assert_eq!(read_success_begin(&begin), Some((call.clone(), result.clone())));
            let outcome = Outcome::Success(result);
            let whole = encode_result(&Record { call, ..record(outcome) });
            assert!(whole.starts_with(&format!("{begin},\"error\":null")), "{whole}");
        };
        check("c1", "0");
        check("a \"call\"", r#"{"a":"b\\n"}"#);
    }

    #[test]
    fn older_peers_results_are_read() {
        let check = |text: &str, expect: Outcome| {
            assert_eq!(decode_result(text).unwrap().outcome, expect);
        };
        let success = |text: &str| Outcome::Success(Payload::trusted(text));
        check(
            r#"{"callId":"c","status":"success","result":"{\"a\":1}","error":null}"#,
            success(r#"{"a":1}"#),
        );
        check(r#"{"callId":"c","status":"success","result":{"a":1}}"#, success(r#"{"a":1}"#));
        check(r#"{"callId":"c","status":"success","result":"hello"}"#, success(r#""hello""#));
        check(r#"{"callId":"c","status":"success","result":null}"#, success("null"));
        check(
            r#"{"callId":"c","status":"error","result":null,"error":"no"}"#,
            Outcome::Error(Failure::new(FailureKind::Handler, "no")),
        );
    }

    #[test]
    fn what_is_no_result_is_refused() {
        let check = |text: &str, expect: MalformedResult| {
            assert_eq!(decode_result(text), Err(expect));
        };
        check("hunter2", MalformedResult::NoObject);
        check(r#"{"status":"success"}"#, MalformedResult::NoCall);
        check(r#"{"callId":"c","status":"maybe"}"#, MalformedResult::NoOutcome);
    }

    fn outcomes() -> impl Strategy<Value = Outcome> {
        let kinds = prop_oneof![
            Just(FailureKind::Handler),
            Just(FailureKind::Timeout),
            Just(FailureKind::LostWorker),
            Just(FailureKind::AckedWithoutOutcome),
        ];
        let failures = (kinds, ".{0,40}").prop_map(|(kind, text)| Failure::new(kind, text));
        prop_oneof![
            any::<f64>().prop_map(|n| Outcome::Success(Payload::from_value(&n.into()))),
            ".{0,40}".prop_map(|text| Outcome::Success(Payload::from_value(&text.into()))),
            failures.clone().prop_map(Outcome::Error),
            failures.prop_map(Outcome::DeadLettered),
            Just(Outcome::Expired),
            Just(Outcome::Cancelled),
        ]
    }

    proptest! {
        #[test]
        fn a_record_survives_the_wire(outcome in outcomes(), attempts in any::<u32>()) {
            let record = Record { attempts, ..record(outcome) };
            prop_assert_eq!(decode_result(&encode_result(&record)), Ok(record));
        }
    }
}
