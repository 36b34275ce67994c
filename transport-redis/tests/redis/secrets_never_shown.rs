//! Passwords and payloads stand in no text that a person may see.

use steadfast_core::transport::{Link, Transport};
use steadfast_transport_redis::{RedisConfig, RedisTransport};

use crate::support::{RedisServer, World, submission};

#[tokio::test]
async fn no_text_holds_a_password() {
    let server = RedisServer::start();
    let url = format!("redis://me:hunter2@127.0.0.1:{}/0", server.port());
    let builder = RedisTransport::builder(&url).unwrap();
    let shown = format!("{builder:?} {:?}", RedisConfig::from_url(&url));
    let transport = builder.build().unwrap();
    let error = transport.connect(Link::Command).await.unwrap_err();
    let shown = format!("{shown} {transport:?} {} {error} {error:?}", transport.describe());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn no_error_holds_a_payload() {
    let mut world = World::new().await;
    world.server.leaves("a key of another type");
    let () = world.raw(&["SET", "function_calls:greet:global", "text"]);
    let mut submission = submission("c1");
    submission.input = steadfast_core::call::Payload::trusted("\"hunter2\"");
    let op = steadfast_core::op::Op::Submit(submission);
    let error = world.apply(op).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}
