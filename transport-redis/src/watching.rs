//! Watches: one read of what stands together, or several side by side where it does not.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::call::CallerId;
use steadfast_core::name::EntryId;
use steadfast_core::transport::{ErrorKind, Interest, TransportError, Wake};
use steadfast_core::wire::Shard;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::choice::{Durability, KeyLayout};
use crate::command::Commands;
use crate::error::Attempted;
use crate::read;
use crate::resp::Value;
use crate::session::{self, Reading, Session, ask};
use crate::transport::{RedisTransport, lock};

/// How long a server may take to end a blocked read before its connection is closed instead.
const UNBLOCK_PATIENCE: Duration = Duration::from_millis(250);

/// What a watch waits for in one shard.
type Part = (Shard, Interest);
/// How a watch ended.
pub(crate) type Woken = Result<Wake, TransportError>;

/// A read that is under way; nothing comes where it took too long.
type Reads = Pin<Box<dyn Future<Output = Option<Woken>> + Send>>;

/// A read that is under way. Dropped, it is unblocked and read to its end by a task, and its session stays.
struct Underway {
    transport: RedisTransport,
    session: Arc<Session>,
    /// Taken once it has ended.
    read: Option<Reads>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        let Some(read) = self.read.take() else {
            return;
        };
        let (transport, session) = (self.transport.clone(), self.session.clone());
        match Handle::try_current() {
            // Nobody hears what it says: deliveries stay pending at the consumer.
            Ok(runtime) => drop(runtime.spawn(async move {
                tokio::join!(read, transport.unblock(&session, &session.reading));
            })),
            Err(_) => session.close(),
        }
    }
}

impl Underway {
    async fn end(mut self, attempted: &Attempted<'_>) -> Woken {
        let ended = match &mut self.read {
            Some(read) => read.await,
            None => None,
        };
        self.read = None;
        ended.unwrap_or_else(|| {
            // The server may serve it still; nobody would read the answer as this one's.
            self.session.close();
            Err(timed_out(attempted))
        })
    }
}

/// A blocking read that the server did not answer in time.
pub(crate) fn timed_out(attempted: &Attempted<'_>) -> TransportError {
    let detail = format!("{attempted}: no answer within its block time and a margin");
    TransportError::unknown(ErrorKind::Timeout, detail)
}

/// A session that waits already.
pub(crate) fn busy(attempted: &Attempted<'_>) -> TransportError {
    let detail = format!("{attempted}: it waits already; it can watch one thing at a time");
    TransportError::not_applied(ErrorKind::Busy, detail)
}

impl RedisTransport {
    pub(crate) async fn watch_all(
        &self,
        session: Arc<Session>,
        interest: Interest,
        block: Duration,
        attempted: &Attempted<'_>,
    ) -> Woken {
        let (caller, given) = match &interest {
            Interest::Replies { caller, after } => (Some(caller.clone()), *after),
            _ => (None, EntryId::ZERO),
        };
        if let Interest::Arrivals { after } = interest {
            return self.watch_arrivals(session, after, block, attempted).await;
        }
        self.end_waits(&session).await;
        let parts = self.parts(interest);
        let wakes = self.side_by_side(session.clone(), parts, block, attempted).await?;
        if let Some(caller) = caller {
            let replied = wakes.iter().any(|(_, wake)| matches!(wake, Wake::Replies { .. }));
            if replied && !self.are_durable(&session, attempted).await? {
                // They are read again from where this watch began.
                return Ok(Wake::Nothing);
            }
            for (shard, wake) in &wakes {
                if let Wake::Replies { last, .. } = wake {
                    self.note_replies(&caller, *shard, *last);
                }
            }
        }
        Ok(wakes.into_iter().fold(Wake::Nothing, |all, (_, wake)| merged(all, wake, given)))
    }

