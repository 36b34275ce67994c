//! `0`, `false`, `""` and `null` are results like any other.

use steadfast_core::call::{CallState, Outcome, Payload};
use steadfast_core::op::Reply;

use crate::support::{World, complete, inspect, submit};

#[tokio::test]
async fn falsy_values_are_kept_as_they_are() {
    let mut world = World::new().await;
    for (number, text) in
        ["0", "false", "\"\"", "null", "-0.0", "{\"a/b\":\"\\\"\\u0000é\"}"].into_iter().enumerate()
    {
        let id = format!("c{number}");
        world.check(submit(&id), "accepted").await;
        world.check(complete(&id, text, None), "done").await;
        match world.ask(inspect(&id)).await {
            Reply::Inspected(CallState::Decided(record)) => {
                assert!(record.outcome == Outcome::Success(Payload::trusted(text)), "{text}");
            }
            other => panic!("{other}"),
        }
        let raw: String = world.raw(&["GET", &format!("result:{id}")]);
        let read: serde_json::Value = serde_json::from_str(&raw).unwrap();
        assert_eq!(read["result"], serde_json::Value::from(text));
        assert_eq!(read["status"], "success");
        assert!(read["error"].is_null());
    }
}
