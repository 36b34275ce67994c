//! One connection: opened, introduced, and known by the server's client id.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use steadfast_core::name::{RunId, SessionId};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Connected, ErrorKind, Link, TransportError};
use steadfast_core::wire::Keys;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::answer::{clock, number, text};
use crate::arrivals::Waits;
use crate::choice::KeyLayout;
use crate::command::{Command, Commands};
use crate::config::{Endpoint, RedisConfig, Secret};
use crate::connection::Connection;
use crate::connector::Connector;
use crate::error::{Attempted, nonsense, of_server, of_unanswered};
use crate::resp::Value;
use crate::script::Script;
use crate::transport::lock;

/// For so long the server's time is reckoned from what it told. Nothing is decided by it: scripts go by
/// the server's clock, and correct whoever reckoned with a clock that was set meanwhile.
const TOLD_FOR: Duration = Duration::from_secs(30);

/// Whether a blocking read is on its way.
#[derive(Debug)]
pub(crate) struct Reading {
    is_busy: AtomicBool,
    over: Notify,
    /// What the last read brought came alone: one call, or the reply to one.
    brought_one: AtomicBool,
    /// The server's clock as it was told last, and when that was.
    told: Mutex<Option<(StoreTime, Instant)>>,
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self {
            is_busy: AtomicBool::new(false),
            over: Notify::new(),
            brought_one: AtomicBool::new(false),
            told: Mutex::new(None),
        }
    }

    /// Marks a read as begun; answers false where one is on its way already.
    pub(crate) fn begin(&self) -> bool {
        !self.is_busy.swap(true, Ordering::AcqRel)
    }

    /// The read has ended.
    pub(crate) fn end(&self) {
        self.is_busy.store(false, Ordering::Release);
        self.over.notify_waiters();
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    /// Returns once no read is on its way.
    pub(crate) async fn over(&self) {
        loop {
            let over = self.over.notified();
            if !self.is_busy() {
                return;
            }
            over.await;
        }
    }

    /// Whether what the last read brought came alone.
    pub(crate) fn brought_one(&self) -> bool {
        self.brought_one.load(Ordering::Relaxed)
    }

    /// A read has brought something.
    pub(crate) fn note_brought(&self, came_alone: bool) {
        self.brought_one.store(came_alone, Ordering::Relaxed);
    }

    /// The server's time by what it told last; none where it told none yet.
    pub(crate) fn reckoned(&self) -> Option<StoreTime> {
        let (told, at) = (*self.told.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(told + at.elapsed())
    }

    /// What the server told is so old that it is to be asked again.
    pub(crate) fn is_to_ask(&self) -> bool {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.is_none_or(|(_, at)| at.elapsed() > TOLD_FOR)
    }

    /// The server told its time.
    pub(crate) fn note(&self, now: StoreTime) {
        let told = Some((now, Instant::now()));
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }
}

/// A connection that stands. Dropping it closes it.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) run_id: RunId,
    /// The server shows this connection in its list of clients, by [`Session::id`].
    pub(crate) is_seen: bool,
    pub(crate) link: Link,
    pub(crate) connection: Arc<Connection>,
    pub(crate) reading: Arc<Reading>,
    /// Further connections, for waits that one cannot do; they end with it.
    pub(crate) beside: Mutex<Vec<Arc<Session>>>,
    /// What goes on between its watches.
    pub(crate) waits: Arc<Waits>,
    is_closed: AtomicBool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

impl Session {
    /// Ends the connection, whoever still has a handle to it.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.connection.close();
        for beside in lock(&self.beside).iter() {
            beside.close();
        }
    }

    /// The server's life as consumers name it whose sessions are over with it. Where the connection is not
    /// shown it is none: whoever watches such a consumer judges it by its heartbeat.
    pub(crate) fn registered_life(&self) -> &RunId {
        static NONE: LazyLock<RunId> =
            LazyLock::new(|| RunId::new("hidden").expect("a short word is a run id"));
        if self.is_seen { &self.run_id } else { &NONE }
    }

    /// Nobody closed it; the server may have, for all that is known.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }
}

