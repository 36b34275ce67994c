//! Calls and consumers of older peers, which know neither open hash nor epochs.

use std::time::Duration;

use steadfast_core::call::{Delivered, Lease, Outcome, Payload, Record};
use steadfast_core::name::EntryId;
use steadfast_core::op::{Destination, Op, Reply, Submission, Verdict};

use crate::world::{
    World, begin, call, complete, complete_entry, consumer, decide, fail, function, relocate,
    retry, seconds, submission, sweep_op,
};

fn add(fields: &[(&str, &str)]) -> Op {
    let fields =
        fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
    Op::OlderPeerAdd { function: function(), fields }
}

impl World {
    fn older_call(&mut self, id: &str) -> EntryId {
        match self.ask(&add(&[("callId", id), ("input", "{}"), ("item", "x")])) {
            Reply::Added(entry) => entry,
            other => panic!("{other}"),
        }
    }
}

fn answer(world: &World, id: &str) -> Record {
    Record {
        call: call(id),
        outcome: Outcome::Success(Payload::trusted("1")),
        attempts: 1,
        decided_at: world.now,
    }
}

#[test]
fn an_older_callers_call_is_executed_like_any_other() {
    let mut world = World::new();
    let entry = world.older_call("c1");
    let (delivery, lease) = world.lease("w");
    assert!(delivery.older_peer);
    assert_eq!((delivery.entry, delivery.attempt), (entry, 1));
    assert_eq!(delivery.remaining, seconds(300));
    world.check(&fail("c1", &Lease { entry: EntryId::ZERO, ..lease }), "absent");
    world.check(&complete("c1"), "absent");
    world.check_twice(&complete_entry("c1", Some(entry)), "done", "overruled: success");
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn whoever_deletes_the_entry_decides_an_older_call() {
    let mut world = World::new();
    let entry = world.older_call("c1");
    let (_, lease) = world.lease("w");
    world.check(&fail("c1", &lease), "done");
    world.check(&complete_entry("c1", Some(entry)), "overruled: error");
    // Its caller deletes the result that it has read; nobody can decide again.
    assert!(world.store.older_peer_take_result(world.now, &call("c1")));
    world.check(&complete_entry("c1", Some(entry)), "absent");
}

#[test]
fn an_older_call_is_expired_only_by_that_verdict() {
    let mut world = World::new();
    let first = world.older_call("c1");
    world.older_call("c2");
    world.register("w");
    world.fetch_all("w");
    world.pass(seconds(299));
    world.check(&decide("c2", Verdict::Expire), "not due for 1s");
    world.pass(seconds(1));
    world.check(&complete_entry("c1", Some(first)), "done");
    world.check_twice(&decide("c2", Verdict::Expire), "done", "overruled: expired");
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn an_older_call_moves_with_our_fields_added() {
    let mut world = World::new();
    world.older_call("c1");
    let (_, lease) = world.lease("w");
    world.pass(seconds(100));
    world.check_twice(&relocate("c1", &lease, Destination::Release), "done", "absent");
    let again = world.fetch("w");
    assert!(again.older_peer);
    // The deadline stays that of the first entry.
    assert_eq!((again.attempt, again.remaining), (1, seconds(200)));
    let lease = Lease { entry: again.entry, ..lease };
    world.check(&retry("c1", &lease, seconds(10)), "done");
    assert_eq!(world.state("c1"), "open, parked, attempt 2");
    world.pass(seconds(10));
    assert_eq!(world.sweep().promoted, 1);
    let again = world.fetch("w");
    assert_eq!((again.attempt, again.older_peer), (2, true));
}

#[test]
fn takeovers_of_an_older_call_count_as_attempts() {
    let mut world = World::new();
    world.older_call("c1");
    world.lease("w1");
    for (from, to, expect) in [
        ("w1", "w2", "begun, attempt 2"),
        ("w2", "w3", "begun, attempt 3"),
        ("w3", "w4", "not begun: dead_lettered"),
    ] {
        world.remove(from);
        let (_, lease) = world.lease(to);
        world.check_twice(&begin("c1", &lease), expect, expect);
    }
    assert_eq!(world.store.dead_letters(&function()).len(), 1);
}

#[test]
fn what_is_no_call_becomes_a_dead_letter_with_the_reason() {
    let mut world = World::new();
    world.ask(&add(&[("callId", "c1"), ("input", "{hunter2")]));
    let epoch = world.register("w");
    let delivered = world.fetch_all("w");
    let [Delivered::Malformed { entry, reason }] = delivered.as_slice() else {
        panic!("{delivered:?}");
    };
    assert_eq!(reason, "field `input` is not JSON at line 1, column 2: syntax error");
    let lease = Lease { entry: *entry, consumer: consumer("w"), epoch };
    let reject = Op::Reject { function: function(), lease, reason: reason.as_str().into() };
    world.check_twice(&reject, "done", "absent");
    let letters = world.store.dead_letters(&function());
    assert_eq!((&letters[0].call, &letters[0].input), (&Some(call("c1")), &None));
    let requeue = Op::Requeue {
        function: function(),
        letter: letters[0].entry,
        call: call("c2"),
        deadline: seconds(60),
    };
    world.check(&requeue, "no such letter");
}

#[test]
fn a_call_of_ours_cannot_be_rejected() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    let reject = Op::Reject { function: function(), lease, reason: "no".into() };
    world.check(&reject, "fenced");
}

#[test]
fn what_an_older_consumer_acknowledged_is_closed() {
    let mut world = World::new();
    world.submit("answered");
    let entry = world.fetch("older").entry;
    world.store.older_peer_acknowledge(world.now, &function(), entry);
    assert_eq!(world.sweep().closed, 0);
    world.store.older_peer_answer(world.now, answer(&world, "answered"));
    assert_eq!(world.state("answered"), "decided: answered success(1 B) after 1");
    world.check(&complete("answered"), "overruled: success");
    assert!(world.store.open_calls().is_empty());
}

#[test]
fn a_sweep_deletes_what_is_acknowledged_with_an_outcome() {
    let mut world = World::new();
    world.submit("ours");
    let ours = world.fetch("older").entry;
    let theirs = world.older_call("theirs");
    world.fetch("older");
    for (id, entry) in [("ours", ours), ("theirs", theirs)] {
        world.store.older_peer_acknowledge(world.now, &function(), entry);
        world.store.older_peer_answer(world.now, answer(&world, id));
    }
    assert_eq!(world.sweep().closed, 2);
    assert!(world.store.stream_entries(&function()).is_empty());
    assert!(world.store.open_calls().is_empty());
}

#[test]
fn what_is_due_and_decided_counts_against_the_limit_of_a_sweep() {
    let mut world = World::new();
    for id in ["c1", "c2", "c3", "c4", "c5"] {
        let parked = Submission { delay: seconds(5), ..submission(id) };
        world.check(&Op::Submit(parked), "accepted");
        if id != "c5" {
            world.store.older_peer_answer(world.now, answer(&world, id));
        }
    }
    world.pass(seconds(5));
    let mut rounds = Vec::new();
    while rounds.last().is_none_or(|(_, _, more)| *more) {
        let Reply::Swept(swept) = world.ask(&sweep_op(1)) else {
            panic!("not swept");
        };
        rounds.push((swept.closed, swept.promoted, swept.more));
    }
    assert_eq!(rounds, [(1, 0, true), (1, 0, true), (1, 0, true), (1, 1, false)]);
}

#[test]
fn acknowledged_without_outcome_is_an_error_at_the_deadline() {
    let mut world = World::new();
    world.submit("ours");
    world.older_call("theirs");
    for delivered in world.fetch_all("older") {
        world.store.older_peer_acknowledge(world.now, &function(), delivered.entry());
    }
    world.pass(seconds(299));
    assert_eq!(world.sweep().closed, 0);
    world.pass(seconds(1));
    assert_eq!(world.sweep().closed, 2);
    for id in ["ours", "theirs"] {
        assert_eq!(world.state(id), format!("decided: {id} error(acked without outcome) after 1"));
    }
}

#[test]
fn an_older_callers_duplicate_of_our_call_goes_with_it() {
    let mut world = World::new();
    world.submit("c1");
    let duplicate = world.older_call("c1");
    world.register("w");
    assert_eq!(world.fetch_all("w").len(), 2);
    world.check(&complete_entry("c1", Some(duplicate)), "done");
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_stream_made_again_within_a_millisecond_gives_new_ids() {
    let mut world = World::new();
    let old = world.older_call("o1");
    world.check(&complete_entry("o1", Some(old)), "done");
    world.pass(Duration::from_micros(1)).submit("c1");
    let (delivery, _) = world.lease("w");
    assert_ne!(delivery.entry, old);
}
