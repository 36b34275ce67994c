//! Peers that know only the plain layout, on a real server: a caller that adds to the stream and polls the result is
//! served by a host, and a consumer that reads the group, sets the result and acknowledges answers a host's calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Connection, Value};
use serde_json::json;
use steadfast::{Caller, Config, Function, HandlerError, Host, function};
use steadfast_tests::{RedisServer, command, leaks};
use steadfast_transport_redis::RedisTransport;
use tokio::time::sleep;

/// Results that a peer may take for none.
const FALSY: [&str; 6] = ["0", "false", r#""""#, "null", "[]", "{}"];

const FUNCTIONS: [(&str, &str); 3] =
    [("greet", "global"), ("a:b c", "my scope"), (" greet: ", "x y")];

/// The default settings, with consumers without state robbed, and leftovers swept, sooner.
async fn host(server: &RedisServer) -> Host {
    let transport = RedisTransport::builder(&server.url()).unwrap().build().unwrap();
    let config = Config {
        sweep_interval: Duration::from_millis(200),
        stateless_idle: Duration::from_secs(1),
        ..Config::default()
    };
    Host::builder(transport).config(config).build().await.unwrap()
}

fn echo((name, scope): (&str, &str)) -> Function {
    function(name, scope).handler_json(|_ctx, input| async move {
        if input.as_str() == r#""fail""# {
            return Err(HandlerError::new("it was asked to"));
        }
        Ok(input)
    })
}

