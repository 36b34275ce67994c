//! Consumers are known by id and epoch for as long as they are registered.

use steadfast_core::definition::Definition;
use steadfast_core::name::Epoch;
use steadfast_core::op::{Op, PulseAnswer, Reply};
use steadfast_tests::ops::{
    beat, cancel, complete, consumer, deregister, fetch, function, named, node, pulse, register,
    submit,
};

use crate::stores::Store;
use crate::world::World;

pub(crate) async fn epochs_grow_and_a_removed_one_stays_removed<S: Store>(world: &World<S>) {
    let session = world.session().await;
    let first = world.register("w1").await;
    let second = world.register("w2").await;
    assert!(second > first);
    assert_eq!(world.ask(register("w1", session)).await, Reply::Registered { epoch: first });
    let beaten = |answer| Reply::Beaten(vec![answer]);
    let alive = beaten(PulseAnswer::Alive { pending: Vec::new() });
    assert_eq!(world.ask(beat(vec![pulse("w1", first)], session)).await, alive);
    assert_eq!(
        world.ask(beat(vec![pulse("w1", second)], session)).await,
        beaten(PulseAnswer::Removed)
    );
    // A stop that names another epoch does nothing.
    world.check(deregister("w1", Epoch(first.0 - 1)), "deregistered, 0 released").await;
    assert_eq!(world.ask(beat(vec![pulse("w1", first)], session)).await, alive);
    world.check(deregister("w1", first), "deregistered, 0 released").await;
    assert_eq!(
        world.ask(beat(vec![pulse("w1", first)], session)).await,
        beaten(PulseAnswer::Removed)
    );
    // A late copy of its registration does not bring it back.
    world.ask(register("w1", session)).await;
    assert_eq!(
        world.ask(beat(vec![pulse("w1", first)], session)).await,
        beaten(PulseAnswer::Removed)
    );
}

pub(crate) async fn a_heartbeat_lists_what_is_pending<S: Store>(world: &World<S>) {
    let session = world.session().await;
    let epoch = world.register("w").await;
    world.check(submit("c1"), "accepted").await;
    world.check(submit("c2"), "accepted").await;
    // Its answer may be lost: the heartbeat tells, and the entries are read again.
    world.ask(fetch("w", 10)).await;
    let Reply::Beaten(answers) = world.ask(beat(vec![pulse("w", epoch)], session)).await else {
        panic!("not beaten");
    };
    let [PulseAnswer::Alive { pending }] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(pending.len(), 2);
    let entries = pending.clone();
    let reread = Op::Reread { function: function(), consumer: consumer("w"), entries };
    let Reply::Fetched { deliveries, .. } = world.ask(reread).await else { panic!("not read") };
    assert_eq!(deliveries.len(), 2);
    // What it holds goes back with its end.
    world.check(deregister("w", epoch), "deregistered, 2 released").await;
    world.check(cancel("c1"), "done").await;
    world.check(cancel("c2"), "done").await;
}

fn discovered(definitions: Vec<Definition>) -> Reply {
    Reply::Discovered { definitions, unread: Vec::new() }
}

pub(crate) async fn definitions_are_described_and_discovered<S: Store>(world: &World<S>) {
    let session = world.session().await;
    world.register("w").await;
    let other = named("a:b", "my scope");
    let id = consumer("o");
    let definition =
        Definition { description: "é \"q\"".into(), ..Definition::new(other.clone()) };
    let register = Op::Register {
        definition: definition.clone(),
        consumer: id.clone(),
        node: node("n"),
        sessions: vec![session],
    };
    let Reply::Registered { epoch } = world.ask(register).await else { panic!("not registered") };
    let describe = |function| Op::Describe { function };
    let described = world.ask(describe(other.clone())).await;
    assert_eq!(described, Reply::Described(Some(definition.clone())));
    assert_eq!(world.ask(describe(named("x", "y"))).await, Reply::Described(None));
    let discover = |scope: Option<&str>| Op::Discover { scope: scope.map(Into::into) };
    let all = vec![definition.clone(), Definition::new(function())];
    assert_eq!(world.ask(discover(None)).await, discovered(all));
    let mine = discovered(vec![definition]);
    assert_eq!(world.ask(discover(Some("my scope"))).await, mine);
    assert_eq!(world.ask(discover(Some("z"))).await, discovered(Vec::new()));
    world.ask(Op::Deregister { function: other, consumer: id, epoch }).await;
}

pub(crate) async fn a_renewal_tells_what_is_lost<S: Store>(world: &World<S>) {
    let epoch = world.register("w").await;
    world.check(submit("c1"), "accepted").await;
    world.check(submit("c2"), "accepted").await;
    let entries: Vec<_> = world
        .fetch_all("w")
        .await
        .iter()
        .map(|it| match it {
            steadfast_core::call::Delivered::Call(it) => (it.entry, it.call.clone()),
            other @ steadfast_core::call::Delivered::Malformed { .. } => panic!("{other}"),
        })
        .collect();
    let renew =
        || Op::Renew { function: function(), consumer: consumer("w"), entries: entries.clone() };
    world.check(renew(), "renewed, 0 lost").await;
    world.check(complete("c1", "1", None), "done").await;
    world.check(renew(), "renewed, 1 lost").await;
    world.check(deregister("w", epoch), "deregistered, 1 released").await;
    world.check(renew(), "renewed, 2 lost").await;
    world.check(cancel("c2"), "done").await;
}

/// The leak check after it looks whether the stream is gone.
pub(crate) async fn the_last_consumer_takes_an_empty_stream_with_it<S: Store>(world: &World<S>) {
    let session = world.session().await;
    let stands = async || {
        let survey = Op::Survey { functions: vec![function()] };
        let Reply::Surveyed(survey) = world.ask(survey).await else { panic!("not surveyed") };
        survey.functions[0].has_stream
    };
    let first = world.register("w1").await;
    let second = world.register("w2").await;
    world.ask(fetch("w1", 1)).await;
    world.check(deregister("w1", first), "deregistered, 0 released").await;
    assert!(stands().await, "the other one serves");
    world.check(submit("c1"), "accepted").await;
    world.check(deregister("w2", second), "deregistered, 0 released").await;
    assert!(stands().await, "a call waits");
    let third = world.register("w3").await;
    let lease = world.fetch_one("w3").await;
    world.check(complete("c1", "1", Some(lease.entry)), "done").await;
    assert!(stands().await, "it serves");
    world.check(deregister("w3", third), "deregistered, 0 released").await;
    assert!(!stands().await, "nobody serves");
    // A late copy of its registration makes no other stream.
    world.ask(register("w3", session)).await;
    assert!(!stands().await, "it signed off");
    // A call makes one again, and whoever comes is given it.
    world.check(submit("c2"), "accepted").await;
    world.lease("w4").await;
    world.check(complete("c2", "1", None), "done").await;
}
