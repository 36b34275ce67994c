//! The stores that there are: the only file that knows a transport by its name.

use std::sync::Arc;
use std::time::Duration;

use steadfast::{BuildError, Config, Host, Transport};
use steadfast_transport_mem::MemTransport;
use steadfast_transport_redis::{
    ConfigError, Endpoint, RedisBuilder, RedisConfig, RedisTransport, TooFewReplicas,
};
pub(crate) use steadfast_transport_redis::{Durability, KeyLayout};

use crate::args::{RedisArguments, RedisChoices, RedisUrl};

/// How long a host may take to be connected when a command begins.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Where calls are kept, and how it is reached.
pub(crate) struct Store {
    transport: Arc<dyn Transport>,
    /// The same, where it is a server.
    redis: Option<RedisTransport>,
}

impl Store {
    /// A store within this process, which ends with it.
    pub(crate) fn embedded() -> Self {
        Self { transport: Arc::new(MemTransport::new()), redis: None }
    }

    /// The Redis server of a URL, used as chosen. Nothing is connected yet; an error quotes no part of the
    /// URL that may hold a password.
    pub(crate) fn at(url: &RedisUrl, choices: &RedisChoices) -> Result<Self, ConfigError> {
        let mut config = RedisConfig::from_url(url.reveal())?;
        config.choose_by_env()?;
        Self::redis(config, choices)
    }

    /// The Redis server of the command line, or else of the environment.
    pub(crate) fn named(arguments: &RedisArguments) -> Result<Self, ConfigError> {
        match &arguments.redis {
            Some(url) => Self::at(url, &arguments.choices),
            None => Self::redis(RedisConfig::from_env()?, &arguments.choices),
        }
    }

    fn redis(mut config: RedisConfig, choices: &RedisChoices) -> Result<Self, ConfigError> {
        config.layout = choices.layout.unwrap_or(config.layout);
        config.durability = choices.durability.unwrap_or(config.durability);
        if let Some(prefix) = &choices.prefix {
            config.prefix = prefix.as_str().into();
        }
        let transport = RedisBuilder::new(config).build()?;
        Ok(Self { transport: Arc::new(transport.clone()), redis: Some(transport) })
    }

    /// Other processes use it too.
    pub(crate) fn is_shared(&self) -> bool {
        self.redis.is_some()
    }

    /// It is spoken to by TLS.
    pub(crate) fn is_tls(&self) -> bool {
        let endpoint = self.redis.as_ref().map(RedisTransport::endpoint);
        matches!(endpoint, Some(Endpoint::Tls { .. }))
    }

    /// What the server lacked when it was connected to last, where its replicas are to confirm writes.
    pub(crate) fn too_few_replicas(&self) -> Option<TooFewReplicas> {
        self.redis.as_ref()?.too_few_replicas()
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
