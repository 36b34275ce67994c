//! A host that is only dropped ends at once: driver, handlers, connections.

use std::sync::Arc;

use steadfast::{CallFailed, function};
use tokio::time::{Instant, sleep};

use crate::world::{Line, SECOND, World, host_over};

#[tokio::test(start_paused = true)]
async fn driver_and_handlers_end_and_the_calls_run_elsewhere() {
    let world = World::new();
    let line = Line::to(&world);
    let held = Arc::new(());
    let host = host_over(line.clone(), 1).await;
    let stuck = {
        let held = held.clone();
        function("work", "global").handler(move |_ctx, (): ()| {
            let held = held.clone();
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok(1)
            }
        })
    };
    host.serve(stuck).await.unwrap();
    let orphan = host.caller();
    let client = world.host(2).await;
    let caller = client.caller();
    let call = tokio::spawn(async move { caller.call::<u32>("work", "global", &()).await });
    sleep(SECOND).await;
    assert!(Arc::strong_count(&held) > 2, "the handler does not run");

    drop(host);
    sleep(2 * SECOND).await;
    assert_eq!(line.holders(), 1, "the driver lives");
    assert_eq!(Arc::strong_count(&held), 1, "a handler lives");
    let error = orphan.call::<u32>("work", "global", &()).await;
    assert_eq!(error, Err(CallFailed::HostGone));

    let _young =
        world.serving(3, function("work", "global").handler(|_ctx, (): ()| async { Ok(2) })).await;
    assert_eq!(call.await.unwrap(), Ok(2));
    world.check_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_looked_on_takes_its_calls_over_within_three_seconds() {
    let world = World::new();
    let stuck = function("work", "global").timeout(60 * SECOND).handler(|_ctx, (): ()| async {
        std::future::pending::<()>().await;
        Ok(1)
    });
    let old = world.serving(1, stuck).await;
    let client = world.host(2).await;
    let caller = client.caller();
    let call = tokio::spawn(async move { caller.call::<u32>("work", "global", &()).await });
    sleep(SECOND).await;
    let _young =
        world.serving(3, function("work", "global").handler(|_ctx, (): ()| async { Ok(2) })).await;
    sleep(15 * SECOND).await;
    assert!(!call.is_finished(), "the slow one was robbed");
    drop(old);
    let begun = Instant::now();
    assert_eq!(call.await.unwrap(), Ok(2));
    let took = begun.elapsed();
    assert!(took <= 3 * SECOND, "took {took:?}");
}
