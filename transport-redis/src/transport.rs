//! The transport: sessions, batches, watches.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, ServerErrorKind, Value};
use steadfast_core::name::{FunctionId, SessionId};
use steadfast_core::op::{Op, OpResult};
use steadfast_core::transport::{
    Connected, ErrorKind, Interest, Link, Transport, TransportError, Wake,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::builder::RedisBuilder;
use crate::config::{ConfigError, RedisConfig};
use crate::connector::Connector;
use crate::decode::Decoder;
use crate::encode::{Cursor, Encoder, Part};
use crate::layout::Layout;
use crate::read;
use crate::script::Script;
use crate::session::{self, Session, ask};

/// How often a batch is sent again because the server forgot scripts in between.
const RELOADS_MAX: usize = 3;
/// How long a server may take to end a blocked read before its connection is closed instead.
const UNBLOCK_PATIENCE: Duration = Duration::from_millis(250);

/// A transport to one Redis server (7.0 and later). Clones share the connections.
///
/// It decides nothing: no retry, no verdict. It encodes, sends, waits and decodes. Tasks run on the
/// runtime that `connect` and `watch` are called on.
#[derive(Clone)]
pub struct RedisTransport(Arc<Shared>);

struct Shared {
    config: RedisConfig,
    connector: Arc<dyn Connector>,
    layout: Layout,
    sessions: Mutex<BTreeMap<SessionId, Arc<Session>>>,
    /// Where the sweeps go on that did not see everything.
    cursors: Mutex<BTreeMap<FunctionId, Cursor>>,
}

impl fmt::Debug for RedisTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisTransport").field(&self.describe()).finish()
    }
}

impl RedisTransport {
    /// Sets up a transport to the server that a URL names; see [`RedisConfig::from_url`].
    pub fn builder(url: &str) -> Result<RedisBuilder, ConfigError> {
        RedisConfig::from_url(url).map(RedisBuilder::new)
    }

    /// Sets up a transport to the server that the environment names; see [`RedisConfig::from_env`].
    pub fn from_env() -> Result<RedisBuilder, ConfigError> {
        RedisConfig::from_env().map(RedisBuilder::new)
    }

    pub(crate) fn new(config: RedisConfig, connector: Arc<dyn Connector>) -> Self {
        let layout = Layout::new(&config.prefix, config.dead_letters_max);
        Self(Arc::new(Shared {
            config,
            connector,
            layout,
            sessions: Mutex::default(),
            cursors: Mutex::default(),
        }))
    }

    fn session(&self, id: SessionId, attempted: &str) -> Result<Arc<Session>, TransportError> {
        lock(&self.0.sessions).get(&id).cloned().ok_or_else(|| {
            TransportError::not_applied(
                ErrorKind::Disconnected,
                format!("{attempted}: {id} has ended or never was; connect again"),
            )
        })
    }

    /// A connection for commands to the same server life.
    fn commands(&self, beside: &Session) -> Option<Arc<Session>> {
        let sessions = lock(&self.0.sessions);
        let mut fit = sessions
            .values()
            .filter(|it| it.link == Link::Command && it.run_id == beside.run_id && it.is_open());
        fit.next().cloned()
    }

    /// Opens a connection whose number no session has that was not closed yet. A server that was
    /// restarted counts from the start again: a late close of an old session must not hit a new one.
    async fn open(&self, link: Link) -> Result<Connected, TransportError> {
        let config = &self.0.config;
        loop {
            let (session, connected) =
                session::open(config, self.0.connector.as_ref(), link).await?;
            let mut sessions = lock(&self.0.sessions);
            if let Entry::Vacant(place) = sessions.entry(session.id) {
                place.insert(Arc::new(session));
                return Ok(connected);
            }
        }
    }

