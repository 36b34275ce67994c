//! Where the server is and how to speak to it: from a URL, the environment, or piece by piece.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::choice::{Durability, KeyLayout};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// TCP, in the clear.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// TLS over TCP, by rustls, against the system's certificates and those of
    /// [`RedisConfig::ca_pem`].
    Tls {
        /// Host name or address; the certificate must be for it.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// The socket's path.
        path: PathBuf,
    },
}

/// Why settings cannot be used. Quotes of a URL only what cannot be part of a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no URL.
    #[error(
        "the Redis URL cannot be read: {problem}; write redis://[USER:PASSWORD@]HOST[:PORT][/DB], \
         rediss:// for TLS, or unix://[USER:PASSWORD@]/SOCKET"
    )]
    NotAUrl {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nobody can tell where its password ends.
    #[error("the Redis URL has {what}; percent-encode ? # / @ : in user, password and parameters")]
    Ambiguous {
        /// What makes it so.
        what: &'static str,
    },
    /// A scheme other than the three that are known.
    #[error("the Redis URL's scheme is `{scheme}`; use redis://, rediss:// (TLS) or unix://")]
    Scheme {
        /// The scheme as given.
        scheme: String,
    },
    /// No host, or no path for a Unix socket.
    #[error("the Redis URL names no {what}")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// The database is no number from 0.
    #[error("the database in {place} is no whole number from 0")]
    Database {
        /// Where it was given.
        place: &'static str,
    },
    /// A variable of the environment cannot be used.
    #[error("the environment's {variable} {problem}")]
    Variable {
        /// Which variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A parameter behind the URL's `?` that is not known.
    #[error(
        "the Redis URL's parameter `{name}` is unknown; known are `db`, `prefix`, `layout`, `durability` and `ca`"
    )]
    Parameter {
        /// Its name.
        name: String,
    },
    /// The layout is none.
    #[error("the layout in {place} is neither `plain` nor `cluster`")]
    Layout {
        /// Where it was given.
        place: &'static str,
    },
    /// The durability is none.
    #[error("the durability in {place} is none of `memory`, `replicas:N` (N from 1) and `fsync`")]
    Durability {
        /// Where it was given.
        place: &'static str,
    },
    /// A prefix that would take the place of the cluster layout's tags.
    #[error(
        "the prefix has a `{{`, which would hide the tags of the cluster layout; choose another"
    )]
    PrefixHidesTags,
    /// The certificates to trust cannot be used.
    #[error("the certificates to trust cannot be used: {problem}")]
    Certificates {
        /// What is wrong with them.
        problem: String,
    },
}

/// All settings of the transport. `Debug` shows no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisConfig {
    /// Where the server listens.
    pub endpoint: Endpoint,
    /// The ACL user; none is the default user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The database, from 0.
    pub database: u32,
    /// Stands before every key.
    pub prefix: Arc<str>,
    /// How the connections are named in `CLIENT LIST`.
    pub client_name: String,
    /// The longest that opening a connection may take, TLS and login included.
    pub connect_timeout: Duration,
    /// The longest that the answer to commands may take.
    pub response_timeout: Duration,
    /// How much longer than its BLOCK a blocking read may take.
    pub block_margin: Duration,
    /// The most dead letters of one function; above them the oldest is dropped.
    pub dead_letters_max: u32,
    /// Certificates to trust beside the system's, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// How keys are named.
    pub layout: KeyLayout,
    /// What a write has to survive before anybody is told of it.
    pub durability: Durability,
}

impl RedisConfig {
    /// Default settings for a server.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            username: None,
            password: None,
            database: 0,
            prefix: "".into(),
            client_name: "steadfast".to_owned(),
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(10),
            block_margin: Duration::from_secs(1),
            dead_letters_max: 10_000,
            ca_pem: None,
            layout: KeyLayout::default(),
            durability: Durability::default(),
        }
    }

    /// Where it leads, without user and password.
    pub(crate) fn describe(&self) -> String {
        let database = self.database;
        match &self.endpoint {
            Endpoint::Tcp { host, port } => format!("redis://{host}:{port}/{database}"),
            Endpoint::Tls { host, port } => format!("rediss://{host}:{port}/{database}"),
            Endpoint::Unix { path } => format!("unix://{}?db={database}", path.display()),
        }
    }
}

pub(crate) fn layout(text: &str, place: &'static str) -> Result<KeyLayout, ConfigError> {
    text.parse().map_err(|()| ConfigError::Layout { place })
}

pub(crate) fn durability(text: &str, place: &'static str) -> Result<Durability, ConfigError> {
    text.parse().map_err(|()| ConfigError::Durability { place })
}

/// The certificates of a file, as PEM.
pub(crate) fn certificates(file: &str) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(file)
        .map_err(|error| ConfigError::Certificates { problem: format!("{file}: {error}") })
}

pub(crate) fn database(text: &str, place: &'static str) -> Result<u32, ConfigError> {
    text.parse().map_err(|_| ConfigError::Database { place })
}
