//! A redis-server of this program's own, and what it tells of itself.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use redis::Connection;
use tempfile::TempDir;

/// A server on a free port of 127.0.0.1, without persistence, its files in a folder of its own. Ends when
/// dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    connection: Connection,
    version: String,
    _folder: TempDir,
}

impl Server {
    /// Starts it; somebody else may take a port between its choice and its use, so several are tried.
    pub(crate) fn start() -> Result<Self> {
        for _ in 0..10 {
            if let Some(server) = Self::try_start()? {
                return Ok(server);
            }
        }
        bail!("redis-server did not answer on ten ports in turn")
    }

    fn try_start() -> Result<Option<Self>> {
        let folder = TempDir::new().context("cannot make a temporary folder for redis-server")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start redis-server; install it: apt-get install redis-server")?;
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) && child.try_wait()?.is_none() {
            if let Ok(mut connection) = client.get_connection() {
                let info: String = redis::cmd("INFO").arg("server").query(&mut connection)?;
                if member(&info, "process_id") != Some(&child.id().to_string()) {
                    break;
                }
                let version = member(&info, "redis_version").unwrap_or_default().to_owned();
                return Ok(Some(Self { child, port, connection, version, _folder: folder }));
            }
            sleep(Duration::from_millis(5));
        }
        end(&mut child);
        Ok(None)
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// A connection for commands of this program's own.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Removes every key.
    pub(crate) fn empty(&mut self) -> Result<()> {
        Ok(redis::cmd("FLUSHALL").query(&mut self.connection)?)
    }

    /// CPU time of the whole process so far, in microseconds.
    pub(crate) fn cpu_us(&mut self) -> Result<f64> {
        let info: String = redis::cmd("INFO").arg("cpu").query(&mut self.connection)?;
        let seconds = |name| -> Result<f64> {
            let text = member(&info, name).with_context(|| format!("INFO cpu has no {name}"))?;
            Ok(text.parse()?)
        };
        Ok((seconds("used_cpu_user")? + seconds("used_cpu_sys")?) * 1e6)
    }

    /// Connections but this program's own.
    pub(crate) fn connections(&mut self) -> Result<u64> {
        let info: String = redis::cmd("INFO").arg("clients").query(&mut self.connection)?;
        let text = member(&info, "connected_clients").context("INFO clients tells how many")?;
        Ok(text.parse::<u64>()?.saturating_sub(1))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// The value of a member of INFO.
fn member<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}
