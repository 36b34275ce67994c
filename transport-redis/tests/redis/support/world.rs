//! A server with one session, and the replies as one line each.

use steadfast_core::call::{Delivered, Delivery, Lease};
use steadfast_core::name::{Epoch, SessionId};
use steadfast_core::op::{Op, OpResult, Reply};
use steadfast_core::transport::{Link, Transport};
use steadfast_transport_redis::{KeyLayout, RedisTransport};

use steadfast_tests::RedisServer;
use steadfast_tests::ops::{consumer, fetch, register};

/// A server, a transport to it, and a command session.
pub(crate) struct World {
    pub(crate) server: RedisServer,
    pub(crate) transport: RedisTransport,
    pub(crate) session: SessionId,
    pub(crate) raw: redis::Connection,
}

/// A transport to this server.
pub(crate) fn transport_to(server: &RedisServer) -> RedisTransport {
    let builder = RedisTransport::builder(&server.url()).expect("the URL of a test server is one");
    builder.build().expect("plain TCP needs nothing more")
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(RedisServer::start()).await
    }

    pub(crate) async fn of(server: RedisServer) -> Self {
        Self::in_layout(server, KeyLayout::Plain).await
    }

    pub(crate) async fn in_layout(server: RedisServer, layout: KeyLayout) -> Self {
        let builder =
            RedisTransport::builder(&server.url()).expect("the URL of a test server is one");
        let transport = builder.layout(layout).build().expect("plain TCP needs nothing more");
        let session = transport.connect(Link::Command).await.unwrap().session;
        let raw = server.raw();
        Self { server, transport, session, raw }
    }

    pub(crate) async fn apply(&self, op: Op) -> OpResult {
        self.apply_all(vec![op]).await.remove(0)
    }

    pub(crate) async fn apply_all(&self, ops: Vec<Op>) -> Vec<OpResult> {
        self.transport.execute(self.session, ops).await.unwrap()
    }

    /// The reply, which must be one.
    pub(crate) async fn ask(&self, op: Op) -> Reply {
        let told = op.to_string();
        self.apply(op).await.unwrap_or_else(|error| panic!("{told}: {error}"))
    }

    /// Applies and compares with the reply's one line; errors start with `error: `.
    pub(crate) async fn check(&self, op: Op, expect: &str) {
        let told = op.to_string();
        assert_eq!(line(&self.apply(op).await), expect, "{told}");
    }

    pub(crate) async fn register(&self, id: &str) -> Epoch {
        match self.ask(register(id, self.session)).await {
            Reply::Registered { epoch } => epoch,
            other => panic!("{other}"),
        }
    }

    pub(crate) async fn fetch_all(&self, id: &str) -> Vec<Delivered> {
        match self.ask(fetch(id, 100)).await {
            Reply::Fetched { deliveries, .. } => deliveries,
            other => panic!("{other}"),
        }
    }

    /// The one call that is delivered.
    pub(crate) async fn fetch_one(&self, id: &str) -> Delivery {
        let mut deliveries = self.fetch_all(id).await;
        assert_eq!(deliveries.len(), 1);
        match deliveries.remove(0) {
            Delivered::Call(delivery) => delivery,
            other @ Delivered::Malformed { .. } => panic!("{other}"),
        }
    }

    /// Registers a consumer that fetches the one call there is, and answers it with its lease.
    pub(crate) async fn lease(&self, id: &str) -> (Delivery, Lease) {
        let epoch = self.register(id).await;
        let delivery = self.fetch_one(id).await;
        let lease = Lease { entry: delivery.entry, consumer: consumer(id), epoch };
        (delivery, lease)
    }

    /// Sends a command of the test's own.
    pub(crate) fn raw<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut cmd = redis::cmd(words[0]);
        cmd.arg(&words[1..]);
        cmd.query(&mut self.raw).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }
}

pub(crate) fn line(result: &OpResult) -> String {
    match result {
        Ok(reply) => reply.to_string(),
        Err(error) => format!("error: {error}"),
    }
}
