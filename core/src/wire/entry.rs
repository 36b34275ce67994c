//! The fields of a call's stream entry.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::keys::response_channel;
use crate::call::{CallerId, Payload};
use crate::name::{CallId, EntryId, FunctionId, IdempotencyKey};
use crate::time::StoreTime;

/// The deadline of an older caller's entry, which names none: so long after the entry's own time.
pub const OLDER_PEER_DEADLINE: Duration = Duration::from_secs(300);

/// The names of an entry's fields.
pub mod fields {
    /// The call's id.
    pub const CALL_ID: &str = "callId";
    /// The function's name, without its scope.
    pub const FUNCTION_NAME: &str = "functionName";
    /// The input, as JSON text.
    pub const INPUT: &str = "input";
    /// An older peers' field that Steadfast does not read; written as the JSON text `null`.
    pub const ITEM: &str = "item";
    /// Where older peers announce the result.
    pub const RESPONSE_CHANNEL: &str = "responseChannel";
    /// When the call was submitted, in ms since 1970.
    pub const TIMESTAMP: &str = "timestamp";
    /// The deadline, in ms since 1970.
    pub const DEADLINE: &str = "deadline";
    /// The attempt that a delivery of this entry is for, from 1; 1 where it is left out.
    pub const ATTEMPT: &str = "attempt";
    /// How often the call was taken over since its attempts were last counted; 0 where it is left out.
    pub const TAKEOVER: &str = "takeover";
    /// The caller whose reply stream the outcome goes to.
    pub const REPLY_TO: &str = "replyTo";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// The idempotency key that the call was submitted with.
    pub const IDEMPOTENCY_KEY: &str = "idempotencyKey";
    /// `1` where the call asks for a result stream; of anything else, or left out, it asks for none.
    pub const RESULT_STREAM: &str = "resultStream";
}

/// A call as it stands in the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallEntry {
    /// The call.
    pub call: CallId,
    /// Its input.
    pub input: Payload,
    /// When it was submitted, at the store; whole milliseconds on the wire.
    pub submitted_at: StoreTime,
    /// When it is overdue; on the wire whole milliseconds, rounded up.
    pub deadline: StoreTime,
    /// The attempt that a delivery of this entry is for, from 1.
    pub attempt: u32,
    /// How often the call was taken over since its attempts were last counted.
    pub takeovers: u32,
    /// The caller whose reply stream the outcome goes to.
    pub reply_to: Option<CallerId>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
    /// The idempotency key that the call was submitted with.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The outcome is written to the call's result stream too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result_stream: bool,
}

/// Why an entry is no call. Names fields, quotes no content.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MalformedEntry {
    /// A field that every call has is not there.
    #[error("field `{field}` is missing")]
    Missing {
        /// The field.
        field: String,
    },
    /// A field's content is not of its form.
    #[error("field `{field}` is {problem}")]
    Bad {
        /// The field.
        field: String,
        /// What is wrong with its content; quotes none of it.
        problem: String,
    },
}

impl MalformedEntry {
    fn bad(field: &str, problem: impl Into<String>) -> Self {
        Self::Bad { field: field.into(), problem: problem.into() }
    }
}

/// What of the fields was found, before it is judged.
#[derive(Default)]
struct Found<'a> {
    call: Option<&'a str>,
    input: Option<&'a str>,
    timestamp: Option<&'a str>,
    deadline: Option<&'a str>,
    attempt: Option<&'a str>,
    takeovers: Option<&'a str>,
    reply_to: Option<&'a str>,
    traceparent: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    result_stream: Option<&'a str>,
}

impl CallEntry {
    /// The fields in the order in which they are written. Optional ones that are absent are left out.
    pub fn encode(&self, function: &FunctionId) -> Vec<(&'static str, String)> {
        let mut written = vec![
            (fields::CALL_ID, self.call.to_string()),
            (fields::FUNCTION_NAME, function.name().to_owned()),
            (fields::INPUT, self.input.as_str().to_owned()),
            (fields::ITEM, "null".to_owned()),
            (fields::RESPONSE_CHANNEL, response_channel(&self.call)),
            (fields::TIMESTAMP, self.submitted_at.as_millis().to_string()),
            (fields::DEADLINE, self.deadline.as_micros().div_ceil(1_000).to_string()),
            (fields::ATTEMPT, self.attempt.to_string()),
            (fields::TAKEOVER, self.takeovers.to_string()),
        ];
        let optional = [
            (fields::REPLY_TO, self.reply_to.as_ref().map(CallerId::as_str)),
            (fields::TRACEPARENT, self.traceparent.as_deref()),
            (fields::IDEMPOTENCY_KEY, self.idempotency_key.as_ref().map(IdempotencyKey::as_str)),
            (fields::RESULT_STREAM, self.result_stream.then_some("1")),
        ];
        written.extend(
            optional.into_iter().filter_map(|(field, value)| Some((field, value?.to_owned()))),
        );
        written
    }

