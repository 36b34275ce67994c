//! What a Redis server must not hold after quiet (P7), found by looking at every key.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Connection, Value};

use crate::redis_server::command;

/// Everything that P7 forbids once nobody serves or calls any more, one line each: keys that have neither
/// a time to live nor a reason to stay, entries of call streams, pending entries, names of consumers that
/// have no live state. The reasons to stay: a function is served, so its empty stream is in use; dead letters
/// are bounded.
pub fn leaks(raw: &mut Connection) -> Vec<String> {
    let mut found = Vec::new();
    let keys: BTreeSet<String> = command(raw, &["KEYS", "*"]);
    for key in &keys {
        let kind = bare(key);
        if kind.starts_with("function_calls:") {
            stream(raw, key, &mut found);
        } else if kind.starts_with("function_dlq:") {
            // Bounded, and kept until somebody has dealt with them.
        } else if command::<i64>(raw, &["TTL", key]) == -1 {
            found.push(format!("{key} has no time to live"));
        }
    }
    found
}

/// A key without prefix and tag.
fn bare(key: &str) -> &str {
    let kinds = ["function_calls:", "function_dlq:"];
    kinds.iter().find_map(|kind| key.find(kind).map(|at| &key[at..])).unwrap_or(key)
}

fn stream(raw: &mut Connection, key: &str, found: &mut Vec<String>) {
    let at = key.find("function_calls:").expect("it is a stream of calls");
    let (start, function) = (&key[..at], &key[at + "function_calls:".len()..]);
    let active: Vec<String> =
        command(raw, &["SMEMBERS", &format!("{start}consumer:active:{function}")]);
    if !active.iter().any(|consumer| is_registered(raw, start, consumer)) {
        found.push(format!("{key} is of a function that nobody serves"));
    }
    let entries: u64 = command(raw, &["XLEN", key]);
    if entries > 0 {
        found.push(format!("{key} has {entries} entries"));
    }
    for group in table(command(raw, &["XINFO", "GROUPS", key])) {
        if group["pending"] != "0" {
            found.push(format!("{key} has {} pending entries", group["pending"]));
        }
        for consumer in table(command(raw, &["XINFO", "CONSUMERS", key, &group["name"]])) {
            if !is_registered(raw, start, &consumer["name"]) {
                found.push(format!("{key} has the name {} without a consumer", consumer["name"]));
            }
        }
    }
}

fn is_registered(raw: &mut Connection, start: &str, consumer: &str) -> bool {
    let state = format!("{start}consumer:state:{consumer}");
    let status: Option<String> = command(raw, &["HGET", &state, "status"]);
    status.is_some_and(|status| status != "stopped")
}

/// Rows of fields and values, as `XINFO` answers them.
fn table(rows: Vec<BTreeMap<String, Value>>) -> Vec<BTreeMap<String, String>> {
    let text = |value: Value| redis::from_redis_value::<String>(value).unwrap_or_default();
    rows.into_iter()
        .map(|row| row.into_iter().map(|(field, value)| (field, text(value))).collect())
        .collect()
}
