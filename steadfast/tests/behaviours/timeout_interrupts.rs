//! An attempt over its processing timeout is told so, dropped if it does not end, and counts as failed.

use std::sync::{Arc, Mutex};

use steadfast::{CallFailed, FailureKind, Interruption, function};

use crate::world::{SECOND, World};

/// Writes down that it was dropped.
struct Tell(Arc<Mutex<Vec<String>>>, String);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(std::mem::take(&mut self.1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deaf_handler_is_dropped_and_its_attempts_are_exhausted() {
    let dropped = Arc::new(Mutex::new(Vec::new()));
    let deaf = {
        let dropped = dropped.clone();
        function("deaf", "global").timeout(SECOND).attempts(2).handler(move |ctx, (): ()| {
            let tell = Tell(dropped.clone(), format!("attempt {}", ctx.attempt()));
            async move {
                let _tell = tell;
                std::future::pending::<()>().await;
                Ok(())
            }
        })
    };
    let host = World::new().serving(1, deaf).await;
    let error = host.caller().call::<()>("deaf", "global", &()).await;
    let Err(CallFailed::DeadLettered { failure, attempts, .. }) = error else {
        panic!("not a dead letter: {error:?}")
    };
    assert_eq!((failure.kind, attempts), (FailureKind::Timeout, 2));
    tokio::time::sleep(SECOND).await;
    assert_eq!(*dropped.lock().unwrap(), ["attempt 1", "attempt 2"]);
    assert_eq!(host.progress(), []);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_listens_learns_why() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let heard = heard.clone();
        function("listener", "global").timeout(SECOND).handler(move |ctx, (): ()| {
            let heard = heard.clone();
            async move {
                if ctx.attempt() > 1 {
                    return Ok(ctx.attempt());
                }
                assert!(!ctx.is_cancelled());
                let why = ctx.cancelled().await;
                heard.lock().unwrap().push(why);
                Err(std::io::Error::other("said on the way out, and not the outcome").into())
            }
        })
    };
    let host = World::new().serving(1, listener).await;
    let attempt: u32 = host.caller().call("listener", "global", &()).await.unwrap();
    assert_eq!(attempt, 2);
    assert_eq!(*heard.lock().unwrap(), [Interruption::Timeout]);
}

#[tokio::test(start_paused = true)]
async fn a_call_over_its_deadline_expires_and_its_handler_is_told() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let slow = {
        let heard = heard.clone();
        function("slow", "global").handler(move |ctx, (): ()| {
            let heard = heard.clone();
            async move {
                assert!(ctx.remaining() <= 2 * SECOND);
                let why = ctx.cancelled().await;
                heard.lock().unwrap().push(why);
                Ok(())
            }
        })
    };
    let host = World::new().serving(1, slow).await;
    let request = host.caller().request("slow", "global").deadline(2 * SECOND);
    let error = request.send::<()>().await;
    assert!(
        matches!(error, Err(CallFailed::Expired { attempts: 1, .. })),
        "not expired: {error:?}"
    );
    assert_eq!(*heard.lock().unwrap(), [Interruption::Deadline]);
}
