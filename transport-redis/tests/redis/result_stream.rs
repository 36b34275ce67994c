//! `function_results:CALLID`: the text of `result:CALLID` once more, as a stream of one entry, where the call
//! asks for it.

use steadfast_core::op::{Op, Submission};

use crate::support::{World, cancel, complete, fail, submission, submit};

const STREAM: &str = "function_results:c1";

fn asking(id: &str) -> Op {
    Op::Submit(Submission { result_stream: true, ..submission(id) })
}

/// The entries without their ids.
fn entries(world: &mut World, key: &str) -> Vec<Vec<String>> {
    let entries: Vec<(String, Vec<String>)> = world.raw(&["XRANGE", key, "-", "+"]);
    entries.into_iter().map(|(_, fields)| fields).collect()
}

#[tokio::test]
async fn the_stream_has_the_results_text_once() {
    let mut world = World::new().await;
    world.check(asking("c1"), "accepted").await;
    let open: String = world.raw(&["HGET", "function_open:greet:global", "c1"]);
    assert_eq!(open.split(' ').nth(3), Some("0s"), "{open}");
    let (_, lease) = world.lease("w").await;
    world.check(complete("c1", "{\"a\":0}", Some(lease.entry)), "done").await;
    let text: String = world.raw(&["GET", "result:c1"]);
    assert_eq!(entries(&mut world, STREAM), [["record".to_owned(), text]]);
    for repeat in [complete("c1", "1", Some(lease.entry)), fail("c1", &lease), cancel("c1")] {
        world.check(repeat, "overruled: success").await;
    }
    assert_eq!(entries(&mut world, STREAM).len(), 1);
    let ttl_ms = world.raw::<i64>(&["PTTL", STREAM]);
    assert!((1..=300_000).contains(&ttl_ms), "{ttl_ms}");
}

/// Calls that ask leave the ways of ordinary ones, and take nobody along.
#[tokio::test]
async fn a_batch_may_hold_calls_of_both_kinds() {
    let mut world = World::new().await;
    let submits = vec![submit("c0"), submit("c00"), asking("c1"), asking("c2"), submit("c3")];
    let told: Vec<String> =
        world.apply_all(submits).await.iter().map(crate::support::line).collect();
    assert_eq!(told, ["accepted"; 5]);
    world.register("w").await;
    let decisions = world
        .fetch_all("w")
        .await
        .iter()
        .map(|delivered| match delivered {
            steadfast_core::call::Delivered::Call(it) => {
                complete(it.call.as_str(), "1", Some(it.entry))
            }
            other @ steadfast_core::call::Delivered::Malformed { .. } => panic!("{other}"),
        })
        .collect();
    let told: Vec<String> =
        world.apply_all(decisions).await.iter().map(crate::support::line).collect();
    assert_eq!(told, ["done"; 5]);
    let mut keys: Vec<String> = world.raw(&["KEYS", "function_results:*"]);
    keys.sort();
    assert_eq!(keys, ["function_results:c1", "function_results:c2"]);
    assert_eq!(world.raw::<Vec<String>>(&["KEYS", "result:*"]).len(), 5);
}

/// What a call writes that does not ask is what it wrote before there were result streams.
#[tokio::test]
async fn a_call_that_does_not_ask_shows_no_trace_of_it() {
    let mut world = World::new().await;
    world.server.leaves("two calls that nobody is to run");
    for submission in
        [submission("c1"), Submission { delay: crate::support::seconds(60), ..submission("c2") }]
    {
        world.check(Op::Submit(submission), "accepted").await;
    }
    let entries = entries(&mut world, "function_calls:greet:global");
    let fields = entries[0].iter().step_by(2).map(String::as_str).collect::<Vec<_>>();
    let expect = [
        "callId",
        "functionName",
        "input",
        "item",
        "responseChannel",
        "timestamp",
        "deadline",
        "attempt",
        "takeover",
    ];
    assert_eq!(fields, expect);
    let parked: String = world.raw(&["HGET", "function_parked:greet:global", "c2"]);
    assert!(!parked.contains("resultStream"), "{parked}");
    for id in ["c1", "c2"] {
        let open: String = world.raw(&["HGET", "function_open:greet:global", id]);
        assert_eq!(open.split(' ').nth(3), Some("0"), "{open}");
    }
}
