//! A handler may leave the result to whoever holds the token, in any process.

use std::sync::Arc;
use std::time::Duration;

use steadfast::{
    CallError, CallFailed, FailureKind, Function, Token, function, parse_token, token_text,
};
use tokio::sync::mpsc;

use crate::world::{SECOND, World};

/// Defers its first attempt and hands the token out as text; a second attempt gives up.
fn sign(lease: Duration) -> (Function, mpsc::UnboundedReceiver<String>) {
    let (tokens, received) = mpsc::unbounded_channel();
    let tokens = Arc::new(tokens);
    let sign = function("sign", "legal").attempts(2).handler(move |ctx, (): ()| {
        let tokens = tokens.clone();
        async move {
            if ctx.attempt() > 1 {
                return Ok(format!("unsigned at attempt {}", ctx.attempt()));
            }
            tokens.send(token_text(&ctx.token()))?;
            ctx.defer(lease)
        }
    });
    (sign, received)
}

async fn next_token(tokens: &mut mpsc::UnboundedReceiver<String>) -> Token {
    let token = parse_token(&tokens.recv().await.unwrap()).unwrap();
    // The handler hands the token out before its deferral is persisted.
    tokio::time::sleep(SECOND).await;
    token
}

#[tokio::test(start_paused = true)]
async fn another_process_completes_the_call() {
    let world = World::new();
    let (sign, mut tokens) = sign(60 * SECOND);
    let _worker = world.serving(1, sign).await;
    let clerk = world.host(2).await.caller();
    let client = world.host(3).await;
    let caller = client.caller();
    let call = tokio::spawn(async move { caller.call::<String>("sign", "legal", &()).await });
    let token = next_token(&mut tokens).await;
    assert!(!call.is_finished());
    // The clerk's own host is gone by now, and says so.
    let gone = clerk.complete(&token, "signed").await;
    assert_eq!(gone, Err(CallFailed::HostGone));
    let clerk = world.host(4).await;
    clerk.caller().complete(&token, "signed").await.unwrap();
    assert_eq!(call.await.unwrap(), Ok("signed".into()));

    let again = clerk.caller().complete(&token, "signed twice").await;
    assert!(
        matches!(again, Ok(()) | Err(CallFailed::Refused(CallError::AlreadyDecided { .. }))),
        "completed twice: {again:?}"
    );
    let record = client.caller().outcome(&token.function, &token.call, None).await.unwrap();
    let steadfast::Outcome::Success(result) = record.outcome else {
        panic!("not a success: {record}")
    };
    assert_eq!(result.as_str(), "\"signed\"");
}

#[tokio::test(start_paused = true)]
async fn the_token_can_fail_the_call_for_good() {
    let (sign, mut tokens) = sign(60 * SECOND);
    let host = World::new().serving(1, sign).await;
    let caller = host.caller();
    let call = tokio::spawn(async move { caller.call::<String>("sign", "legal", &()).await });
    let token = next_token(&mut tokens).await;
    host.caller().fail(&token, "refused to sign").await.unwrap();
    let error = call.await.unwrap();
    let Err(CallFailed::Failed { failure, .. }) = error else { panic!("not failed: {error:?}") };
    assert_eq!(&*failure.message, "refused to sign");
    assert_eq!(failure.kind, FailureKind::Handler);
}

#[tokio::test(start_paused = true)]
async fn a_touched_lease_holds_and_an_ended_one_is_a_failed_attempt() {
    let (sign, mut tokens) = sign(10 * SECOND);
    let host = World::new().serving(1, sign).await;
    let caller = host.caller();
    let call = tokio::spawn(async move { caller.call::<String>("sign", "legal", &()).await });
    let token = next_token(&mut tokens).await;
    for _ in 0..5 {
        tokio::time::sleep(6 * SECOND).await;
        host.caller().touch(&token, 10 * SECOND).await.unwrap();
    }
    assert!(!call.is_finished());
    // Nobody touches it any more: the second attempt answers.
    assert_eq!(call.await.unwrap(), Ok("unsigned at attempt 2".into()));
    let late = host.caller().complete(&token, "signed late").await;
    assert!(
        matches!(
            late,
            Err(CallFailed::Refused(
                CallError::AlreadyDecided { .. } | CallError::TokenNotValid { .. }
            ))
        ),
        "a stale token was taken: {late:?}"
    );
}
