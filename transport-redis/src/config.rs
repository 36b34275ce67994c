//! Where the server is and how to speak to it: from a URL, the environment, or piece by piece.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::Url;

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

/// Why settings cannot be used. Never quotes a URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no URL.
    #[error(
        "the Redis URL cannot be read ({problem}); write redis://[USER:PASSWORD@]HOST[:PORT][/DB]"
    )]
    NotAUrl {
        /// What is wrong with it.
        problem: String,
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

    /// Reads `redis://`, `rediss://` and `unix://` URLs:
    /// `redis://USER:PASSWORD@HOST:PORT/DB?prefix=KEYS-BEGIN-SO`, `unix:///PATH?db=DB`. Further parameters:
    /// `layout=plain|cluster`, `durability=memory|replicas:N|fsync`, `ca=FILE` with certificates to trust.
    pub fn from_url(text: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(text)
            .map_err(|error| ConfigError::NotAUrl { problem: error.to_string() })?;
        let host = || {
            url.host_str()
                .filter(|host| !host.is_empty())
                .map(|host| host.trim_matches(['[', ']']).to_owned())
                .ok_or(ConfigError::Missing { what: "host" })
        };
        let port = url.port().unwrap_or(6_379);
        let endpoint = match url.scheme() {
            "redis" | "valkey" => Endpoint::Tcp { host: host()?, port },
            "rediss" | "valkeys" => Endpoint::Tls { host: host()?, port },
            "unix" | "redis+unix" => match decoded(url.path()) {
                path if path.is_empty() || path == "/" => {
                    return Err(ConfigError::Missing { what: "socket path" });
                }
                path => Endpoint::Unix { path: path.into() },
            },
            scheme => return Err(ConfigError::Scheme { scheme: scheme.to_owned() }),
        };
        let mut config = Self::new(endpoint);
        config.username = Some(decoded(url.username())).filter(|name| !name.is_empty());
        config.password = url.password().map(|text| Secret::new(decoded(text)));
        let path = url.path().trim_matches('/');
        if !matches!(config.endpoint, Endpoint::Unix { .. }) && !path.is_empty() {
            config.database = database(path, "the Redis URL")?;
        }
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "db" => config.database = database(&value, "the Redis URL")?,
                "prefix" => config.prefix = value.into_owned().into(),
                "layout" => config.layout = layout(&value, "the Redis URL")?,
                "durability" => config.durability = durability(&value, "the Redis URL")?,
                "ca" => config.ca_pem = Some(certificates(&value)?),
                _ => return Err(ConfigError::Parameter { name: name.into_owned() }),
            }
        }
        Ok(config)
    }

    /// Reads the environment: `STEADFAST_REDIS_URL`, or else `QUEUE_BULL_REDIS_HOST`, `_PORT`, `_DB`,
    /// `_USERNAME`, `_PASSWORD` and `_TLS`, as hosts of workflow nodes set them. Without any of them, the
    /// server is at `127.0.0.1:6379`. `STEADFAST_REDIS_LAYOUT`, `_DURABILITY` and `_CA` stand above what
    /// the URL says.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Like [`RedisConfig::from_env`], from variables that are looked up by name.
    pub fn from_variables(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let look_up = |name: &str| look_up(name).filter(|value| !value.is_empty());
        let mut config = match look_up("STEADFAST_REDIS_URL") {
            Some(url) => Self::from_url(&url)?,
            None => Self::of_workflow_nodes(look_up)?,
        };
        config.choose(look_up)?;
        Ok(config)
    }

    /// Takes layout, durability and certificates from the environment where it names them:
    /// `STEADFAST_REDIS_LAYOUT`, `_DURABILITY` and `_CA`. [`RedisConfig::from_env`] has done so.
    pub fn choose_by_env(&mut self) -> Result<(), ConfigError> {
        self.choose(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn choose(&mut self, look_up: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        let config = self;
        if let Some(text) = look_up("STEADFAST_REDIS_LAYOUT") {
            config.layout = layout(&text, "the environment's STEADFAST_REDIS_LAYOUT")?;
        }
        if let Some(text) = look_up("STEADFAST_REDIS_DURABILITY") {
            config.durability = durability(&text, "the environment's STEADFAST_REDIS_DURABILITY")?;
        }
        if let Some(file) = look_up("STEADFAST_REDIS_CA") {
            config.ca_pem = Some(certificates(&file)?);
        }
        Ok(())
    }

    fn of_workflow_nodes(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let host = look_up("QUEUE_BULL_REDIS_HOST").unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = match look_up("QUEUE_BULL_REDIS_PORT") {
            Some(port) => port.parse().map_err(|_| ConfigError::Variable {
                variable: "QUEUE_BULL_REDIS_PORT",
                problem: "is no port (1 to 65535)",
            })?,
            None => 6_379,
        };
        let tls = match look_up("QUEUE_BULL_REDIS_TLS").as_deref() {
            None | Some("false" | "0" | "no" | "off") => false,
            Some("true" | "1" | "yes" | "on") => true,
            Some(_) => {
                return Err(ConfigError::Variable {
                    variable: "QUEUE_BULL_REDIS_TLS",
                    problem: "is neither `true` nor `false`",
                });
            }
        };
        let endpoint =
            if tls { Endpoint::Tls { host, port } } else { Endpoint::Tcp { host, port } };
        let mut config = Self::new(endpoint);
        if let Some(text) = look_up("QUEUE_BULL_REDIS_DB") {
            config.database = database(&text, "the environment's QUEUE_BULL_REDIS_DB")?;
        }
        config.username = look_up("QUEUE_BULL_REDIS_USERNAME");
        config.password = look_up("QUEUE_BULL_REDIS_PASSWORD").map(Secret::new);
        Ok(config)
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

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn layout(text: &str, place: &'static str) -> Result<KeyLayout, ConfigError> {
    text.parse().map_err(|()| ConfigError::Layout { place })
}

fn durability(text: &str, place: &'static str) -> Result<Durability, ConfigError> {
    text.parse().map_err(|()| ConfigError::Durability { place })
}

/// The certificates of a file, as PEM.
fn certificates(file: &str) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(file)
        .map_err(|error| ConfigError::Certificates { problem: format!("{file}: {error}") })
}

fn database(text: &str, place: &'static str) -> Result<u32, ConfigError> {
    text.parse().map_err(|_| ConfigError::Database { place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: &str) {
        let got = match RedisConfig::from_url(url) {
            Ok(config) => format!(
                "{} user {:?} password {:?} prefix {:?}",
                config.describe(),
                config.username,
                config.password.as_ref().map(Secret::reveal),
                config.prefix
            ),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn urls_are_read() {
        check("redis://h", r#"redis://h:6379/0 user None password None prefix """#);
        check(
            "rediss://me:p%40ss@h:1/3?prefix=app:",
            r#"rediss://h:1/3 user Some("me") password Some("p@ss") prefix "app:""#,
        );
        check("redis://:pw@[::1]:7/", r#"redis://::1:7/0 user None password Some("pw") prefix """#);
        check(
            "unix:///run/redis.sock?db=2",
            r#"unix:///run/redis.sock?db=2 user None password None prefix """#,
        );
    }

    #[test]
    fn choices_are_read() {
        let read = |parameters: &str| {
            let config = RedisConfig::from_url(&format!("redis://h?{parameters}"));
            config.map_or_else(
                |error| error.to_string(),
                |config| format!("{} {}", config.layout, config.durability),
            )
        };
        assert_eq!(read(""), "plain memory");
        assert_eq!(read("layout=cluster&durability=replicas:2"), "cluster replicas:2");
        assert_eq!(read("layout=plain&durability=fsync"), "plain fsync");
        let bad = "the layout in the Redis URL is neither `plain` nor `cluster`";
        assert_eq!(read("layout=x"), bad);
        for bad in ["replicas", "replicas:0", "replicas:-1", "disk"] {
            let bad = read(&format!("durability={bad}"));
            assert!(bad.starts_with("the durability in the Redis URL is none of"), "{bad}");
        }
    }

    #[test]
    fn bad_urls_are_refused_and_not_quoted() {
        check(
            "http://h",
            "error: the Redis URL's scheme is `http`; use redis://, rediss:// (TLS) or unix://",
        );
        check("redis://h/x", "error: the database in the Redis URL is no whole number from 0");
        check("unix://", "error: the Redis URL names no socket path");
        let error = RedisConfig::from_url("redis://:hunter2@h:99999").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    fn check_variables(given: &[(&str, &str)], expect: &str) {
        let look_up =
            |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
        let got = match RedisConfig::from_variables(look_up) {
            Ok(config) => format!("{} {:?}", config.describe(), config.password),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn the_environment_is_read() {
        check_variables(&[], "redis://127.0.0.1:6379/0 None");
        check_variables(&[("STEADFAST_REDIS_URL", "redis://a:1/2")], "redis://a:1/2 None");
        check_variables(
            &[
                ("QUEUE_BULL_REDIS_HOST", "b"),
                ("QUEUE_BULL_REDIS_PORT", "2"),
                ("QUEUE_BULL_REDIS_DB", "5"),
                ("QUEUE_BULL_REDIS_PASSWORD", "hunter2"),
                ("QUEUE_BULL_REDIS_TLS", "true"),
            ],
            "rediss://b:2/5 Some((secret))",
        );
        check_variables(
            &[("QUEUE_BULL_REDIS_PORT", "x")],
            "error: the environment's QUEUE_BULL_REDIS_PORT is no port (1 to 65535)",
        );
    }
}
