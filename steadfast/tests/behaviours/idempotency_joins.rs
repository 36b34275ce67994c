//! Calls with one key are one call: executed once, one outcome for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use steadfast::function;
use tokio::time::sleep;

use crate::world::{SECOND, World};

#[tokio::test(start_paused = true)]
async fn calls_with_one_key_run_once_for_callers_in_several_hosts() {
    let world = World::new();
    let runs = Arc::new(AtomicU32::new(0));
    let charge = {
        let runs = runs.clone();
        function("charge", "shop").handler(move |_ctx, (): ()| {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            async move {
                sleep(SECOND).await;
                Ok(run)
            }
        })
    };
    let _worker = world.serving(1, charge).await;
    let (one, two) = (world.host(2).await, world.host(3).await);
    let charge = |host: &steadfast::Host, key: &str| {
        host.caller().request("charge", "shop").idempotency_key(key).send::<u32>()
    };
    let together = [charge(&one, "order-1"), charge(&two, "order-1"), charge(&one, "order-1")];
    assert_eq!(join_all(together).await, [Ok(0), Ok(0), Ok(0)]);
    assert_eq!(charge(&two, "order-1").await, Ok(0), "the key holds after the outcome");
    assert_eq!(charge(&one, "order-2").await, Ok(1), "another key is another call");
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_submission_tells_the_call_that_it_joined() {
    let host = World::new().host(1).await;
    let submit = || host.caller().request("later", "shop").idempotency_key("k").submit();
    let first = submit().await.unwrap();
    assert_eq!(submit().await, Ok(first));
}