    /// Reads the fields of the entry `entry`. Unknown fields are ignored; of a field that stands twice
    /// the last one counts. An older caller's entry has none of our fields: its deadline is
    /// [`OLDER_PEER_DEADLINE`] after the entry's time, its attempt 1.
    pub fn decode<'a>(
        entry: EntryId,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, MalformedEntry> {
        let found = Found::among(fields);
        let call = required(fields::CALL_ID, found.call)?;
        let input = required(fields::INPUT, found.input)?;
        let entry_time = StoreTime::from_millis(entry.ms);
        Ok(Self {
            call: CallId::new(call)
                .map_err(|_| MalformedEntry::bad(fields::CALL_ID, "empty or too long"))?,
            input: Payload::parse(input)
                .map_err(|error| MalformedEntry::bad(fields::INPUT, error.to_string()))?,
            // Older callers write what they like here; nothing depends on it.
            submitted_at: found
                .timestamp
                .and_then(|text| text.parse().ok())
                .map_or(entry_time, StoreTime::from_millis),
            deadline: number(fields::DEADLINE, found.deadline)?
                .map_or(entry_time + OLDER_PEER_DEADLINE, StoreTime::from_millis),
            attempt: count(fields::ATTEMPT, found.attempt)?.map_or(1, |attempt| attempt.max(1)),
            takeovers: count(fields::TAKEOVER, found.takeovers)?.unwrap_or(0),
            reply_to: id(fields::REPLY_TO, found.reply_to, CallerId::new)?,
            traceparent: found.traceparent.filter(|text| !text.is_empty()).map(Into::into),
            idempotency_key: id(
                fields::IDEMPOTENCY_KEY,
                found.idempotency_key,
                IdempotencyKey::new,
            )?,
            result_stream: found.result_stream == Some("1"),
        })
    }
}

impl<'a> Found<'a> {
    fn among(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut found = Self::default();
        for (field, value) in fields {
            let place = match field {
                fields::CALL_ID => &mut found.call,
                fields::INPUT => &mut found.input,
                fields::TIMESTAMP => &mut found.timestamp,
                fields::DEADLINE => &mut found.deadline,
                fields::ATTEMPT => &mut found.attempt,
                fields::TAKEOVER => &mut found.takeovers,
                fields::REPLY_TO => &mut found.reply_to,
                fields::TRACEPARENT => &mut found.traceparent,
                fields::IDEMPOTENCY_KEY => &mut found.idempotency_key,
                fields::RESULT_STREAM => &mut found.result_stream,
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }
}

fn required<'a>(field: &str, value: Option<&'a str>) -> Result<&'a str, MalformedEntry> {
    value.ok_or_else(|| MalformedEntry::Missing { field: field.into() })
}

fn number(field: &str, value: Option<&str>) -> Result<Option<u64>, MalformedEntry> {
    value
        .map(|text| text.parse().map_err(|_| MalformedEntry::bad(field, "no whole number")))
        .transpose()
}

fn count(field: &str, value: Option<&str>) -> Result<Option<u32>, MalformedEntry> {
    value
        .map(|text| {
            text.parse().map_err(|_| MalformedEntry::bad(field, "no whole number below 2^32"))
        })
        .transpose()
}

