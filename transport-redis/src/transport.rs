//! The transport: sessions, batches, watches.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::ServerErrorKind;
use steadfast_core::call::CallerId;
use steadfast_core::name::{EntryId, FunctionId, RunId, SessionId};
use steadfast_core::op::{Op, OpResult, Reply};
use steadfast_core::transport::{
    Connected, ErrorKind, Interest, Link, Transport, TransportError, Wake,
};
use steadfast_core::wire::Shard;
use tokio::time::timeout;

use crate::builder::RedisBuilder;
use crate::choice::Durability;
use crate::command::Commands;
use crate::config::{ConfigError, Endpoint, RedisConfig};
use crate::confirm::{self, TooFewReplicas};
use crate::connection::Connection;
use crate::connector::Connector;
use crate::decode::Decoder;
use crate::encode::{self, Cursor, Encoder, Part};
use crate::error::Attempted;
use crate::layout::Layout;
use crate::resp::Value;
use crate::script::Script;
use crate::session::{self, Session, ask};

/// How often a batch is sent again because the server forgot scripts in between.
const RELOADS_MAX: usize = 3;

/// What was attempted, in words.
enum Attempt {
    Execute { operations: usize, session: SessionId },
    Watch { session: SessionId },
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execute { operations, session } => {
                write!(f, "{operations} operations on {session}")
            }
            Self::Watch { session } => write!(f, "watch on {session}"),
        }
    }
}

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
    /// As of the last connection for commands.
    too_few_replicas: Mutex<Option<TooFewReplicas>>,
    /// The last replies seen, where a caller has a stream of them in each shard.
    seen: Mutex<BTreeMap<(CallerId, Shard), EntryId>>,
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

    /// Where the server listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.config.endpoint
    }

    /// Whether the server had fewer replicas than [`Durability::Replicas`] asks for when a connection for
    /// commands was opened last. Nothing where it had enough, did not tell, or none was opened yet.
    pub fn too_few_replicas(&self) -> Option<TooFewReplicas> {
        *lock(&self.0.too_few_replicas)
    }

    pub(crate) fn new(config: RedisConfig, connector: Arc<dyn Connector>) -> Self {
        let layout = Layout::new(config.layout, &config.prefix, config.dead_letters_max);
        Self(Arc::new(Shared {
            config,
            connector,
            layout,
            sessions: Mutex::default(),
            cursors: Mutex::default(),
            too_few_replicas: Mutex::default(),
            seen: Mutex::default(),
        }))
    }

    fn session(
        &self,
        id: SessionId,
        attempted: &Attempted<'_>,
    ) -> Result<Arc<Session>, TransportError> {
        lock(&self.0.sessions).get(&id).cloned().ok_or_else(|| {
            TransportError::not_applied(
                ErrorKind::Disconnected,
                format!("{attempted}: {id} has ended or never was; connect again"),
            )
        })
    }

    /// A connection for commands to the same server life.
    pub(crate) fn commands(&self, beside: &Session) -> Option<Arc<Session>> {
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
            if lock(&self.0.sessions).contains_key(&session.id) {
                continue;
            }
            if link == Link::Command && config.durability != Durability::Memory {
                let attempted = format!("connect {link} to {}", config.describe());
                let confirming = self.beside(&session, 0, &attempted).await?;
                let too_few = config.durability.check(&confirming, &attempted).await?;
                if let Some(too_few) = too_few {
                    tracing::warn!(%too_few, "connected");
                }
                *lock(&self.0.too_few_replicas) = too_few;
            }
            let mut sessions = lock(&self.0.sessions);
            if let Entry::Vacant(place) = sessions.entry(session.id) {
                place.insert(Arc::new(session));
                return Ok(connected);
            }
        }
    }

    pub(crate) fn config(&self) -> &RedisConfig {
        &self.0.config
    }

    pub(crate) fn connector(&self) -> &dyn Connector {
        self.0.connector.as_ref()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The last replies seen, by caller and shard.
    pub(crate) fn seen(&self) -> &Mutex<BTreeMap<(CallerId, Shard), EntryId>> {
        &self.0.seen
    }

    /// Asks for operations: the parts that were sent for them, and the answer to each. A lone operation is
    /// asked of the script for such as are ordinary, and where that declines of the one for all.
    async fn ask_for(
        &self,
        ops: &[Op],
        life: &RunId,
        connection: &Connection,
        attempted: &Attempted<'_>,
    ) -> Result<(Vec<Part>, Vec<Value>), TransportError> {
        if let Some(lone) = encode::lone(&self.0.layout, ops) {
            let mut parts = vec![lone];
            let answers = send(connection, &mut parts, attempted).await?;
            if answers != [Value::Nil] {
                return Ok((parts, answers));
            }
        }
        let mut parts = self.encode(ops, life);
        let answers = send(connection, &mut parts, attempted).await?;
        Ok((parts, answers))
    }

    fn encode(&self, ops: &[Op], life: &RunId) -> Vec<Part> {
        let cursor = |function: &FunctionId| self.cursor(function);
        let seen = |caller: &CallerId, shard| self.replies_seen(caller, shard);
        Encoder::new(&self.0.layout, life, &cursor, &seen).batch(ops)
    }

    fn decode(
        &self,
        session: &Session,
        ops: &[Op],
        parts: &[Part],
        answers: Vec<Value>,
    ) -> Vec<OpResult> {
        let decoder = Decoder {
            layout: &self.0.layout,
            run_id: &session.run_id,
            note_cursor: &|function, cursor| self.note_cursor(function, cursor),
        };
        let sorted = by_operation(ops.len(), parts, answers);
        let mut results: Vec<OpResult> =
            ops.iter().zip(sorted).map(|(op, answers)| decoder.result(op, answers)).collect();
        if !session.is_seen {
            for result in &mut results {
                // The list of clients that this connection is shown is another's.
                if let Ok(Reply::Surveyed(survey)) = result {
                    survey.sessions = None;
                }
            }
        }
        results
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere while the lock was held left whole values behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends the commands of a batch and answers each one's answer. Scripts that the server does not know are
/// loaded, and only the commands that missed them are sent again: nothing of them was done.
async fn send(
    connection: &Connection,
    parts: &mut [Part],
    attempted: &Attempted<'_>,
) -> Result<Vec<Value>, TransportError> {
    let commands: Commands = parts.iter_mut().map(|part| std::mem::take(&mut part.cmd)).collect();
    let mut answers = ask(connection, &commands, attempted).await?;
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
        let load = scripts.iter().map(|script| script.load());
        let repeat = missed.iter().map(|place| commands[*place].clone());
        let again: Commands = load.chain(repeat).collect();
        let mut repeated = ask(connection, &again, attempted).await?;
        let repeated = repeated.split_off(scripts.len());
        for (place, answer) in missed.into_iter().zip(repeated) {
            answers[place] = answer;
        }
    }
    Ok(answers)
}

/// Where a node's connections are not shown by their numbers, nobody may look for these.
fn hide_sessions(op: &mut Op) {
    if let Op::Register { sessions, .. } | Op::Beat { sessions, .. } = op {
        sessions.clear();
    }
}

/// The answers of each operation, from those of the parts. A shared answer that is a number, or begins with one,
/// stands for so many operations that ended as is ordinary ([`Value::Okay`]).
fn by_operation(ops: usize, parts: &[Part], answers: Vec<Value>) -> Vec<Vec<Value>> {
    let mut sorted: Vec<Vec<Value>> = vec![Vec::new(); ops];
    for (part, answer) in parts.iter().zip(answers) {
        let (ordinary, others) = match answer {
            Value::Int(number) if part.shared => (count(number), Vec::new()),
            Value::Array(mut items) if part.shared => match items.first() {
                Some(Value::Int(number)) => (count(*number), items.split_off(1)),
                _ => (0, items),
            },
            answer => {
                for place in &part.covers {
                    sorted[*place].push(answer.clone());
                }
                continue;
            }
        };
        // One of another length leaves its operations without an answer, and each says so.
        if ordinary.saturating_add(others.len()) == part.covers.len() {
            let answers = std::iter::repeat_n(Value::Okay, ordinary).chain(others);
            for (place, answer) in part.covers.iter().zip(answers) {
                sorted[*place].push(answer);
            }
        }
    }
    sorted
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[async_trait]
impl Transport for RedisTransport {
    async fn connect(&self, link: Link) -> Result<Connected, TransportError> {
        let config = &self.0.config;
        let opened = timeout(config.connect_timeout, self.open(link));
        let connected = opened.await.unwrap_or_else(|_elapsed| {
            let hint = match config.endpoint {
                Endpoint::Tls { .. } => {
                    "; the port may not speak TLS (redis:// is for one without)"
                }
                Endpoint::Tcp { .. } | Endpoint::Unix { .. } => "",
            };
            Err(TransportError::not_applied(
                ErrorKind::Timeout,
                format!("connect {link} to {}: no answer in time{hint}", config.describe()),
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
        mut ops: Vec<Op>,
    ) -> Result<Vec<OpResult>, TransportError> {
        let attempted = Attempt::Execute { operations: ops.len(), session };
        let session = self.session(session, &attempted)?;
        if !session.is_seen {
            ops.iter_mut().for_each(hide_sessions);
        }
        let durability = self.0.config.durability;
        let confirming = if ops.iter().any(|op| durability.concerns(op)) {
            Some(self.beside(&session, 0, &attempted).await?)
        } else {
            None
        };
        let over = confirming.as_ref().unwrap_or(&session);
        let life = session.registered_life();
        let (parts, answers) = self.ask_for(&ops, life, &over.connection, &attempted).await?;
        if answers.len() != parts.len() {
            return Err(crate::error::nonsense(&attempted));
        }
        let results = self.decode(&session, &ops, &parts, answers);
        let Some(confirming) = confirming else {
            return Ok(results);
        };
        Ok(match durability.confirm(&confirming, &attempted).await {
            Ok(()) => results,
            Err(error) => ops
                .iter()
                .zip(results)
                .map(|(op, result)| confirm::withheld(op, result, &error))
                .collect(),
        })
    }

    async fn watch(
        &self,
        session: SessionId,
        interest: Interest,
        block: Duration,
    ) -> Result<Wake, TransportError> {
        let attempted = Attempt::Watch { session };
        let session = self.session(session, &attempted)?;
        self.watch_all(session, interest, block, &attempted).await
    }

    async fn abort(&self, session: SessionId) {
        let found = lock(&self.0.sessions).get(&session).cloned();
        if let Some(session) = found {
            self.end_watch(&session).await;
        }
    }

    fn describe(&self) -> String {
        self.0.config.describe()
    }
}
