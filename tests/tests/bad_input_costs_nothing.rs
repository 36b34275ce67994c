//! What others wrote into a real server costs nobody else anything (P10): an input over the limit is a dead
//! letter and its neighbours run; a state of another type degrades its own consumer and no other.

use std::time::Duration;

use steadfast::{ConsumerStatus, EntryId, Event, FailureKind, Function, Host, function};
use steadfast_tests::{RedisServer, command};
use steadfast_transport_redis::RedisTransport;
use tokio::time::sleep;

async fn host(server: &RedisServer, config: steadfast::Config) -> Host {
    let transport = RedisTransport::builder(&server.url()).unwrap().build().unwrap();
    Host::builder(transport).config(config).build().await.unwrap()
}

/// Answers how long its input is.
fn length(name: &str) -> Function {
    function(name, "global").handler(|_ctx, text: String| async move { Ok(text.len()) })
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if holds().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came: {what}");
}

#[tokio::test]
async fn an_older_callers_input_over_the_limit_is_a_dead_letter_and_its_neighbours_run() {
    let server = RedisServer::start();
    let config = steadfast::Config::default();
    let limit = config.payload_max_bytes;
    let mut raw = server.raw();
    // A JSON text is two quotation marks longer than the string.
    let sizes = [("before", 3), ("fits", limit - 2), ("over", limit - 1), ("after", 5)];
    for (id, length) in sizes {
        let input = format!("\"{}\"", "x".repeat(length));
        let add = ["XADD", "function_calls:length:global", "*", "callId", id, "input", &input];
        let _: String = command(&mut raw, &add);
    }
    let host = host(&server, config).await;
    host.serve(length("length")).await.unwrap();
    let mut results = Vec::new();
    for (id, _) in sizes {
        let key = format!("result:{id}");
        until(id, async || command::<bool>(&mut raw, &["EXISTS", &key])).await;
        let text: String = command(&mut raw, &["GET", &key]);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        results.push((read["outcome"].to_string(), read["result"].to_string()));
    }
    let success = |length: usize| (r#""success""#.to_owned(), format!("\"{length}\""));
    let dead = (r#""dead_lettered""#.to_owned(), "null".to_owned());
    assert_eq!(results, [success(3), success(limit - 2), dead, success(5)]);
    let letters = host.caller().dead_letters("length", "global", EntryId::ZERO, 10).await.unwrap();
    let [letter] = &letters[..] else { panic!("{} letters", letters.len()) };
    assert_eq!(letter.failure.kind, FailureKind::Malformed);
    let message = format!("field `input` is {} bytes long, over the limit of {limit}", limit + 1);
    assert_eq!(letter.failure.message.as_ref(), message);
    assert_eq!(command::<u64>(&mut raw, &["XLEN", "function_calls:length:global"]), 0);
    host.shutdown(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_state_of_another_type_degrades_its_own_consumer_and_is_outlived() {
    let server = RedisServer::start();
    let heartbeat_interval = Duration::from_millis(50);
    let host = host(&server, steadfast::Config { heartbeat_interval, ..Default::default() }).await;
    for name in ["bad", "good"] {
        host.serve(length(name)).await.unwrap();
    }
    let mut raw = server.raw();
    let active: Vec<String> = command(&mut raw, &["SMEMBERS", "consumer:active:bad:global"]);
    let state = format!("consumer:state:{}", active[0]);
    let mut events = host.events();
    server.replace_by_a_list(&state);
    // It is degraded and returns, again and again; the other is not.
    let mut degraded = 0;
    while degraded < 3 {
        if let Event::Consumer { function, status, .. } = events.recv().await.unwrap() {
            assert_eq!(function.name(), "bad");
            degraded += u32::from(status == ConsumerStatus::Error);
        }
    }
    let good: Vec<String> = command(&mut raw, &["SMEMBERS", "consumer:active:good:global"]);
    let beat = ["HGET", &format!("consumer:state:{}", good[0]), "heartbeatMicros"];
    let before: String = command(&mut raw, &beat);
    until("the neighbour beats", async || command::<String>(&mut raw, &beat) != before).await;
    for name in ["good", "bad"] {
        assert_eq!(host.caller().call::<usize>(name, "global", &"four").await.unwrap(), 4);
    }
    // Mended, its state is gone: another incarnation takes its place.
    let _: u64 = command(&mut raw, &["DEL", &state]);
    until("it has a successor", async || {
        let now: Vec<String> = command(&mut raw, &["SMEMBERS", "consumer:active:bad:global"]);
        now.iter().any(|id| *id != active[0])
    })
    .await;
    assert_eq!(host.caller().call::<usize>("bad", "global", &"four").await.unwrap(), 4);
    host.shutdown(Duration::ZERO).await.unwrap();
}
