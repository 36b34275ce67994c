//! A cancelled call is decided at once; a handler that runs it is told by its next renewal.

use std::sync::Arc;

use steadfast::{CallFailed, Function, Interruption, OutcomeKind, Record, function};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::world::{SECOND, World};

type Heard = mpsc::UnboundedReceiver<Option<Interruption>>;

/// Tells that it began (nothing), and then why it was interrupted.
fn patient() -> (Function, Heard) {
    let (heard, log) = mpsc::unbounded_channel();
    let heard = Arc::new(heard);
    let patient = function("patient", "global").handler(move |ctx, (): ()| {
        let heard = heard.clone();
        async move {
            heard.send(None)?;
            heard.send(Some(ctx.cancelled().await))?;
            Ok(())
        }
    });
    (patient, log)
}

async fn hears(heard: &mut Heard) -> Option<Interruption> {
    timeout(10 * SECOND, heard.recv()).await.expect("nothing was heard").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cancel_from_another_host_reaches_the_handler() {
    let world = World::new();
    let (patient, mut heard) = patient();
    let _worker = world.serving(1, patient).await;
    let client = world.host(2).await;
    let caller = client.caller();
    let call = caller.request("patient", "global").submit().await.unwrap();
    assert_eq!(hears(&mut heard).await, None);
    let function = "patient:global".parse().unwrap();
    let record: Record = caller.cancel(&function, &call).await.unwrap();
    assert_eq!(record.outcome.kind(), OutcomeKind::Cancelled);
    let begun = Instant::now();
    assert_eq!(hears(&mut heard).await, Some(Interruption::Decided));
    let took = begun.elapsed();
    assert!(took <= 3 * SECOND, "took {took:?}");
    // A second cancel, and every awaiter, sees the same.
    assert_eq!(caller.cancel(&function, &call).await, Ok(record.clone()));
    assert_eq!(caller.outcome(&function, &call, None).await, Ok(record));
}

#[tokio::test(start_paused = true)]
async fn an_impatient_caller_cancels_by_its_timeout() {
    let (patient, mut heard) = patient();
    let host = World::new().serving(1, patient).await;
    let request = host.caller().request("patient", "global");
    let error = request.timeout(2 * SECOND).cancel_on_timeout().send::<()>().await;
    assert!(matches!(error, Err(CallFailed::Cancelled { .. })), "not cancelled: {error:?}");
    assert_eq!(hears(&mut heard).await, None);
    assert_eq!(hears(&mut heard).await, Some(Interruption::Decided));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_cancels_where_that_was_asked() {
    let (patient, mut heard) = patient();
    let host = World::new().serving(1, patient).await;
    let request = host.caller().request("patient", "global").cancel_on_timeout();
    let call = tokio::spawn(request.send::<()>());
    assert_eq!(hears(&mut heard).await, None);
    call.abort();
    assert_eq!(hears(&mut heard).await, Some(Interruption::Decided));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_serves_is_cancelled_at_once() {
    let host = World::new().host(1).await;
    let caller = host.caller();
    let call = caller.request("nobody", "global").submit().await.unwrap();
    let function = "nobody:global".parse().unwrap();
    let record = caller.cancel(&function, &call).await.unwrap();
    assert_eq!((record.outcome.kind(), record.attempts), (OutcomeKind::Cancelled, 0));
}
