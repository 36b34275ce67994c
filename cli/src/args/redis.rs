//! Which Redis server a command speaks to.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::Args;

/// A Redis URL as it was given. It may hold a password, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisUrl(String);

impl RedisUrl {
    /// The URL's text, for the transport and for nobody else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedisUrl {
    type Err = Infallible;

    /// Takes any text: clap would quote one that is refused here. The transport judges it.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a Redis URL)")
    }
}

/// The server of a command that needs one.
#[derive(Clone, Debug, Args)]
pub(crate) struct RedisArguments {
    /// The Redis server (7.0 or later): `redis://[USER:PASSWORD@]HOST[:PORT][/DB][?prefix=P]`, `rediss://`
    /// for TLS, `unix:///SOCKET?db=DB`. Without it the environment names the server:
    /// `STEADFAST_REDIS_URL`, or else `QUEUE_BULL_REDIS_HOST`, `_PORT`, `_DB`, `_USERNAME`,
    /// `_PASSWORD` and `_TLS`; without those it is at 127.0.0.1:6379. Further parameters behind the `?`,
    /// and above them `STEADFAST_REDIS_LAYOUT`, `_DURABILITY` and `_CA`: `layout=plain|cluster`,
    /// `durability=memory|replicas:N|fsync`, `ca=FILE` (certificates to trust, PEM). A command line can be seen by
    /// other users of the machine: give a password by the environment.
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<RedisUrl>,
}
