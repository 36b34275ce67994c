//! What the behaviours are tried in: a store that several hosts share, and a line to it that can be cut.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use steadfast::{Function, Host, Served, Transport, TransportError};
use steadfast_core::name::SessionId;
use steadfast_core::op::{Op, OpResult};
use steadfast_core::transport::{Connected, ErrorKind, Interest, Link, Wake};
use steadfast_transport_mem::MemTransport;
use tokio::sync::watch;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A store for several hosts.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: MemTransport,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { store: MemTransport::new() }
    }

    /// A host; the seed tells hosts of one world apart.
    pub(crate) async fn host(&self, seed: u64) -> Host {
        host_over(self.store.clone(), seed).await
    }

    /// After a while of quiet, nothing is left at the store that P7 forbids, and it is sound.
    pub(crate) async fn check_quiet(&self) {
        tokio::time::sleep(90 * SECOND).await;
        self.store.with_store(|store, now| {
            assert_eq!(store.leftovers(now), []);
            assert_eq!(store.audit(), Vec::<String>::new());
        });
    }

    /// A host that serves one function.
    pub(crate) async fn serving(&self, seed: u64, function: Function) -> Host {
        let host = self.host(seed).await;
        host.serve(function).await.expect("it becomes active");
        host
    }
}

pub(crate) async fn host_over(transport: impl Transport, seed: u64) -> Host {
    let built = Host::builder(transport).seed(seed).build().await;
    built.expect("the store is there")
}

pub(crate) fn ids(served: &Served) -> (&steadfast::ConsumerId, steadfast::Epoch) {
    (&served.consumer, served.epoch)
}

/// A line to a store that can be cut: nothing new goes through, and what is under way breaks.
#[derive(Clone)]
pub(crate) struct Line {
    inner: MemTransport,
    is_cut: Arc<watch::Sender<bool>>,
    /// The threads on which connections were opened, by name.
    threads: Arc<Mutex<BTreeSet<String>>>,
}

impl Line {
    pub(crate) fn to(world: &World) -> Self {
        Self {
            inner: world.store.clone(),
            is_cut: Arc::new(watch::Sender::new(false)),
            threads: Arc::default(),
        }
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(crate) fn mend(&self) {
        self.is_cut.send_replace(false);
    }

    pub(crate) fn threads(&self) -> BTreeSet<String> {
        self.threads.lock().unwrap().clone()
    }

    /// How many hold the line: the test, and drivers that have not ended.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.is_cut)
    }

    async fn through<R>(
        &self,
        request: impl Future<Output = Result<R, TransportError>>,
    ) -> Result<R, TransportError> {
        let mut is_cut = self.is_cut.subscribe();
        tokio::select! {
            biased;
            _ = is_cut.wait_for(|cut| *cut) => {
                Err(TransportError::unknown(ErrorKind::Disconnected, "the line is cut"))
            }
            result = request => result,
        }
    }
}

#[async_trait]
impl Transport for Line {
    async fn connect(&self, link: Link) -> Result<Connected, TransportError> {
        let thread = std::thread::current().name().unwrap_or_default().into();
        self.threads.lock().unwrap().insert(thread);
        self.through(self.inner.connect(link)).await
    }

    async fn close(&self, session: SessionId) {
        self.inner.close(session).await;
    }

    async fn execute(
        &self,
        session: SessionId,
        ops: Vec<Op>,
    ) -> Result<Vec<OpResult>, TransportError> {
        self.through(self.inner.execute(session, ops)).await
    }

    async fn watch(
        &self,
        session: SessionId,
        interest: Interest,
        block: Duration,
    ) -> Result<Wake, TransportError> {
        self.through(self.inner.watch(session, interest, block)).await
    }

    async fn abort(&self, session: SessionId) {
        self.inner.abort(session).await;
    }

    fn describe(&self) -> String {
        format!("line to {}", self.inner.describe())
    }
}
