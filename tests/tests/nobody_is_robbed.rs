//! Who lives is left alone when every connection is cut or the server is restarted: each call is begun once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use steadfast::{Config, Event, Function, Host, function};
use steadfast_tests::{RedisServer, command};
use steadfast_transport_redis::RedisTransport;
use tokio::time::sleep;

const CALLS: u32 = 5;

/// Death is noticed within half a second of observation, so that a wrong judgement shows soon.
async fn host(server: &RedisServer) -> Host {
    let transport = RedisTransport::builder(&server.url()).unwrap().build().unwrap();
    let config = Config {
        survey_interval: Duration::from_millis(50),
        session_grace: Duration::from_millis(200),
        observer_settle: Duration::from_millis(200),
        ..Config::default()
    };
    Host::builder(transport).config(config).build().await.unwrap()
}

/// Runs until it is let go.
fn patient(begun: &Arc<AtomicU32>, go: &Arc<AtomicBool>) -> Function {
    let (begun, go) = (begun.clone(), go.clone());
    function("patient", "global").handler(move |_ctx, number: u32| {
        begun.fetch_add(1, Ordering::Relaxed);
        let go = go.clone();
        async move {
            while !go.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(5)).await;
            }
            Ok(number)
        }
    })
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

/// Calls run at one host while another observes it, and `disturb` happens; then they end.
async fn check(server: &mut RedisServer, disturb: impl FnOnce(&mut RedisServer)) {
    let (begun, go) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let worker = host(server).await;
    worker.serve(patient(&begun, &go)).await.unwrap();
    let client = host(server).await;
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let caller = client.caller();
            tokio::spawn(async move { caller.call::<u32>("patient", "global", &number).await })
        })
        .collect();
    until("every call runs", async || begun.load(Ordering::Relaxed) == CALLS).await;
    let observer = host(server).await;
    observer.serve(patient(&begun, &go)).await.unwrap();
    sleep(Duration::from_millis(600)).await;
    let mut events = observer.events();
    disturb(server);
    until("everybody is connected again", async || {
        let mut connected = true;
        for host in [&worker, &client, &observer] {
            let totals = host.health().await.unwrap().link_totals;
            connected &= totals.lost > 0 && totals.active > 0;
        }
        connected
    })
    .await;
    // Many times what a judgement takes.
    sleep(Duration::from_secs(2)).await;
    go.store(true, Ordering::Relaxed);
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap(), Ok(number));
    }
    assert_eq!(begun.load(Ordering::Relaxed), CALLS, "some call was begun twice");
    assert_eq!(observer.health().await.unwrap().consumers_removed, 0);
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::TakenOver { .. }), "{event}");
    }
}

#[tokio::test]
async fn when_every_connection_is_cut() {
    let mut server = RedisServer::start();
    check(&mut server, |server| {
        let mut raw = server.raw();
        let killed: u64 = command(&mut raw, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        assert!(killed > 3, "{killed} connections were cut");
    })
    .await;
}

#[tokio::test]
async fn when_the_server_is_restarted() {
    let mut server = RedisServer::with(&["--appendonly", "yes"]);
    check(&mut server, RedisServer::restart).await;
}
