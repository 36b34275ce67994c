//! What was asked to be durable is told to nobody before it is, by the word of a real replica.

use std::process::Command;
use std::time::Duration;

use steadfast::{Host, function};
use steadfast_core::call::{CallState, Payload};
use steadfast_core::name::{CallId, EntryId, FunctionId, NodeId, SessionId};
use steadfast_core::op::{Admission, Op, OpResult, Reply, Submission, Verdict};
use steadfast_core::transport::{Applied, ErrorKind, Interest, Link, Transport, Wake};
use steadfast_tests::{RedisServer, command};
use steadfast_transport_redis::{Durability, RedisTransport};

const REPLICATED: Durability = Durability::Replicas(1);

fn transport(server: &RedisServer, durability: Durability) -> RedisTransport {
    let builder = RedisTransport::builder(&server.url()).unwrap();
    builder.durability(durability).build().unwrap()
}

fn greet() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

fn call() -> CallId {
    CallId::new("c1").unwrap()
}

fn submit() -> Op {
    Op::Submit(Submission {
        function: greet(),
        call: call(),
        input: Payload::trusted("1"),
        deadline: Duration::from_secs(300),
        delay: Duration::ZERO,
        idempotency_key: None,
        reply_to: Some(NodeId::new("me").unwrap()),
        traceparent: None,
        result_stream: false,
        open_max: 100,
    })
}

fn complete() -> Op {
    let verdict = Verdict::Complete { result: Payload::trusted("2"), entry: None };
    Op::Decide { function: greet(), call: call(), verdict, attempts: 1 }
}

async fn apply(transport: &RedisTransport, session: SessionId, op: Op) -> OpResult {
    transport.execute(session, vec![op]).await.unwrap().remove(0)
}

/// Stops a server's process, or lets it go on.
fn signal(server: &RedisServer, name: &str) {
    let sent = Command::new("kill").args([name, &server.process_id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test]
async fn calls_run_and_are_at_the_replica_when_they_are_accepted() {
    let server = RedisServer::start();
    let replica = server.replica();
    let host = Host::builder(transport(&server, REPLICATED)).build().await.unwrap();
    host.serve(function("double", "global").handler(|_ctx, n: u64| async move { Ok(n * 2) }))
        .await
        .unwrap();
    for number in 0..20 {
        let double = host.caller().call::<u64>("double", "global", &number).await;
        assert_eq!(double, Ok(number * 2));
    }
    let id = host.caller().request("nobody", "global").submit().await.unwrap();
    let mut raw = replica.raw();
    let open: bool = command(&mut raw, &["HEXISTS", "function_open:nobody:global", id.as_str()]);
    assert!(open, "accepted, and not at the replica");
    let nobody = FunctionId::new("nobody", "global").unwrap();
    host.caller().cancel(&nobody, &id).await.unwrap();
    host.shutdown(Duration::from_secs(1)).await.unwrap();
}

#[tokio::test]
async fn what_is_not_confirmed_is_unknown_and_is_sent_again() {
    let server = RedisServer::start();
    let replica = server.replica();
    let durable = transport(&server, REPLICATED);
    let session = durable.connect(Link::Command).await.unwrap().session;
    signal(&replica, "-STOP");
    let error = apply(&durable, session, submit()).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::NotDurable, Applied::Unknown));
    // Others are not held up, and see that it was applied.
    let inspect = || Op::Inspect { function: greet(), call: call() };
    let plain = transport(&server, Durability::Memory);
    let other = plain.connect(Link::Command).await.unwrap().session;
    assert!(apply(&plain, other, inspect()).await.is_ok());
    apply(&plain, other, complete()).await.unwrap();
    // An outcome that may be lost is told to nobody who asked for more.
    let error = apply(&durable, session, inspect()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotDurable);
    signal(&replica, "-CONT");
    let mut again = apply(&durable, session, submit()).await;
    while again.as_ref().is_err_and(|error| error.kind == ErrorKind::NotDurable) {
        again = apply(&durable, session, submit()).await;
    }
    let Ok(Reply::Submitted(Admission::AlreadyDecided(_))) = again else { panic!("{again:?}") };
    let seen = apply(&durable, session, inspect()).await;
    assert!(matches!(seen, Ok(Reply::Inspected(CallState::Decided(_)))), "{seen:?}");
}

#[tokio::test]
async fn a_reply_is_held_back_until_it_is_confirmed() {
    let server = RedisServer::start();
    let replica = server.replica();
    let durable = transport(&server, REPLICATED);
    let session = durable.connect(Link::Command).await.unwrap().session;
    let replies = durable.connect(Link::Replies).await.unwrap().session;
    let (caller, after) = (NodeId::new("me").unwrap(), EntryId::ZERO);
    let keep = Op::KeepReplies { caller: caller.clone(), after };
    apply(&durable, session, keep).await.unwrap();
    apply(&durable, session, submit()).await.unwrap();
    signal(&replica, "-STOP");
    let plain = transport(&server, Durability::Memory);
    let other = plain.connect(Link::Command).await.unwrap().session;
    apply(&plain, other, complete()).await.unwrap();
    let watch = || {
        let interest = Interest::Replies { caller: caller.clone(), after };
        durable.watch(replies, interest, Duration::from_millis(100))
    };
    assert_eq!(watch().await.unwrap(), Wake::Nothing);
    signal(&replica, "-CONT");
    let mut wake = watch().await.unwrap();
    while wake == Wake::Nothing {
        wake = watch().await.unwrap();
    }
    assert!(matches!(wake, Wake::Replies { records, .. } if records.len() == 1));
}

/// Redis 7.0 has no WAITAOF; a later server without an append-only file refuses it too.
#[tokio::test]
async fn a_server_that_cannot_confirm_is_refused_at_connect() {
    let server = RedisServer::start();
    let error = transport(&server, Durability::Fsync).connect(Link::Command).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::Unsupported, Applied::No));
    assert!(error.to_string().contains("needs WAITAOF (Redis 7.2 and later"), "{error}");
}
