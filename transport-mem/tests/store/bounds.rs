//! The store is bounded: it refuses submissions, says what is full, and drains.

use steadfast_core::call::Payload;
use steadfast_core::op::{Op, Submission};
use steadfast_transport_mem::StoreConfig;

use crate::world::{World, complete, dead_letter, function, seconds, submission};

#[test]
fn a_store_full_of_calls_refuses_one_more_and_drains() {
    let mut world = World::with(StoreConfig { calls_max: 2, ..StoreConfig::default() });
    world.submit("c1").submit("c2");
    let before = world.store.snapshot();
    world.check(
        &Op::Submit(submission("c3")),
        "error: the store is full: submit of c3 to greet:global: the store holds 2 calls, the most \
         it may; submit again once some are decided",
    );
    assert_eq!(world.store.snapshot(), before);
    world.check(&Op::Submit(submission("c2")), "already open");
    world.check(&complete("c1"), "done").submit("c3");
}

#[test]
fn a_store_full_of_bytes_refuses_a_submission_and_nothing_else() {
    let mut world = World::with(StoreConfig { bytes_max: 1_000, ..StoreConfig::default() });
    world.submit("c1");
    let large = Op::Submit(Submission {
        input: Payload::from_value(&"x".repeat(600).into()),
        ..submission("c2")
    });
    world.check(
        &large,
        "error: the store is out of memory: submit of c2 to greet:global: the store holds 263 B of \
         at most 1000 B, and this call takes 858 B; submit again once calls are decided and \
         outcomes have expired",
    );
    let (_, lease) = world.lease("w");
    world.check(&dead_letter("c1", &lease), "done");
}

#[test]
fn dead_letters_are_bounded_and_the_oldest_goes() {
    let mut world = World::with(StoreConfig { dead_letters_max: 2, ..StoreConfig::default() });
    let epoch = world.register("w");
    for id in ["c1", "c2", "c3"] {
        world.submit(id);
        let lease = steadfast_core::call::Lease {
            entry: world.fetch("w").entry,
            consumer: crate::world::consumer("w"),
            epoch,
        };
        world.check(&dead_letter(id, &lease), "done");
    }
    let letters = world.store.dead_letters(&function());
    let calls: Vec<String> =
        letters.iter().filter_map(|letter| letter.call.as_ref().map(ToString::to_string)).collect();
    assert_eq!(calls, ["c2", "c3"]);
    let page = Op::DeadLetters { function: function(), after: letters[0].entry, count: 10 };
    world.check(&page, "1 letters");
    world.pass(seconds(4_000));
    world.check(&page, "1 letters");
}
