//! The line to the store is cut under load and mended: nothing is lost, and nothing is stuck.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use steadfast::{CallError, CallFailed, Host, function};
use tokio::time::{Instant, sleep};

use crate::world::{Line, SECOND, World, host_over};

/// Submits until the call is accepted, as a careful user does.
async fn insist(host: &Host, number: u32) -> u32 {
    let id = steadfast::CallId::new(format!("c{number}")).unwrap();
    loop {
        let request = host.caller().request("work", "global").call_id(id.clone());
        match request.input(&number).unwrap().send::<u32>().await {
            Ok(result) => return result,
            Err(CallFailed::Refused(
                CallError::Unavailable { .. }
                | CallError::NoAnswer
                | CallError::NotSubmitted
                | CallError::Unconfirmed { .. }
                | CallError::StillOpen { .. },
            )) => sleep(Duration::from_millis(200)).await,
            Err(error) => panic!("call {number}: {error}"),
        }
    }
}

async fn check(outage: Duration, recovery: Duration) {
    let world = World::new();
    let line = Line::to(&world);
    let runs = Arc::new(AtomicU32::new(0));
    let work = {
        let runs = runs.clone();
        function("work", "global").handler(move |_ctx, number: u32| {
            runs.fetch_add(1, Ordering::Relaxed);
            async move {
                sleep(Duration::from_millis(300)).await;
                Ok(number + 1)
            }
        })
    };
    let worker = host_over(line.clone(), 1).await;
    worker.serve(work).await.unwrap();
    let client = Arc::new(host_over(line.clone(), 2).await);
    let calls = (0..100_u32).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(u64::from(number) * 30)).await;
            (number, insist(&client, number).await)
        })
    });
    let calls: Vec<_> = calls.collect();
    sleep(SECOND).await;
    line.cut();
    sleep(outage).await;
    line.mend();
    let mended = Instant::now();
    // Somebody calls at once after the store is back.
    assert_eq!(insist(&client, 1_000).await, 1_001);
    let took = mended.elapsed();
    assert!(took < recovery, "took {took:?} to recover");
    for call in join_all(calls).await {
        let (number, result) = call.unwrap();
        assert_eq!(result, number + 1);
    }
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs >= 101, "{runs} runs");
    world.check_quiet().await;
    worker.shutdown(SECOND).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_short_outage() {
    check(2 * SECOND, Duration::from_millis(1_300)).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_outage() {
    check(60 * SECOND, 4 * SECOND).await;
}
