//! From settings to a transport.

use std::sync::Arc;
use std::time::Duration;

use crate::choice::{Durability, KeyLayout};
use crate::config::{ConfigError, RedisConfig, Secret};
use crate::connector::{self, Connector};
use crate::transport::RedisTransport;

/// Sets up a [`RedisTransport`]. Nothing is connected before the first `connect`.
#[derive(Debug)]
#[must_use = "build it"]
pub struct RedisBuilder {
    config: RedisConfig,
    connector: Option<Arc<dyn Connector>>,
}

impl RedisBuilder {
    /// Starts from settings.
    pub fn new(config: RedisConfig) -> Self {
        Self { config, connector: None }
    }

    /// User and password; no user is the default one.
    pub fn credentials(mut self, username: Option<&str>, password: &str) -> Self {
        self.config.username = username.map(str::to_owned);
        self.config.password = Some(Secret::new(password));
        self
    }

    /// The database, from 0.
    pub fn database(mut self, database: u32) -> Self {
        self.config.database = database;
        self
    }

    /// Stands before every key.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.config.prefix = prefix.into();
        self
    }

    /// How the connections are named in `CLIENT LIST`.
    pub fn client_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.config.client_name);
        self
    }

    /// The longest that opening a connection may take (default 10 s).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// The longest that the answer to commands may take (default 10 s).
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.config.response_timeout = timeout;
        self
    }

    /// The most dead letters of one function (default 10,000).
    pub fn dead_letters_max(mut self, most: u32) -> Self {
        self.config.dead_letters_max = most;
        self
    }

    /// Certificates to trust beside the system's, as PEM.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.config.ca_pem = Some(pem.into());
        self
    }

    /// How keys are named (default plain).
    pub fn layout(mut self, layout: KeyLayout) -> Self {
        self.config.layout = layout;
        self
    }

    /// What a write has to survive before anybody is told of it (default: what the server does).
    pub fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self
    }

    /// Opens streams in another way than the endpoint says: a simulated network, a tunnel.
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }

    /// The transport.
    pub fn build(self) -> Result<RedisTransport, ConfigError> {
        if self.config.layout == KeyLayout::Cluster && self.config.prefix.contains('{') {
            return Err(ConfigError::PrefixHidesTags);
        }
        let connector = match self.connector {
            Some(connector) => connector,
            None => connector::for_config(&self.config)?,
        };
        Ok(RedisTransport::new(self.config, connector))
    }
}
