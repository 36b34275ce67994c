//! Commands that speak to a redis-server, to their end.

use std::process::Stdio;

pub(crate) use steadfast_tests::RedisServer;

use crate::binary::steadfast;

/// Where nothing listens: a port that only the administrator may use, and nobody does.
pub(crate) const NOWHERE: &str = "redis://127.0.0.1:1";

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
