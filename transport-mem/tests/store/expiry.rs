//! Time to live is decided when an operation comes, by comparing with its time.

use steadfast_core::name::Epoch;
use steadfast_core::op::{Op, Reply};
use steadfast_core::time::StoreTime;

use crate::world::{World, beat, complete, consumer, function, keyed, seconds};

#[test]
fn consumer_state_and_definition_live_by_the_heartbeat() {
    let mut world = World::new();
    let epoch = world.register("w");
    let described = Op::Describe { function: function() };
    world.pass(seconds(3_599));
    world.check(&beat("w", epoch, world.session), "beaten, 0 removed");
    world.pass(seconds(3_599));
    world.check(&described, "described: true");
    world.check(&Op::Discover { scope: None }, "discovered 1");
    let scope = Some("elsewhere".into());
    world.check(&Op::Discover { scope }, "discovered 0");
    world.pass(seconds(1));
    world.check(&described, "described: false");
    world.check(&beat("w", epoch, world.session), "beaten, 1 removed");
}

#[test]
fn a_query_does_not_see_what_has_expired_and_changes_nothing() {
    let mut world = World::new();
    world.submit("c1").check(&complete("c1"), "done");
    world.register("w");
    world.pass(seconds(4_000));
    let before = world.store.snapshot();
    assert_eq!(world.state("c1"), "absent");
    let Reply::Surveyed(survey) = world.ask(&Op::Survey { functions: vec![function()] }) else {
        panic!("not surveyed");
    };
    assert_eq!(survey.functions[0].consumers, []);
    assert_eq!(world.store.snapshot(), before);
}

#[test]
fn what_has_expired_takes_no_room() {
    let mut world = World::new();
    world.check(&Op::Submit(keyed("c1", "k")), "accepted");
    world.check(&complete("c1"), "done");
    assert!(world.store.used().bytes > 0);
    world.pass(seconds(600));
    world.check(&Op::Ensure { function: function() }, "ensured, created: true");
    assert_eq!(world.store.used().bytes, 0);
}

#[test]
fn a_consumer_whose_state_expired_is_robbed_like_any_stranger() {
    let mut world = World::new();
    let epoch = world.register("w");
    world.pass(seconds(3_599));
    world.submit("c1");
    world.fetch("w");
    world.pass(seconds(61));
    let swept = world.sweep();
    assert_eq!((swept.robbed, swept.names_removed), (1, 1));
    let deregister = Op::Deregister { function: function(), consumer: consumer("w"), epoch };
    world.check(&deregister, "deregistered, 0 released");
}

#[test]
fn the_epoch_lives_by_the_heartbeat_and_never_goes_back() {
    let mut world = World::new();
    let first = world.register("w");
    world.pass(seconds(3_599));
    world.check(&beat("w", first, world.session), "beaten, 0 removed");
    world.pass(seconds(3_599));
    assert_eq!(world.store.epoch(world.now, &function()), first);
    world.pass(seconds(1));
    assert_eq!(world.store.epoch(world.now, &function()), Epoch(0));
    assert!(world.register("w2") > first);
    // A clock that goes back takes no epoch back that is known.
    let second = world.store.epoch(world.now, &function());
    world.now = StoreTime::from_micros(world.now.as_micros() - 60_000_000);
    assert!(world.register("w3") > second);
}
