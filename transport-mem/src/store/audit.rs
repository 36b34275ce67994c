//! What must always hold within the store, for tests and checkers.

use steadfast_core::name::FunctionId;

use super::MemStore;
use super::function::Function;
use super::stream::{Entry, Stream, call_bytes};

impl MemStore {
    /// Everything that is wrong with the store's own indexes and sums, and with the rules that no
    /// sequence of operations may break; empty for a sound store.
    pub fn audit(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let (mut calls, mut bytes) = (0, 0);
        for (id, function) in &self.state.functions {
            calls += function.held();
            bytes += function.bytes;
            audit_calls(id, function, &mut wrong);
            audit_stream(id, function, &mut wrong);
        }
        let streamed = self.state.result_streams.bytes;
        let results = self.state.results.bytes + streamed + self.state.replies.bytes;
        let used = self.used();
        if used.calls != calls {
            wrong.push(format!("{} calls counted, {calls} held", used.calls));
        }
        if used.bytes != bytes + results {
            wrong.push(format!("{} B counted, {} B held", used.bytes, bytes + results));
        }
        wrong
    }
}

fn audit_calls(id: &FunctionId, function: &Function, wrong: &mut Vec<String>) {
    if function.due().len() != function.parked().len() {
        wrong.push(format!("{id}: due and parked differ in number"));
    }
    for (call, open) in function.open() {
        let parked = function.parked().get(call);
        if parked.is_some() && open.entry.is_some() {
            wrong.push(format!("{id}: {call} is parked and in the stream"));
        }
        if parked.is_some_and(|parked| !parked.ours) {
            wrong.push(format!("{id}: {call} is open and parked as an older peer's"));
        }
        if open.attempt == 0 {
            wrong.push(format!("{id}: {call} is at attempt zero"));
        }
    }
    for (call, parked) in function.parked() {
        if parked.ours && !function.open().contains_key(call) {
            wrong.push(format!("{id}: {call} is parked as ours and not open"));
        }
    }
}

fn audit_stream(id: &FunctionId, function: &Function, wrong: &mut Vec<String>) {
    let parked: usize = function.parked().values().map(|parked| call_bytes(&parked.body)).sum();
    let letters: usize = function.letters().values().map(super::function::letter_bytes).sum();
    let entries = function
        .stream
        .as_ref()
        .map_or(0, |stream| stream.entries().values().map(Entry::bytes).sum::<usize>());
    if function.bytes != parked + letters + entries {
        wrong.push(format!("{id}: bytes are counted wrongly"));
    }
    let Some(stream) = &function.stream else {
        return;
    };
    for (entry_id, entry) in stream.entries() {
        let points_here = entry
            .call()
            .and_then(|body| function.open().get(&body.call))
            .is_some_and(|open| open.entry == Some(*entry_id));
        if entry.ours != points_here {
            wrong.push(format!("{id}: {entry_id} and the open hash disagree"));
        }
    }
    let Some(group) = Stream::group(stream) else {
        return;
    };
    let listed: usize = group.names().values().map(|name| name.pending.len()).sum();
    if listed != group.pending().len() {
        wrong.push(format!("{id}: an entry is pending at none or several names"));
    }
    for (entry, pending) in group.pending() {
        let name = group.names().get(&pending.owner);
        if !name.is_some_and(|name| name.pending.contains(entry)) {
            wrong.push(format!("{id}: {entry} is not listed at its owner"));
        }
        if *entry > group.delivered() || stream.entry(*entry).is_none() {
            wrong.push(format!("{id}: {entry} is pending and was not delivered or is gone"));
        }
    }
}
