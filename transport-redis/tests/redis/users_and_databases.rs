//! Who a process is at the server, and in which database, is what its settings say, or it is refused.

use steadfast_core::name::SessionId;
use steadfast_core::transport::{Applied, ErrorKind, Link, Transport, TransportError};
use steadfast_transport_redis::{RedisBuilder, RedisConfig, RedisTransport};

use crate::support::RedisServer;

fn command(server: &RedisServer, words: &[&str]) -> String {
    redis::cmd(words[0]).arg(&words[1..]).query(&mut server.raw()).unwrap()
}

fn server() -> RedisServer {
    let server = RedisServer::start();
    command(&server, &["ACL", "SETUSER", "open", "on", "nopass", "~*", "&*", "+@all"]);
    command(&server, &["ACL", "SETUSER", "me", "on", ">hunter2", "~*", "&*", "+@all"]);
    server
}

/// The user of a connection, as the server knows it.
fn user(server: &RedisServer, session: SessionId) -> String {
    let client = command(server, &["CLIENT", "LIST", "ID", &session.0.to_string()]);
    let user = client.split(' ').find_map(|it| it.strip_prefix("user="));
    user.unwrap_or_default().to_owned()
}

async fn connect(transport: &RedisTransport) -> Result<SessionId, TransportError> {
    transport.connect(Link::Command).await.map(|connected| connected.session)
}

/// The user that it is, or what the refusal says.
async fn check(server: &RedisServer, url: &str, expect: Result<&str, &str>) {
    let transport = RedisTransport::builder(url).unwrap().build().unwrap();
    check_transport(server, &transport, expect).await;
}

async fn check_transport(
    server: &RedisServer,
    transport: &RedisTransport,
    expect: Result<&str, &str>,
) {
    match (connect(transport).await, expect) {
        (Ok(session), Ok(expect)) => assert_eq!(user(server, session), expect, "{transport:?}"),
        (Err(error), Err(part)) => {
            assert_eq!((error.kind, error.applied), (ErrorKind::Denied, Applied::No), "{error}");
            let told = error.to_string();
            assert!(told.contains(part) && !told.contains("hunter2"), "{told}");
        }
        (got, _) => panic!("{transport:?}: {got:?}, and expected is {expect:?}"),
    }
}

#[tokio::test]
async fn a_user_without_a_password_is_not_the_default_user() {
    let server = server();
    let at = |login: &str| server.url_as(login);
    check(&server, &server.url(), Ok("default")).await;
    check(&server, &at("open"), Ok("open")).await;
    check(&server, &at("me:hunter2"), Ok("me")).await;
    check(&server, &at("me"), Err("WRONGPASS")).await;
    check(&server, &at("nouser"), Err("WRONGPASS")).await;
    check(&server, &at("me:not-hunter2"), Err("WRONGPASS")).await;
}

#[tokio::test]
async fn a_user_of_the_environment_is_not_the_default_user() {
    let server = server();
    let port = server.port().to_string();
    for (user, expect) in [("open", Ok("open")), ("nouser", Err("WRONGPASS"))] {
        let config = RedisConfig::from_variables(|name| match name {
            "QUEUE_BULL_REDIS_PORT" => Some(port.clone()),
            "QUEUE_BULL_REDIS_USERNAME" => Some(user.to_owned()),
            _ => None,
        });
        let transport = RedisBuilder::new(config.unwrap()).build().unwrap();
        check_transport(&server, &transport, expect).await;
    }
}

#[tokio::test]
async fn a_socket_takes_user_and_password() {
    let server = server();
    let at = |login: &str| server.unix_url().replace("://", &format!("://{login}@"));
    check(&server, &at("me:hunter2"), Ok("me")).await;
    check(&server, &at("open"), Ok("open")).await;
    check(&server, &at("me:not-hunter2"), Err("WRONGPASS")).await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_refused_for_good() {
    let server = RedisServer::start();
    let url = format!("{}/99", server.url());
    let transport = RedisTransport::builder(&url).unwrap().build().unwrap();
    let error = connect(&transport).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::Unsupported, Applied::No));
    assert!(error.to_string().contains("choose a database that the server has"), "{error}");
}
