//! Serving takes as long as the store is away, and ends with a stop or with the host.

use std::sync::Arc;

use steadfast::{Function, HostGone, ServeError, StopCause, function};
use tokio::time::{Instant, sleep};

use crate::world::{Line, SECOND, World, host_over};

fn f() -> Function {
    function("f", "global").handler(|_ctx, (): ()| async { Ok(1) })
}

#[tokio::test(start_paused = true)]
async fn it_becomes_active_once_the_store_is_back() {
    let line = Line::to(&World::new());
    let host = Arc::new(host_over(line.clone(), 1).await);
    line.cut();
    let serving = {
        let host = host.clone();
        tokio::spawn(async move { host.serve(f()).await })
    };
    sleep(30 * SECOND).await;
    assert!(!serving.is_finished());
    line.mend();
    serving.await.unwrap().unwrap();
    assert_eq!(host.caller().call::<u32>("f", "global", &()).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_that_answers_both() {
    let line = Line::to(&World::new());
    let host = Arc::new(host_over(line.clone(), 1).await);
    line.cut();
    let serving = {
        let host = host.clone();
        tokio::spawn(async move { host.serve(f()).await })
    };
    sleep(SECOND).await;
    let stopping = {
        let host = host.clone();
        tokio::spawn(async move { host.stop("f", "global", SECOND).await })
    };
    sleep(SECOND).await;
    line.mend();
    let stopped =
        ServeError::Stopped { function: "f:global".parse().unwrap(), cause: StopCause::Asked };
    assert_eq!(serving.await.unwrap(), Err(stopped));
    assert_eq!(stopping.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_ever_for_the_store() {
    let line = Line::to(&World::new());
    let host = Arc::new(host_over(line.clone(), 1).await);
    host.serve(f()).await.unwrap();
    line.cut();
    sleep(SECOND).await;
    let serving = {
        let host = host.clone();
        tokio::spawn(async move { host.serve(f()).await })
    };
    sleep(SECOND).await;
    let begun = Instant::now();
    host.shutdown(2 * SECOND).await.unwrap();
    let took = begun.elapsed();
    assert!(took < 10 * SECOND, "took {took:?}");
    let gone = serving.await.unwrap();
    assert!(
        matches!(gone, Err(ServeError::HostGone(HostGone) | ServeError::Stopped { .. })),
        "{gone:?}"
    );
    drop(host);
    sleep(SECOND).await;
    assert_eq!(line.holders(), 1, "the driver lives");
}
