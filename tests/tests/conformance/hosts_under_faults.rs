//! Saves, deaths and lost names lose no call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::future::join_all;
use steadfast::{Function, function};
use steadfast_core::op::Op;
use steadfast_tests::ops::{millis, named};
use tokio::time::timeout;

use crate::stores::Store;
use crate::world::{PATIENCE, World};

pub(crate) async fn saves_under_load_lose_nothing<S: Store>(world: &World<S>) {
    let work = |generation: u32| {
        function("work", "global").concurrency(8).handler(move |_ctx, number: u32| async move {
            tokio::time::sleep(millis(1)).await;
            Ok((generation, number))
        })
    };
    let worker = world.serving(1, work(0)).await;
    let client = world.host(2).await;
    let caller = client.caller();
    let calls = tokio::spawn(join_all((0..200_u32).map(|number| {
        let caller = caller.clone();
        async move { caller.call::<(u32, u32)>("work", "global", &number).await }
    })));
    for generation in 1..=8 {
        worker.serve(work(generation)).await.unwrap();
    }
    let results = timeout(PATIENCE, calls).await.expect("every call ends").unwrap();
    for (number, result) in (0..).zip(results) {
        assert_eq!(result.map(|(_, number)| number), Ok(number));
    }
    world.keep(client);
    world.keep(worker);
}

/// Its first executions hang until the process that runs them is gone.
fn stuck(begun: &Arc<AtomicU32>, is_first: &Arc<AtomicBool>) -> Function {
    let (begun, is_first) = (begun.clone(), is_first.clone());
    function("stuck", "global").handler(move |ctx, (): ()| {
        begun.fetch_add(1, Ordering::Relaxed);
        let hangs = is_first.load(Ordering::Relaxed);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(ctx.attempt())
        }
    })
}

/// Heartbeats are of no help in this suite: they would be waited for an hour.
pub(crate) async fn calls_of_a_dead_host_run_elsewhere<S: Store>(world: &World<S>) {
    let (begun, is_first) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(true)));
    let doomed = world.serving(1, stuck(&begun, &is_first)).await;
    let client = world.host(3).await;
    let caller = client.caller();
    let calls = tokio::spawn(join_all((0..5).map(|_| {
        let caller = caller.clone();
        async move { caller.call::<u32>("stuck", "global", &()).await }
    })));
    while begun.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(millis(5)).await;
    }
    is_first.store(false, Ordering::Relaxed);
    let heir = world.serving(2, stuck(&begun, &is_first)).await;
    // Not shut down: its connections are gone, and it told nobody.
    drop(doomed);
    for result in timeout(PATIENCE, calls).await.expect("every call ends").unwrap() {
        assert!(result.is_ok(), "{result:?}");
    }
    assert!(heir.health().await.unwrap().consumers_removed >= 1);
    world.keep(client);
    world.keep(heir);
}

/// Somebody removes the host's consumer: it is fenced, and has a successor.
pub(crate) async fn a_lost_consumer_name_is_found_again<S: Store>(world: &World<S>) {
    let echo = function("echo", "global").handler(|_ctx, number: u32| async move { Ok(number) });
    let worker = world.host(1).await;
    let served = worker.serve(echo).await.unwrap();
    let (consumer, epoch) = (served.consumer, served.epoch);
    let removed = Op::Deregister { function: named("echo", "global"), consumer, epoch };
    world.ask(removed).await;
    let client = world.host(2).await;
    let caller = client.caller();
    for number in 0..3 {
        let answer = caller.call::<u32>("echo", "global", &number);
        assert_eq!(timeout(PATIENCE, answer).await.expect("it is served"), Ok(number));
    }
    world.keep(client);
    world.keep(worker);
}
