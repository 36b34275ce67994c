//! A call is decided once; the first decision wins.

use steadfast_core::call::{CallState, Outcome, Payload};
use steadfast_core::op::{Op, Verdict};

use crate::world::{World, call, complete, dead_letter, decide, fail, function, retry, seconds};

#[test]
fn the_first_decision_wins() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.check_twice(&complete("c1"), "done", "overruled: success");
    world.check_twice(&fail("c1", &lease), "overruled: success", "overruled: success");
    world.check(&decide("c1", Verdict::Cancel), "overruled: success");
    world.check(&decide("c1", Verdict::Expire), "overruled: success");
    world.check(&retry("c1", &lease, seconds(0)), "overruled: success");
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_decision_removes_the_call_from_wherever_it_stands() {
    let mut world = World::new();
    // Queued.
    world.submit("queued").check(&decide("queued", Verdict::Cancel), "done");
    // Pending.
    world.submit("pending");
    let (_, lease) = world.lease("w");
    world.check(&decide("pending", Verdict::Cancel), "done");
    // Parked.
    world.submit("parked");
    let lease = steadfast_core::call::Lease { entry: world.fetch("w").entry, ..lease };
    world.check(&retry("parked", &lease, seconds(9)), "done");
    world.check(&decide("parked", Verdict::Cancel), "done");
    // Open, and its entry is gone.
    world.submit("missing");
    world.store.delete_stream(world.now, &function());
    assert_eq!(world.state("missing"), "open, missing, attempt 1");
    world.check(&decide("missing", Verdict::Cancel), "done");

    assert_eq!(world.leftovers(), Vec::<String>::new());
    assert_eq!(world.store.used().calls, 0);
}

#[test]
fn past_the_deadline_every_verdict_becomes_expired() {
    for number in 0..4 {
        let mut world = World::new();
        world.submit("c1");
        let (_, lease) = world.lease("w");
        world.pass(seconds(300));
        let (op, expect) = match number {
            0 => (complete("c1"), "overruled: expired"),
            1 => (fail("c1", &lease), "overruled: expired"),
            2 => (decide("c1", Verdict::Cancel), "overruled: expired"),
            _ => (decide("c1", Verdict::Expire), "done"),
        };
        world.check_twice(&op, expect, "overruled: expired");
        let CallState::Decided(record) = world.inspect("c1") else {
            panic!("{op} left the call open");
        };
        assert_eq!(record.outcome, Outcome::Expired);
    }
}

#[test]
fn a_call_is_not_expired_before_its_deadline() {
    let mut world = World::new();
    world.submit("c1").pass(seconds(299));
    world.check(&decide("c1", Verdict::Expire), "not due for 1s");
    assert_eq!(world.state("c1"), "open, queued, attempt 1");
}

#[test]
fn an_unknown_call_is_absent() {
    let mut world = World::new();
    for verdict in [Verdict::Cancel, Verdict::Expire] {
        world.check(&decide("c1", verdict), "absent");
    }
    world.check(&complete("c1"), "absent");
    assert_eq!(world.store.functions(), []);
}

#[test]
fn a_dead_letter_and_its_outcome_are_one_step() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.check_twice(&dead_letter("c1", &lease), "done", "overruled: dead_lettered");
    let letters = world.store.dead_letters(&function());
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].call, Some(call("c1")));
    assert_eq!(letters[0].input.as_ref().map(Payload::bytes), Some(7));
    assert_eq!(world.state("c1"), "decided: c1 dead_lettered(timeout) after 1");
}

#[test]
fn acknowledging_an_open_call_changes_nothing() {
    let mut world = World::new();
    let acknowledge = Op::Acknowledge { function: function(), call: call("c1") };
    world.submit("c1").check_twice(&acknowledge, "still open", "still open");
    world.check(&complete("c1"), "done");
    world.check(&acknowledge, "acknowledged, cleared: false");
}