    /// Ends a session's blocked read, and answers once it is over.
    async fn unblock(&self, session: Arc<Session>) {
        let mut busy = session.reading.busy.subscribe();
        let mut pause = Duration::from_millis(1);
        while *busy.borrow_and_update() {
            session.reading.stop.notify_waiters();
            let Some(commands) = self.commands(&session) else {
                session.close();
                return;
            };
            let mut pipe = Pipeline::new();
            pipe.cmd("CLIENT").arg("UNBLOCK").arg(session.id.0);
            let mut connection = commands.handle();
            let asked = timeout(UNBLOCK_PATIENCE, ask(&mut connection, &pipe, "unblock")).await;
            let refused = |answers: &Vec<Value>| {
                answers.iter().any(|answer| matches!(answer, Value::ServerError(_)))
            };
            if !asked.is_ok_and(|it| it.is_ok_and(|answers| !refused(&answers))) {
                session.close();
                return;
            }
            // It may not have blocked yet, or its answer may be on its way.
            let _ = timeout(pause, busy.wait_for(|busy| !*busy)).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn cursor(&self, function: &FunctionId) -> Cursor {
        lock(&self.0.cursors).get(function).cloned().unwrap_or_default()
    }

    fn note_cursor(&self, function: &FunctionId, cursor: Cursor) {
        let mut cursors = lock(&self.0.cursors);
        if cursor == Cursor::default() {
            cursors.remove(function);
        } else {
            cursors.insert(function.clone(), cursor);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere while the lock was held left whole values behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends the commands of a batch and answers each one's answer. Scripts that the server does not know are
/// loaded, and only the commands that missed them are sent again: nothing of them was done.
async fn send(
    connection: &mut MultiplexedConnection,
    parts: &mut [Part],
    attempted: &str,
) -> Result<Vec<Value>, TransportError> {
    let mut pipe = Pipeline::with_capacity(parts.len());
    for part in parts.iter_mut() {
        pipe.add_command(std::mem::take(&mut part.cmd));
    }
    let mut answers = ask(connection, &pipe, attempted).await?;
    for _ in 0..RELOADS_MAX {
        let missed: Vec<usize> = (0..answers.len())
            .filter(|place| {
                matches!(&answers[*place], Value::ServerError(error)
                    if error.kind() == Some(ServerErrorKind::NoScript))
            })
            .collect();
        if missed.is_empty() {
            break;
        }
        let scripts: BTreeSet<Script> =
            missed.iter().filter_map(|place| parts[*place].script).collect();
        let mut again = Pipeline::with_capacity(scripts.len() + missed.len());
        for script in &scripts {
            again.add_command(script.load());
        }
        for (place, cmd) in pipe.cmd_iter().enumerate() {
            if missed.binary_search(&place).is_ok() {
                again.add_command(cmd.clone());
            }
        }
        let mut repeated = ask(connection, &again, attempted).await?;
        let repeated = repeated.split_off(scripts.len());
        for (place, answer) in missed.into_iter().zip(repeated) {
            answers[place] = answer;
        }
    }
    Ok(answers)
}

/// The answers of each operation, from those of the parts.
fn by_operation(ops: usize, parts: &[Part], answers: Vec<Value>) -> Vec<Vec<Value>> {
    let mut sorted: Vec<Vec<Value>> = vec![Vec::new(); ops];
    for (part, answer) in parts.iter().zip(answers) {
        match answer {
            Value::Array(items) if part.shared && items.len() == part.covers.len() => {
                for (place, item) in part.covers.iter().zip(items) {
                    sorted[*place].push(item);
                }
            }
            answer => {
                for place in &part.covers {
                    sorted[*place].push(answer.clone());
                }
            }
        }
    }
    sorted
}

/// Ends a watch whose future is dropped: the read is unblocked, and the session stays.
struct Unwatch {
    transport: RedisTransport,
    session: Option<Arc<Session>>,
}

impl Drop for Unwatch {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        let transport = self.transport.clone();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { transport.unblock(session).await })),
            Err(_) => session.close(),
        }
    }
}

#[async_trait]
impl Transport for RedisTransport {
    async fn connect(&self, link: Link) -> Result<Connected, TransportError> {
        let config = &self.0.config;
        let opened = timeout(config.connect_timeout, self.open(link));
        let connected = opened.await.unwrap_or_else(|_elapsed| {
            Err(TransportError::not_applied(
                ErrorKind::Timeout,
                format!("connect {link} to {}: no answer in time", config.describe()),
            ))
        })?;
        tracing::debug!(session = %connected.session, %link, "connected");
        Ok(connected)
    }

    async fn close(&self, session: SessionId) {
        let found = lock(&self.0.sessions).remove(&session);
        if let Some(session) = found {
            session.close();
        }
    }

    async fn execute(
        &self,
        session: SessionId,
        ops: Vec<Op>,
    ) -> Result<Vec<OpResult>, TransportError> {
        let attempted = format!("{} operations on {session}", ops.len());
        let session = self.session(session, &attempted)?;
        let cursor = |function: &FunctionId| self.cursor(function);
        let mut parts = Encoder::new(&self.0.layout, &session.run_id, &cursor).batch(&ops);
        let answers = send(&mut session.handle(), &mut parts, &attempted).await?;
        if answers.len() != parts.len() {
            return Err(crate::error::nonsense(&attempted));
        }
        let decoder = Decoder {
            run_id: &session.run_id,
            note_cursor: &|function, cursor| self.note_cursor(function, cursor),
        };
        let sorted = by_operation(ops.len(), &parts, answers);
        Ok(ops.iter().zip(sorted).map(|(op, answers)| decoder.result(op, answers)).collect())
    }

    async fn watch(
        &self,
        session: SessionId,
        interest: Interest,
        block: Duration,
    ) -> Result<Wake, TransportError> {
        let attempted = format!("watch on {session}");
        let session = self.session(session, &attempted)?;
        if session.reading.busy.send_replace(true) {
            return Err(TransportError::not_applied(
                ErrorKind::Busy,
                format!("{attempted}: it waits already; it can watch one thing at a time"),
            ));
        }
        let (answer, answered) = oneshot::channel();
        let reading = session.reading.clone();
        let mut connection = session.handle();
        let layout = self.0.layout.clone();
        let most = block + self.0.config.block_margin;
        // Read by a task, so that the read's end does not depend on who polls this future. It owns no
        // session: closing the session ends it.
        tokio::spawn(async move {
            let wait = read::wait(&mut connection, &reading, &layout, &interest, block);
            let ended = timeout(most, wait).await;
            reading.busy.send_replace(false);
            // Nobody hears it where the watch was dropped: deliveries stay pending at the consumer.
            let _ = answer.send(ended);
        });
        let mut unwatch = Unwatch { transport: self.clone(), session: Some(session.clone()) };
        let ended = answered.await;
        unwatch.session = None;
        match ended {
            Ok(Ok(answer)) => answer,
            Ok(Err(_elapsed)) => {
                // The server may serve it still; nobody would read the answer as this one's.
                session.close();
                Err(TransportError::unknown(
                    ErrorKind::Timeout,
                    format!("{attempted}: no answer within its block time and a margin"),
                ))
            }
            Err(_gone) => Err(TransportError::unknown(
                ErrorKind::Disconnected,
                format!("{attempted}: its runtime has ended"),
            )),
        }
    }

    async fn abort(&self, session: SessionId) {
        let found = lock(&self.0.sessions).get(&session).cloned();
        if let Some(session) = found {
            self.unblock(session).await;
        }
    }

    fn describe(&self) -> String {
        self.0.config.describe()
    }
}