fn id<'a, T>(
    field: &str,
    value: Option<&'a str>,
    parse: impl Fn(&'a str) -> Result<T, crate::name::NameError>,
) -> Result<Option<T>, MalformedEntry> {
    value
        .filter(|text| !text.is_empty())
        .map(|text| parse(text).map_err(|_| MalformedEntry::bad(field, "too long for an id")))
        .transpose()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENTRY: EntryId = EntryId { ms: 1_700_000_000_000, seq: 0 };

    fn check(given: &[(&str, &str)], expect: &str) {
        let got = match CallEntry::decode(ENTRY, given.iter().copied()) {
            Ok(entry) => format!(
                "{} ({}) due {} attempt {} takeovers {}",
                entry.call, entry.input, entry.deadline, entry.attempt, entry.takeovers
            ),
            Err(error) => format!("malformed: {error}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn an_older_callers_entry_gets_a_deadline_and_the_first_attempt() {
        check(
            &[
                ("callId", "c1"),
                ("functionName", "greet"),
                ("input", "{}"),
                ("item", "whatever"),
                ("responseChannel", "function:response:c1"),
                ("timestamp", "2023-11-14T22:13:20Z"),
                ("somethingNew", "1"),
            ],
            "c1 (2 B) due 1700000300.000000 attempt 1 takeovers 0",
        );
    }

    #[test]
    fn what_is_no_call_is_refused_and_not_quoted() {
        check(&[("input", "{}")], "malformed: field `callId` is missing");
        check(&[("callId", "c1")], "malformed: field `input` is missing");
        check(&[("callId", ""), ("input", "{}")], "malformed: field `callId` is empty or too long");
        check(
            &[("callId", "c1"), ("input", "{hunter2")],
            "malformed: field `input` is not JSON at line 1, column 2: syntax error",
        );
        check(
            &[("callId", "c1"), ("input", "1"), ("deadline", "hunter2")],
            "malformed: field `deadline` is no whole number",
        );
        check(
            &[("callId", "c1"), ("input", "1"), ("attempt", "-1")],
            "malformed: field `attempt` is no whole number below 2^32",
        );
    }

    #[test]
    fn only_a_one_asks_for_a_result_stream() {
        let asks = |given: &[&str]| {
            let mut all = vec![("callId", "c1"), ("input", "1")];
            all.extend(given.iter().map(|value| ("resultStream", *value)));
            CallEntry::decode(ENTRY, all).unwrap().result_stream
        };
        assert!(asks(&["1"]) && asks(&["0", "1"]));
        assert!(!asks(&[]) && !asks(&[""]) && !asks(&["0"]) && !asks(&["true"]));
        assert!(!asks(&["1", "0"]));
    }

    #[test]
    fn a_deadline_is_rounded_up_never_down() {
        let mut entry =
            CallEntry::decode(ENTRY, [("callId", "c1"), ("input", "1"), ("deadline", "5")])
                .unwrap();
        entry.deadline = StoreTime::from_micros(5_001);
        let written = entry.encode(&FunctionId::new("f", "s").unwrap());
        assert!(written.contains(&("deadline", "6".to_owned())));
    }

    prop_compose! {
        fn entries()(
            call in "[a-z0-9-]{1,20}",
            input in any::<i64>(),
            submitted_ms in 0..2_u64.pow(45),
            deadline_ms in 0..2_u64.pow(45),
            attempt in 1..u32::MAX,
            takeovers in any::<u32>(),
            reply_to in proptest::option::of("[a-z]{1,8}"),
            traceparent in proptest::option::of("[0-9a-f-]{1,55}"),
            key in proptest::option::of(".{1,8}"),
            result_stream in any::<bool>(),
        ) -> CallEntry {
            CallEntry {
                call: CallId::new(call).unwrap(),
                input: Payload::trusted(input.to_string()),
                submitted_at: StoreTime::from_millis(submitted_ms),
                deadline: StoreTime::from_millis(deadline_ms),
                attempt,
                takeovers,
                reply_to: reply_to.map(|text| CallerId::new(text).unwrap()),
                traceparent: traceparent.map(Into::into),
                idempotency_key: key.map(|text| IdempotencyKey::new(text).unwrap()),
                result_stream,
            }
        }
    }

    proptest! {
        #[test]
        fn an_entry_survives_the_wire(entry in entries()) {
            let written = entry.encode(&FunctionId::new("f", "s").unwrap());
            let read = CallEntry::decode(ENTRY, written.iter().map(|(f, v)| (*f, v.as_str())));
            prop_assert_eq!(read, Ok(entry));
        }

        #[test]
        fn any_fields_are_read_or_refused_without_panic(
            given in proptest::collection::vec(
                ("(callId|input|deadline|attempt|takeover|replyTo|x)", ".{0,12}"), 0..8),
        ) {
            let read = CallEntry::decode(
                ENTRY,
                given.iter().map(|(field, value)| (field.as_str(), value.as_str())),
            );
            let named = |field: &str| given.iter().any(|(given, _)| given == field);
            prop_assert!(read.is_err() || (named("callId") && named("input")));
        }
    }
}
