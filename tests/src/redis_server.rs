//! A redis-server of a test's own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Connection, FromRedisValue};
use tempfile::TempDir;

/// A server on a free port of 127.0.0.1, without persistence, with its files in a folder of its own. It
/// ends when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts a server; tells how to install one where there is none.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts it with more arguments.
    pub fn with(arguments: &[&str]) -> Self {
        // Somebody else may take a port between its choice and its use.
        for _ in 0..10 {
            let mut server = Self::spawn(arguments);
            if server.answers() {
                return server;
            }
        }
        panic!("redis-server did not answer on ten ports in turn");
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
        let mut raw = self.raw();
        while command::<u64>(&mut raw, &["WAIT", "1", "100"]) == 0 {
            let () = command(&mut raw, &["TIME"]);
        }
        replica
    }

    fn spawn(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let arguments: Vec<String> = arguments.iter().map(|&it| it.to_owned()).collect();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("there is a free port")
            .port();
        let child = Self::process(port, folder.path(), &arguments);
        Self { child, port, folder, arguments }
    }

    /// Kills the process, and starts it again where it was, with the files that it left.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = Self::process(self.port, self.folder.path(), &self.arguments);
        assert!(self.answers(), "the server does not start again");
    }

    fn process(port: u16, folder: &Path, arguments: &[String]) -> Child {
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder)
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server cannot be started ({error}); apt-get install redis-server")
            })
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
                return info.is_ok_and(|info| info.contains(&mine));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
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

    /// A connection for commands of the test's own.
    pub fn raw(&self) -> Connection {
        self.try_raw().expect("the server answered before")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a command, which must succeed.
pub fn command<T: FromRedisValue>(raw: &mut Connection, words: &[&str]) -> T {
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    cmd.query(raw).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}
