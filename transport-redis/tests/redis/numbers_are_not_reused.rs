//! A restarted server counts its clients from the start again: what is closed late must be the old session.

use steadfast_core::op::Op;
use steadfast_core::transport::{ErrorKind, Link, Transport};

use crate::support::{RedisServer, transport_to};

#[tokio::test]
async fn a_late_close_of_an_old_session_hits_no_new_one() {
    let server = RedisServer::start();
    let transport = transport_to(&server);
    let mut old = Vec::new();
    for _ in 0..3 {
        old.push(transport.connect(Link::Command).await.unwrap().session);
    }
    let server = server.end().start();
    // The same numbers would come up again.
    let mut new = Vec::new();
    for _ in 0..3 {
        new.push(transport.connect(Link::Command).await.unwrap().session);
    }
    assert!(new.iter().all(|session| !old.contains(session)), "{new:?} after {old:?}");
    for session in &old {
        let error = transport.execute(*session, vec![Op::Ping]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Disconnected);
        transport.close(*session).await;
    }
    for session in new {
        assert!(transport.execute(session, vec![Op::Ping]).await.unwrap()[0].is_ok());
    }
    drop(server);
}
