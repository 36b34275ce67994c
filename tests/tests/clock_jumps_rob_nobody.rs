//! Where the server's clock jumps, by more than the consumer timeout, forth and back, who lives is left alone: each
//! call is begun once and ends as it should, and functions are called and saved as before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::Connection;
use steadfast::{Config, Event, Function, Host, Served, function};
use steadfast_tests::{RedisServer, command, leaks};
use steadfast_transport_redis::RedisTransport;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const CALLS: u32 = 5;

/// Longer than a heartbeat's, a sweep's and a judgement's interval.
const JUDGED: Duration = Duration::from_millis(6_500);

/// Far longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// The defaults, with an observer that judges as soon as it may.
async fn host(server: &RedisServer) -> Host {
    let transport = RedisTransport::builder(&server.url()).unwrap().build().unwrap();
    let config = Config {
        survey_interval: Duration::from_millis(50),
        observer_settle: Duration::from_millis(200),
        ..Config::default()
    };
    Host::builder(transport).config(config).build().await.unwrap()
}

/// Runs until it is let go; longer than every jump together.
fn patient(begun: &Arc<AtomicU32>, go: &watch::Receiver<bool>) -> Function {
    let (begun, go) = (begun.clone(), go.clone());
    function("patient", "global").concurrency(CALLS).timeout(Duration::from_secs(120)).handler(
        move |ctx, number: u32| {
            begun.fetch_add(1, Ordering::Relaxed);
            let mut go = go.clone();
            async move {
                go.wait_for(|go| *go).await?;
                Ok((number, ctx.attempt()))
            }
        },
    )
}

async fn serve_echo(host: &Host) -> Served {
    let echo = function("echo", "global").handler(|_ctx, number: u32| async move { Ok(number) });
    timeout(PATIENCE, host.serve(echo)).await.expect("it becomes active").unwrap()
}

async fn check_call(client: &Host, number: u32) {
    let caller = client.caller();
    let answer = timeout(PATIENCE, caller.call::<u32>("echo", "global", &number));
    assert_eq!(answer.await.expect("it is answered"), Ok(number));
}

fn server_time_s(raw: &mut Connection) -> i64 {
    command::<(i64, i64)>(raw, &["TIME"]).0
}

#[tokio::test]
async fn forth_and_back() {
    let server = RedisServer::with_shifted_clock();
    let mut raw = server.raw();
    let (begun, (go, let_go)) = (Arc::new(AtomicU32::new(0)), watch::channel(false));
    let (worker, client) = (host(&server).await, host(&server).await);
    worker.serve(patient(&begun, &let_go)).await.unwrap();
    let mut saved = serve_echo(&worker).await;
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let caller = client.caller();
            tokio::spawn(async move { caller.call("patient", "global", &number).await })
        })
        .collect();
    while begun.load(Ordering::Relaxed) < CALLS {
        sleep(Duration::from_millis(5)).await;
    }
    let observer = host(&server).await;
    observer.serve(patient(&begun, &let_go)).await.unwrap();
    let mut events = observer.events();
    sleep(Duration::from_secs(1)).await;
    // An hour forth would take every deadline with it, as it should.
    let mut stands_off_s = 0;
    for offset_s in [45, 0, -45, -3_600] {
        let before = server_time_s(&mut raw);
        server.shift_clock(offset_s);
        let jumped = server_time_s(&mut raw) - before;
        assert!((jumped - (offset_s - stands_off_s)).abs() <= 1, "it jumped by {jumped} s");
        stands_off_s = offset_s;
        for number in 0..5 {
            check_call(&client, number).await;
        }
        sleep(JUDGED).await;
        let again = serve_echo(&worker).await;
        assert!(again.epoch > saved.epoch, "epochs went back: {saved:?}, {again:?}");
        saved = again;
        check_call(&client, 7).await;
        assert_eq!(begun.load(Ordering::Relaxed), CALLS, "at {offset_s} s some call was robbed");
    }
    go.send_replace(true);
    for (number, call) in (0..).zip(calls) {
        let answer = timeout(PATIENCE, call).await.expect("it is answered").unwrap();
        assert_eq!(answer, Ok((number, 1)));
    }
    assert_eq!(begun.load(Ordering::Relaxed), CALLS, "some call was begun twice");
    for host in [&worker, &client, &observer] {
        assert_eq!(host.health().await.unwrap().consumers_removed, 0);
    }
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::TakenOver { .. }), "{event}");
    }
    for host in [client, observer, worker] {
        host.shutdown(Duration::from_secs(5)).await.unwrap();
    }
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}
