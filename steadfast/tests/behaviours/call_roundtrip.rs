//! A call finds its function, in this host or another, and its result finds the caller.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use steadfast::{Payload, function};

use crate::world::World;

#[derive(Serialize, Deserialize)]
struct Who {
    name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Greeting {
    text: String,
}

fn greet() -> steadfast::Function {
    function("greet", "global").handler(|_ctx, who: Who| async move {
        Ok(Greeting { text: format!("Hello, {}!", who.name) })
    })
}

#[tokio::test(start_paused = true)]
async fn a_typed_call_within_one_host() {
    let host = World::new().serving(1, greet()).await;
    let ada = Who { name: "Ada".into() };
    let greeting: Greeting = host.caller().call("greet", "global", &ada).await.unwrap();
    assert_eq!(greeting.text, "Hello, Ada!");
}

#[tokio::test(start_paused = true)]
async fn a_call_from_another_host_and_scope_matters() {
    let world = World::new();
    let _worker = world.serving(1, greet()).await;
    let _other = world
        .serving(2, function("greet", "lab").handler(|_ctx, _: Value| async { Ok("hum") }))
        .await;
    let client = world.host(3).await;
    let ada = Who { name: "Ada".into() };
    let greeting: Greeting = client.caller().call("greet", "global", &ada).await.unwrap();
    assert_eq!(greeting.text, "Hello, Ada!");
    let hum: String = client.caller().call("greet", "lab", &ada).await.unwrap();
    assert_eq!(hum, "hum");
}

#[tokio::test(start_paused = true)]
async fn falsy_values_are_results_like_any_other() {
    let echo = function("echo", "global").handler_json(|_ctx, input| async move { Ok(input) });
    let host = World::new().serving(1, echo).await;
    for text in ["0", "false", "\"\"", "null", "[]", "{}"] {
        let request = host.caller().request("echo", "global");
        let result: Value = request.payload(Payload::parse(text).unwrap()).send().await.unwrap();
        assert_eq!(result.to_string(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn many_calls_at_once_each_get_their_own_result() {
    let world = World::new();
    let double = function("double", "global")
        .concurrency(7)
        .handler(|_ctx, number: u64| async move { Ok(number * 2) });
    let _worker = world.serving(1, double).await;
    let caller = world.host(2).await;
    let caller = caller.caller();
    let calls = (0..500_u64).map(|number| {
        let caller = caller.clone();
        async move { caller.call::<u64>("double", "global", &number).await }
    });
    let results = join_all(calls).await;
    for (number, result) in (0_u64..).zip(results) {
        assert_eq!(result, Ok(number * 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_calls_on_within_its_trace() {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = World::new().host(1).await;
    let inner = {
        let seen = seen.clone();
        function("inner", "global").handler(move |ctx, (): ()| {
            seen.lock().unwrap().push(ctx.traceparent().map(str::to_owned));
            async { Ok(40) }
        })
    };
    let outer = function("outer", "global").handler(|ctx, (): ()| async move {
        let part: i64 = ctx.caller().call("inner", "global", &()).await?;
        Ok(part + 2)
    });
    host.serve(inner).await.unwrap();
    host.serve(outer).await.unwrap();
    let request = host.caller().request("outer", "global").traceparent(trace);
    assert_eq!(request.send::<i64>().await, Ok(42));
    assert_eq!(*seen.lock().unwrap(), [Some(trace.to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn what_is_served_is_described_and_discovered() {
    let host = World::new().serving(1, greet_with_description()).await;
    let caller = host.caller();
    let described = caller.describe("greet", "global").await.unwrap().unwrap();
    assert_eq!(described.description, "Greets");
    let found = caller.discover(Some("global")).await.unwrap();
    assert_eq!(found, [described]);
    assert_eq!(caller.discover(Some("elsewhere")).await.unwrap(), []);
    let consumers = host.active_consumers("greet", "global").await.unwrap();
    assert_eq!(consumers.len(), 1);
    assert_eq!(&consumers[0].node, host.node_id());
}

fn greet_with_description() -> steadfast::Function {
    function("greet", "global")
        .description("Greets")
        .handler_json(|_ctx, _| async { Ok(Payload::from_value(&json!({}))) })
}
