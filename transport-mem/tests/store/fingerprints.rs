//! States that behave alike hash alike.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use crate::world::{World, complete, seconds};

fn print(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.store.fingerprint(world.now, &mut hasher);
    hasher.finish()
}

#[test]
fn a_difference_that_matters_shows() {
    let mut world = World::new();
    let empty = print(&world);
    world.submit("c1");
    let submitted = print(&world);
    assert_ne!(empty, submitted);
    assert_eq!(submitted, print(&world));
    world.check(&complete("c1"), "done");
    assert_ne!(submitted, print(&world));
}

#[test]
fn what_has_expired_does_not_show() {
    let mut kept = World::new();
    kept.submit("c1").check(&complete("c1"), "done").pass(seconds(10_000));
    let asleep = print(&kept);
    // The same store after it has purged: an operation that changes nothing else.
    kept.check(&complete("c2"), "absent");
    assert_eq!(asleep, print(&kept));
}
