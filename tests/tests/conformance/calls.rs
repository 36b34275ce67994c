//! A call comes in once, stands where it says, and is decided once.

use steadfast_core::call::{CallState, Delivered, Lease, Outcome, Payload, Record};
use steadfast_core::op::{Op, Reply, Submission, Verdict};
use steadfast_tests::ops::{
    acknowledge, call, cancel, complete, consumer, decide, fail, function, inspect, keyed, millis,
    named, relocate, seconds, submission, submit, sweep,
};

use crate::stores::Store;
use crate::world::World;

pub(crate) async fn a_call_is_admitted_once<S: Store>(world: &World<S>) {
    world.check(submit("c1"), "accepted").await;
    world.check(submit("c1"), "already open").await;
    world.check(inspect("c1"), "open, queued, attempt 1").await;
    let epoch = world.register("w").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!((delivery.call.as_str(), delivery.attempt), ("c1", 1));
    assert_eq!(delivery.input.as_str(), r#"{"n":1}"#);
    assert!(!delivery.older_peer && delivery.takeovers == 0 && epoch.0 > 0);
    world.check(submit("c1"), "already open").await;
    world.check(acknowledge("c1"), "still open").await;
    world.check(complete("c1", "7", Some(delivery.entry)), "done").await;
    world.check(submit("c1"), "already decided: c1 success(1 B) after 1").await;
}

pub(crate) async fn a_key_joins_calls<S: Store>(world: &World<S>) {
    world.register("w").await;
    world.check(Op::Submit(keyed("c1", "k: 1")), "accepted").await;
    world.check(Op::Submit(keyed("c1", "k: 1")), "already open").await;
    world.check(Op::Submit(keyed("c2", "k: 1")), "joined to c1").await;
    world.check(Op::Submit(keyed("c3", "k: 2")), "accepted").await;
    world.check(complete("c1", "1", None), "done").await;
    match world.ask(Op::Submit(keyed("c4", "k: 1"))).await {
        Reply::Submitted(steadfast_core::op::Admission::Joined { call: joined, record }) => {
            assert_eq!((joined, record.is_some()), (call("c1"), true));
        }
        other => panic!("{other}"),
    }
    world.check(inspect("c4"), "absent").await;
    world.check(cancel("c3"), "done").await;
}

pub(crate) async fn a_full_function_refuses<S: Store>(world: &World<S>) {
    world.register("w").await;
    let bounded = |id: &str| Op::Submit(Submission { open_max: 2, ..submission(id) });
    world.check(bounded("c1"), "accepted").await;
    world.check(bounded("c2"), "accepted").await;
    world.check(bounded("c3"), "full: 2 open").await;
    world.check(cancel("c1"), "done").await;
    world.check(bounded("c3"), "accepted").await;
    world.check(cancel("c2"), "done").await;
    world.check(cancel("c3"), "done").await;
}

pub(crate) async fn a_call_is_decided_once<S: Store>(world: &World<S>) {
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    // An undecided call may be decided by whoever has the result.
    world.check(complete("c1", "1", None), "done").await;
    world.check(complete("c1", "2", Some(lease.entry)), "overruled: success").await;
    world.check(fail("c1", &lease), "overruled: success").await;
    world.check(cancel("c1"), "overruled: success").await;
    world.check(acknowledge("c1"), "acknowledged, cleared: false").await;
    assert_eq!(outcome(world, "c1").await, Outcome::Success(Payload::trusted("1")));
    world.check(complete("nobody", "1", None), "absent").await;
}

async fn record<S: Store>(world: &World<S>, id: &str) -> Record {
    match world.ask(inspect(id)).await {
        Reply::Inspected(CallState::Decided(record)) => record,
        other => panic!("{id}: {other}"),
    }
}

async fn outcome<S: Store>(world: &World<S>, id: &str) -> Outcome {
    record(world, id).await.outcome
}

pub(crate) async fn falsy_values_stand<S: Store>(world: &World<S>) {
    world.register("w").await;
    for (at, text) in ["0", "false", "\"\"", "null", "[]", "{}", "-0", "1e400"].iter().enumerate() {
        let id = format!("c{at}");
        let input = Payload::trusted(*text);
        world.check(Op::Submit(Submission { input, ..submission(&id) }), "accepted").await;
        let delivery = world.fetch_one("w").await;
        assert_eq!(delivery.input.as_str(), *text);
        world.check(complete(&id, text, Some(delivery.entry)), "done").await;
        assert_eq!(outcome(world, &id).await, Outcome::Success(Payload::trusted(*text)));
    }
}

pub(crate) async fn names_with_colons_and_spaces_are_kept_apart<S: Store>(world: &World<S>) {
    let functions = [
        named("a:b c", "my scope"),
        named("a", "b c"),
        named("a:b", "c"),
        named("{s01}: \"é\"", "global"),
    ];
    for (at, function) in functions.iter().enumerate() {
        let id = format!("call: {at}");
        let submission = Submission { function: function.clone(), ..submission(&id) };
        world.check(Op::Submit(submission), "accepted").await;
    }
    for (at, function) in functions.iter().enumerate() {
        let id = format!("call: {at}");
        let state = |id: &str| Op::Inspect { function: function.clone(), call: call(id) };
        world.check(state(&id), "open, queued, attempt 1").await;
        let other = format!("call: {}", (at + 1) % functions.len());
        world.check(state(&other), "absent").await;
    }
    for (at, function) in functions.into_iter().enumerate() {
        let call = call(&format!("call: {at}"));
        let verdict = Verdict::Cancel;
        let cancel = Op::Decide { function, call, verdict, attempts: 0 };
        world.check(cancel, "done").await;
    }
}

pub(crate) async fn a_deadline_expires<S: Store>(world: &World<S>) {
    world.register("w").await;
    let short = |id: &str| Op::Submit(Submission { deadline: millis(30), ..submission(id) });
    let expire = |id: &str| decide(id, Verdict::Expire);
    world.check(submit("late"), "accepted").await;
    match world.ask(expire("late")).await {
        Reply::Settled(steadfast_core::op::Settlement::NotDue { remaining }) => {
            assert!(!remaining.is_zero());
        }
        other => panic!("{other}"),
    }
    world.check(cancel("late"), "done").await;
    for id in ["c1", "c2", "c3"] {
        world.check(short(id), "accepted").await;
    }
    tokio::time::sleep(millis(40)).await;
    world.check(expire("c1"), "done").await;
    world.check(complete("c2", "1", None), "overruled: expired").await;
    world.check(sweep(100, seconds(60)), "swept: 0 promoted, 1 expired, 0 robbed").await;
    for id in ["c1", "c2", "c3"] {
        assert_eq!(outcome(world, id).await, Outcome::Expired);
    }
}

/// The leak check after it looks whether the stream is gone, which nobody else would ever remove.
pub(crate) async fn a_call_that_nobody_served_leaves_nothing<S: Store>(world: &World<S>) {
    let short = Submission { deadline: millis(20), ..submission("c1") };
    world.check(Op::Submit(short), "accepted").await;
    world.check(submit("c2"), "accepted").await;
    let parked = Submission { delay: seconds(60), ..submission("c3") };
    world.check(Op::Submit(parked), "accepted").await;
    tokio::time::sleep(millis(30)).await;
    world.check(decide("c1", Verdict::Expire), "done").await;
    world.check(cancel("c2"), "done").await;
    world.check(cancel("c3"), "done").await;
    // It comes back with the next call, and whoever serves then is given it.
    world.check(submit("c4"), "accepted").await;
    let (delivery, _) = world.lease("w").await;
    assert_eq!(delivery.call.as_str(), "c4");
    world.check(complete("c4", "1", Some(delivery.entry)), "done").await;
    let elsewhere = named("nobody", "global");
    let submission = Submission { function: elsewhere.clone(), ..submission("c5") };
    world.check(Op::Submit(submission), "accepted").await;
    let verdict = Verdict::Cancel;
    let cancel = Op::Decide { function: elsewhere, call: call("c5"), verdict, attempts: 0 };
    world.check(cancel, "done").await;
}

fn older(id: &str, input: &str) -> Op {
    let fields = [
        ("callId", id),
        ("functionName", "greet"),
        ("input", input),
        ("item", "{}"),
        ("responseChannel", "function:response:x"),
        ("timestamp", "1700000000000"),
    ];
    let fields = fields.map(|(field, value)| (field.to_owned(), value.to_owned())).into();
    Op::OlderPeerAdd { function: function(), fields }
}

pub(crate) async fn an_older_callers_entry_is_served<S: Store>(world: &World<S>) {
    let epoch = world.register("w").await;
    world.ask(older("o1", "{\"a\":0}")).await;
    world.check(inspect("o1"), "absent").await;
    let delivery = world.fetch_one("w").await;
    assert!(delivery.older_peer);
    assert_eq!((delivery.input.as_str(), delivery.attempt), ("{\"a\":0}", 1));
    let lease = Lease { entry: delivery.entry, consumer: consumer("w"), epoch };
    let to = steadfast_core::op::Destination::Retry { delay: millis(0) };
    world.check(relocate("o1", &lease, to), "done").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!((delivery.older_peer, delivery.attempt), (true, 2));
    world.check(complete("o1", "false", Some(delivery.entry)), "done").await;
    assert_eq!(outcome(world, "o1").await, Outcome::Success(Payload::trusted("false")));
}

pub(crate) async fn what_is_no_call_is_a_dead_letter<S: Store>(world: &World<S>) {
    let epoch = world.register("w").await;
    world.ask(older("o1", "{hunter2")).await;
    world.check(submit("c1"), "accepted").await;
    let delivered = world.fetch_all("w").await;
    let [Delivered::Malformed { entry, reason }, Delivered::Call(good)] = &delivered[..] else {
        panic!("{delivered:?}")
    };
    assert!(!reason.contains("hunter2"), "{reason}");
    let reject = |entry| {
        let lease = Lease { entry, consumer: consumer("w"), epoch };
        Op::Reject { function: function(), lease, reason: "no JSON".into() }
    };
    world.check(reject(*entry), "done").await;
    world.check(reject(*entry), "absent").await;
    // A call of ours is never rejected, and was not held up.
    world.check(reject(good.entry), "fenced").await;
    world.check(complete("c1", "1", Some(good.entry)), "done").await;
}

pub(crate) async fn an_outcome_is_streamed_where_the_call_asks<S: Store>(world: &World<S>) {
    world.register("w").await;
    let asking = |id: &str| Submission { result_stream: true, ..submission(id) };
    let streamed = |id: &str| -> Vec<_> {
        world.store.result_stream(id).into_iter().map(|record| record.outcome).collect()
    };
    world.check(Op::Submit(asking("c1")), "accepted").await;
    world.check(submit("c2"), "accepted").await;
    let short = Submission { deadline: millis(20), ..asking("c3") };
    world.check(Op::Submit(short), "accepted").await;
    assert_eq!(streamed("c1"), []);
    for delivered in world.fetch_all("w").await {
        let Delivered::Call(delivery) = delivered else { panic!("{delivered}") };
        if delivery.call != call("c3") {
            let complete = complete(delivery.call.as_str(), "0", Some(delivery.entry));
            world.check(complete.clone(), "done").await;
            world.check(complete, "overruled: success").await;
        }
    }
    tokio::time::sleep(millis(30)).await;
    world.check(sweep(100, seconds(60)), "swept: 0 promoted, 1 expired, 0 robbed").await;
    assert_eq!(streamed("c1"), [Outcome::Success(Payload::trusted("0"))]);
    assert_eq!(streamed("c2"), []);
    assert_eq!(streamed("c3"), [Outcome::Expired]);
}