/// Opens a connection and introduces it. Dropped on the way, nothing of it remains.
pub(crate) async fn open(
    config: &RedisConfig,
    connector: &dyn Connector,
    link: Link,
) -> Result<(Session, Connected), TransportError> {
    let attempted = format!("connect {link} to {}", config.describe());
    let stream = connector.open().await.map_err(|error| not_opened(&error, &attempted))?;
    // A blocking read is bounded where it is made.
    let timeout = (link == Link::Command).then_some(config.response_timeout);
    let connection = Arc::new(Connection::new(stream, timeout));
    let met = async {
        log_in(&connection, config, &attempted).await?;
        introduce(&connection, config, link, &attempted).await
    };
    let connected = met.await.map_err(|error| not_met(error, config))?;
    if link == Link::Command {
        if config.layout == KeyLayout::Cluster {
            find_slots(&connection, &config.prefix, &attempted).await?;
        }
        load_scripts(&connection, &attempted).await?;
    }
    let session = Session {
        id: connected.session,
        run_id: connected.run_id.clone(),
        is_seen: connected.sees_sessions,
        link,
        connection,
        beside: Mutex::default(),
        waits: Arc::default(),
        is_closed: AtomicBool::new(false),
        reading: Arc::new(Reading::new()),
    };
    Ok((session, connected))
}

/// A certificate that is not trusted is not trusted the next time either; all else may mend itself.
fn not_opened(error: &std::io::Error, attempted: &str) -> TransportError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<tokio_rustls::rustls::Error>());
    match tls {
        Some(tokio_rustls::rustls::Error::InvalidCertificate(_)) => TransportError::not_applied(
            ErrorKind::Denied,
            format!(
                "{attempted}: {error}; trust its authority (`ca` in the URL, STEADFAST_REDIS_CA)"
            ),
        ),
        Some(tokio_rustls::rustls::Error::InvalidMessage(_)) => TransportError::not_applied(
            ErrorKind::Disconnected,
            format!(
                "{attempted}: {error}; the port may not speak TLS (redis:// is for one without)"
            ),
        ),
        _ => TransportError::not_applied(ErrorKind::Disconnected, format!("{attempted}: {error}")),
    }
}

/// A port that speaks TLS hangs up on who does not, or answers with an alert.
fn not_met(mut error: TransportError, config: &RedisConfig) -> TransportError {
    let hung_up = matches!(error.kind, ErrorKind::Disconnected | ErrorKind::Protocol);
    if hung_up && matches!(config.endpoint, Endpoint::Tcp { .. }) {
        error.detail.push_str("; the port may speak TLS (rediss://)");
    }
    error
}

async fn log_in(
    connection: &Connection,
    config: &RedisConfig,
    attempted: &Attempted<'_>,
) -> Result<(), TransportError> {
    let mut pipe = Commands::new();
    // A user without a password is one that needs none, or is refused: never the default user.
    let password = config.password.as_ref().map(Secret::reveal);
    match (&config.username, password) {
        (Some(username), password) => {
            pipe.cmd("AUTH").arg(username).arg(password.unwrap_or_default());
        }
        (None, Some(password)) => {
            pipe.cmd("AUTH").arg(password);
        }
        (None, None) => {}
    }
    if config.database != 0 {
        pipe.cmd("SELECT").arg(config.database);
    }
    for answer in ask(connection, &pipe, attempted).await? {
        if let Value::ServerError(error) = &answer {
            return Err(of_server(error, &format!("{attempted}: login")));
        }
    }
    Ok(())
}

async fn introduce(
    connection: &Connection,
    config: &RedisConfig,
    link: Link,
    attempted: &Attempted<'_>,
) -> Result<Connected, TransportError> {
    let mut pipe = Commands::new();
    // Spaces are not allowed in a client's name.
    let name = format!("{}:{link}", config.client_name).replace(char::is_whitespace, "-");
    pipe.cmd("CLIENT").arg("SETNAME").arg(&name);
    pipe.cmd("CLIENT").arg("ID");
    pipe.cmd("INFO").arg("server");
    pipe.cmd("TIME");
    let answers = ask(connection, &pipe, attempted).await?;
    let [_name, id, info, time] = &answers[..] else {
        return Err(nonsense(attempted));
    };
    for (what, answer) in [("CLIENT ID", id), ("INFO server", info), ("TIME", time)] {
        if let Value::ServerError(error) = answer {
            return Err(of_server(error, &format!("{attempted}: {what}")));
        }
    }
    let told = |wanted: &str| {
        let info = text(info).unwrap_or_default();
        told(info, wanted)
    };
    fits(told("redis_version"), told("redis_mode"), config, attempted)?;
    let run_id = told("run_id").and_then(|id| RunId::new(id).ok());
    match (number(id), run_id, clock(time)) {
        (Ok(id), Some(run_id), Ok(now)) => {
            let sees_sessions = is_seen(connection, id, &name, attempted).await?;
            Ok(Connected { session: SessionId(id), run_id, now, sees_sessions })
        }
        _ => Err(nonsense(attempted)),
    }
}

