//! A redis-server of a test's own.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use redis::{Connection, FromRedisValue};
use tempfile::TempDir;

use crate::clock::ShiftedClock;
use crate::leaks::leaks;

/// A server on a free port of 127.0.0.1, without persistence, with its files in a folder of its own. It
/// ends when this is dropped; what it holds then is judged (P7), unless its test said why something is left.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    clock: Option<ShiftedClock>,
    /// Why it is not judged.
    leaves: OnceLock<&'static str>,
}

impl RedisServer {
    /// Starts a server; tells how to install one where there is none.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts it with more arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::try_with(arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts it with a wall clock that [`RedisServer::shift_clock`] moves.
    pub fn with_shifted_clock() -> Self {
        Self::start_by(&[], || ShiftedClock::new().map(Some))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Lets its wall clock stand off from the machine's by so many seconds from now on.
    ///
    /// # Panics
    /// Where it was not started with such a clock.
    pub fn shift_clock(&self, offset_s: i64) {
        let clock = self.clock.as_ref().expect("it was started with a clock that moves");
        clock.shift(offset_s).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Starts it with more arguments; an error that tells what to do where that cannot be.
    pub fn try_with(arguments: &[&str]) -> io::Result<Self> {
        Self::start_by(arguments, || Ok(None))
    }

    fn start_by(
        arguments: &[&str],
        clock: impl Fn() -> io::Result<Option<ShiftedClock>>,
    ) -> io::Result<Self> {
        // Somebody else may take a port between its choice and its use.
        for _ in 0..10 {
            let mut server = Self::spawn(free_port()?, arguments, clock()?)?;
            if server.answers() {
                return Ok(server);
            }
        }
        Err(io::Error::other("redis-server did not answer on ten ports in turn"))
    }

    /// Starts a node of a cluster that owns every slot.
    pub fn cluster_of_one() -> Self {
        let server = Self::with(&["--cluster-enabled", "yes"]);
        let mut raw = server.raw();
        let () = command(&mut raw, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        while !command::<String>(&mut raw, &["CLUSTER", "INFO"]).contains("cluster_state:ok") {
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Starts a replica of this server and waits until it follows.
    #[must_use = "it ends when it is dropped"]
    pub fn replica(&self) -> Self {
        let port = self.port.to_string();
        let replica = Self::with(&["--replicaof", "127.0.0.1", &port]);
        replica.leaves("what it holds is its primary's");
        let mut raw = self.raw();
        while command::<u64>(&mut raw, &["WAIT", "1", "100"]) == 0 {
            let () = command(&mut raw, &["TIME"]);
        }
        replica
    }

    fn spawn(port: u16, arguments: &[&str], clock: Option<ShiftedClock>) -> io::Result<Self> {
        let folder = TempDir::new()?;
        let arguments: Vec<String> = arguments.iter().map(|&it| it.to_owned()).collect();
        let child = process(port, folder.path(), &arguments, clock.as_ref())?;
        Ok(Self { child, port, folder, arguments, clock, leaves: OnceLock::new() })
    }

    /// Ends it for now; all that it held is lost.
    pub fn end(self) -> Ended {
        self.leaves("who uses it goes on");
        Ended { port: self.port }
    }

    /// Kills the process, and starts it again where it was, with the files that it left.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = process(self.port, self.folder.path(), &self.arguments, self.clock.as_ref())
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(self.answers(), "the server does not start again");
    }

    /// Says why something is left at its end that P7 forbids, so that it is not judged. The first reason stands.
    pub fn leaves(&self, why: &'static str) {
        let _ = self.leaves.set(why);
    }

    /// What it holds that P7 forbids, in every database, once that does not get less.
    fn leaks(&self) -> Vec<String> {
        let began = Instant::now();
        let mut raw = self.raw();
        loop {
            let keyspace: String = command(&mut raw, &["INFO", "keyspace"]);
            let number = |line: &str| Some(line.strip_prefix("db")?.split_once(':')?.0.to_owned());
            let mut found = Vec::new();
            for database in keyspace.lines().filter_map(number) {
                let () = command(&mut raw, &["SELECT", &database]);
                found.extend(leaks(&mut raw));
            }
            if found.is_empty() || began.elapsed() > Duration::from_secs(2) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until this very process answers.
    fn answers(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            if let Ok(mut connection) = self.try_raw() {
                let info = redis::cmd("INFO").arg("server").query::<String>(&mut connection);
                let mine = format!("process_id:{}\r", self.child.id());
                // Where it asks for a password, it is ours to give.
                return info.map_or(true, |info| info.contains(&mine));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it is, with credentials: `user:password`.
    pub fn url_as(&self, credentials: &str) -> String {
        format!("redis://{credentials}@127.0.0.1:{}", self.port)
    }

    /// Where its Unix socket is.
    pub fn unix_url(&self) -> String {
        format!("unix://{}/socket", self.folder.path().display())
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    fn try_raw(&self) -> redis::RedisResult<Connection> {
        redis::Client::open(self.url())?.get_connection()
    }

    /// Puts a list in a key's place, which no key of the layout is.
    pub fn replace_by_a_list(&self, key: &str) {
        let mut raw = self.raw();
        let _: u64 = command(&mut raw, &["DEL", key]);
        let _: u64 = command(&mut raw, &["RPUSH", key, "x"]);
    }

    /// A connection for commands of the test's own.
    pub fn raw(&self) -> Connection {
        self.try_raw().expect("the server answered before")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let ended = self.child.try_wait().is_ok_and(|ended| ended.is_some());
        let judged = !std::thread::panicking() && !ended && self.leaves.get().is_none();
        let left = if judged { self.leaks() } else { Vec::new() };
        let _ = self.child.kill();
        let _ = self.child.wait();
        assert!(left.is_empty(), "left at the server, and no word of why: {left:#?}");
    }
}

/// A server that has ended, and may begin anew on the port that it had.
#[derive(Debug)]
pub struct Ended {
    port: u16,
}

impl Ended {
    /// Starts it again, empty.
    pub fn start(self) -> RedisServer {
        let mut server =
            RedisServer::spawn(self.port, &[], None).unwrap_or_else(|error| panic!("{error}"));
        assert!(server.answers(), "the port that it had is taken");
        server
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn process(
    port: u16,
    folder: &Path,
    arguments: &[String],
    clock: Option<&ShiftedClock>,
) -> io::Result<Child> {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--repl-diskless-sync-delay", "0"])
        .args(["--port", &port.to_string(), "--unixsocket", "socket", "--dir"])
        .arg(folder)
        .args(arguments)
        .envs(clock.into_iter().flat_map(ShiftedClock::environment))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            let remedy = "apt-get install redis-server";
            io::Error::other(format!("redis-server cannot be started ({error}); {remedy}"))
        })
}

/// Sends a command, which must succeed.
pub fn command<T: FromRedisValue>(raw: &mut Connection, words: &[&str]) -> T {
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    cmd.query(raw).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}
