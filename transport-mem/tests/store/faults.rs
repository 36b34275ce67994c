//! What a restart and a loss of data leave behind.

use steadfast_core::machine::StoreMachine;
use steadfast_core::op::Op;

use crate::world::{World, complete, function, seconds};

#[test]
fn a_restart_keeps_the_data_and_ends_the_sessions() {
    let mut world = World::new();
    world.submit("c1");
    let before = world.store.run_id().clone();
    world.store.restart(world.now);
    assert_ne!(*world.store.run_id(), before);
    assert!(world.store.sessions().is_empty());
    world.check(&Op::Ping, "error: disconnected: s1 has ended or never was; connect again");
    world.session = world.store.connect(world.now).session;
    assert_eq!(world.state("c1"), "open, queued, attempt 1");
}

#[test]
fn a_flush_loses_the_data_and_keeps_the_sessions() {
    let mut world = World::new();
    world.submit("c1").check(&complete("c1"), "done");
    world.store.flush(world.now);
    assert_eq!(world.state("c1"), "absent");
    assert_eq!(world.store.used().bytes, 0);
    let fetch = Op::Fetch { function: function(), consumer: crate::world::consumer("w"), count: 1 };
    world.check(
        &fetch,
        "error: stream or group missing: fetch of greet:global: its stream or group is missing; \
         ensure or register first",
    );
}

#[test]
fn a_deleted_group_is_made_again_and_delivers_all_again() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w");
    assert!(world.store.delete_group(world.now, &function()));
    let ensure = Op::Ensure { function: function() };
    world.check_twice(&ensure, "ensured, created: true", "ensured, created: false");
    assert_eq!(world.fetch("w").attempt, 1);
}

#[test]
fn a_deleted_name_leaves_its_entries_in_nobodys_list() {
    let mut world = World::new();
    world.submit("c1");
    let (_, lease) = world.lease("w");
    assert!(world.store.delete_name(world.now, &function(), &lease.consumer));
    assert!(world.store.pending_entries(&function()).is_empty());
    world.check(&complete("c1"), "done");
    assert!(world.store.stream_entries(&function()).is_empty());
    world.pass(seconds(1));
}
