//! The users of `examples/acl/` can do their work, and nothing beside it.

use std::time::Duration;

use redis::{Connection, IntoConnectionInfo, RedisError};
use steadfast::{CallFailed, Host, OutcomeKind, ServeError, function};
use steadfast_core::health::DeathRule;
use steadfast_core::name::FunctionId;
use steadfast_core::transport::ErrorKind;
use steadfast_tests::{RedisServer, command, leaks};
use steadfast_transport_redis::RedisTransport;

const ACL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/acl/steadfast.acl");

fn server() -> RedisServer {
    RedisServer::with(&["--aclfile", ACL])
}

async fn host(server: &RedisServer, user: &str) -> Host {
    let builder = RedisTransport::builder(&server.url()).unwrap();
    let password = format!("change-me-{user}");
    let builder = builder.credentials(Some(&format!("steadfast-{user}")), &password);
    Host::builder(builder.build().unwrap()).build().await.unwrap()
}

fn raw(server: &RedisServer, user: &str) -> Connection {
    let url = server.url().replace("://", &format!("://steadfast-{user}:change-me-{user}@"));
    let info = url.as_str().into_connection_info().unwrap();
    redis::Client::open(info).unwrap().get_connection().unwrap()
}

#[tokio::test]
async fn a_caller_calls_a_worker() {
    let server = server();
    let (worker, caller) = (host(&server, "worker").await, host(&server, "caller").await);
    let double = function("double", "global").handler(|_ctx, n: u32| async move { Ok(n * 2) });
    worker.serve(double).await.unwrap();
    for number in 0..5 {
        let doubled = caller.caller().call::<u32>("double", "global", &number).await;
        assert_eq!(doubled, Ok(number * 2));
    }
    let request = caller.caller().request("double", "global").idempotency_key("k");
    assert_eq!(request.input(&4).unwrap().send::<u32>().await, Ok(8));
    let id = caller.caller().request("nobody", "global").submit().await.unwrap();
    let nobody = FunctionId::new("nobody", "global").unwrap();
    let cancelled = caller.caller().cancel(&nobody, &id).await.unwrap();
    assert_eq!(cancelled.outcome.kind(), OutcomeKind::Cancelled);
    let request = caller.caller().request("nobody", "global").deadline(Duration::from_millis(100));
    let expired = request.send::<u32>().await;
    assert!(matches!(expired, Err(CallFailed::Expired { .. })), "{expired:?}");
    assert_eq!(caller.caller().discover(None).await.unwrap().len(), 1);
    assert_eq!(caller.active_consumers("double", "global").await.unwrap().len(), 1);
    assert_eq!(worker.health().await.unwrap().death_rule, DeathRule::Sessions);
    for host in [caller, worker] {
        host.shutdown(Duration::from_secs(5)).await.unwrap();
    }
    assert_eq!(leaks(&mut server.raw()), Vec::<String>::new());
}

#[tokio::test]
async fn a_caller_serves_nothing() {
    let server = server();
    let caller = host(&server, "caller").await;
    let mut refusals = caller.refusals();
    let serve = caller.serve(function("f", "global").handler(|_ctx, (): ()| async { Ok(()) }));
    let outcome: Result<Result<_, ServeError>, _> =
        tokio::time::timeout(Duration::from_secs(2), serve).await;
    assert!(outcome.is_err(), "{outcome:?}");
    let refused = refusals.recv().await.unwrap();
    assert_eq!(refused.kind, ErrorKind::Denied, "{refused}");
    assert!(refused.to_string().contains("register"), "{refused}");
    assert!(!command::<bool>(&mut server.raw(), &["EXISTS", "consumer:active:f:global"]));
}

#[tokio::test]
async fn what_is_not_theirs_is_refused() {
    let server = server();
    let () = command(&mut server.raw(), &["SET", "mine", "1"]);
    for user in ["worker", "caller"] {
        let mut raw = raw(&server, user);
        let refused = [
            &["GET", "mine"][..],
            &["SET", "mine", "2"],
            &["FLUSHALL"],
            &["FLUSHDB"],
            &["KEYS", "*"],
            &["CONFIG", "GET", "*"],
            &["ACL", "LIST"],
            &["SHUTDOWN"],
            &["EVAL", "return 1", "0"],
            &["CLIENT", "KILL", "TYPE", "normal"],
            &["MONITOR"],
            &["PUBLISH", "c", "m"],
        ];
        for words in refused {
            let mut cmd = redis::cmd(words[0]);
            let answer: Result<redis::Value, RedisError> = cmd.arg(&words[1..]).query(&mut raw);
            let code = answer.as_ref().err().and_then(RedisError::code);
            assert_eq!(code, Some("NOPERM"), "{user} {words:?}: {answer:?}");
        }
    }
    let mut caller = raw(&server, "caller");
    for words in [&["SADD", "consumer:active:f:global", "x"], &["HSET", "consumer:state:x", "a"]] {
        let mut cmd = redis::cmd(words[0]);
        let answer: Result<redis::Value, RedisError> =
            cmd.arg(&words[1..]).arg("1").query(&mut caller);
        assert_eq!(answer.unwrap_err().code(), Some("NOPERM"), "{words:?}");
    }
    assert_eq!(command::<u64>(&mut server.raw(), &["DEL", "mine"]), 1);
}

#[tokio::test]
async fn without_the_list_of_clients_heartbeats_judge_death() {
    let server = server();
    let () = command(&mut server.raw(), &["ACL", "SETUSER", "steadfast-worker", "-client|list"]);
    let worker = host(&server, "worker").await;
    assert_eq!(worker.health().await.unwrap().death_rule, DeathRule::Heartbeats);
}
