//! A panic is a failed attempt: retried, dead-lettered in the end, and nobody else's trouble.

use steadfast::{CallFailed, Failure, FailureKind, function};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_panic_is_retried() {
    let fragile = function("fragile", "global").handler(|ctx, (): ()| async move {
        assert!(ctx.attempt() > 1, "the first attempt always panics");
        Ok(ctx.attempt())
    });
    let host = World::new().serving(1, fragile).await;
    let attempt: u32 = host.caller().call("fragile", "global", &()).await.unwrap();
    assert_eq!(attempt, 2);
}

#[tokio::test(start_paused = true)]
async fn panics_exhaust_the_attempts_and_the_loop_goes_on() {
    let host = World::new()
        .serving(
            1,
            function("divide", "global").attempts(2).handler(|_ctx, by: u32| async move {
                Ok(100_u32.checked_div(by).expect("by zero"))
            }),
        )
        .await;
    let caller = host.caller();
    let error = caller.call::<u32>("divide", "global", &0).await;
    let Err(CallFailed::DeadLettered { failure, attempts, .. }) = error else {
        panic!("not a dead letter: {error:?}")
    };
    assert_eq!(failure, Failure::new(FailureKind::Panic, "by zero"));
    assert_eq!(attempts, 2);
    assert_eq!(caller.call::<u32>("divide", "global", &5).await, Ok(20));
}
