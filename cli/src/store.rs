//! The stores that there are: the only file that knows a transport by its name.

use std::sync::Arc;
use std::time::Duration;

use steadfast::{BuildError, Config, Host, Transport};
use steadfast_transport_mem::MemTransport;
use steadfast_transport_redis::{ConfigError, RedisBuilder, RedisConfig};

use crate::args::{RedisArguments, RedisUrl};

/// How long a host may take to be connected when a command begins.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Where calls are kept, and how it is reached.
pub(crate) struct Store {
    transport: Arc<dyn Transport>,
    is_shared: bool,
}

impl Store {
    /// A store within this process, which ends with it.
    pub(crate) fn embedded() -> Self {
        Self { transport: Arc::new(MemTransport::new()), is_shared: false }
    }

    /// The Redis server of a URL. Nothing is connected yet; an error quotes no part of the URL that may
    /// hold a password.
    pub(crate) fn at(url: &RedisUrl) -> Result<Self, ConfigError> {
        let mut config = RedisConfig::from_url(url.reveal())?;
        config.choose_by_env()?;
        Self::redis(config)
    }

    /// The Redis server of the command line, or else of the environment.
    pub(crate) fn named(arguments: &RedisArguments) -> Result<Self, ConfigError> {
        match &arguments.redis {
            Some(url) => Self::at(url),
            None => Self::redis(RedisConfig::from_env()?),
        }
    }

    fn redis(config: RedisConfig) -> Result<Self, ConfigError> {
        let transport = RedisBuilder::new(config).build()?;
        Ok(Self { transport: Arc::new(transport), is_shared: true })
    }

    /// Other processes use it too.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Where it is, without any secret.
    pub(crate) fn place(&self) -> String {
        self.transport.describe()
    }

    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    /// A host that is connected within `patience`.
    pub(crate) async fn host(&self, patience: Duration) -> Result<Host, BuildError> {
        let builder = Host::builder(self.transport.clone()).config(Config::default());
        builder.patience(patience).build().await
    }
}
