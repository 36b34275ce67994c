//! Failure, retry, release and defer need the pending entry and its consumer's epoch; success needs none.

use steadfast_core::call::Lease;
use steadfast_core::name::{EntryId, Epoch};
use steadfast_core::op::{Destination, Op, Reply};

use crate::world::{
    World, beat, begin, call, complete, consumer, dead_letter, defer, fail, function, register,
    relocate, retry, seconds,
};

fn check_all_fenced(world: &mut World, lease: &Lease) {
    let before = world.store.snapshot();
    world
        .check(&fail("c1", lease), "fenced")
        .check(&dead_letter("c1", lease), "fenced")
        .check(&retry("c1", lease, seconds(1)), "fenced")
        .check(&defer("c1", lease, "n", seconds(1)), "fenced")
        .check(&relocate("c1", lease, Destination::Release), "fenced")
        .check(&begin("c1", lease), "not begun: fenced");
    assert_eq!(world.store.snapshot(), before);
}

#[test]
fn a_lease_is_the_pending_entry_its_consumer_and_the_epoch() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.register("other");
    let entry = EntryId { ms: 1, seq: 1 };
    check_all_fenced(&mut world, &Lease { entry, ..lease.clone() });
    let stale = Epoch(lease.epoch.0 - 1);
    check_all_fenced(&mut world, &Lease { epoch: stale, ..lease.clone() });
    let thief = consumer("other");
    check_all_fenced(&mut world, &Lease { consumer: thief, ..lease.clone() });
    world.check(&fail("c1", &lease), "done");
}

#[test]
fn a_lease_on_another_call_proves_nothing() {
    let mut world = World::new();
    world.submit("c2");
    let (_, lease) = world.lease("w");
    world.submit("c1");
    check_all_fenced(&mut world, &lease);
}

#[test]
fn a_consumer_without_state_is_fenced() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    world.pass(seconds(1));
    world.check(&beat("w", lease.epoch, world.session), "beaten, 0 removed");
    assert_eq!(world.remove("w"), Reply::Removed { taken_over: 1 });
    check_all_fenced(&mut world, &lease);
    world.check(&beat("w", lease.epoch, world.session), "beaten, 1 removed");
}

#[test]
fn success_needs_no_lease_even_from_a_robbed_attempt() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w");
    world.remove("w");
    world.check(&complete("c1"), "done");
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_renewal_answers_only_what_is_lost() {
    let mut world = World::new();
    world.submit("kept").submit("robbed").submit("decided");
    world.register("w");
    let entries: Vec<_> = world
        .fetch_all("w")
        .iter()
        .map(steadfast_core::call::Delivered::entry)
        .zip(["kept", "robbed", "decided"].map(call))
        .collect();
    world.check(&complete("decided"), "done");
    let lease = Lease {
        entry: entries[1].0,
        consumer: consumer("w"),
        epoch: world.store.epoch(world.now, &function()),
    };
    world.check(&relocate("robbed", &lease, Destination::Release), "done");
    let Reply::Renewed { lost } = world.ask(&Op::Renew {
        function: function(),
        consumer: consumer("w"),
        entries: entries.clone(),
    }) else {
        panic!("not renewed");
    };
    insta::assert_debug_snapshot!(lost.iter().map(|(_, why)| why).collect::<Vec<_>>(), @"
    [
        TakenOver,
        Decided(
            Success,
        ),
    ]
    ");
}

#[test]
fn epochs_grow_and_a_repeated_registration_keeps_its_own() {
    let mut world = World::new();
    let first = world.register("w1");
    let op = register("w1", world.session);
    world.pass(seconds(5));
    let before = world.store.snapshot();
    assert_eq!(world.ask(&op), Reply::Registered { epoch: first });
    assert_eq!(world.store.snapshot(), before);
    let second = world.register("w2");
    assert!(second > first);
    // A store that lost everything takes the epoch from its clock.
    world.store.flush(world.now);
    world.pass(seconds(1));
    assert!(world.register("w3") > second);
    // A clock that goes back takes none back.
    let last = world.register("w4");
    world.now = crate::world::START;
    assert!(world.register("w5") > last);
}
