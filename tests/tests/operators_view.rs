//! What an operator reads with the commands of every Redis client, under the exact names of the layout, is the truth:
//! while handlers run, while a function stops, and after.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::{Connection, Value};
use steadfast::{Function, Host, Served, function};
use steadfast_tests::{RedisServer, command, leaks};
use steadfast_transport_redis::RedisTransport;
use tokio::sync::watch;
use tokio::time::sleep;

const NAME: &str = "nap: it";
const SCOPE: &str = "my scope";
const STREAM: &str = "function_calls:nap: it:my scope";
const GROUP: &str = "function_group:nap: it:my scope";
const ACTIVE: &str = "consumer:active:nap: it:my scope";

/// The fields of a consumer's state that every peer knows.
const FIELDS: [&str; 15] = [
    "id",
    "functionName",
    "scope",
    "streamKey",
    "groupName",
    "status",
    "startTime",
    "lastHeartbeat",
    "processId",
    "workerId",
    "errorCount",
    "lastError",
    "epoch",
    "runId",
    "clientIds",
];

async fn host(server: &RedisServer) -> Host {
    let transport = RedisTransport::builder(&server.url()).unwrap().build().unwrap();
    Host::builder(transport).build().await.unwrap()
}

/// Runs until it is let go.
fn nap(go: &watch::Receiver<bool>) -> Function {
    let go = go.clone();
    function(NAME, SCOPE).concurrency(2).prefetch(0).handler(move |_ctx, number: u32| {
        let mut go = go.clone();
        async move {
            go.wait_for(|go| *go).await?;
            Ok(number)
        }
    })
}

fn rows(raw: &mut Connection, words: &[&str]) -> Vec<BTreeMap<String, String>> {
    let rows: Vec<BTreeMap<String, Value>> = command(raw, words);
    let text = |value: Value| redis::from_redis_value::<String>(value).unwrap_or_default();
    rows.into_iter()
        .map(|row| row.into_iter().map(|(field, value)| (field, text(value))).collect())
        .collect()
}

/// How many entries are pending at each name in the group.
fn pending(raw: &mut Connection) -> BTreeMap<String, u64> {
    rows(raw, &["XINFO", "CONSUMERS", STREAM, GROUP])
        .into_iter()
        .map(|row| (row["name"].clone(), row["pending"].parse().unwrap()))
        .collect()
}

fn of_group(raw: &mut Connection, field: &str) -> String {
    let groups = rows(raw, &["XINFO", "GROUPS", STREAM]);
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(groups[0]["name"], GROUP);
    groups[0][field].clone()
}

fn state(raw: &mut Connection, served: &Served) -> BTreeMap<String, String> {
    command(raw, &["HGETALL", &format!("consumer:state:{}", served.consumer)])
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came: {what}");
}

fn time_ms(raw: &mut Connection) -> u64 {
    let (seconds, micros): (u64, u64) = command(raw, &["TIME"]);
    seconds * 1_000 + micros / 1_000
}

async fn until_active(raw: &mut Connection, served: &Served) {
    until("it says that it is active", || state(raw, served)["status"] == "active").await;
}

fn check_state(raw: &mut Connection, host: &Host, served: &Served, status: &str) {
    let state = state(raw, served);
    for field in FIELDS {
        assert!(state.contains_key(field), "{field} is missing: {state:?}");
    }
    let (consumer, epoch) = (served.consumer.to_string(), served.epoch.0.to_string());
    assert!(consumer.starts_with("nap: it-my scope-"), "{consumer}");
    let process = std::process::id().to_string();
    let expect = [
        ("id", consumer.as_str()),
        ("functionName", NAME),
        ("scope", SCOPE),
        ("streamKey", STREAM),
        ("groupName", GROUP),
        ("status", status),
        ("processId", &process),
        ("workerId", host.node_id().as_str()),
        ("errorCount", "0"),
        ("lastError", ""),
        ("epoch", &epoch),
    ];
    for (field, value) in expect {
        assert_eq!(state[field], value, "{field}");
    }
    let at = |field: &str| state[field].parse::<u64>().unwrap();
    assert!(at("startTime") <= at("lastHeartbeat"), "{state:?}");
    assert!(time_ms(raw) < at("lastHeartbeat") + 30_000, "{state:?}");
    let info: String = command(raw, &["INFO", "server"]);
    assert!(info.contains(&format!("run_id:{}\r", state["runId"])), "{state:?}");
    let clients: String = command(raw, &["CLIENT", "LIST"]);
    let own = state["clientIds"].split(',').map(|id| format!("id={id} "));
    let shown = own.map(|id| clients.lines().any(|line| line.starts_with(&id)));
    let shown: Vec<bool> = shown.collect();
    assert!(shown.contains(&true), "no connection of {state:?} in {clients}");
}