    /// Whether what was just read is as durable as was asked for.
    async fn are_durable(
        &self,
        session: &Session,
        attempted: &Attempted<'_>,
    ) -> Result<bool, TransportError> {
        let durability = self.config().durability;
        if durability == Durability::Memory {
            return Ok(true);
        }
        let Some(commands) = self.commands(session) else {
            return Ok(false);
        };
        let confirming = self.beside(&commands, 0, attempted).await?;
        match durability.confirm(&confirming, attempted).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotDurable => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is to be waited for in each shard; at least one part.
    fn parts(&self, interest: Interest) -> Vec<Part> {
        let keys = &self.layout().keys;
        if self.config().layout == KeyLayout::Plain {
            return vec![(Shard::default(), interest)];
        }
        match interest {
            Interest::Deliveries { ref function, .. } => vec![(keys.shard(function), interest)],
            Interest::Arrivals { .. } => unreachable!("`watch_arrivals` has parts of its own"),
            Interest::Replies { caller, .. } => keys
                .shards()
                .map(|shard| {
                    let after = self.replies_seen(&caller, shard).unwrap_or(EntryId::ZERO);
                    (shard, Interest::Replies { caller: caller.clone(), after })
                })
                .collect(),
        }
    }

    /// Reads every part on a connection of its own; the first that ends ends the others.
    async fn side_by_side(
        &self,
        session: Arc<Session>,
        parts: Vec<Part>,
        block: Duration,
        attempted: &Attempted<'_>,
    ) -> Result<Vec<(Shard, Wake)>, TransportError> {
        let only = <[Part; 1]>::try_from(parts);
        let parts = match only {
            Ok([(shard, interest)]) => {
                let underway = self.begin_read(&session, shard, interest, block, attempted)?;
                return Ok(vec![(shard, underway.end(attempted).await?)]);
            }
            Err(several) => several,
        };
        let mut sessions = vec![session.clone()];
        for place in 1..parts.len() {
            sessions.push(self.beside(&session, place - 1, attempted).await?);
        }
        let mut reads = JoinSet::new();
        for (session, (shard, interest)) in sessions.iter().zip(parts) {
            let underway = self.begin_read(session, shard, interest, block, attempted)?;
            let attempted = attempted.to_string();
            reads.spawn(async move { (shard, underway.end(&attempted).await) });
        }
        let mut wakes = Vec::new();
        let mut ends = JoinSet::new();
        let mut first = true;
        while let Some(read) = reads.join_next().await {
            wakes.push(read);
            if std::mem::take(&mut first) && !reads.is_empty() {
                for session in &sessions {
                    let (transport, session) = (self.clone(), session.clone());
                    ends.spawn(async move { transport.unblock(&session, &session.reading).await });
                }
            }
        }
        while ends.join_next().await.is_some() {}
        let mut ended = Vec::with_capacity(wakes.len());
        for wake in wakes {
            let Ok((shard, wake)) = wake else {
                return Err(TransportError::unknown(
                    ErrorKind::Disconnected,
                    format!("{attempted}: its runtime has ended"),
                ));
            };
            ended.push((shard, wake?));
        }
        Ok(ended)
    }

    /// A further connection of a session, for what its own cannot wait for at the same time.
    pub(crate) async fn beside(
        &self,
        session: &Session,
        place: usize,
        attempted: &Attempted<'_>,
    ) -> Result<Arc<Session>, TransportError> {
        let known = lock(&session.beside).get(place).filter(|it| it.is_open()).cloned();
        let beside = match known {
            Some(beside) => beside,
            None => self.open_beside(session, place, attempted).await?,
        };
        // A read that was dropped may be about to end.
        beside.reading.over().await;
        Ok(beside)
    }

    async fn open_beside(
        &self,
        session: &Session,
        place: usize,
        attempted: &Attempted<'_>,
    ) -> Result<Arc<Session>, TransportError> {
        let disconnected = |why: &str| {
            TransportError::not_applied(ErrorKind::Disconnected, format!("{attempted}: {why}"))
        };
        let opened = session::open(self.config(), self.connector(), session.link);
        let opened = timeout(self.config().connect_timeout, opened).await;
        let (opened, _) = opened.map_err(|_elapsed| disconnected("no answer in time"))??;
        if opened.run_id != session.run_id {
            return Err(disconnected("the server was restarted"));
        }
        let opened = Arc::new(opened);
        let mut beside = lock(&session.beside);
        if !session.is_open() {
            return Err(disconnected("the session was closed"));
        }
        if place < beside.len() {
            beside[place] = opened.clone();
        } else {
            beside.push(opened.clone());
        }
        Ok(opened)
    }

    fn begin_read(
        &self,
        session: &Arc<Session>,
        shard: Shard,
        interest: Interest,
        block: Duration,
        attempted: &Attempted<'_>,
    ) -> Result<Underway, TransportError> {
        if !session.reading.begin() {
            return Err(busy(attempted));
        }
        let (reading, connection) = (session.reading.clone(), session.connection.clone());
        let layout = self.layout().clone();
        let most = block + self.config().block_margin;
        let read = async move {
            let wait = read::wait(&connection, &reading, &layout, shard, &interest, block);
            let ended = timeout(most, wait).await;
            reading.end();
            ended.ok()
        };
        Ok(Underway {
            transport: self.clone(),
            session: session.clone(),
            read: Some(Box::pin(read)),
        })
    }

    /// Ends a session's watch, and answers once it is over.
    pub(crate) async fn end_watch(&self, session: &Session) {
        if session.waits.is_watched() {
            session.waits.stop.notify_waiters();
            session.reading.over().await;
        } else {
            self.unblock(session, &session.reading).await;
        }
    }

    /// Ends a read that is under way on this session's connection, and answers once it is over.
    pub(crate) async fn unblock(&self, session: &Session, reading: &Reading) {
        let mut pause = Duration::from_millis(1);
        while reading.is_busy() {
            let Some(commands) = self.commands(session) else {
                session.close();
                return;
            };
            let mut pipe = Commands::new();
            pipe.cmd("CLIENT").arg("UNBLOCK").arg(session.id.0);
            let asked = ask(&commands.connection, &pipe, &"unblock");
            let asked = timeout(UNBLOCK_PATIENCE, asked).await;
            let refused = |answers: &Vec<Value>| {
                answers.iter().any(|answer| matches!(answer, Value::ServerError(_)))
            };
            if !asked.is_ok_and(|it| it.is_ok_and(|answers| !refused(&answers))) {
                session.close();
                return;
            }
            // It may not have blocked yet, or its answer may be on its way.
            let _ = timeout(pause, reading.over()).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The last reply seen in a shard; nothing in the plain layout, where core knows it.
    pub(crate) fn replies_seen(&self, caller: &CallerId, shard: Shard) -> Option<EntryId> {
        let seen = lock(self.seen()).get(&(caller.clone(), shard)).copied();
        (self.config().layout == KeyLayout::Cluster).then(|| seen.unwrap_or(EntryId::ZERO))
    }

    fn note_replies(&self, caller: &CallerId, shard: Shard, last: EntryId) {
        if self.config().layout == KeyLayout::Cluster {
            lock(self.seen()).insert((caller.clone(), shard), last);
        }
    }
}

/// What two parts of a watch came to. Replies of several shards are said to end at the last of them: where
/// each goes on is known here.
fn merged(all: Wake, more: Wake, given: EntryId) -> Wake {
    match (all, more) {
        (all, Wake::Nothing) => all,
        (Wake::Nothing, Wake::Replies { records, last }) => {
            Wake::Replies { records, last: last.max(given) }
        }
        (
            Wake::Replies { records: mut all, last: before },
            Wake::Replies { records: more, last },
        ) => {
            all.extend(more);
            Wake::Replies { records: all, last: last.max(before) }
        }
        (_, more) => more,
    }
}
