//! Deferred calls are completed, failed and touched by token until their lease ends.

use std::time::Duration;

use steadfast_core::call::{FailureKind, Token};
use steadfast_core::op::{Authority, Op, Verdict};

use crate::world::{World, call, complete, decide, defer, failure, function, seconds};

fn touch(nonce: &str, lease: Duration) -> Op {
    Op::Touch {
        token: Token { function: function(), call: call("c1"), nonce: nonce.into() },
        lease,
    }
}

fn fail_by(nonce: &str) -> Op {
    let failure = failure(FailureKind::Handler);
    let by = Authority::Token(nonce.into());
    decide("c1", Verdict::Fail { failure, by })
}

fn deferred() -> World {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.check_twice(&defer("c1", &lease, "n1", seconds(20)), "done", "fenced");
    assert_eq!(world.state("c1"), "open, deferred, attempt 1");
    world
}

#[test]
fn a_deferred_call_is_completed_from_anywhere() {
    let mut world = deferred();
    world.check_twice(&complete("c1"), "done", "overruled: success");
    world.check(&touch("n1", seconds(1)), "overruled: success");
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn failing_and_touching_need_the_token() {
    let mut world = deferred();
    world.check(&fail_by("n2"), "fenced");
    world.check(&touch("n2", seconds(60)), "fenced");
    world.check_twice(&touch("n1", seconds(60)), "done", "done");
    world.pass(seconds(59));
    assert_eq!(world.sweep().promoted, 0);
    world.check_twice(&fail_by("n1"), "done", "overruled: error");
}

#[test]
fn a_lease_that_ends_is_a_failed_attempt() {
    let mut world = deferred();
    world.pass(seconds(20));
    assert_eq!(world.sweep().promoted, 1);
    world.check(&touch("n1", seconds(1)), "fenced");
    world.check(&fail_by("n1"), "fenced");
    let again = world.fetch("w");
    assert_eq!((again.attempt, again.takeovers), (2, 0));
}

#[test]
fn the_last_lease_that_ends_makes_a_dead_letter() {
    let mut world = deferred();
    for nonce in ["n2", "n3"] {
        world.pass(seconds(20));
        assert_eq!(world.sweep().promoted, 1);
        let lease = steadfast_core::call::Lease {
            entry: world.fetch("w").entry,
            consumer: crate::world::consumer("w"),
            epoch: world.store.epoch(world.now, &function()),
        };
        world.check(&defer("c1", &lease, nonce, seconds(20)), "done");
    }
    world.pass(seconds(20));
    let swept = world.sweep();
    assert_eq!((swept.promoted, swept.dead_lettered), (0, 1));
    assert_eq!(world.state("c1"), "decided: c1 dead_lettered(lease ended) after 3");
    assert_eq!(world.store.dead_letters(&function())[0].attempts, 3);
}

#[test]
fn a_touch_does_not_outlive_the_deadline() {
    let mut world = deferred();
    world.check(&touch("n1", seconds(900)), "done");
    world.pass(seconds(300));
    world.check_twice(&touch("n1", seconds(900)), "overruled: expired", "overruled: expired");
}
