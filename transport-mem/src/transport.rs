//! The in-memory transport: the reference store within this process, behind the trait that every
//! adapter implements.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::SessionId;
use steadfast_core::op::{Op, OpResult};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{
    Connected, ErrorKind, Interest, Link, Transport, TransportError, Wake,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::store::{MemStore, StoreConfig};

type Woken = Result<Wake, TransportError>;

/// A transport to a store in this process. Clones share the store; nodes of one process that are given
/// clones are one fleet.
///
/// The store's clock is that of its beginning, moved on by tokio's: paused time pauses it.
#[derive(Clone)]
pub struct MemTransport(Arc<Shared>);

struct Shared {
    began: Instant,
    began_at: StoreTime,
    inner: Mutex<Inner>,
}

struct Inner {
    store: MemStore,
    waiters: BTreeMap<SessionId, Waiter>,
    next_ticket: u64,
    refuses: bool,
}

/// A watch that is blocked.
struct Waiter {
    ticket: u64,
    answer: oneshot::Sender<Woken>,
}

impl Default for MemTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemTransport")
    }
}

impl MemTransport {
    /// A transport to a new store with default settings; the store's clock starts at the system's.
    pub fn new() -> Self {
        Self::with_config(StoreConfig::default())
    }

    /// A transport to a new store with these settings; the store's clock starts at the system's.
    pub fn with_config(config: StoreConfig) -> Self {
        let since_1970 =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(config, StoreTime::ZERO + since_1970)
    }

    /// A transport to a new store whose clock starts at the time given, for runs that are to repeat.
    pub fn starting_at(config: StoreConfig, now: StoreTime) -> Self {
        Self(Arc::new(Shared {
            began: Instant::now(),
            began_at: now,
            inner: Mutex::new(Inner {
                store: MemStore::new(config),
                waiters: BTreeMap::new(),
                next_ticket: 0,
                refuses: false,
            }),
        }))
    }

    /// The store's time.
    pub fn now(&self) -> StoreTime {
        self.0.began_at + self.0.began.elapsed()
    }

    /// Looks at the store, or tampers with it; whom that wakes is woken.
    pub fn with_store<R>(&self, visit: impl FnOnce(&mut MemStore, StoreTime) -> R) -> R {
        let now = self.now();
        let mut inner = self.lock();
        let result = visit(&mut inner.store, now);
        inner.wake();
        result
    }

    /// Every session ends as if the server had dropped it.
    pub fn sever_all(&self) {
        let now = self.now();
        let mut inner = self.lock();
        for session in inner.store.sessions() {
            inner.end(now, session, "the store dropped the session");
        }
    }

    /// The store restarts with its data: every session ends, and the run id is a new one.
    pub fn restart(&self) {
        self.sever_all();
        self.with_store(MemStore::restart);
    }

    /// Refuses new connections from here on, or takes them again. Those that stand are left alone.
    pub fn refuse_connections(&self, refuse: bool) {
        self.lock().refuses = refuse;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere while the lock was held is that thread's; each operation stands alone.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hands the store's wakes to the watches they belong to. A watch that was dropped meanwhile leaves
    /// its deliveries pending at the consumer, as a cut connection does.
    fn wake(&mut self) {
        while let Some((session, answer)) = self.store.poll_wake() {
            self.answer(session, answer);
        }
    }

    fn answer(&mut self, session: SessionId, answer: Woken) {
        if let Some(waiter) = self.waiters.remove(&session) {
            // Nobody hears it where the future was dropped.
            let _ = waiter.answer.send(answer);
        }
    }

    fn end(&mut self, now: StoreTime, session: SessionId, why: &str) {
        self.store.disconnect(now, session);
        let error =
            TransportError::unknown(ErrorKind::Disconnected, format!("watch on {session}: {why}"));
        self.answer(session, Err(error));
    }

    fn block(&mut self, session: SessionId) -> (u64, oneshot::Receiver<Woken>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let (answer, answered) = oneshot::channel();
        let previous = self.waiters.insert(session, Waiter { ticket, answer });
        debug_assert!(previous.is_none(), "{session} was blocked twice");
        (ticket, answered)
    }
}

/// Ends a watch whose future is dropped or whose time is over.
struct Unwatch<'a> {
    transport: &'a MemTransport,
    session: SessionId,
    ticket: u64,
}

impl Drop for Unwatch<'_> {
    fn drop(&mut self) {
        let mut inner = self.transport.lock();
        let mine =
            inner.waiters.get(&self.session).is_some_and(|waiter| waiter.ticket == self.ticket);
        if mine {
            inner.waiters.remove(&self.session);
            inner.store.unwatch(self.session);
        }
    }
}

#[async_trait]
impl Transport for MemTransport {
    async fn connect(&self, link: Link) -> Result<Connected, TransportError> {
        let now = self.now();
        let mut inner = self.lock();
        if inner.refuses {
            return Err(TransportError::not_applied(
                ErrorKind::Disconnected,
                format!("connect {link}: the store refuses connections"),
            ));
        }
        Ok(inner.store.connect(now))
    }

    async fn close(&self, session: SessionId) {
        let now = self.now();
        self.lock().end(now, session, "the session was closed");
    }

    async fn execute(
        &self,
        session: SessionId,
        ops: Vec<Op>,
    ) -> Result<Vec<OpResult>, TransportError> {
        let now = self.now();
        let mut inner = self.lock();
        if !inner.store.has_session(session) {
            return Err(TransportError::not_applied(
                ErrorKind::Disconnected,
                format!("{} operations on {session}: the session has ended", ops.len()),
            ));
        }
        let results = ops.iter().map(|op| inner.store.apply(now, session, op)).collect();
        inner.wake();
        Ok(results)
    }

    async fn watch(
        &self,
        session: SessionId,
        interest: Interest,
        block: Duration,
    ) -> Result<Wake, TransportError> {
        let (ticket, mut answered) = {
            let now = self.now();
            let mut inner = self.lock();
            match inner.store.watch(now, session, &interest) {
                Some(answer) => return answer,
                None => inner.block(session),
            }
        };
        let unwatch = Unwatch { transport: self, session, ticket };
        let closed = || {
            TransportError::unknown(
                ErrorKind::Disconnected,
                format!("watch on {session}: the store is gone"),
            )
        };
        match tokio::time::timeout(block, &mut answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(closed())),
            Err(_elapsed) => {
                // Once the watch is ended no wake can come any more; one that came meanwhile is kept.
                drop(unwatch);
                answered.try_recv().unwrap_or(Ok(Wake::Nothing))
            }
        }
    }

    async fn abort(&self, session: SessionId) {
        let mut inner = self.lock();
        inner.store.unwatch(session);
        inner.answer(session, Ok(Wake::Nothing));
    }

    fn describe(&self) -> String {
        "mem".to_owned()
    }
}
