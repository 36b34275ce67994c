//! A redis-server of this program's own, and what it tells of itself.

use anyhow::{Context, Result};
use redis::Connection;
use steadfast_tests::RedisServer;

/// A server without persistence, and a connection of this program's own. Ends when dropped.
pub(crate) struct Server {
    process: RedisServer,
    connection: Connection,
    version: String,
}

impl Server {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let server = RedisServer::try_with(&[])?;
        server.leaves("a measurement ends in the middle of its calls");
        let mut connection = server.raw();
        let info: String = redis::cmd("INFO").arg("server").query(&mut connection)?;
        let version = member(&info, "redis_version").unwrap_or_default().to_owned();
        Ok(Self { process: server, connection, version })
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.process.port()
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

/// The value of a member of INFO.
fn member<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}
