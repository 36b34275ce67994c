//! What a deployment chooses: how keys are laid out, and what a write has to survive.

use std::fmt;
use std::str::FromStr;

/// How keys are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyLayout {
    /// As older peers and operators know them. For a server that is no node of a cluster.
    #[default]
    Plain,
    /// All keys of a function, of its calls and of the replies to them carry one of sixteen hash tags. For
    /// a node of a cluster that owns the slots of all of them, and for servers that are to become one.
    Cluster,
}

impl FromStr for KeyLayout {
    type Err = ();

    /// Reads `plain` or `cluster`.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "plain" => Ok(Self::Plain),
            "cluster" => Ok(Self::Cluster),
            _ => Err(()),
        }
    }
}

impl fmt::Display for KeyLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Cluster => "cluster",
        })
    }
}

/// What an accepted call and an outcome have to survive before anybody is told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// What the server does by itself: a crash or a failover may lose what it acknowledged last.
    #[default]
    Memory,
    /// So many replicas have it (`WAIT`): a failover to one of them keeps it. What they do not confirm
    /// within the response timeout counts as unknown, and is sent again.
    Replicas(u8),
    /// The server has it on its disk (`WAITAOF`, Redis 7.2 and later, with its append-only file on).
    Fsync,
}

impl FromStr for Durability {
    type Err = ();

    /// Reads `memory`, `replicas:N` with N from 1, or `fsync`.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "memory" => Ok(Self::Memory),
            "fsync" => Ok(Self::Fsync),
            _ => {
                let replicas = text.strip_prefix("replicas:").and_then(|it| it.parse().ok());
                replicas.filter(|it| *it > 0).map(Self::Replicas).ok_or(())
            }
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Replicas(count) => write!(f, "replicas:{count}"),
            Self::Fsync => f.write_str("fsync"),
        }
    }
}
