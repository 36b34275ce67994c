//! The first decision wins, and clears what the call left.

use steadfast_core::call::{CallState, Delivered};
use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, OpResult, Reply, Verdict};

use crate::support::{
    World, complete, dead_letter, decide, fail, fetch, function, inspect, millis, register,
    submission, submit,
};

fn lines(results: &[OpResult]) -> Vec<String> {
    results.iter().map(|it| it.as_ref().map(ToString::to_string).unwrap()).collect()
}

#[tokio::test]
async fn the_second_decision_is_overruled() {
    let mut world = World::new().await;
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    world.check(complete("c1", "\"first\"", None), "done").await;
    world.check(complete("c1", "\"second\"", None), "overruled: success").await;
    world.check(fail("c1", &lease), "overruled: success").await;
    world.check(decide("c1", Verdict::Cancel), "overruled: success").await;
    match world.ask(inspect("c1")).await {
        Reply::Inspected(CallState::Decided(record)) => {
            assert_eq!(steadfast_core::wire::encode_result(&record).matches("first").count(), 1);
        }
        other => panic!("{other}"),
    }
    for key in ["function_open:greet:global", "function_parked:greet:global"] {
        assert_eq!(world.raw::<u64>(&["EXISTS", key]), 0, "{key}");
    }
    let group = ["XPENDING", "function_calls:greet:global", "function_group:greet:global"];
    let (pending, _, _, _): (u64, redis::Value, redis::Value, redis::Value) = world.raw(&group);
    assert_eq!(pending, 0);
    assert_eq!(world.raw::<u64>(&["XLEN", "function_calls:greet:global"]), 0);
    let ttl_ms = world.raw::<i64>(&["PTTL", "result:c1"]);
    assert!((1..=300_000).contains(&ttl_ms), "{ttl_ms}");
}

#[tokio::test]
async fn a_batch_of_decisions_is_decided_one_by_one() {
    let world = World::new().await;
    world.apply_all(vec![submit("c1"), submit("c2")]).await;
    let results = world
        .apply_all(vec![
            complete("c1", "1", None),
            complete("c1", "2", None),
            complete("no such", "3", None),
            decide("c2", Verdict::Expire),
            decide("c2", Verdict::Cancel),
        ])
        .await;
    let mut lines = lines(&results);
    lines[3].truncate("not due".len());
    assert_eq!(lines, ["done", "overruled: success", "absent", "not due", "done"]);
}

#[tokio::test]
async fn of_a_call_that_stands_twice_in_a_batch_the_first_counts() {
    let mut world = World::new().await;
    let ids = ["c1", "c2", "c1", "c3"];
    let admissions = world.apply_all(ids.map(submit).to_vec()).await;
    assert_eq!(lines(&admissions), ["accepted", "accepted", "already open", "accepted"]);
    assert_eq!(world.raw::<u64>(&["XLEN", "function_calls:greet:global"]), 3);

    world.ask(register("w", world.session)).await;
    let entries = match world.ask(fetch("w", 9)).await {
        Reply::Fetched { deliveries, .. } => {
            deliveries.iter().map(Delivered::entry).collect::<Vec<_>>()
        }
        other => panic!("{other}"),
    };
    let at_hand = |id, result, place: usize| complete(id, result, Some(entries[place]));
    let decisions = vec![
        at_hand("c1", "1", 0),
        at_hand("c2", "2", 1),
        at_hand("c1", "3", 0),
        // Another call's.
        at_hand("c3", "4", 1),
    ];
    let decided = world.apply_all(decisions).await;
    assert_eq!(lines(&decided), ["done", "done", "overruled: success", "done"]);
    let text: String = world.raw(&["GET", "result:c1"]);
    assert!(text.contains(r#""result":"1""#), "{text}");
    assert_eq!(world.raw::<u64>(&["XLEN", "function_calls:greet:global"]), 0);
}

#[tokio::test]
async fn past_the_deadline_every_verdict_expires() {
    let world = World::new().await;
    let short = steadfast_core::op::Submission { deadline: millis(1), ..submission("c1") };
    world.check(Op::Submit(short), "accepted").await;
    tokio::time::sleep(millis(5)).await;
    world.check(complete("c1", "1", None), "overruled: expired").await;
    world.check(inspect("c1"), "decided: c1 expired after 1").await;
}

#[tokio::test]
async fn a_dead_letter_stands_and_is_requeued_once() {
    let world = World::new().await;
    world.server.leaves("the call that was requeued, in hand");
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    world.check(dead_letter("c1", &lease), "done").await;
    let letters = Op::DeadLetters { function: function(), after: EntryId::ZERO, count: 10 };
    let letter = match world.ask(letters.clone()).await {
        Reply::Letters(letters) => letters[0].clone(),
        other => panic!("{other}"),
    };
    assert_eq!(letter.input.map(|input| input.as_str().to_owned()), Some("{\"n\":1}".into()));
    let requeue = Op::Requeue {
        function: function(),
        letter: letter.entry,
        call: crate::support::call("c2"),
        deadline: crate::support::seconds(9),
    };
    world.check(requeue.clone(), "accepted").await;
    world.check(requeue, "already open").await;
    world.check(letters, "0 letters").await;
    assert_eq!(world.fetch_one("w").await.call, crate::support::call("c2"));
}

/// Found by 100,000 sequences of the differential test.
#[tokio::test]
async fn the_last_call_of_a_function_that_nobody_ever_served_takes_the_stream_along() {
    let mut world = World::new().await;
    let stream = "function_calls:greet:global";
    world.check(submit("c1"), "accepted").await;
    let entry = world.fetch_one("stranger").await.entry;
    let group = ["XGROUP", "DELCONSUMER", stream, "function_group:greet:global", "stranger"];
    assert_eq!(world.raw::<u64>(&group), 1);
    world.check(complete("c1", "1", Some(entry)), "done").await;
    assert_eq!(world.raw::<u64>(&["EXISTS", stream]), 0);
}
