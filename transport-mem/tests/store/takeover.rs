//! A dead consumer's calls are taken over, and counted before they begin.

use steadfast_core::call::{Delivery, Lease};
use steadfast_core::name::SessionId;
use steadfast_core::op::{Destination, Op, Reply};

use crate::world::{World, beat, begin, consumer, function, register, relocate, retry, seconds};

/// Fetches the one call as a new consumer after the one before was removed.
fn take_over(world: &mut World, from: &str, to: &str) -> (Delivery, Lease) {
    assert_eq!(world.remove(from), Reply::Removed { taken_over: 1 });
    world.lease(to)
}

#[test]
fn a_consumer_is_removed_only_as_observed() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    let observed = world.store.consumers(world.now, &function())[0].clone();
    let remove = Op::Remove {
        function: function(),
        consumer: consumer("w"),
        epoch: lease.epoch,
        heartbeat: observed.heartbeat,
        sessions: observed.sessions,
    };
    world.pass(seconds(5));
    world.check(&beat("w", lease.epoch, world.session), "beaten, 0 removed");
    world.check_twice(&remove, "kept", "kept");
    // The node is connected anew within the same moment.
    let observed = world.store.consumers(world.now, &function())[0].clone();
    let other = SessionId(99);
    world.check(&beat("w", lease.epoch, other), "beaten, 0 removed");
    let stale = Op::Remove {
        function: function(),
        consumer: consumer("w"),
        epoch: lease.epoch,
        heartbeat: observed.heartbeat,
        sessions: observed.sessions,
    };
    world.check(&stale, "kept");
    assert_eq!(world.remove("w"), Reply::Removed { taken_over: 1 });
    world.check(&remove, "kept");
    assert!(world.store.group_names(&function()).is_empty());
}

#[test]
fn a_takeover_is_counted_once_per_lease() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w1");
    let (delivery, lease) = take_over(&mut world, "w1", "w2");
    assert_eq!((delivery.attempt, delivery.takeovers), (1, 1));
    world.check_twice(&begin("c1", &lease), "begun, attempt 2", "begun, attempt 2");
}

#[test]
fn a_call_that_kills_its_workers_becomes_a_dead_letter() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w1");
    let (_, lease) = take_over(&mut world, "w1", "w2");
    world.check(&begin("c1", &lease), "begun, attempt 2");
    let (_, lease) = take_over(&mut world, "w2", "w3");
    world.check(&begin("c1", &lease), "begun, attempt 3");
    let (delivery, lease) = take_over(&mut world, "w3", "w4");
    assert_eq!((delivery.attempt, delivery.takeovers), (3, 3));
    world.check_twice(&begin("c1", &lease), "not begun: dead_lettered", "not begun: dead_lettered");
    assert_eq!(world.state("c1"), "decided: c1 dead_lettered(lost worker) after 3");
    assert_eq!(world.store.dead_letters(&function()).len(), 1);
}

#[test]
fn a_release_after_the_beginning_is_not_counted_again() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w1");
    let (_, lease) = take_over(&mut world, "w1", "w2");
    world.check(&begin("c1", &lease), "begun, attempt 2");
    world.check(&relocate("c1", &lease, Destination::Release), "done");
    let delivery = world.fetch("w2");
    assert_eq!((delivery.attempt, delivery.takeovers), (2, 1));
    let lease = Lease { entry: delivery.entry, ..lease };
    world.check(&begin("c1", &lease), "begun, attempt 2");
}

#[test]
fn a_retry_leaves_no_takeover_to_count() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w1");
    let (_, lease) = take_over(&mut world, "w1", "w2");
    world.check(&begin("c1", &lease), "begun, attempt 2");
    world.check(&retry("c1", &lease, seconds(0)), "done");
    let delivery = world.fetch("w2");
    assert_eq!((delivery.attempt, delivery.takeovers), (3, 0));
}

#[test]
fn an_overdue_call_is_expired_instead_of_begun() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w1");
    let (_, lease) = take_over(&mut world, "w1", "w2");
    world.pass(seconds(300));
    world.check_twice(&begin("c1", &lease), "not begun: expired", "not begun: expired");
}

#[test]
fn a_late_copy_of_a_registration_brings_nobody_back() {
    let mut world = World::new();
    let epoch = world.register("w");
    world.pass(seconds(1));
    assert_eq!(world.remove("w"), Reply::Removed { taken_over: 0 });
    let late = register("w", world.session);
    world.check(&late, &format!("registered {epoch}"));
    world.check(&beat("w", epoch, world.session), "beaten, 1 removed");
    assert_eq!(world.store.consumers(world.now, &function()), []);
    assert_eq!(world.leftovers(), Vec::<String>::new());
}
