//! `durability=fsync` by a server's word: the front answers `WAITAOF` as a later Redis does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steadfast_core::call::CallState;
use steadfast_core::op::{Op, OpResult, Reply};
use steadfast_core::transport::{Applied, ErrorKind, Link, Transport};
use steadfast_tests::{Relay, ops};
use steadfast_transport_redis::{Durability, RedisTransport};

use crate::support::{RedisServer, submit, transport_to};

/// As Redis 7.2 and later say it.
const NO_APPEND_ONLY_FILE: &str =
    "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";

fn transport(relay: Relay) -> RedisTransport {
    let builder = RedisTransport::builder(&relay.url()).unwrap();
    builder.durability(Durability::Fsync).build().unwrap()
}

async fn apply(transport: &RedisTransport, op: Op) -> OpResult {
    let session = transport.connect(Link::Command).await.unwrap().session;
    transport.execute(session, vec![op]).await.unwrap().remove(0)
}

fn kind(result: &OpResult) -> Option<(ErrorKind, Applied)> {
    result.as_ref().err().map(|error| (error.kind, error.applied))
}

#[tokio::test]
async fn nothing_is_told_before_it_is_on_the_disk() {
    let server = RedisServer::start();
    server.leaves("a call that nobody is to run");
    let is_written = Arc::new(AtomicBool::new(true));
    let is_slow = is_written.clone();
    let relay = Relay::before(&server, move |words| match words {
        [command, local, replicas, _patience] if command == "WAITAOF" => {
            assert_eq!((local.as_str(), replicas.as_str()), ("1", "0"));
            let local = i32::from(is_slow.load(Ordering::Relaxed));
            Some(format!("*2\r\n:{local}\r\n:0\r\n"))
        }
        _ => None,
    });
    let durable = transport(relay);
    assert!(apply(&durable, submit("c1")).await.is_ok());

    is_written.store(false, Ordering::Relaxed);
    let not_durable = Some((ErrorKind::NotDurable, Applied::Unknown));
    assert_eq!(kind(&apply(&durable, submit("c2")).await), not_durable);
    // It was applied, and an outcome that may be lost is told to nobody who asked for more.
    assert!(apply(&transport_to(&server), ops::complete("c2", "1", None)).await.is_ok());
    assert_eq!(kind(&apply(&durable, ops::inspect("c2")).await), not_durable);

    is_written.store(true, Ordering::Relaxed);
    let seen = apply(&durable, ops::inspect("c2")).await;
    assert!(matches!(seen, Ok(Reply::Inspected(CallState::Decided(_)))), "{seen:?}");
}

#[tokio::test]
async fn a_server_without_an_append_only_file_is_refused_with_the_remedy() {
    let server = RedisServer::start();
    let relay = Relay::before(&server, |words| {
        (words[0] == "WAITAOF").then(|| NO_APPEND_ONLY_FILE.to_owned())
    });
    let error = transport(relay).connect(Link::Command).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::Unsupported, Applied::No));
    assert!(error.to_string().contains("with appendonly yes"), "{error}");
}
