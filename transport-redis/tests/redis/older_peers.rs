//! Peers that speak only the plain layout are served, and serve.

use steadfast_core::call::{CallState, Delivered, Outcome, Payload};
use steadfast_core::op::{Op, Reply};

use crate::support::{World, complete, function, inspect, seconds, submission, submit, sweep};

/// Ids, and fields with their values.
type Entries = Vec<(String, Vec<String>)>;

const STREAM: &str = "function_calls:greet:global";
const GROUP: &str = "function_group:greet:global";

fn add(world: &mut World, id: &str, input: &str) -> String {
    let channel = format!("function:response:{id}");
    world.raw(&[
        "XADD",
        STREAM,
        "*",
        "callId",
        id,
        "functionName",
        "greet",
        "input",
        input,
        "item",
        "{}",
        "responseChannel",
        &channel,
        "timestamp",
        "1700000000000",
    ])
}

#[tokio::test]
async fn an_older_caller_adds_and_polls() {
    let mut world = World::new().await;
    world.register("w").await;
    for (id, result) in [("o1", "0"), ("o2", "null"), ("o3", "\"\"")] {
        add(&mut world, id, "{\"name\":\"Ada\"}");
        let delivery = world.fetch_one("w").await;
        assert!(delivery.older_peer);
        assert_eq!((delivery.attempt, delivery.input.as_str()), (1, "{\"name\":\"Ada\"}"));
        world.check(complete(id, result, Some(delivery.entry)), "done").await;
        let text: String = world.raw(&["GET", &format!("result:{id}")]);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((read["callId"].as_str(), read["result"].as_str()), (Some(id), Some(result)));
        assert_eq!(world.raw::<u64>(&["DEL", &format!("result:{id}")]), 1);
        world.check(inspect(id), "absent").await;
    }
    assert_eq!(world.raw::<u64>(&["XLEN", STREAM]), 0);
}

#[tokio::test]
async fn what_is_no_call_becomes_a_dead_letter() {
    let mut world = World::new().await;
    let epoch = world.register("w").await;
    add(&mut world, "o1", "{hunter2");
    let delivered = world.fetch_all("w").await.remove(0);
    let Delivered::Malformed { entry, reason } = delivered else { panic!("{delivered}") };
    assert!(!reason.contains("hunter2"), "{reason}");
    let consumer = crate::support::consumer("w");
    let lease = steadfast_core::call::Lease { entry, consumer, epoch };
    let reject = Op::Reject { function: function(), lease, reason: reason.into() };
    world.check(reject.clone(), "done").await;
    world.check(reject, "absent").await;
    assert_eq!(world.raw::<u64>(&["XLEN", "function_dlq:greet:global"]), 1);
}

#[tokio::test]
async fn an_older_consumer_reads_answers_and_acknowledges() {
    let mut world = World::new().await;
    world.server.leaves("the older consumer's name, until it was idle for a minute");
    world.check(submit("c1"), "accepted").await;
    let read: Vec<(String, Entries)> =
        world.raw(&["XREADGROUP", "GROUP", GROUP, "older", "COUNT", "1", "STREAMS", STREAM, ">"]);
    let (entry, fields) = &read[0].1[0];
    let field =
        |name: &str| fields.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    assert_eq!((field("callId"), field("input")), (Some("c1"), Some("{\"n\":1}")));
    assert_eq!(field("responseChannel"), Some("function:response:c1"));
    assert_eq!((field("functionName"), field("item")), (Some("greet"), Some("null")));
    let result = r#"{"callId":"c1","result":"false","error":null,"status":"success"}"#;
    let () = world.raw(&["SETEX", "result:c1", "300", result]);
    let () = world.raw(&["XACK", STREAM, GROUP, entry]);
    match world.ask(inspect("c1")).await {
        Reply::Inspected(CallState::Decided(record)) => {
            assert!(record.outcome == Outcome::Success(Payload::trusted("false")));
        }
        other => panic!("{other}"),
    }
    // The janitor clears what it left in the stream and the open hash.
    match world.ask(sweep(100, seconds(60))).await {
        Reply::Swept(swept) => assert_eq!(swept.closed, 1),
        other => panic!("{other}"),
    }
    assert_eq!(world.raw::<u64>(&["XLEN", STREAM]), 0);
    assert_eq!(world.raw::<u64>(&["EXISTS", "function_open:greet:global"]), 0);
}

#[tokio::test]
async fn an_unreadable_result_is_an_error_that_says_so() {
    let mut world = World::new().await;
    world.check(Op::Submit(submission("c1")), "accepted").await;
    let () = world.raw(&["SETEX", "result:c1", "300", "no json"]);
    world.check(inspect("c1"), "decided: c1 error(malformed) after 1").await;
    world.check(complete("c1", "1", None), "overruled: error").await;
}

#[tokio::test]
async fn the_operators_commands_show_the_truth() {
    let mut world = World::new().await;
    world.register("greet-global-1").await;
    let state: std::collections::BTreeMap<String, String> =
        world.raw(&["HGETALL", "consumer:state:greet-global-1"]);
    let expect = [
        ("id", "greet-global-1"),
        ("functionName", "greet"),
        ("scope", "global"),
        ("streamKey", STREAM),
        ("groupName", GROUP),
        ("status", "starting"),
        ("errorCount", "0"),
        ("workerId", "node-greet-global-1"),
    ];
    for (field, value) in expect {
        assert_eq!(state.get(field).map(String::as_str), Some(value), "{field}");
    }
    let groups: Vec<redis::Value> = world.raw(&["XINFO", "GROUPS", STREAM]);
    assert_eq!(groups.len(), 1);
}
