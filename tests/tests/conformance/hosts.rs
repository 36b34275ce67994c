//! What users of hosts see.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use steadfast::{
    CallError, CallFailed, EntryId, FailureKind, Function, HandlerError, OutcomeKind, Retry,
    function, parse_token, token_text,
};
use steadfast_core::call::Delivered;
use steadfast_core::op::Reply;
use steadfast_tests::ops::{call, fetch, millis, named, seconds};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::stores::Store;
use crate::world::{PATIENCE, World};

fn echo(name: &str, scope: &str) -> Function {
    function(name, scope).handler_json(|_ctx, input| async move { Ok(input) })
}

pub(crate) async fn a_call_goes_there_and_back<S: Store>(world: &World<S>) {
    let worker = world.serving(1, echo("echo", "global")).await;
    worker.serve(echo("a:b c", "my scope")).await.unwrap();
    let client = world.host(2).await;
    for (name, scope) in [("echo", "global"), ("a:b c", "my scope")] {
        for value in [json!(0), json!(false), json!(""), json!(null), json!([]), json!({"é": "\""})]
        {
            let answer: Value = client.caller().call(name, scope, &value).await.unwrap();
            assert_eq!(answer, value);
        }
    }
    world.keep(client);
    world.keep(worker);
}

pub(crate) async fn many_calls_each_get_their_own<S: Store>(world: &World<S>) {
    let double = function("double", "global")
        .concurrency(7)
        .handler(|_ctx, number: u64| async move { Ok(number * 2) });
    let worker = world.serving(1, double).await;
    let client = world.host(2).await;
    let caller = client.caller();
    let calls = (0..300_u64).map(|number| {
        let caller = caller.clone();
        async move { caller.call::<u64>("double", "global", &number).await }
    });
    for (number, result) in (0_u64..).zip(join_all(calls).await) {
        assert_eq!(result, Ok(number * 2));
    }
    world.keep(client);
    world.keep(worker);
}

pub(crate) async fn one_key_is_one_execution<S: Store>(world: &World<S>) {
    let runs = Arc::new(AtomicU32::new(0));
    let charge = {
        let runs = runs.clone();
        function("charge", "shop").handler(move |_ctx, (): ()| {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(millis(50)).await;
                Ok(run)
            }
        })
    };
    let worker = world.serving(1, charge).await;
    let (one, two) = (world.host(2).await, world.host(3).await);
    let charge = |host: &steadfast::Host, key: &str| {
        host.caller().request("charge", "shop").idempotency_key(key).send::<u32>()
    };
    let together = [charge(&one, "k 1"), charge(&two, "k 1"), charge(&one, "k 1")];
    assert_eq!(join_all(together).await, [Ok(0), Ok(0), Ok(0)]);
    assert_eq!(charge(&two, "k 1").await, Ok(0), "the key holds after the outcome");
    assert_eq!(charge(&one, "k 2").await, Ok(1), "another key is another call");
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    for host in [one, two, worker] {
        world.keep(host);
    }
}

pub(crate) async fn a_cancel_reaches_every_awaiter<S: Store>(world: &World<S>) {
    let (begun, mut log) = mpsc::unbounded_channel();
    let begun = Arc::new(begun);
    let patient = function("patient", "global").handler(move |ctx, (): ()| {
        let begun = begun.clone();
        async move {
            begun.send(false)?;
            ctx.cancelled().await;
            begun.send(true)?;
            Ok(())
        }
    });
    let worker = world.serving(1, patient).await;
    let client = world.host(2).await;
    let caller = client.caller();
    let call = caller.request("patient", "global").submit().await.unwrap();
    let hears = async |log: &mut mpsc::UnboundedReceiver<bool>| {
        timeout(PATIENCE, log.recv()).await.expect("something is heard").unwrap()
    };
    assert!(!hears(&mut log).await);
    let function = named("patient", "global");
    let record = caller.cancel(&function, &call).await.unwrap();
    assert_eq!(record.outcome.kind(), OutcomeKind::Cancelled);
    assert!(hears(&mut log).await, "the handler is told");
    assert_eq!(worker.caller().outcome(&function, &call, None).await, Ok(record));
    world.keep(client);
    world.keep(worker);
}

