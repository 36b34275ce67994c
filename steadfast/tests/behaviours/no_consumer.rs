//! A call that nobody serves waits until somebody does or its deadline passes, or is refused if it asks.

use steadfast::{CallError, CallFailed, MissingReason, function};
use tokio::time::{Instant, sleep};

use crate::world::{SECOND, World};

#[tokio::test(start_paused = true)]
async fn it_is_refused_where_the_caller_asks() {
    let host = World::new().host(1).await;
    let error = host.caller().request("f", "global").fail_fast().send::<()>().await;
    let Err(CallFailed::Refused(CallError::NoConsumer { reason, .. })) = error else {
        panic!("not refused: {error:?}")
    };
    assert_eq!(reason, MissingReason::NoStream);
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_worker_that_comes_later() {
    let world = World::new();
    let client = world.host(1).await;
    let caller = client.caller();
    let call = tokio::spawn(async move { caller.call::<u32>("f", "global", &()).await });
    sleep(30 * SECOND).await;
    assert!(!call.is_finished());
    let missing = client.caller().detect_missing_consumer("f", "global").await.unwrap();
    assert_eq!(missing, Some(MissingReason::NoLiveConsumer));

    let _worker =
        world.serving(2, function("f", "global").handler(|_ctx, (): ()| async { Ok(7) })).await;
    let begun = Instant::now();
    assert_eq!(call.await.unwrap(), Ok(7));
    assert!(begun.elapsed() < SECOND);
    let missing = client.caller().detect_missing_consumer("f", "global").await.unwrap();
    assert_eq!(missing, None);
}

#[tokio::test(start_paused = true)]
async fn it_expires_at_its_deadline() {
    let host = World::new().host(1).await;
    let begun = Instant::now();
    let request = host.caller().request("f", "global").deadline(20 * SECOND);
    let error = request.send::<()>().await;
    assert!(
        matches!(error, Err(CallFailed::Expired { attempts: 0, .. })),
        "not expired: {error:?}"
    );
    let took = begun.elapsed();
    assert!((20 * SECOND..30 * SECOND).contains(&took), "took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_creates_what_is_missing_and_adds_no_call() {
    let host = World::new().host(1).await;
    let caller = host.caller();
    let recovery = caller.attempt_function_recovery("f", "global").await.unwrap();
    assert_eq!((recovery.created, recovery.taken_over), (true, 0));
    let recovery = caller.attempt_function_recovery("f", "global").await.unwrap();
    assert_eq!((recovery.created, recovery.taken_over), (false, 0));
}
