//! Connections that neither pass anything on nor are closed are noticed within the block time and a second, and
//! replaced; no call is lost by them, nor executed twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use steadfast::{CallError, CallFailed, Config, Function, Host, LinkState, function};
use steadfast_tests::{HalfOpen, RedisServer, leaks};
use steadfast_transport_redis::RedisTransport;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Far longer than anything takes that works, and shorter than an open circuit breaker waits unless it is told of the
/// new connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The promise at the default block time, and a second for a busy machine.
const NOTICED: Duration = Duration::from_secs(5 + 1 + 1);

async fn host(url: &str) -> Host {
    let transport = RedisTransport::builder(url).unwrap().build().unwrap();
    Host::builder(transport).config(Config::default()).build().await.unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("it never came: {what}"));
}

/// Silences every connection of a host, and waits until each of them is noticed and another stands in its place.
async fn check_replaced(wire: &HalfOpen, host: &Host) {
    let standing = host.health().await.unwrap().links;
    let before: Vec<_> = standing.iter().filter(|it| it.state == LinkState::Up).collect();
    assert!(before.len() >= 2, "{before:?}");
    wire.silence();
    let began = Instant::now();
    until("every connection is replaced", async || {
        let now = host.health().await.unwrap().links;
        before.iter().all(|was| {
            let is = now.iter().find(|it| it.link == was.link);
            is.is_some_and(|is| is.state == LinkState::Up && is.metrics.lost > was.metrics.lost)
        })
    })
    .await;
    let took = began.elapsed();
    assert!(took < NOTICED, "{} connections were replaced in {took:?}", before.len());
}

fn counting(runs: &Arc<AtomicU32>) -> Function {
    let runs = runs.clone();
    function("count", "global").concurrency(8).handler(move |_ctx, number: u32| {
        runs.fetch_add(1, Ordering::Relaxed);
        async move { Ok(number) }
    })
}

async fn end(server: &RedisServer, hosts: [Host; 2]) {
    for host in hosts {
        host.shutdown(Duration::from_secs(5)).await.unwrap();
    }
    assert_eq!(leaks(&mut server.raw()), Vec::<String>::new());
}

/// What is called just then is delivered to the read that nobody hears of.
#[tokio::test]
async fn of_an_idle_worker() {
    let server = RedisServer::start();
    let wire = HalfOpen::before(&server);
    let runs = Arc::new(AtomicU32::new(0));
    let (worker, client) = (host(&wire.url()).await, host(&server.url()).await);
    worker.serve(counting(&runs)).await.unwrap();
    let caller = client.caller();
    assert_eq!(caller.call::<u32>("count", "global", &0).await, Ok(0));
    let calls: Vec<_> = (1..=5)
        .map(|number| {
            let caller = caller.clone();
            tokio::spawn(async move {
                // After the silence begins, which is done without a pause.
                tokio::task::yield_now().await;
                caller.call::<u32>("count", "global", &number).await
            })
        })
        .collect();
    check_replaced(&wire, &worker).await;
    for (number, call) in (1..).zip(calls) {
        let answer = timeout(PATIENCE, call).await.expect("it is answered").unwrap();
        assert_eq!(answer, Ok(number));
    }
    assert_eq!(caller.call::<u32>("count", "global", &6).await, Ok(6));
    assert_eq!(runs.load(Ordering::Relaxed), 7, "some call was executed twice");
    end(&server, [client, worker]).await;
}

#[tokio::test]
async fn of_a_busy_worker() {
    let server = RedisServer::start();
    let wire = HalfOpen::before(&server);
    let (go, let_go) = watch::channel(false);
    let (worker, client) = (host(&wire.url()).await, host(&server.url()).await);
    let patient = function("patient", "global").concurrency(4).handler(move |ctx, number: u32| {
        let mut let_go = let_go.clone();
        async move {
            let_go.wait_for(|go| *go).await?;
            Ok((number, ctx.attempt()))
        }
    });
    worker.serve(patient).await.unwrap();
    let calls: Vec<_> = (0..4)
        .map(|number| {
            let caller = client.caller();
            tokio::spawn(async move { caller.call("patient", "global", &number).await })
        })
        .collect();
    until("every call runs", async || worker.progress().len() == 4).await;
    check_replaced(&wire, &worker).await;
    go.send_replace(true);
    for (number, call) in (0..).zip(calls) {
        let answer = timeout(PATIENCE, call).await.expect("it is answered").unwrap();
        assert_eq!(answer, Ok((number, 1)));
    }
    end(&server, [client, worker]).await;
}

/// What is called while no connection stands may be refused, and is not executed then.
#[tokio::test]
async fn of_a_busy_caller() {
    let server = RedisServer::start();
    let wire = HalfOpen::before(&server);
    let runs = Arc::new(AtomicU32::new(0));
    let (worker, client) = (host(&server.url()).await, host(&wire.url()).await);
    worker.serve(counting(&runs)).await.unwrap();
    let (enough, stop) = watch::channel(false);
    let answered = Arc::new(AtomicU32::new(0));
    let lines: Vec<_> = (0..8)
        .map(|line| {
            let (caller, stop, answered) = (client.caller(), stop.clone(), answered.clone());
            tokio::spawn(async move {
                let mut number = line;
                while !*stop.borrow() {
                    let answer = caller.call::<u32>("count", "global", &number).await;
                    if matches!(answer, Err(CallFailed::Refused(CallError::Unavailable { .. }))) {
                        sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                    assert_eq!(answer, Ok(number));
                    answered.fetch_add(1, Ordering::Relaxed);
                    number += 8;
                }
            })
        })
        .collect();
    let more = async || {
        let before = answered.load(Ordering::Relaxed);
        until("calls go on", async || answered.load(Ordering::Relaxed) >= before + 100).await;
    };
    more().await;
    check_replaced(&wire, &client).await;
    more().await;
    enough.send_replace(true);
    for line in lines {
        timeout(PATIENCE, line).await.expect("it ends").unwrap();
    }
    assert_eq!(runs.load(Ordering::Relaxed), answered.load(Ordering::Relaxed));
    end(&server, [client, worker]).await;
}
