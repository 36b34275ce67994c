//! Connections are known to the server, and what refuses one is told apart.

use steadfast_core::name::SessionId;
use steadfast_core::op::{Op, Reply};
use steadfast_core::transport::{Applied, ErrorKind, Link, Transport};
use steadfast_transport_redis::RedisTransport;

use crate::support::{RedisServer, World, fetch, function, submit};

#[tokio::test]
async fn a_session_is_the_servers_client_id() {
    let mut world = World::new().await;
    let connected = world.transport.connect(Link::Arrivals).await.unwrap();
    let list: String = world.raw(&["CLIENT", "LIST"]);
    let line = format!("id={} ", connected.session.0);
    let mine = list.lines().find(|it| it.starts_with(&line)).expect("it is listed");
    assert!(mine.contains(" name=steadfast:arrivals "), "{mine}");
    assert!(connected.sees_sessions);
    let info: String = world.raw(&["INFO", "server"]);
    assert!(info.contains(&format!("run_id:{}\r", connected.run_id)));

    world.transport.close(connected.session).await;
    let closed = |list: String| !list.lines().any(|it| it.starts_with(&line));
    while !closed(world.raw(&["CLIENT", "LIST"])) {
        tokio::task::yield_now().await;
    }
    world.transport.close(connected.session).await;
}

#[tokio::test]
async fn a_socket_and_a_database_of_the_url_are_used() {
    let server = RedisServer::start();
    server.leaves("a call that nobody is to run");
    let transport = RedisTransport::builder(&format!("{}?db=3", server.unix_url())).unwrap();
    let transport = transport.prefix("app:").build().unwrap();
    let session = transport.connect(Link::Command).await.unwrap().session;
    transport.execute(session, vec![submit("c1")]).await.unwrap().remove(0).unwrap();
    let mut raw = server.raw();
    redis::cmd("SELECT").arg(3).exec(&mut raw).unwrap();
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut raw).unwrap();
    keys.sort();
    assert_eq!(keys, ["app:function_calls:greet:global", "app:function_open:greet:global"]);
}

async fn refused(url: &str) -> (ErrorKind, Applied) {
    let transport = RedisTransport::builder(url).unwrap().build().unwrap();
    let error = transport.connect(Link::Command).await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    (error.kind, error.applied)
}

#[tokio::test]
async fn who_may_not_in_is_denied() {
    let server = RedisServer::with(&["--requirepass", "right"]);
    server.leaves("without the password nobody may look");
    let at = format!("127.0.0.1:{}", server.port());
    let denied = (ErrorKind::Denied, Applied::No);
    assert_eq!(refused(&format!("redis://{at}")).await, denied);
    assert_eq!(refused(&format!("redis://:hunter2@{at}")).await, denied);
    assert_eq!(refused(&format!("redis://me:hunter2@{at}")).await, denied);
    let right = RedisTransport::builder(&format!("redis://:right@{at}")).unwrap();
    right.build().unwrap().connect(Link::Command).await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_disconnected() {
    let server = RedisServer::start();
    let url = server.url();
    drop(server);
    let transport = RedisTransport::builder(&url).unwrap().build().unwrap();
    let error = transport.connect(Link::Command).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::Disconnected, Applied::No));
}

#[tokio::test]
async fn a_user_without_client_list_sees_no_sessions() {
    let mut world = World::new().await;
    let () = world.raw(&["ACL", "SETUSER", "me", "on", ">pw", "~*", "&*", "+@all", "-client|list"]);
    let builder =
        RedisTransport::builder(&world.server.url()).unwrap().credentials(Some("me"), "pw");
    let transport = builder.build().unwrap();
    let connected = transport.connect(Link::Command).await.unwrap();
    assert!(!connected.sees_sessions);
    let survey = Op::Survey { functions: vec![function()] };
    let replies = transport.execute(connected.session, vec![survey]).await.unwrap();
    match &replies[0] {
        Ok(Reply::Surveyed(survey)) => assert_eq!(survey.sessions, None),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn errors_of_operations_are_told_apart() {
    let mut world = World::new().await;
    world.server.leaves("keys of another type, and calls beside them");
    let error = world.apply(fetch("w", 1)).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::NoGroup, Applied::No));

    let () = world.raw(&["SET", "function_calls:greet:global", "text"]);
    let error = world.apply(submit("c1")).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::WrongType, Applied::No));
    let () = world.raw(&["DEL", "function_calls:greet:global"]);

    // One bad item fails none of its neighbours.
    let () = world.raw(&["LPUSH", "result:c2", "text"]);
    let results = world.apply_all(vec![submit("c1"), submit("c2"), submit("c3")]).await;
    let kinds: Vec<_> = results.iter().map(|it| it.as_ref().err().map(|it| it.kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::WrongType), None]);

    let () = world.raw(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = world.apply(submit("c4")).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::ReadOnly, Applied::No));
}

#[tokio::test]
async fn a_cut_connection_is_noticed() {
    let mut world = World::new().await;
    let id = world.session.0.to_string();
    let () = world.raw(&["CLIENT", "KILL", "ID", &id]);
    let error = world.transport.execute(world.session, vec![Op::Ping]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    let unknown = SessionId(999_999);
    let error = world.transport.execute(unknown, vec![Op::Ping]).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::Disconnected, Applied::No));
}
