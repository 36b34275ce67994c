//! Who stops waiting leaves the call alone: it goes on, and its outcome can be awaited again.

use steadfast::{CallError, CallFailed, CallId, Function, Outcome, function};
use tokio::time::{sleep, timeout};

use crate::world::{SECOND, World};

fn slow() -> Function {
    function("slow", "global").handler(|_ctx, (): ()| async {
        sleep(10 * SECOND).await;
        Ok("done")
    })
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_abandons_the_wait_only() {
    let host = World::new().serving(1, slow()).await;
    let caller = host.caller();
    let id = CallId::new("c1").unwrap();
    let request = caller.request("slow", "global").call_id(id.clone());
    assert!(timeout(SECOND, request.send::<String>()).await.is_err());
    sleep(SECOND).await;
    let open = host.pending().await.unwrap();
    let awaited = open.iter().filter(|it| it.matter.to_string() == "call c1");
    assert_eq!(awaited.count(), 0, "still awaited: {open:?}");

    let function = "slow:global".parse().unwrap();
    let record = caller.outcome(&function, &id, None).await.unwrap();
    let Outcome::Success(result) = record.outcome else { panic!("not a success: {record}") };
    assert_eq!((result.as_str(), record.attempts), ("\"done\"", 1));
}

#[tokio::test(start_paused = true)]
async fn an_ended_patience_says_that_the_call_is_open() {
    let world = World::new();
    let _worker = world.serving(1, slow()).await;
    let caller = world.host(2).await;
    let caller_of_two = caller.caller();
    let id = CallId::new("c1").unwrap();
    let request = caller_of_two.request("slow", "global").call_id(id.clone());
    let error = request.timeout(SECOND).send::<String>().await;
    let still_open = CallFailed::Refused(CallError::StillOpen { call: id.clone() });
    assert_eq!(error, Err(still_open));

    // Submitting it again, with the same id, joins it.
    let request = caller_of_two.request("slow", "global").call_id(id);
    assert_eq!(request.send::<String>().await, Ok("done".into()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_made_is_told_as_forgotten() {
    let host = World::new().host(1).await;
    let function = "slow:global".parse().unwrap();
    let id = CallId::new("never").unwrap();
    let error = host.caller().outcome(&function, &id, None).await;
    let forgotten = CallFailed::Refused(CallError::OutcomeForgotten { call: id });
    assert_eq!(error, Err(forgotten));
}
