//! Which Redis server a command speaks to.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::Args;

use crate::store::{Durability, KeyLayout};

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
    /// for TLS, `unix://[USER:PASSWORD@]/SOCKET?db=DB`. Percent-encode `? # / @ :` in a password. Without it
    /// the environment names the server: `STEADFAST_REDIS_URL`, or else `QUEUE_BULL_REDIS_HOST`, `_PORT`,
    /// `_DB`, `_USERNAME`, `_PASSWORD` and `_TLS`; without those it is at 127.0.0.1:6379. Further parameters
    /// behind the `?`: `layout`, `durability`, `ca=FILE` (certificates to trust, PEM). Above what a URL says
    /// stand `STEADFAST_REDIS_LAYOUT`, `_DURABILITY` and `_CA`, and `_PREFIX` where it names none. A command
    /// line can be seen by other users of the machine: give a password by the environment.
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<RedisUrl>,

    #[command(flatten)]
    pub(crate) choices: RedisChoices,
}

/// How the server is used: above what its URL and the environment say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct RedisChoices {
    /// How keys are named: `plain`, or `cluster` for a node of a cluster. Every process of a fleet must
    /// use the same. Above the URL's `layout` and `STEADFAST_REDIS_LAYOUT`.
    #[arg(long, value_name = "plain|cluster", value_parser = layout)]
    pub(crate) layout: Option<KeyLayout>,

    /// What an accepted call and an outcome have to survive before anybody is told of them: `memory`, what
    /// the server does by itself; `replicas:N`, N replicas have them; `fsync`, the server's disk has them
    /// (Redis 7.2, `appendonly yes`). Above the URL's `durability` and `STEADFAST_REDIS_DURABILITY`.
    #[arg(long, value_name = "memory|replicas:N|fsync", value_parser = durability)]
    pub(crate) durability: Option<Durability>,

    /// Stands before every key. Every process of a fleet must use the same. Above the URL's `prefix` and
    /// `STEADFAST_REDIS_PREFIX`; an empty one is none.
    #[arg(long, value_name = "P")]
    pub(crate) prefix: Option<String>,
}

fn layout(text: &str) -> Result<KeyLayout, String> {
    text.parse().map_err(|()| "it is neither `plain` nor `cluster`".to_owned())
}

fn durability(text: &str) -> Result<Durability, String> {
    text.parse()
        .map_err(|()| "it is none of `memory`, `replicas:N` (N from 1) and `fsync`".to_owned())
}
