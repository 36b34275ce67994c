//! What a behaviour is tried in: a store, sessions with it, and hosts over it.

use std::sync::Mutex;
use std::time::Duration;

use steadfast::{Function, Host};
use steadfast_core::call::{Delivered, Delivery, Lease};
use steadfast_core::config::Config;
use steadfast_core::name::{Epoch, SessionId};
use steadfast_core::op::{Op, OpResult, Reply};
use steadfast_core::transport::{Link, Transport};
use steadfast_tests::ops::{consumer, deregister, fetch, register};
use tokio::sync::OnceCell;

use crate::stores::Store;

/// Far longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A store and who uses it.
pub(crate) struct World<S: Store> {
    pub(crate) store: S,
    pub(crate) transport: S::Transport,
    session: OnceCell<SessionId>,
    hosts: Mutex<Vec<Host>>,
    consumers: Mutex<Vec<(String, Epoch)>>,
}

impl<S: Store> World<S> {
    pub(crate) fn new() -> Self {
        let store = S::start();
        Self {
            transport: store.transport(),
            store,
            session: OnceCell::new(),
            hosts: Mutex::default(),
            consumers: Mutex::default(),
        }
    }

    /// The session for commands.
    pub(crate) async fn session(&self) -> SessionId {
        let connect = || async { self.transport.connect(Link::Command).await.unwrap().session };
        *self.session.get_or_init(connect).await
    }

    pub(crate) async fn apply(&self, op: Op) -> OpResult {
        let session = self.session().await;
        self.transport.execute(session, vec![op]).await.unwrap().remove(0)
    }

    /// The reply, which must be one.
    pub(crate) async fn ask(&self, op: Op) -> Reply {
        let told = op.to_string();
        self.apply(op).await.unwrap_or_else(|error| panic!("{told}: {error}"))
    }

    /// Applies, and compares with the reply's one line; errors start with `error: `.
    pub(crate) async fn check(&self, op: Op, expect: &str) {
        let told = op.to_string();
        let got = match self.apply(op).await {
            Ok(reply) => reply.to_string(),
            Err(error) => format!("error: {}", error.kind),
        };
        assert_eq!(got, expect, "{told}");
    }

    /// Registers a consumer; the world's end deregisters it.
    pub(crate) async fn register(&self, id: &str) -> Epoch {
        let session = self.session().await;
        let Reply::Registered { epoch } = self.ask(register(id, session)).await else {
            panic!("not registered");
        };
        self.consumers.lock().unwrap().push((id.to_owned(), epoch));
        epoch
    }

    pub(crate) async fn fetch_all(&self, id: &str) -> Vec<Delivered> {
        match self.ask(fetch(id, 100)).await {
            Reply::Fetched { deliveries, .. } => deliveries,
            other => panic!("{other}"),
        }
    }

    /// The one call that is delivered.
    pub(crate) async fn fetch_one(&self, id: &str) -> Delivery {
        match &self.fetch_all(id).await[..] {
            [Delivered::Call(delivery)] => delivery.clone(),
            other => panic!("not one call: {other:?}"),
        }
    }

    /// Registers a consumer that fetches the one call there is, and answers it with its lease.
    pub(crate) async fn lease(&self, id: &str) -> (Delivery, Lease) {
        let epoch = self.register(id).await;
        let delivery = self.fetch_one(id).await;
        let lease = Lease { entry: delivery.entry, consumer: consumer(id), epoch };
        (delivery, lease)
    }

    /// A host; the seed tells hosts of one world apart.
    pub(crate) async fn host(&self, seed: u64) -> Host {
        let built = Host::builder(self.transport.clone()).seed(seed).config(quick()).build().await;
        built.expect("the store is there")
    }

    /// A host that serves one function.
    pub(crate) async fn serving(&self, seed: u64, function: Function) -> Host {
        let host = self.host(seed).await;
        host.serve(function).await.expect("it becomes active");
        host
    }

    /// Ends a host with the world.
    pub(crate) fn keep(&self, host: Host) {
        self.hosts.lock().unwrap().push(host);
    }

    /// Everybody signs off; what is left is judged.
    async fn end(&self) {
        let hosts = std::mem::take(&mut *self.hosts.lock().unwrap());
        for host in hosts {
            host.shutdown(Duration::from_secs(5)).await.expect("it ends once");
        }
        let consumers = std::mem::take(&mut *self.consumers.lock().unwrap());
        for (id, epoch) in consumers {
            self.ask(deregister(&id, epoch)).await;
        }
        if let Some(session) = self.session.get() {
            self.transport.close(*session).await;
        }
        assert_eq!(self.store.leaks(), Vec::<String>::new(), "left at the store");
    }
}

/// The default settings, with the death of others noticed sooner.
fn quick() -> Config {
    Config {
        survey_interval: Duration::from_millis(100),
        session_grace: Duration::from_millis(300),
        observer_settle: Duration::from_millis(500),
        sweep_interval: Duration::from_millis(200),
        renew_interval: Duration::from_millis(200),
        // Death must be noticed by sessions: heartbeats would take an hour.
        consumer_timeout: Duration::from_secs(3_600),
        ..Config::default()
    }
}

/// Runs a behaviour, then judges what it left at the store.
pub(crate) async fn judged<S: Store>(
    world: World<S>,
    behaviour: impl for<'w> AsyncFnOnce(&'w World<S>),
) {
    behaviour(&world).await;
    world.end().await;
}