pub(crate) async fn a_deadline_passes_where_nobody_serves<S: Store>(world: &World<S>) {
    let client = world.host(1).await;
    let request = client.caller().request("nobody", "global");
    let refused = request.fail_fast().send::<()>().await;
    assert!(matches!(refused, Err(CallFailed::Refused(CallError::NoConsumer { .. }))));
    let request = client.caller().request("nobody", "global").deadline(millis(200));
    let expired = request.send::<()>().await;
    assert!(matches!(expired, Err(CallFailed::Expired { attempts: 0, .. })), "{expired:?}");
    let call = client.caller().request("nobody", "global").submit().await.unwrap();
    let cancelled = client.caller().cancel(&named("nobody", "global"), &call).await.unwrap();
    assert_eq!(cancelled.outcome.kind(), OutcomeKind::Cancelled);
    world.keep(client);
}

pub(crate) async fn attempts_run_out_and_the_letter_is_requeued<S: Store>(world: &World<S>) {
    let buy = function("buy", "shop").attempts(2).handler(|ctx, what: String| async move {
        match ctx.attempt() {
            1 => Err(Retry::after(millis(1)).because("not yet").into()),
            _ if what == "hat" => {
                Err(HandlerError::from(Retry::after(millis(1)).because("sold out")))
            }
            _ => Ok(format!("a {what}")),
        }
    });
    let host = world.serving(1, buy).await;
    let caller = host.caller();
    let bought: String = caller.call("buy", "shop", "coat").await.unwrap();
    assert_eq!(bought, "a coat");
    let error = caller.call::<String>("buy", "shop", "hat").await;
    let Err(CallFailed::DeadLettered { call, failure, attempts: 2 }) = error else {
        panic!("not a dead letter: {error:?}")
    };
    assert_eq!((failure.kind, &*failure.message), (FailureKind::Retry, "sold out"));
    let letters = caller.dead_letters("buy", "shop", EntryId::ZERO, 10).await.unwrap();
    assert_eq!(letters[0].call.as_ref(), Some(&call));
    let again = caller.requeue("buy", "shop", letters[0].entry).await.unwrap();
    let record = caller.outcome(&named("buy", "shop"), &again, None).await.unwrap();
    assert_eq!(record.outcome.kind(), OutcomeKind::DeadLettered);
    world.keep(host);
}

pub(crate) async fn a_token_completes_from_elsewhere<S: Store>(world: &World<S>) {
    let (tokens, mut received) = mpsc::unbounded_channel();
    let tokens = Arc::new(tokens);
    let sign = function("sign", "legal").handler(move |ctx, (): ()| {
        let tokens = tokens.clone();
        async move {
            tokens.send(token_text(&ctx.token()))?;
            ctx.defer::<String>(seconds(60))
        }
    });
    let worker = world.serving(1, sign).await;
    let (clerk, client) = (world.host(2).await, world.host(3).await);
    let caller = client.caller();
    let call = tokio::spawn(async move { caller.call::<String>("sign", "legal", &()).await });
    let text = timeout(PATIENCE, received.recv()).await.expect("it is begun").unwrap();
    let token = parse_token(&text).unwrap();
    clerk.caller().complete(&token, "signed").await.unwrap();
    assert_eq!(call.await.unwrap(), Ok("signed".into()));
    for host in [clerk, client, worker] {
        world.keep(host);
    }
}

