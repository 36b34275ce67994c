//! A store is rebuilt from its journal as it stood at any point.

use steadfast_core::machine::StoreMachine;
use steadfast_core::name::EntryId;
use steadfast_core::transport::Interest;
use steadfast_transport_mem::store::{JournalEntry, MemStore};

use crate::world::{World, complete, function, retry, seconds};

/// A store with something of everything, and its snapshot after each journal entry.
fn lived() -> World {
    let mut world = World::new();
    world.submit("c1").submit("c2");
    let epoch = world.register("w");
    let entries = world.fetch_all("w");
    let lease = steadfast_core::call::Lease {
        entry: entries[0].entry(),
        consumer: crate::world::consumer("w"),
        epoch,
    };
    world.check(&retry("c1", &lease, seconds(5)), "done");
    let watcher = world.store.connect(world.now).session;
    let after = vec![(function(), EntryId { ms: u64::MAX, seq: 0 })];
    let interest = Interest::Arrivals { after };
    assert_eq!(world.store.watch(world.now, watcher, &interest), None);
    world.check(&complete("c2"), "done");
    world.store.unwatch(watcher);
    world.store.restart(world.now);
    world.session = world.store.connect(world.now).session;
    world.pass(seconds(5));
    world.sweep();
    world.store.delete_group(world.now, &function());
    world.store.disconnect(world.now, watcher);
    world
}

#[test]
fn a_replay_equals_the_original() {
    let world = lived();
    let replayed = MemStore::replay(world.store.config().clone(), world.store.journal());
    assert_eq!(replayed.snapshot(), world.store.snapshot());
    assert_eq!(replayed.journal(), world.store.journal());
}

#[test]
fn a_prefix_is_the_store_as_it_was() {
    let journal = lived().store.journal().to_vec();
    let whole = MemStore::replay(lived().store.config().clone(), &journal);
    for cut in 0..=journal.len() {
        let mut store = MemStore::replay(whole.config().clone(), &journal[..cut]);
        assert_eq!(store.journal(), &journal[..cut]);
        // It can go on from there: a replica that lagged behind is promoted.
        let before = store.run_id().clone();
        store.restart(crate::world::START + seconds(60));
        assert_ne!(*store.run_id(), before);
        assert_eq!(store.audit(), Vec::<String>::new());
    }
}

#[test]
fn a_journal_survives_a_file() {
    let world = lived();
    let text = serde_json::to_string(world.store.journal()).unwrap();
    let read: Vec<JournalEntry> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, world.store.journal());
}
