//! Settings from a Redis URL. Its text may hold a password, and a password may hold what ends one: a URL of
//! which nobody can tell where the password ends is refused, and nothing of it is quoted.

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::config::{
    ConfigError, Endpoint, RedisConfig, Secret, certificates, database, durability, layout,
};

const PLACE: &str = "the Redis URL";

const PORT: u16 = 6_379;

/// The parts of a URL, as they stand in it.
struct Parts<'a> {
    scheme: &'a str,
    /// Before the `@`.
    login: Option<&'a str>,
    host_and_port: &'a str,
    /// From its first `/`; empty where there is none.
    path: &'a str,
    query: &'a str,
}

impl RedisConfig {
    /// Reads `redis://`, `rediss://` and `unix://` URLs:
    /// `redis://USER:PASSWORD@HOST:PORT/DB?prefix=KEYS-BEGIN-SO`, `unix://USER:PASSWORD@/SOCKET?db=DB`.
    /// Further parameters: `layout=plain|cluster`, `durability=memory|replicas:N|fsync`, `ca=FILE` with
    /// certificates to trust. The characters `? # / @` are percent-encoded in user, password and
    /// parameters, and `:` in a user.
    pub fn from_url(text: &str) -> Result<Self, ConfigError> {
        let parts = parts(text.trim())?;
        let mut config = Self::new(endpoint(&parts)?);
        if let Some(login) = parts.login {
            let (user, password) = match login.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (login, None),
            };
            config.username = Some(decoded(user)?).filter(|it| !it.is_empty());
            config.password =
                password.map(decoded).transpose()?.filter(|it| !it.is_empty()).map(Secret::new);
        }
        let path = parts.path.trim_matches('/');
        if !matches!(config.endpoint, Endpoint::Unix { .. }) && !path.is_empty() {
            config.database = database(path, PLACE)?;
        }
        for (name, value) in form_urlencoded::parse(parts.query.as_bytes()) {
            match name.as_ref() {
                "db" => config.database = database(&value, PLACE)?,
                "prefix" => config.prefix = value.into_owned().into(),
                "layout" => config.layout = layout(&value, PLACE)?,
                "durability" => config.durability = durability(&value, PLACE)?,
                "ca" => config.ca_pem = Some(certificates(&value)?),
                // No `@` stands behind the host, so no part of a password does.
                _ => return Err(ConfigError::Parameter { name: name.into_owned() }),
            }
        }
        Ok(config)
    }
}

fn parts(text: &str) -> Result<Parts<'_>, ConfigError> {
    if text.contains('#') {
        return Err(ConfigError::Ambiguous { what: "a `#`" });
    }
    let not_a_url = |problem| ConfigError::NotAUrl { problem };
    let (scheme, rest) = text.split_once("://").ok_or_else(|| not_a_url("it has no `://`"))?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if rest.contains('@') {
        return Err(ConfigError::Ambiguous { what: "an `@` behind a `/` or `?`" });
    }
    let (login, host_and_port) = match authority.rsplit_once('@') {
        Some((login, host_and_port)) => (Some(login), host_and_port),
        None => (None, authority),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Ok(Parts { scheme, login, host_and_port, path, query })
}

