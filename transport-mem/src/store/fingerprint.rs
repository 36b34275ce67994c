//! The state for the explorer's hash: times relative to now, so that states that behave alike hash alike.

use std::hash::{Hash, Hasher};

use steadfast_core::time::StoreTime;

use super::MemStore;
use super::function::Function;
use super::stream::{Content, Stream};

/// A hasher that takes times relative to one moment.
struct Print<'a> {
    now: StoreTime,
    into: &'a mut dyn Hasher,
}

impl Print<'_> {
    fn put(&mut self, value: &impl Hash) {
        value.hash(&mut self.into);
    }

    fn time(&mut self, time: StoreTime) {
        let relative = i128::from(time.as_micros()) - i128::from(self.now.as_micros());
        relative.hash(&mut self.into);
    }
}

impl MemStore {
    /// Feeds what future answers depend on into a hasher. Times are relative to `now`, and what has
    /// expired is left out. Entry ids, epochs and sessions stand as they are, since nodes hold them.
    pub fn fingerprint(&self, now: StoreTime, into: &mut dyn Hasher) {
        let mut print = Print { now, into };
        print.put(&self.state.run_id);
        print.put(&self.state.sessions);
        for watch in self.state.watches.blocked() {
            print.put(&watch.session);
            print.put(&watch.interest);
        }
        for (id, function) in &self.state.functions {
            print.put(id);
            print_calls(function, &mut print);
            print_consumers(function, &mut print);
            if let Some(stream) = &function.stream {
                print_stream(stream, &mut print);
            }
        }
        for (call, kept) in self.state.results.all() {
            if kept.expires > now {
                print.put(call);
                print.put(&kept.record.outcome);
                print.put(&kept.record.attempts);
                print.time(kept.expires);
            }
        }
        for (call, stream) in self.state.result_streams.all() {
            if stream.expires > now {
                print.put(call);
                print.time(stream.expires);
                for record in &stream.records {
                    print.put(&(&record.outcome, record.attempts));
                }
            }
        }
        for (caller, stream) in self.state.replies.all() {
            if stream.expires > now {
                print.put(caller);
                print.time(stream.expires);
                for (entry, record) in &stream.entries {
                    print.put(entry);
                    print.put(&(&record.call, &record.outcome, record.attempts));
                }
            }
        }
    }
}

fn print_calls(function: &Function, print: &mut Print<'_>) {
    for (call, open) in function.open() {
        print.put(&(call, open.attempt, open.entry, open.begun, open.result_stream));
        print.time(open.deadline);
    }
    for (call, parked) in function.parked() {
        let body = &parked.body;
        print.put(&(call, body.attempt, &parked.nonce, parked.ours, body.result_stream));
        print.time(parked.due);
    }
    for (key, (call, expires)) in function.keys() {
        if *expires > print.now {
            print.put(&(key, call));
            print.time(*expires);
        }
    }
    for (entry, letter) in function.letters() {
        print.put(&(entry, &letter.call, &letter.failure));
    }
}

fn print_consumers(function: &Function, print: &mut Print<'_>) {
    print.put(&function.epoch(print.now));
    if let Some(expires) = function.epoch_expires().filter(|at| *at > print.now) {
        print.time(expires);
    }
    for (consumer, registered) in function.registered() {
        if registered.expires > print.now {
            let record = &registered.record;
            print.put(&(consumer, record.epoch, record.status, &record.sessions));
            print.time(record.heartbeat);
            print.time(registered.expires);
        }
    }
    if let Some(expires) = function.definition_expires().filter(|at| *at > print.now) {
        print.time(expires);
    }
}

fn print_stream(stream: &Stream, print: &mut Print<'_>) {
    print.put(&stream.last());
    for (id, entry) in stream.entries() {
        print.put(&(id, entry.ours));
        match &entry.content {
            Content::Call(body) => {
                print.put(&(&body.call, body.attempt, body.takeovers, body.result_stream));
                print.time(body.deadline);
            }
            Content::Raw { fields, .. } => print.put(fields),
        }
    }
    let Some(group) = stream.group() else {
        return;
    };
    print.put(&group.delivered());
    for (consumer, name) in group.names() {
        print.put(&(consumer, &name.pending));
        print.time(name.seen_at);
    }
    print.put(group.acked());
}
