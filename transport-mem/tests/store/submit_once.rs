//! A call id is admitted once; what refuses a call writes nothing.

use std::time::Duration;

use steadfast_core::op::{Admission, Op, Reply, Submission};

use crate::world::{World, call, complete, function, keyed, seconds, submission};

#[test]
fn a_call_id_is_admitted_once() {
    let mut world = World::new();
    let submit = Op::Submit(submission("c1"));
    world.check_twice(&submit, "accepted", "already open");
    world.check(&complete("c1"), "done");
    world.check(&submit, "already decided: c1 success(1 B) after 1");
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_call_id_is_forgotten_five_minutes_after_its_decision() {
    let mut world = World::new();
    world.submit("c1").check(&complete("c1"), "done");
    world.pass(seconds(299));
    assert_eq!(world.state("c1"), "decided: c1 success(1 B) after 1");
    world.pass(seconds(1));
    assert_eq!(world.state("c1"), "absent");
    world.submit("c1");
}

#[test]
fn submit_creates_stream_and_group_at_zero() {
    let mut world = World::new();
    world.submit("c1");
    world.register("w");
    assert_eq!(world.fetch("w").call, call("c1"));
}

#[test]
fn an_idempotency_key_joins_a_second_call_to_the_first() {
    let mut world = World::new();
    world.check(&Op::Submit(keyed("c1", "k")), "accepted");
    world.check_twice(&Op::Submit(keyed("c2", "k")), "joined to c1", "joined to c1");
    world.check(&complete("c1"), "done");
    let Reply::Submitted(Admission::Joined { record, .. }) =
        world.ask(&Op::Submit(keyed("c3", "k")))
    else {
        panic!("not joined");
    };
    assert_eq!(record.map(|record| record.call), Some(call("c1")));
    assert_eq!(world.state("c2"), "absent");
    // The key lives for five minutes after the deadline, the record for five after the decision.
    world.pass(seconds(599));
    let Reply::Submitted(Admission::Joined { record, .. }) =
        world.ask(&Op::Submit(keyed("c4", "k")))
    else {
        panic!("not joined");
    };
    assert_eq!(record, None);
    world.pass(seconds(1));
    world.check(&Op::Submit(keyed("c5", "k")), "accepted");
}

#[test]
fn a_call_above_the_bound_is_refused_before_any_write() {
    let mut world = World::new();
    let bounded = |id: &str| Op::Submit(Submission { open_max: 2, ..keyed(id, id) });
    world.check(&bounded("c1"), "accepted");
    world.check(&bounded("c2"), "accepted");
    let before = world.store.snapshot();
    world.check(&bounded("c3"), "full: 2 open");
    assert_eq!(world.store.snapshot(), before);
    world.check(&bounded("c1"), "already open");
    world.check(&complete("c1"), "done");
    world.check(&bounded("c3"), "accepted");
}

#[test]
fn parked_calls_and_older_callers_entries_count_against_the_bound() {
    let mut world = World::new();
    let bounded = |id: &str, delay| Op::Submit(Submission { open_max: 2, delay, ..submission(id) });
    world.check(&bounded("c1", seconds(60)), "accepted");
    world.check(&bounded("c2", seconds(60)), "accepted");
    world.check(&bounded("c3", seconds(0)), "full: 2 open");

    let mut world = World::new();
    for id in ["c1", "c2", "c3"] {
        let fields = [("callId", id), ("input", "1")];
        let fields = fields.map(|(field, value)| (field.to_owned(), value.to_owned())).to_vec();
        world.ask(&Op::OlderPeerAdd { function: function(), fields });
    }
    world.check(&bounded("c4", seconds(0)), "full: 3 open");
}

#[test]
fn a_delayed_call_is_parked_until_it_is_due() {
    let mut world = World::new();
    let delayed = Op::Submit(Submission { delay: seconds(10), ..submission("c1") });
    world.check_twice(&delayed, "accepted", "already open");
    world.register("w");
    assert_eq!(world.state("c1"), "open, parked, attempt 1");
    assert_eq!(world.sweep().next_due, Some(seconds(10)));
    assert!(world.fetch_all("w").is_empty());
    world.pass(seconds(10));
    assert_eq!(world.sweep().promoted, 1);
    assert_eq!(world.fetch("w").attempt, 1);
}

#[test]
fn a_requeued_letter_is_a_new_call_and_no_letter_any_more() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.check(&crate::world::dead_letter("c1", &lease), "done");
    let letter = world.store.dead_letters(&function())[0].entry;
    let requeue = |id: &str| Op::Requeue {
        function: function(),
        letter,
        call: call(id),
        deadline: seconds(60),
    };
    world.check_twice(&requeue("c2"), "accepted", "already open");
    world.check(&requeue("c3"), "no such letter");
    assert_eq!(world.store.dead_letters(&function()), []);
    let delivery = world.fetch("w");
    assert_eq!((delivery.call, delivery.attempt), (call("c2"), 1));
    assert_eq!(delivery.remaining, Duration::from_secs(60));
}
