//! What goes wrong is told by its type, with what to do, and quotes no payload.

use serde::{Deserialize, Serialize};
use serde_json::json;
use steadfast::{
    BuildError, CallError, CallFailed, Failure, FailureKind, Host, NameError, ServeError, function,
};

use crate::world::{Line, SECOND, World};

#[derive(Serialize, Deserialize)]
struct Order {
    lines: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    count: u32,
}

fn count() -> steadfast::Function {
    function("count", "shop").handler(|_ctx, order: Order| async move {
        let total: u32 = order.lines.iter().map(|line| line.count).sum();
        if total == 13 {
            let _: u32 = "thirteen".parse()?;
        }
        Ok(total)
    })
}

async fn check(input: serde_json::Value, expect: &str) {
    let host = World::new().serving(1, count()).await;
    let request = host.caller().request("count", "shop").input(&input).unwrap();
    let call = steadfast::CallId::new("c1").unwrap();
    let got = match request.call_id(call).send::<u32>().await {
        Ok(total) => total.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expect);
}

#[tokio::test(start_paused = true)]
async fn a_handlers_error_is_final_and_tells_its_message() {
    check(json!({"lines": [{"count": 2}]}), "2").await;
    check(
        json!({"lines": [{"count": 13}]}),
        "call c1 failed after 1 attempt(s): handler: invalid digit found in string",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_does_not_fit_names_the_place_and_quotes_nothing() {
    check(
        json!({"lines": [{"count": 1}, {"count": "hunter2"}]}),
        "call c1 failed after 1 attempt(s): handler: the input does not fit: \
         at `lines[1].count`: invalid type, expected u32",
    )
    .await;
    check(
        json!({"lines": [{}]}),
        "call c1 failed after 1 attempt(s): handler: the input does not fit: \
         at `lines[0]`: missing field `count`",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_error_carries_its_parts() {
    let host = World::new().serving(1, count()).await;
    let unlucky = Order { lines: vec![Item { count: 13 }] };
    let error = host.caller().call::<u32>("count", "shop", &unlucky).await;
    let Err(CallFailed::Failed { failure, attempts, .. }) = error else {
        panic!("not a handler's failure: {error:?}")
    };
    let message = "invalid digit found in string";
    assert_eq!(failure, Failure::new(FailureKind::Handler, message));
    assert_eq!(attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_result_of_another_type_is_told_as_such() {
    let host = World::new().serving(1, count()).await;
    let order = Order { lines: vec![] };
    let error = host.caller().call::<String>("count", "shop", &order).await;
    let Err(CallFailed::BadResult { problem, .. }) = error else {
        panic!("not a bad result: {error:?}")
    };
    assert_eq!(problem, "invalid type, expected a string");
}

#[tokio::test(start_paused = true)]
async fn bad_names_and_options_are_refused_before_anything_is_sent() {
    let host = World::new().host(1).await;
    let scope = "a:b";
    let colon = || NameError::ColonInScope { scope: scope.into() };
    let called = host.caller().call::<u32>("f", scope, &()).await;
    assert_eq!(called, Err(CallFailed::Name(colon())));
    let served = host.serve(function("f", scope).handler(|_ctx, (): ()| async { Ok(()) })).await;
    assert_eq!(served, Err(ServeError::Name(colon())));
    let served = host
        .serve(function("f", "global").concurrency(0).handler(|_ctx, (): ()| async { Ok(()) }))
        .await;
    assert_eq!(served.unwrap_err().to_string(), "f:global: concurrency must be at least 1");
    let keyed = host.caller().request("f", "global").idempotency_key("");
    let Err(CallFailed::Name(NameError::Empty { .. })) = keyed.submit().await else {
        panic!("an empty key was taken")
    };
}

#[tokio::test(start_paused = true)]
async fn a_payload_over_the_limit_is_refused_with_the_limit() {
    let host = World::new().serving(1, count()).await;
    let input = "x".repeat(2 << 20);
    let error = host.caller().call::<u32>("count", "shop", &input).await;
    let Err(CallFailed::Refused(CallError::TooLarge { bytes, limit })) = error else {
        panic!("not too large: {error:?}")
    };
    assert_eq!((bytes, limit), ((2 << 20) + 2, 1 << 20));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_not_there_fails_the_build_in_time() {
    let line = Line::to(&World::new());
    line.cut();
    let built = Host::builder(line.clone()).seed(1).patience(3 * SECOND).build().await;
    let Err(BuildError::NotConnected { patience, last_error, .. }) = built else {
        panic!("built over a line that is cut")
    };
    assert_eq!(patience, 3 * SECOND);
    assert_eq!(last_error.unwrap().detail, "the line is cut");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_gives_the_input_back() {
    let config = steadfast::Config { submit_queue_max: 3, ..steadfast::Config::default() };
    let world = World::new();
    let host = Host::builder(world.store.clone()).seed(1).config(config).build().await.unwrap();
    let caller = host.caller();
    let calls = (0..10).map(|number| {
        let request = caller.request("nobody", "global").input(&number).unwrap();
        async move { (number, request.submit().await) }
    });
    let answers = futures_util::future::join_all(calls).await;
    let mut refused = 0;
    for (number, answer) in answers {
        if let Err(error) = answer {
            let CallFailed::Refused(CallError::Busy { input, .. }) = error else {
                panic!("not busy: {error:?}")
            };
            assert_eq!(input.unwrap().as_str(), number.to_string());
            refused += 1;
        }
    }
    assert_eq!(refused, 7);
}
