//! Where the server's list of clients does not show a connection as it is, nobody is judged by it.

use steadfast_core::name::SessionId;
use steadfast_core::op::{ConsumerRecord, Op, OpResult, Reply};
use steadfast_core::transport::{Link, Transport};
use steadfast_tests::{Relay, ops};
use steadfast_transport_redis::RedisTransport;

use crate::support::{RedisServer, function, transport_to};

fn transport(relay: Relay) -> RedisTransport {
    RedisTransport::builder(&relay.url()).unwrap().build().unwrap()
}

fn is(words: &[String], command: &[&str]) -> bool {
    words.len() >= command.len() && words.iter().zip(command).all(|(word, it)| word == it)
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// What the front answers to `CLIENT LIST ID n`, and whether sessions are seen then.
async fn check(clients: impl Fn(&str) -> String + Send + Sync + 'static, expect: bool) {
    let server = RedisServer::start();
    let relay = Relay::before(&server, move |words| {
        is(words, &["CLIENT", "LIST", "ID"]).then(|| clients(&words[3]))
    });
    let connected = transport(relay).connect(Link::Command).await.unwrap();
    assert_eq!(connected.sees_sessions, expect);
}

#[tokio::test]
async fn the_list_must_show_this_very_connection() {
    let line = |id: &str, name: &str| format!("id={id} addr=127.0.0.1:9 name={name} age=0\n");
    let mine = "steadfast:command";
    check(move |id| bulk(&line(id, mine)), true).await;
    check(move |_| bulk(&line("1", mine)), false).await;
    check(move |id| bulk(&line(id, "proxy")), false).await;
    check(move |id| bulk(&line(id, "")), false).await;
    check(move |id| bulk(&(line(id, mine) + &line("7", "proxy"))), false).await;
    check(move |_| bulk(""), false).await;
    check(move |_| "-ERR unsupported command\r\n".to_owned(), false).await;
    check(move |_| "$-1\r\n".to_owned(), false).await;
}

#[tokio::test]
async fn a_front_that_passes_everything_on_hides_nothing() {
    let server = RedisServer::start();
    let relay = Relay::before(&server, |_| None);
    let connected = transport(relay).connect(Link::Command).await.unwrap();
    assert!(connected.sees_sessions);
}

#[tokio::test]
async fn a_number_that_changes_is_none() {
    let server = RedisServer::start();
    let asked = std::sync::atomic::AtomicU64::new(0);
    let relay = Relay::before(&server, move |words| {
        let next = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 700;
        is(words, &["CLIENT", "ID"]).then(|| format!(":{}\r\n", next())).or_else(|| {
            is(words, &["CLIENT", "LIST", "ID"])
                .then(|| bulk(&format!("id={} name=steadfast:command\n", words[3])))
        })
    });
    let connected = transport(relay).connect(Link::Command).await.unwrap();
    assert!(!connected.sees_sessions);
}

async fn apply(transport: &RedisTransport, session: SessionId, op: Op) -> OpResult {
    transport.execute(session, vec![op]).await.unwrap().remove(0)
}

async fn survey(
    transport: &RedisTransport,
    session: SessionId,
) -> (bool, bool, Vec<ConsumerRecord>) {
    let survey = Op::Survey { functions: vec![function()] };
    let Ok(Reply::Surveyed(survey)) = apply(transport, session, survey).await else {
        panic!("no survey");
    };
    let consumers = survey.functions[0].consumers.clone();
    let same_life = consumers.iter().all(|it| it.run_id == survey.run_id);
    (survey.sessions.is_some(), same_life, consumers)
}

/// Another's connection is shown to it, so its own number is shown to nobody: those who see the list must
/// not take it for dead.
#[tokio::test]
async fn who_is_not_shown_is_judged_by_its_heartbeat() {
    let server = RedisServer::start();
    let relay = Relay::before(&server, |words| {
        let other = bulk("id=1 addr=127.0.0.1:9 name=proxy age=0\n");
        is(words, &["CLIENT", "LIST"]).then_some(other)
    });
    let (hidden, direct) = (transport(relay), transport_to(&server));
    let behind = hidden.connect(Link::Command).await.unwrap().session;
    let beside = direct.connect(Link::Command).await.unwrap().session;
    let Ok(Reply::Registered { epoch }) = apply(&hidden, behind, ops::register("c", behind)).await
    else {
        panic!("not registered");
    };
    for _ in 0..2 {
        let (sees, same_life, consumers) = survey(&direct, beside).await;
        assert!(sees && !same_life, "{consumers:?}");
        assert_eq!((consumers.len(), consumers[0].sessions.len()), (1, 0));
        assert!(!survey(&hidden, behind).await.0);
        let beat = ops::beat(vec![ops::pulse("c", epoch)], behind);
        assert!(apply(&hidden, behind, beat).await.is_ok());
    }
}
