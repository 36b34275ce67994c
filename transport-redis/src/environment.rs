//! Settings from the environment.

use crate::config::{
    ConfigError, Endpoint, RedisConfig, Secret, certificates, database, durability, layout,
};

impl RedisConfig {
    /// Reads the environment: `STEADFAST_REDIS_URL`, or else `QUEUE_BULL_REDIS_HOST`, `_PORT`, `_DB`,
    /// `_USERNAME`, `_PASSWORD` and `_TLS`, as hosts of workflow nodes set them. Without any of them, the
    /// server is at `127.0.0.1:6379`. `STEADFAST_REDIS_LAYOUT`, `_DURABILITY` and `_CA` stand above what
    /// the URL says; `STEADFAST_REDIS_PREFIX` holds where the URL names no prefix.
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

    /// Takes layout, durability, certificates and prefix from the environment where it names them:
    /// `STEADFAST_REDIS_LAYOUT`, `_DURABILITY`, `_CA`, and `_PREFIX` where there is none yet.
    /// [`RedisConfig::from_env`] has done so.
    pub fn choose_by_env(&mut self) -> Result<(), ConfigError> {
        self.choose(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn choose(&mut self, look_up: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        if let Some(text) = look_up("STEADFAST_REDIS_LAYOUT") {
            self.layout = layout(&text, "the environment's STEADFAST_REDIS_LAYOUT")?;
        }
        if let Some(text) = look_up("STEADFAST_REDIS_DURABILITY") {
            self.durability = durability(&text, "the environment's STEADFAST_REDIS_DURABILITY")?;
        }
        if let Some(file) = look_up("STEADFAST_REDIS_CA") {
            self.ca_pem = Some(certificates(&file)?);
        }
        if self.prefix.is_empty()
            && let Some(prefix) = look_up("STEADFAST_REDIS_PREFIX")
        {
            self.prefix = prefix.into();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[(&str, &str)], expect: &str) {
        let look_up =
            |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
        let got = match RedisConfig::from_variables(look_up) {
            Ok(config) => format!(
                "{} {:?} {:?} {:?}",
                config.describe(),
                config.username,
                config.password,
                config.prefix
            ),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn the_environment_is_read() {
        check(&[], r#"redis://127.0.0.1:6379/0 None None """#);
        check(&[("STEADFAST_REDIS_URL", "redis://a:1/2")], r#"redis://a:1/2 None None """#);
        check(
            &[
                ("QUEUE_BULL_REDIS_HOST", "b"),
                ("QUEUE_BULL_REDIS_PORT", "2"),
                ("QUEUE_BULL_REDIS_DB", "5"),
                ("QUEUE_BULL_REDIS_PASSWORD", "hunter2"),
                ("QUEUE_BULL_REDIS_TLS", "true"),
            ],
            r#"rediss://b:2/5 None Some((secret)) """#,
        );
        check(
            &[("QUEUE_BULL_REDIS_USERNAME", "me")],
            r#"redis://127.0.0.1:6379/0 Some("me") None """#,
        );
        check(
            &[("QUEUE_BULL_REDIS_PORT", "x")],
            "error: the environment's QUEUE_BULL_REDIS_PORT is no port (1 to 65535)",
        );
    }

    #[test]
    fn a_prefix_holds_where_the_url_names_none() {
        let prefix = ("STEADFAST_REDIS_PREFIX", "app:");
        check(&[("QUEUE_BULL_REDIS_HOST", "b"), prefix], r#"redis://b:6379/0 None None "app:""#);
        check(
            &[("STEADFAST_REDIS_URL", "redis://a"), prefix],
            r#"redis://a:6379/0 None None "app:""#,
        );
        check(
            &[("STEADFAST_REDIS_URL", "redis://a?prefix=own:"), prefix],
            r#"redis://a:6379/0 None None "own:""#,
        );
    }
}
