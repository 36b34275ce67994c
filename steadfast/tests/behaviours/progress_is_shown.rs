//! What runs can be seen, with what it said of its progress.

use steadfast::function;
use tokio::time::sleep;

use crate::world::{SECOND, World};

#[tokio::test(start_paused = true)]
async fn the_last_progress_of_each_attempt_is_told() {
    let cook = function("cook", "kitchen").handler(|ctx, minutes: u64| async move {
        for minute in 0..minutes {
            ctx.progress(&format!("{minute} of {minutes}"))?;
            sleep(60 * SECOND).await;
        }
        Ok(())
    });
    let host = World::new().serving(1, cook).await;
    let caller = host.caller();
    let call = tokio::spawn(async move { caller.call::<()>("cook", "kitchen", &3).await });
    sleep(20 * SECOND).await;
    let running = host.progress();
    assert_eq!(running.len(), 1);
    assert_eq!((running[0].function.as_str(), running[0].attempt), ("cook:kitchen", 1));
    let progress = running[0].progress.as_ref().unwrap();
    assert_eq!(progress.as_str(), "\"0 of 3\"");
    call.abort();
}

#[tokio::test(start_paused = true)]
async fn health_and_events_tell_how_the_node_stands() {
    let host = World::new().host(1).await;
    let mut events = host.events();
    let served =
        host.serve(function("f", "global").handler(|_ctx, (): ()| async { Ok(()) })).await.unwrap();
    let health = serde_json::to_string(&host.health().await.unwrap()).unwrap();
    assert!(health.contains(served.consumer.as_str()), "{health}");
    let active = format!("consumer {} {} is active", served.consumer, served.epoch);
    loop {
        if events.recv().await.unwrap().to_string() == active {
            break;
        }
    }
}