#[tokio::test]
async fn it_tells_who_serves_and_what_runs() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let (go, let_go) = watch::channel(false);
    let (one, two, client) = (host(&server).await, host(&server).await, host(&server).await);
    let first = one.serve(nap(&let_go)).await.unwrap();
    assert_eq!(of_group(&mut raw, "pending"), "0");
    until_active(&mut raw, &first).await;
    check_state(&mut raw, &one, &first, "active");
    let second = two.serve(nap(&let_go)).await.unwrap();
    until_active(&mut raw, &second).await;
    let names = [&first, &second].map(|served| served.consumer.to_string());
    let ids: BTreeSet<String> = command(&mut raw, &["SMEMBERS", ACTIVE]);
    assert_eq!(ids, BTreeSet::from(names.clone()));

    // Two calls run at each: as many as each has room for.
    let calls: Vec<_> = (0..4)
        .map(|number| {
            let caller = client.caller();
            tokio::spawn(async move { caller.call::<u32>(NAME, SCOPE, &number).await })
        })
        .collect();
    until("every call runs", || one.progress().len() + two.progress().len() == 4).await;
    assert_eq!(of_group(&mut raw, "pending"), "4");
    assert_eq!(of_group(&mut raw, "consumers"), "2");
    assert_eq!(of_group(&mut raw, "lag"), "0");
    assert_eq!(pending(&mut raw), names.clone().map(|name| (name, 2)).into());
    for (host, served) in [(&one, &first), (&two, &second)] {
        check_state(&mut raw, host, served, "active");
    }
    // A fifth waits in the stream: nobody has room for it.
    let caller = client.caller();
    let fifth = tokio::spawn(async move { caller.call::<u32>(NAME, SCOPE, &4).await });
    until("it is in the stream", || command::<u64>(&mut raw, &["XLEN", STREAM]) == 5).await;
    assert_eq!(
        (of_group(&mut raw, "lag"), of_group(&mut raw, "pending")),
        ("1".into(), "4".into())
    );

    // One that stops says so while it ends what it runs.
    let mut stopping = Box::pin(one.stop(NAME, SCOPE, Duration::from_secs(30)));
    tokio::select! {
        stopped = &mut stopping => panic!("it stopped while its handlers run: {stopped:?}"),
        () = until("it says so", || state(&mut raw, &first)["status"] == "stopping") => {}
    }
    check_state(&mut raw, &one, &first, "stopping");
    assert_eq!(pending(&mut raw)[&names[0]], 2);
    go.send_replace(true);
    stopping.await.unwrap();
    for (number, call) in (0..).zip(calls.into_iter().chain([fifth])) {
        assert_eq!(call.await.unwrap(), Ok(number));
    }

    // What it answered is gone, and so is who stopped.
    let left = BTreeMap::from([(names[1].clone(), 0)]);
    until("nothing is pending", || pending(&mut raw) == left).await;
    assert_eq!(command::<u64>(&mut raw, &["XLEN", STREAM]), 0);
    let ids: BTreeSet<String> = command(&mut raw, &["SMEMBERS", ACTIVE]);
    assert_eq!(ids, BTreeSet::from([names[1].clone()]));
    check_state(&mut raw, &two, &second, "active");
    let stopped = state(&mut raw, &first);
    assert!(stopped.get("status").is_none_or(|status| status == "stopped"), "{stopped:?}");
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
    for host in [client, two, one] {
        host.shutdown(Duration::from_secs(5)).await.unwrap();
    }
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}
