//! A redis-server of a test's own, and the commands that speak to it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::binary::{steadfast, wait_until};

/// Where nothing listens: a port that only the administrator may use, and nobody does.
pub(crate) const NOWHERE: &str = "redis://127.0.0.1:1";

/// A server on a free port of this machine; it ends with this value.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with more options.
    pub(crate) fn with(options: &[&str]) -> Self {
        // A port is free when it is asked for; somebody may take it before the server does.
        let started = (0..10).find_map(|_| Self::attempt(options));
        started.expect("redis-server starts on one of ten free ports")
    }

    fn attempt(options: &[&str]) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::on(port, options)
    }

    /// Ends the server; all that it held is lost.
    pub(crate) fn end(self) -> Ended {
        Ended { port: self.port }
    }

    fn on(port: u16, options: &[&str]) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let spawned = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(options)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("these tests need redis-server: apt-get install redis-server")
            }
            Err(error) => panic!("cannot start redis-server: {error}"),
        };
        let mut server = Self { child, port, _folder: folder };
        let mut has_ended = false;
        wait_until("redis-server answers, or ends", || {
            has_ended = server.child.try_wait().unwrap().is_some();
            has_ended || answers(port)
        });
        (!has_ended).then_some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The URL with credentials: `user:password`.
    pub(crate) fn url_as(&self, credentials: &str) -> String {
        format!("redis://{credentials}@127.0.0.1:{}", self.port)
    }
}

/// A server that has ended, and may begin anew on the port that it had.
pub(crate) struct Ended {
    port: u16,
}

impl Ended {
    /// Starts it again, empty.
    pub(crate) fn start(self) -> RedisServer {
        RedisServer::on(self.port, &[]).expect("redis-server starts on the port it had before")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a server answers there, be it with a refusal.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut first = [0];
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut first).is_ok()
}

/// What a command left that was run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary to its end; the environment names the store, unless `url` is empty.
pub(crate) fn run_at(url: &str, arguments: &[&str]) -> Done {
    let mut command = steadfast();
    if !url.is_empty() {
        command.env("STEADFAST_REDIS_URL", url);
    }
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    Done {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
