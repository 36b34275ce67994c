//! Retries count an attempt; releases count none.

use steadfast_core::op::{Destination, Op};

use crate::world::{World, consumer, function, relocate, retry, seconds};

#[test]
fn a_retry_without_delay_is_back_at_once_as_the_next_attempt() {
    let mut world = World::new();
    world.submit("c1");
    let (delivery, lease) = world.lease("w");
    assert_eq!(delivery.attempt, 1);
    world.check_twice(&retry("c1", &lease, seconds(0)), "done", "fenced");
    let again = world.fetch("w");
    assert_eq!((again.attempt, again.takeovers), (2, 0));
    assert!(again.entry > delivery.entry);
}

#[test]
fn a_retry_with_delay_waits_in_parking() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.check_twice(&retry("c1", &lease, seconds(10)), "done", "fenced");
    assert_eq!(world.state("c1"), "open, parked, attempt 2");
    world.pass(seconds(9));
    assert_eq!(world.sweep().promoted, 0);
    world.pass(seconds(1));
    assert_eq!(world.sweep().promoted, 1);
    assert_eq!(world.fetch("w").attempt, 2);
}

#[test]
fn a_release_is_back_at_once_as_the_same_attempt() {
    let mut world = World::new();
    world.submit("c1");
    let (delivery, lease) = world.lease("w");
    world.check_twice(&relocate("c1", &lease, Destination::Release), "done", "fenced");
    let again = world.fetch("w");
    assert_eq!((again.attempt, again.takeovers), (1, 0));
    assert_eq!(again.input, delivery.input);
}

#[test]
fn a_move_past_the_deadline_expires_the_call() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.pass(seconds(300));
    world.check_twice(&retry("c1", &lease, seconds(0)), "overruled: expired", "overruled: expired");
}

#[test]
fn a_consumer_that_stops_gives_back_what_it_holds() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    let deregister =
        Op::Deregister { function: function(), consumer: consumer("w"), epoch: lease.epoch };
    let foreign = Op::Deregister {
        function: function(),
        consumer: consumer("w"),
        epoch: steadfast_core::name::Epoch(1),
    };
    world.check(&foreign, "deregistered, 0 released");
    assert_eq!(world.state("c1"), "open, pending at w, attempt 1");
    world.check_twice(&deregister, "deregistered, 1 released", "deregistered, 0 released");
    assert!(world.store.group_names(&function()).is_empty());
    world.register("w2");
    let again = world.fetch("w2");
    assert_eq!((again.attempt, again.takeovers), (1, 0));
}
