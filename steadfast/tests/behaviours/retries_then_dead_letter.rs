//! An attempt that asks for another one gets it, until none is left; the dead letter can be requeued.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use steadfast::{CallFailed, EntryId, FailureKind, HandlerError, Retry, function};
use tokio::time::Instant;

use crate::world::{SECOND, World};

#[tokio::test(start_paused = true)]
async fn a_retry_waits_as_long_as_it_asked() {
    let late = function("late", "global").handler(|ctx, (): ()| async move {
        if ctx.attempt() == 1 {
            return Err(Retry::after(20 * SECOND).because("not yet").into());
        }
        Ok(ctx.attempt())
    });
    let host = World::new().serving(1, late).await;
    let begun = Instant::now();
    let attempt: u32 = host.caller().call("late", "global", &()).await.unwrap();
    assert_eq!(attempt, 2);
    let took = begun.elapsed();
    assert!((20 * SECOND..25 * SECOND).contains(&took), "took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn exhausted_attempts_leave_a_dead_letter_that_can_be_requeued() {
    let shop_is_open = Arc::new(AtomicBool::new(false));
    let is_open = shop_is_open.clone();
    let buy = function("buy", "shop").attempts(3).handler(move |_ctx, what: String| {
        let is_open = is_open.load(Ordering::Relaxed);
        async move {
            if is_open {
                Ok(format!("a {what}"))
            } else {
                Err(HandlerError::retry("the shop is closed"))
            }
        }
    });
    let host = World::new().serving(1, buy).await;
    let caller = host.caller();
    let error = caller.call::<String>("buy", "shop", "hat").await;
    let Err(CallFailed::DeadLettered { call, failure, attempts }) = error else {
        panic!("not a dead letter: {error:?}")
    };
    assert_eq!(failure.kind, FailureKind::Retry);
    assert_eq!((&*failure.message, attempts), ("the shop is closed", 3));

    let letters = caller.dead_letters("buy", "shop", EntryId::ZERO, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].call.as_ref(), Some(&call));

    shop_is_open.store(true, Ordering::Relaxed);
    let again = caller.requeue("buy", "shop", letters[0].entry).await.unwrap();
    assert_ne!(again, call);
    let function = "buy:shop".parse().unwrap();
    let record = caller.outcome(&function, &again, None).await.unwrap();
    assert_eq!(record.outcome.kind(), steadfast::OutcomeKind::Success);
    let letters = caller.dead_letters("buy", "shop", EntryId::ZERO, 10).await.unwrap();
    assert_eq!(letters, []);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_is_not_delivered_early() {
    let now = function("now", "global").handler(|_ctx, (): ()| async { Ok(()) });
    let host = World::new().serving(1, now).await;
    let begun = Instant::now();
    let request = host.caller().request("now", "global").delay(Duration::from_secs(30));
    assert_eq!(request.send::<()>().await, Ok(()));
    let took = begun.elapsed();
    assert!((30 * SECOND..36 * SECOND).contains(&took), "took {took:?}");
}
