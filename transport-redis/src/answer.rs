//! Reading the parts of an answer.

use std::time::Duration;

use steadfast_core::call::{Delivered, Delivery};
use steadfast_core::name::EntryId;
use steadfast_core::time::StoreTime;
use steadfast_core::wire::{CallEntry, fields};

use crate::resp::Value;

/// Marks an older peer's call that was appended again with our counts.
const OLDER_PEER: &str = "olderPeer";

/// An answer that cannot be read as what it should be.
#[derive(Debug)]
pub(crate) struct Nonsense;

pub(crate) type Read<T> = Result<T, Nonsense>;

pub(crate) fn list(value: Value) -> Read<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        _ => Err(Nonsense),
    }
}

pub(crate) fn text(value: &Value) -> Read<&str> {
    match value {
        Value::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| Nonsense),
        Value::Status(text) => Ok(text),
        Value::Okay => Ok("OK"),
        _ => Err(Nonsense),
    }
}

pub(crate) fn number(value: &Value) -> Read<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| Nonsense),
        other => text(other)?.parse().map_err(|_| Nonsense),
    }
}

pub(crate) fn small(value: &Value) -> Read<u32> {
    u32::try_from(number(value)?).map_err(|_| Nonsense)
}

pub(crate) fn micros(value: &Value) -> Read<Duration> {
    number(value).map(Duration::from_micros)
}

pub(crate) fn time(value: &Value) -> Read<StoreTime> {
    number(value).map(StoreTime::from_micros)
}

pub(crate) fn parsed<T: std::str::FromStr>(value: &Value) -> Read<T> {
    text(value)?.parse().map_err(|_| Nonsense)
}

/// The answer to `TIME`.
pub(crate) fn clock(value: &Value) -> Read<StoreTime> {
    let Value::Array(parts) = value else {
        return Err(Nonsense);
    };
    let [seconds, micros] = &parts[..] else {
        return Err(Nonsense);
    };
    Ok(StoreTime::from_micros(number(seconds)? * 1_000_000 + number(micros)?))
}

/// An entry of a stream: its id, and its fields as they stand.
pub(crate) fn entry(value: Value) -> Read<(EntryId, Vec<Value>)> {
    let mut parts = list(value)?.into_iter();
    let (Some(id), Some(fields)) = (parts.next(), parts.next()) else {
        return Err(Nonsense);
    };
    Ok((parsed(&id)?, list(fields)?))
}

/// The entries of the one stream that a read names; nothing where nothing came.
pub(crate) fn entries_of_one_stream(value: Value) -> Read<Vec<(EntryId, Vec<Value>)>> {
    let Some(stream) = list(value)?.into_iter().next() else {
        return Ok(Vec::new());
    };
    let entries = list(stream)?.into_iter().nth(1).ok_or(Nonsense)?;
    list(entries)?.into_iter().map(entry).collect()
}

/// Fields and values, by two.
pub(crate) fn pairs(values: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    values.chunks_exact(2).map(|pair| (&pair[0], &pair[1]))
}

/// An entry as it is delivered at this time. Fields that are no text cannot be ours; where such a field
/// matters, the entry is no call.
pub(crate) fn delivered(now: StoreTime, id: EntryId, values: &[Value]) -> Delivered {
    let malformed = |reason: String| Delivered::Malformed { entry: id, reason };
    let mut texts = Vec::with_capacity(values.len() / 2);
    for (field, value) in pairs(values) {
        match (text(field), text(value)) {
            (Ok(field), Ok(value)) => texts.push((field, value)),
            (Ok(field @ (fields::CALL_ID | fields::INPUT)), Err(_)) => {
                return malformed(format!("field `{field}` is no UTF-8 text"));
            }
            _ => {}
        }
    }
    match CallEntry::decode(id, texts.iter().copied()) {
        Err(error) => malformed(error.to_string()),
        Ok(entry) => {
            let has = |wanted| texts.iter().any(|(field, _)| *field == wanted);
            Delivered::Call(Delivery {
                entry: id,
                call: entry.call,
                input: entry.input,
                attempt: entry.attempt,
                takeovers: entry.takeovers,
                remaining: entry.deadline.since(now),
                traceparent: entry.traceparent,
                older_peer: has(OLDER_PEER) || !(has(fields::TAKEOVER) || entry.reply_to.is_some()),
            })
        }
    }
}