/// A field of what `INFO` answers.
pub(crate) fn told<'i>(info: &'i str, wanted: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':').map(str::trim))
}

/// The server knows what the scripts need, and the layout is for such a one.
fn fits(
    version: Option<&str>,
    mode: Option<&str>,
    config: &RedisConfig,
    attempted: &Attempted<'_>,
) -> Result<(), TransportError> {
    let unsupported = |why: &str| {
        TransportError::not_applied(ErrorKind::Unsupported, format!("{attempted}: {why}"))
    };
    let major = version.and_then(|version| version.split('.').next()?.parse().ok());
    if major.is_some_and(|major: u32| major < 7) {
        return Err(unsupported("the server is older than Redis 7.0, which the scripts need"));
    }
    if mode == Some("cluster") && config.layout == KeyLayout::Plain {
        return Err(unsupported(
            "the server is a node of a cluster, where the keys of the plain layout have different \
             slots; choose the cluster layout (`layout=cluster` in the URL, \
             STEADFAST_REDIS_LAYOUT=cluster)",
        ));
    }
    Ok(())
}

/// Whether the server's list of clients has this connection: by its number, under the name that it was
/// just given, and still by that number afterwards. A proxy may pass each on to another connection.
async fn is_seen(
    connection: &Connection,
    id: u64,
    name: &str,
    attempted: &Attempted<'_>,
) -> Result<bool, TransportError> {
    let mut pipe = Commands::new();
    pipe.cmd("CLIENT").arg("LIST").arg("ID").arg(id);
    pipe.cmd("CLIENT").arg("ID");
    let answers = ask(connection, &pipe, attempted).await?;
    let [clients, again] = &answers[..] else {
        return Err(nonsense(attempted));
    };
    let mut clients = text(clients).unwrap_or_default().lines();
    let is_mine = |line: &str| {
        let mut fields = line.split(' ');
        fields.next() == Some(&format!("id={id}")) && fields.any(|it| it == format!("name={name}"))
    };
    let is_listed = clients.next().is_some_and(is_mine) && clients.next().is_none();
    Ok(is_listed && number(again).is_ok_and(|again| again == id))
}

/// Every tag's slot must be this node's: one connection speaks to one node.
async fn find_slots(
    connection: &Connection,
    prefix: &Arc<str>,
    attempted: &Attempted<'_>,
) -> Result<(), TransportError> {
    let keys = Keys::new(prefix.clone()).in_cluster();
    let mut pipe = Commands::new();
    for shard in keys.shards() {
        pipe.cmd("EXISTS").arg(keys.all_functions(shard));
    }
    for answer in ask(connection, &pipe, attempted).await? {
        if let Value::ServerError(error) = &answer {
            return Err(of_server(error, &format!("{attempted}: the slots of the layout")));
        }
    }
    Ok(())
}

/// Only once the server has let us in: it cuts who sends so much before.
async fn load_scripts(
    connection: &Connection,
    attempted: &Attempted<'_>,
) -> Result<(), TransportError> {
    let mut pipe = Commands::new();
    for load in Script::load_all() {
        pipe.push(load);
    }
    for answer in ask(connection, &pipe, attempted).await? {
        if let Value::ServerError(error) = &answer {
            return Err(of_server(error, &format!("{attempted}: SCRIPT LOAD")));
        }
    }
    Ok(())
}

/// Sends commands; an error reply stands among the answers.
pub(crate) async fn ask(
    connection: &Connection,
    commands: &[Command],
    attempted: &Attempted<'_>,
) -> Result<Vec<Value>, TransportError> {
    connection.ask(commands).await.map_err(|why| of_unanswered(why, attempted))
}