fn endpoint(parts: &Parts<'_>) -> Result<Endpoint, ConfigError> {
    match parts.scheme {
        "redis" | "valkey" => {
            let (host, port) = host_and_port(parts.host_and_port)?;
            Ok(Endpoint::Tcp { host, port })
        }
        "rediss" | "valkeys" => {
            let (host, port) = host_and_port(parts.host_and_port)?;
            Ok(Endpoint::Tls { host, port })
        }
        "unix" | "redis+unix" => {
            if !parts.host_and_port.is_empty() {
                let problem = "a Unix socket has no host, and its path begins with `/`";
                return Err(ConfigError::NotAUrl { problem });
            }
            match decoded(parts.path)? {
                path if path.is_empty() || path == "/" => {
                    Err(ConfigError::Missing { what: "socket path" })
                }
                path => Ok(Endpoint::Unix { path: path.into() }),
            }
        }
        // What stands before an `@` may be a password whose URL has no scheme.
        _ if parts.login.is_some() => {
            Err(ConfigError::NotAUrl { problem: "its scheme is not known" })
        }
        scheme => Err(ConfigError::Scheme { scheme: scheme.to_owned() }),
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), ConfigError> {
    let not_a_url = |problem| ConfigError::NotAUrl { problem };
    let (host, port) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, rest) =
                text.split_once(']').ok_or_else(|| not_a_url("its `[` has no `]`"))?;
            let port = match rest.strip_prefix(':') {
                None if !rest.is_empty() => return Err(not_a_url("text stands behind its `]`")),
                port => port,
            };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(ConfigError::Missing { what: "host" });
    }
    if !host.chars().all(|it| it.is_alphanumeric() || "-._:".contains(it)) {
        return Err(not_a_url("its host has a character that no host has"));
    }
    let port = match port.filter(|port| !port.is_empty()) {
        None => PORT,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(not_a_url("its port is no number from 1 to 65535")),
        },
    };
    Ok((host.to_owned(), port))
}

fn decoded(text: &str) -> Result<String, ConfigError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let problem = "a percent-encoded part is no UTF-8 text";
    decoded.map(Into::into).map_err(|_| ConfigError::NotAUrl { problem })
}

#[cfg(test)]
mod tests {
    use percent_encoding::NON_ALPHANUMERIC;
    use proptest::prelude::*;

    use super::*;

    fn shown(url: &str) -> String {
        match RedisConfig::from_url(url) {
            Ok(config) => format!(
                "{} user {:?} password {:?} prefix {:?}",
                config.describe(),
                config.username,
                config.password.as_ref().map(Secret::reveal),
                config.prefix
            ),
            Err(error) => format!("error: {error}"),
        }
    }

    fn check(url: &str, expect: &str) {
        assert_eq!(shown(url), expect, "{url}");
    }

    fn check_refused(url: &str, part: &str) {
        let shown = shown(url);
        assert!(shown.starts_with("error: ") && shown.contains(part), "{url}: {shown}");
    }

