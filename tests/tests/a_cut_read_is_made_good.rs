//! A call that a read was given when its connection was cut, so that nobody saw it, runs as soon as that is known.

use std::time::{Duration, Instant};

use steadfast::{Host, function};
use steadfast_tests::{RedisServer, command, leaks};
use steadfast_transport_redis::RedisTransport;
use tokio::time::sleep;

const STREAM: &str = "function_calls:greet:global";
const GROUP: &str = "function_group:greet:global";
const RESULT: &str = "result:unseen";

/// What the server knows of the connection that waits for calls, as it lists connections.
fn fetching(raw: &mut redis::Connection) -> Option<String> {
    let clients: String = command(raw, &["CLIENT", "LIST", "TYPE", "NORMAL"]);
    let line = clients.lines().find(|line| line.contains("cmd=xreadgroup"))?;
    let id = line.split(' ').find_map(|field| field.strip_prefix("id="))?;
    Some(id.to_owned())
}

#[tokio::test]
async fn it_runs_within_about_a_second() {
    let server = RedisServer::start();
    let transport = RedisTransport::builder(&server.url()).unwrap().build().unwrap();
    let host = Host::builder(transport).build().await.unwrap();
    let greet = function("greet", "global").handler_json(|_ctx, input| async move { Ok(input) });
    let consumer = host.serve(greet).await.unwrap().consumer;
    let mut raw = server.raw();
    let client = loop {
        if let Some(client) = fetching(&mut raw) {
            break client;
        }
        sleep(Duration::from_millis(5)).await;
    };
    // In one step, so that the read that waits is given nothing: another one in its name is given the call, and
    // it is cut.
    let mut step = redis::pipe();
    step.atomic();
    step.cmd("XADD").arg(STREAM).arg("*").arg(&["callId", "unseen", "functionName", "greet"]);
    step.arg(&["input", "7"]);
    step.cmd("XREADGROUP").arg("GROUP").arg(GROUP).arg(consumer.as_str());
    step.arg(&["COUNT", "1", "STREAMS", STREAM, ">"]);
    step.cmd("CLIENT").arg("KILL").arg("ID").arg(client);
    let (_, delivered, killed): (String, redis::Value, u64) = step.query(&mut raw).unwrap();
    assert!(matches!(delivered, redis::Value::Array(_)), "the call was delivered unseen");
    assert_eq!(killed, 1);
    let began = Instant::now();
    while command::<u64>(&mut raw, &["EXISTS", RESULT]) == 0 {
        assert!(began.elapsed() < Duration::from_secs(3), "it waits for a heartbeat");
        sleep(Duration::from_millis(5)).await;
    }
    host.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}
