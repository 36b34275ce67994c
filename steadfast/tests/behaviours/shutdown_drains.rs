//! A host that is shut down finishes what it runs, gives back what it has not begun, and is gone.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use steadfast::{CallFailed, HostGone, ServeError, function};
use tokio::time::{Instant, sleep};

use crate::world::{SECOND, World};

fn work(who: &'static str, log: &Arc<Mutex<Vec<&'static str>>>) -> steadfast::Function {
    let log = log.clone();
    function("work", "global").concurrency(1).handler(move |_ctx, (): ()| {
        log.lock().unwrap().push(who);
        async move {
            sleep(2 * SECOND).await;
            Ok(who)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_drained_and_what_waits_goes_elsewhere_at_once() {
    let world = World::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    let old = world.serving(1, work("old", &log)).await;
    let client = world.host(2).await;
    let caller = client.caller();
    let calls = (0..3).map(|_| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.call::<String>("work", "global", &()).await })
    });
    let calls: Vec<_> = calls.collect();
    sleep(SECOND).await;
    assert_eq!(*log.lock().unwrap(), ["old"]);
    let begun = Instant::now();
    let (ended, ()) = tokio::join!(old.shutdown(10 * SECOND), async {
        let young = world.serving(3, work("young", &log)).await;
        let results = join_all(calls).await;
        let mut results: Vec<_> = results.into_iter().map(|it| it.unwrap().unwrap()).collect();
        results.sort();
        assert_eq!(results, ["old", "young", "young"]);
        young.shutdown(SECOND).await.unwrap();
    });
    ended.unwrap();
    let took = begun.elapsed();
    assert!(took < 6 * SECOND, "took {took:?}");

    assert_eq!(old.shutdown(SECOND).await, Err(HostGone));
    assert_eq!(old.health().await.err(), Some(HostGone));
    assert_eq!(old.caller().call::<()>("work", "global", &()).await, Err(CallFailed::HostGone));
    assert_eq!(old.serve(work("late", &log)).await, Err(ServeError::HostGone(HostGone)));
    let left = client.active_consumers("work", "global").await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_drain_goes_elsewhere() {
    let world = World::new();
    let forever = function("work", "global").handler(|_ctx, (): ()| async {
        std::future::pending::<()>().await;
        Ok("never")
    });
    let old = world.serving(1, forever).await;
    let client = world.host(2).await;
    let caller = client.caller();
    let call = tokio::spawn(async move { caller.call::<String>("work", "global", &()).await });
    sleep(SECOND).await;
    old.shutdown(SECOND).await.unwrap();
    let log = Arc::default();
    let _young = world.serving(3, work("young", &log)).await;
    assert_eq!(call.await.unwrap(), Ok("young".into()));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_function_is_served_no_more_and_the_host_goes_on() {
    let log = Arc::default();
    let host = World::new().serving(1, work("old", &log)).await;
    host.stop("work", "global", SECOND).await.unwrap();
    let request = host.caller().request("work", "global").fail_fast();
    assert!(matches!(request.send::<String>().await, Err(CallFailed::Refused(_))));
    host.stop("work", "global", SECOND).await.unwrap();
    host.serve(work("again", &log)).await.unwrap();
    let who: String = host.caller().call("work", "global", &()).await.unwrap();
    assert_eq!(who, "again");
}
