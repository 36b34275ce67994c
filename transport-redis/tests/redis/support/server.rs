//! A redis-server of the test's own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Connection, ConnectionInfo, IntoConnectionInfo};
use steadfast_transport_redis::{RedisBuilder, RedisTransport};
use tempfile::TempDir;

/// A server on a free port, without persistence, with its files in a folder of its own. Ends when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        // Somebody else may take a port between its choice and its use.
        for _ in 0..10 {
            let mut server = Self::spawn(arguments);
            if server.answers() {
                return server;
            }
        }
        panic!("redis-server did not answer on ten ports in turn");
    }

    /// Ends it, and starts an empty one where it was.
    pub(crate) fn restart(self) -> Self {
        let port = self.port;
        drop(self);
        let mut server = Self::spawn_on(port, &[]);
        assert!(server.answers(), "its port is taken");
        server
    }

    fn spawn(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("there is a free port")
            .port();
        Self::spawn_on(port, arguments)
    }

    fn spawn_on(port: u16, arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--unixsocket", "socket", "--dir"])
            .arg(folder.path())
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server cannot be started ({error}); apt-get install redis-server")
            });
        Self { child, port, folder }
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
                if let Ok(info) = info {
                    return info.contains(&mine);
                }
                // It asks for a password: it is ours to give.
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn unix_url(&self) -> String {
        format!("unix://{}/socket", self.folder.path().display())
    }

    pub(crate) fn builder(&self) -> RedisBuilder {
        RedisTransport::builder(&self.url()).expect("the URL of a test server is one")
    }

    pub(crate) fn transport(&self) -> RedisTransport {
        self.builder().build().expect("plain TCP needs nothing more")
    }

    fn try_raw(&self) -> redis::RedisResult<Connection> {
        let info: ConnectionInfo = self.url().as_str().into_connection_info()?;
        redis::Client::open(info)?.get_connection()
    }

    /// A connection for commands of the test's own.
    pub(crate) fn raw(&self) -> Connection {
        self.try_raw().expect("the server answered before")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