    #[test]
    fn urls_are_read() {
        check("redis://h", r#"redis://h:6379/0 user None password None prefix """#);
        check("redis://h:?db=4", r#"redis://h:6379/4 user None password None prefix """#);
        check(
            "rediss://me:p%40ss@h:1/3?prefix=app:",
            r#"rediss://h:1/3 user Some("me") password Some("p@ss") prefix "app:""#,
        );
        check("redis://:pw@[::1]:7/", r#"redis://::1:7/0 user None password Some("pw") prefix """#);
        check("redis://me@h", r#"redis://h:6379/0 user Some("me") password None prefix """#);
        check("redis://:@h", r#"redis://h:6379/0 user None password None prefix """#);
        check(
            "redis://me:a:b@c@h",
            r#"redis://h:6379/0 user Some("me") password Some("a:b@c") prefix """#,
        );
    }

    #[test]
    fn a_socket_has_user_and_password_too() {
        check(
            "unix:///run/redis.sock?db=2",
            r#"unix:///run/redis.sock?db=2 user None password None prefix """#,
        );
        check(
            "unix://me:pw@/run/redis.sock",
            r#"unix:///run/redis.sock?db=0 user Some("me") password Some("pw") prefix """#,
        );
        check(
            "unix://me@/run/a%40b.sock?prefix=p",
            r#"unix:///run/a@b.sock?db=0 user Some("me") password None prefix "p""#,
        );
        check_refused("unix://run/redis.sock", "a Unix socket has no host");
        check("unix://", "error: the Redis URL names no socket path");
        check("unix://me:pw@", "error: the Redis URL names no socket path");
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
        assert!(read("colour=red").contains("parameter `colour` is unknown"));
    }

    #[test]
    fn bad_urls_are_refused() {
        check(
            "http://h",
            "error: the Redis URL's scheme is `http`; use redis://, rediss:// (TLS) or unix://",
        );
        check("redis://h/x", "error: the database in the Redis URL is no whole number from 0");
        check("redis://", "error: the Redis URL names no host");
        check("redis://:7", "error: the Redis URL names no host");
        check_refused("h:6379", "it has no `://`");
        check_refused("redis://h:0", "its port is no number from 1 to 65535");
        check_refused("redis://h:99999", "its port is no number from 1 to 65535");
        check_refused("redis://[::1", "its `[` has no `]`");
        check_refused("redis://[::1]7", "text stands behind its `]`");
        check_refused("redis://a b", "its host has a character that no host has");
        check_refused("redis://:%ff@h", "no UTF-8 text");
    }

    fn check_not_quoted(url: &str, part: &str) {
        let shown = shown(url);
        assert!(shown.starts_with("error: ") && shown.contains(part), "{url}: {shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{url}: {shown}");
    }

    #[test]
    fn what_may_be_a_password_is_not_quoted() {
        check_not_quoted("redis://u:12?secret@127.0.0.1", "percent-encode ? # / @ :");
        check_not_quoted("redis://u:12/secret@127.0.0.1", "percent-encode ? # / @ :");
        check_not_quoted("redis://hunter2:12#x@h", "percent-encode ? # / @ :");
        check_not_quoted("redis://u:hunter2#secret@h", "percent-encode ? # / @ :");
        check_not_quoted("hunter2:foo@h", "it has no `://`");
        check_not_quoted("u:hunter2://foo@h", "its scheme is not known");
        check_not_quoted("redis://:hunter2@h:99999", "its port is no number");
        check_not_quoted("redis://:hunter2@h secret", "its host has a character");
    }

    /// Text of which no part stands in a message of ours, joined by what URLs are made of.
    fn password() -> impl Strategy<Value = String> {
        let word = "[XQZ]{3}";
        let joint = prop::sample::select(vec![
            "?", "#", "/", "@", ":", "//", "://", "&", "=", "?db=", "&ca=", "%", "%40", "[", "]",
            "?layout=", " ", "+", "\\", "é", ".", "",
        ]);
        prop::collection::vec((joint, word), 1..6).prop_map(|parts| {
            parts.into_iter().fold(String::new(), |text, (joint, word)| text + joint + &word)
        })
    }

    fn encoded(text: &str) -> String {
        percent_encoding::percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_password_is_shown(
            password in password(),
            front in prop::sample::select(vec![
                "redis://", "redis://u:", "redis://:", "rediss://u:", "unix://u:", "unix://:",
                "http://u:", "u:", "", ":", "redis:", "redis:/",
            ]),
            back in prop::sample::select(vec![
                "@h", "@127.0.0.1:6379/0", "@h:99999", "@h/x", "@/tmp/x", "@h?colour=red", "@",
                "@h?layout=x", "@h#x", "@[::1", "@h?ca=/nowhere",
            ]),
        ) {
            for password in [password.clone(), encoded(&password)] {
                let url = format!("{front}{password}{back}");
                let shown = match RedisConfig::from_url(&url) {
                    Ok(config) => {
                        let name = config.username.clone().unwrap_or_default();
                        let debug = format!("{config:?}").replace(&format!("{name:?}"), "");
                        format!("{} {debug}", config.describe())
                    }
                    Err(error) => format!("{error} {error:?}"),
                };
                let words = |it: char| !"XQZ".contains(it);
                for word in shown.split(words).filter(|word| word.len() >= 3) {
                    prop_assert!(!password.contains(word), "{}: {}", url, shown);
                }
            }
        }

        #[test]
        fn a_password_that_is_encoded_is_read_whole(password in password()) {
            let config = RedisConfig::from_url(&format!("redis://u:{}@h", encoded(&password)));
            let config = config.unwrap();
            prop_assert_eq!(config.describe(), "redis://h:6379/0");
            prop_assert_eq!(config.password.as_ref().map(Secret::reveal), Some(password.as_str()));
        }
    }
}
