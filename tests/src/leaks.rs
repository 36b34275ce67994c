//! What a Redis server must not hold after quiet (P7), found by looking at every key.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Connection, Value};

use crate::redis_server::command;

/// Everything that P7 forbids once nobody serves or calls any more, one line each: keys that have neither
/// a time to live nor a reason to stay, entries of call streams, pending entries, names of consumers that
/// have no live state. The reasons to stay: the empty stream of a function that was registered, its
/// counter of epochs, its dead letters.
pub fn leaks(raw: &mut Connection) -> Vec<String> {
    let mut found = Vec::new();
    let keys: BTreeSet<String> = command(raw, &["KEYS", "*"]);
    for key in &keys {
        let kind = bare(key);
        if kind.starts_with("function_calls:") {
            stream(raw, &keys, key, &mut found);
        } else if kind.starts_with("function_epoch:") || kind.starts_with("function_dlq:") {
            // Bounded, and kept for as long as the function may come back.
        } else if command::<i64>(raw, &["TTL", key]) == -1 {
            found.push(format!("{key} has no time to live"));
        }
    }
    found
}

/// A key without prefix and tag.
fn bare(key: &str) -> &str {
    let kinds = ["function_calls:", "function_epoch:", "function_dlq:"];
    kinds.iter().find_map(|kind| key.find(kind).map(|at| &key[at..])).unwrap_or(key)
}

fn stream(raw: &mut Connection, keys: &BTreeSet<String>, key: &str, found: &mut Vec<String>) {
    let at = key.find("function_calls:").expect("it is a stream of calls");
    let (start, function) = (&key[..at], &key[at + "function_calls:".len()..]);
    if !keys.contains(&format!("{start}function_epoch:{function}")) {
        found.push(format!("{key} is of a function that never was registered"));
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
            let state = format!("{start}consumer:state:{}", consumer["name"]);
            let status: Option<String> = command(raw, &["HGET", &state, "status"]);
            if status.is_none_or(|status| status == "stopped") {
                found.push(format!("{key} has the name {} without a consumer", consumer["name"]));
            }
        }
    }
}

/// Rows of fields and values, as `XINFO` answers them.
fn table(rows: Vec<BTreeMap<String, Value>>) -> Vec<BTreeMap<String, String>> {
    let text = |value: Value| redis::from_redis_value::<String>(value).unwrap_or_default();
    rows.into_iter()
        .map(|row| row.into_iter().map(|(field, value)| (field, text(value))).collect())
        .collect()
}