pub(crate) async fn errors_have_types<S: Store>(world: &World<S>) {
    let parse = function("parse", "global")
        .handler(|_ctx, text: String| async move { Ok(text.parse::<u32>()?) });
    let host = world.serving(1, parse).await;
    let caller = host.caller();
    let failed = caller.call::<u32>("parse", "global", "hunter2").await;
    let Err(CallFailed::Failed { failure, attempts: 1, .. }) = &failed else {
        panic!("not a handler's failure: {failed:?}")
    };
    assert_eq!(&*failure.message, "invalid digit found in string");
    let bad = caller.call::<String>("parse", "global", "7").await;
    assert!(matches!(bad, Err(CallFailed::BadResult { .. })), "{bad:?}");
    let bad = caller.call::<u32>("", "global", "7").await;
    assert!(matches!(bad, Err(CallFailed::Name(_))), "{bad:?}");
    let large = "x".repeat(2 << 20);
    let bad = caller.call::<u32>("parse", "global", large.as_str()).await;
    assert!(matches!(bad, Err(CallFailed::Refused(CallError::TooLarge { .. }))), "{bad:?}");
    world.keep(host);
}

pub(crate) async fn a_caller_asks_for_a_result_stream<S: Store>(world: &World<S>) {
    let host = world.serving(1, echo("greet", "global")).await;
    let request = |id: &str| {
        let request = host.caller().request("greet", "global").call_id(call(id));
        request.input(&7).expect("a number is JSON")
    };
    assert_eq!(request("asks").result_stream().send::<u32>().await, Ok(7));
    assert_eq!(request("asks not").send::<u32>().await, Ok(7));
    let streamed = world.store.result_stream("asks");
    let kinds: Vec<_> = streamed.iter().map(|record| record.outcome.kind()).collect();
    assert_eq!(kinds, [OutcomeKind::Success]);
    assert_eq!(world.store.result_stream("asks not"), []);
    world.keep(host);
}

pub(crate) async fn a_function_is_stopped_and_served_again<S: Store>(world: &World<S>) {
    let worker = world.serving(1, echo("echo", "global")).await;
    let client = world.host(2).await;
    worker.stop("echo", "global", seconds(1)).await.unwrap();
    let caller = client.caller();
    let call = tokio::spawn(async move { caller.call::<u32>("echo", "global", &7).await });
    let missing = async || {
        let missing = client.caller().detect_missing_consumer("echo", "global").await;
        missing.unwrap()
    };
    assert!(missing().await.is_some());
    worker.serve(echo("echo", "global")).await.unwrap();
    assert_eq!(timeout(PATIENCE, call).await.expect("it is served").unwrap(), Ok(7));
    assert_eq!(missing().await, None);
    world.keep(client);
    world.keep(worker);
}

pub(crate) async fn a_host_that_ends_leaves_no_reply_stream<S: Store>(world: &World<S>) {
    let worker = world.serving(1, echo("echo", "global")).await;
    let client = world.host(2).await;
    assert_eq!(client.caller().call::<u32>("echo", "global", &7).await, Ok(7));
    assert!(world.store.reply_streams() > 0);
    client.shutdown(seconds(5)).await.unwrap();
    assert_eq!(world.store.reply_streams(), 0);
    world.keep(worker);
}

pub(crate) async fn what_an_older_consumer_answered_is_cleared_away<S: Store>(world: &World<S>) {
    let client = world.host(1).await;
    let request = client.caller().request("greet", "global").call_id(call("c1"));
    let answer = tokio::spawn(request.send::<u32>());
    let delivery = timeout(PATIENCE, async {
        loop {
            if let Ok(Reply::Fetched { deliveries, .. }) = world.apply(fetch("older", 1)).await
                && let [Delivered::Call(delivery)] = &deliveries[..]
            {
                return delivery.clone();
            }
            tokio::time::sleep(millis(5)).await;
        }
    });
    let delivery = delivery.await.expect("the call is submitted");
    world.store.answered_by_older_consumer("older", "c1", delivery.entry);
    let answer = timeout(PATIENCE, answer).await.expect("it is polled").unwrap();
    assert_eq!(answer, Ok(7));
    // At once, as a command line does that made one call: what it has to clear goes with it.
    client.shutdown(Duration::ZERO).await.unwrap();
}