async fn until_nothing_is_left(raw: &mut Connection) {
    for _ in 0..2_000 {
        if leaks(raw).is_empty() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("left at the store: {:?}", leaks(raw));
}

fn add(raw: &mut Connection, (name, scope): (&str, &str), id: &str, input: &str) {
    let (stream, channel) =
        (format!("function_calls:{name}:{scope}"), format!("function:response:{id}"));
    let fields = ["callId", id, "functionName", name, "input", input, "item", "{}"];
    let more = ["responseChannel", &channel, "timestamp", "1700000000000"];
    let _: String = command(raw, &[&["XADD", &stream, "*"][..], &fields, &more].concat());
}

/// Polls for the result as an older caller does, and deletes it.
async fn poll(raw: &mut Connection, id: &str) -> String {
    let key = format!("result:{id}");
    for _ in 0..2_000 {
        if let Some(text) = command::<Option<String>>(raw, &["GET", &key]) {
            let ttl_s: i64 = command(raw, &["TTL", &key]);
            assert!((1..=300).contains(&ttl_s), "{ttl_s}");
            assert_eq!(command::<u64>(raw, &["DEL", &key]), 1);
            return text;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("no result of {id}");
}

/// What an older caller reads, but for the time of the decision.
fn check(text: &str, id: &str, result: Option<&str>, error: Option<&str>) {
    let mut read: serde_json::Value = serde_json::from_str(text).unwrap();
    let decided_at = read.as_object_mut().unwrap().remove("timestamp").unwrap();
    assert!(decided_at.is_u64(), "{text}");
    read.as_object_mut().unwrap().remove("failure");
    let status = if error.is_none() { "success" } else { "error" };
    let expect = json!({
        "callId": id, "result": result, "error": error, "status": status, "outcome": status,
        "attempts": 1,
    });
    assert_eq!(read, expect, "{text}");
    let as_it_stands = format!(r#""result":{}"#, json!(result));
    assert!(text.contains(&as_it_stands), "{text}");
}

#[tokio::test]
async fn an_older_caller_is_served() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let host = host(&server).await;
    for of in FUNCTIONS {
        // The first one was there before anybody served, or made a group.
        add(&mut raw, of, "early", "7");
        host.serve(echo(of)).await.unwrap();
        check(&poll(&mut raw, "early").await, "early", Some("7"), None);
        for (number, value) in FALSY.into_iter().enumerate() {
            let id = format!("call {number}:0");
            add(&mut raw, of, &id, value);
            check(&poll(&mut raw, &id).await, &id, Some(value), None);
        }
        add(&mut raw, of, "failing", r#""fail""#);
        check(&poll(&mut raw, "failing").await, "failing", None, Some("it was asked to"));
    }
    until_nothing_is_left(&mut raw).await;
    host.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}

/// A consumer that knows nothing of open records, leases and states.
struct OlderConsumer {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl OlderConsumer {
    /// Answers each call with its input, in the name `older`.
    fn start(server: &RedisServer, of: (&str, &str)) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (mut raw, stopped, counter) = (server.raw(), stop.clone(), answered.clone());
        let (stream, group) = stream_and_group(of);
        let _: Result<(), _> =
            redis::cmd("XGROUP").arg(&["CREATE", &stream, &group, "0", "MKSTREAM"]).query(&mut raw);
        let thread = spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Some((entry, call)) = read(&mut raw, &stream, &group) else { continue };
                answer(&mut raw, &call);
                let () = command(&mut raw, &["XACK", &stream, &group, &entry]);
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, answered, thread: Some(thread) }
    }

    /// How many calls it answered.
    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Lets it end, its name still in the group.
    fn end(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.answered()
    }
}

impl Drop for OlderConsumer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn stream_and_group((name, scope): (&str, &str)) -> (String, String) {
    (format!("function_calls:{name}:{scope}"), format!("function_group:{name}:{scope}"))
}

type Fields = BTreeMap<String, String>;

/// The next call, if one comes soon: its entry and its fields.
fn read(raw: &mut Connection, stream: &str, group: &str) -> Option<(String, Fields)> {
    let words = ["GROUP", group, "older", "COUNT", "1", "BLOCK", "50", "STREAMS", stream, ">"];
    let read = redis::cmd("XREADGROUP").arg(&words).query::<Value>(raw);
    // Nothing, or no group: the function's last call took the stream with it.
    let streams: Vec<(String, Vec<(String, Fields)>)> = redis::from_redis_value(read.ok()?).ok()?;
    streams.into_iter().next()?.1.into_iter().next()
}

fn answer(raw: &mut Connection, call: &Fields) {
    let (id, input) = (&call["callId"], &call["input"]);
    assert_eq!(call["responseChannel"], format!("function:response:{id}"));
    let result = json!({
        "callId": id, "result": input, "error": null, "timestamp": 1_700_000_000_000_u64,
        "status": "success",
    });
    let () = command(raw, &["SETEX", &format!("result:{id}"), "300", &result.to_string()]);
}

/// Calls with each falsy value at once, and is answered with it.
async fn call_falsy(caller: &Caller, (name, scope): (&str, &str)) {
    let answers = join_all(FALSY.map(|value| {
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        async move {
            let answer = caller.call::<serde_json::Value>(name, scope, &value).await;
            assert_eq!(answer, Ok(value));
        }
    }));
    assert_eq!(answers.await.len(), FALSY.len());
}

#[tokio::test]
async fn an_older_consumer_answers_a_hosts_calls() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let client = host(&server).await;
    for of in FUNCTIONS {
        let (name, scope) = of;
        let older = OlderConsumer::start(&server, of);
        let caller = client.caller();
        call_falsy(&caller, of).await;
        assert_eq!(older.end(), FALSY.len());
        let (stream, group) = stream_and_group(of);
        let held: u64 = command(&mut raw, &["XGROUP", "DELCONSUMER", &stream, &group, "older"]);
        assert_eq!(held, 0);
        // All that is left is the stream that it made itself, empty; it goes with whoever serves last.
        assert_eq!(leaks(&mut raw), [format!("{stream} is of a function that nobody serves")]);
        client.serve(echo(of)).await.unwrap();
        client.stop(name, scope, Duration::from_secs(5)).await.unwrap();
    }
    client.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}

/// The older one leaves its name in the group, as one that was killed does.
#[tokio::test]
async fn an_older_consumer_and_a_host_share_a_group() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let of = FUNCTIONS[1];
    let (worker, client) = (host(&server).await, host(&server).await);
    worker.serve(echo(of)).await.unwrap();
    let older = OlderConsumer::start(&server, of);
    let caller = client.caller();
    let mut rounds = 0;
    while older.answered() < 5 {
        rounds += 1;
        assert!(rounds < 1_000, "the older one is given no call");
        call_falsy(&caller, of).await;
    }
    older.end();
    // While it is served: the host's sweep clears what the older one left.
    until_nothing_is_left(&mut raw).await;
    client.shutdown(Duration::from_secs(5)).await.unwrap();
    worker.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}

async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came");
}

#[tokio::test]
async fn what_an_older_consumer_died_with_is_run_by_a_host() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let of @ (name, scope) = FUNCTIONS[2];
    let (stream, group) = stream_and_group(of);
    let () = command(&mut raw, &["XGROUP", "CREATE", &stream, &group, "0", "MKSTREAM"]);
    let client = host(&server).await;
    let caller = client.caller();
    let ours = tokio::spawn(async move { caller.call::<u32>(name, scope, &0).await });
    let mut taken = None;
    until(|| {
        taken = read(&mut raw, &stream, &group);
        taken.is_some()
    })
    .await;
    add(&mut raw, of, "theirs", "null");
    until(|| read(&mut raw, &stream, &group).is_some()).await;
    let worker = host(&server).await;
    worker.serve(echo(of)).await.unwrap();
    assert_eq!(ours.await.unwrap(), Ok(0));
    let text = poll(&mut raw, "theirs").await;
    assert!(text.contains(r#""result":"null","error":null"#), "{text}");
    until_nothing_is_left(&mut raw).await;
    client.shutdown(Duration::from_secs(5)).await.unwrap();
    worker.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}
