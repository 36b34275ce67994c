//! Names and ids: what a function, call, consumer, node or session is called.
//!
//! Each is its own type, so that one cannot stand where another is meant; all are cheap to clone. Text
//! ids are validated where they enter (P10): a name that would break a key is refused with a reason.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest function name or scope, in bytes.
pub const NAME_MAX_BYTES: usize = 256;

/// The longest id, in bytes: a consumer id holds a name, a scope and a unique part.
pub const ID_MAX_BYTES: usize = 1_024;

/// Why a text is no valid name or id.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("{what} is empty; give it at least one character")]
    Empty {
        /// Which name.
        what: String,
    },
    /// Longer than [`NAME_MAX_BYTES`] or [`ID_MAX_BYTES`].
    #[error("{what} is {bytes} bytes long; at most {most} are allowed")]
    TooLong {
        /// Which name.
        what: String,
        /// Its length in bytes.
        bytes: usize,
        /// The most that is allowed.
        most: usize,
    },
    /// A scope with a colon: the last colon of a key separates name and scope.
    #[error("scope `{scope}` contains `:`; a scope may hold any character but a colon")]
    ColonInScope {
        /// The scope as given.
        scope: String,
    },
    /// No colon between name and scope.
    #[error("`{text}` names no scope; write NAME:SCOPE, such as `greet:global`")]
    NoScope {
        /// The text as given.
        text: String,
    },
    /// Not of the form that this kind of id has.
    #[error("`{text}` is no {what}; expected {expected}")]
    Malformed {
        /// Which kind of id.
        what: String,
        /// The text as given.
        text: String,
        /// The form expected.
        expected: String,
    },
}

fn check_text(what: &str, text: &str, most: usize) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty { what: what.into() }),
        bytes if bytes > most => Err(NameError::TooLong { what: what.into(), bytes, most }),
        _ => Ok(()),
    }
}

/// A function: a name in a scope. Its text is `NAME:SCOPE`; the last colon separates the two.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionId(Arc<str>);

impl FunctionId {
    /// The function `name` in `scope`. The name may hold any character, the scope any but a colon.
    pub fn new(name: &str, scope: &str) -> Result<Self, NameError> {
        check_text("function name", name, NAME_MAX_BYTES)?;
        check_text("scope", scope, NAME_MAX_BYTES)?;
        if scope.contains(':') {
            return Err(NameError::ColonInScope { scope: scope.into() });
        }
        Ok(Self(format!("{name}:{scope}").into()))
    }

    /// The function's name within its scope.
    pub fn name(&self) -> &str {
        self.split().0
    }

    /// The scope.
    pub fn scope(&self) -> &str {
        self.split().1
    }

    /// `NAME:SCOPE`, as it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn split(&self) -> (&str, &str) {
        self.0.rsplit_once(':').expect("a FunctionId holds a colon by construction")
    }
}

impl FromStr for FunctionId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, scope) =
            text.rsplit_once(':').ok_or_else(|| NameError::NoScope { text: text.into() })?;
        Self::new(name, scope)
    }
}

impl TryFrom<String> for FunctionId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<FunctionId> for String {
    fn from(function: FunctionId) -> Self {
        function.0.as_ref().into()
    }
}

impl fmt::Display for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $id:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $id(Arc<str>);

        impl $id {
            /// Takes any text of 1 to [`ID_MAX_BYTES`] bytes.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                check_text($what, text.as_ref(), ID_MAX_BYTES)?;
                Ok(Self(text.as_ref().into()))
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $id {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $id {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.0.as_ref().into()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// One request to a function. Unique for all time to come; it deduplicates a resubmission.
    CallId, "call id"
}
text_id! {
    /// One running incarnation of a function in one process.
    ConsumerId, "consumer id"
}
text_id! {
    /// A process: it hosts consumers, submits calls, or both. It also names the reply stream.
    NodeId, "node id"
}
text_id! {
    /// One life of a store server. It changes when the server restarts.
    RunId, "run id"
}
text_id! {
    /// A caller's key that joins a second call to the first one made with it.
    IdempotencyKey, "idempotency key"
}

/// A number per function that never goes back; each registration takes the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// One connection as the store knows it (on Redis: the client id). A node has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// The id of a stream entry: milliseconds of the store's clock, and a sequence number within them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct EntryId {
    /// Milliseconds since 1970 at the store when the entry was added.
    pub ms: u64,
    /// Orders entries of one millisecond.
    pub seq: u64,
}

impl EntryId {
    /// Before every entry.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EntryId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.split_once('-')
            .and_then(|(ms, seq)| Some(Self { ms: ms.parse().ok()?, seq: seq.parse().ok()? }))
            .ok_or_else(|| NameError::Malformed {
                what: "entry id".into(),
                text: text.into(),
                expected: "MILLISECONDS-SEQUENCE, such as `1700000000000-0`".into(),
            })
    }
}

impl TryFrom<String> for EntryId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<EntryId> for String {
    fn from(id: EntryId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, scope: &str, expect: &str) {
        let got = match FunctionId::new(name, scope) {
            Ok(function) => function.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn a_name_may_hold_colons_and_a_scope_may_not() {
        check("greet", "global", "greet:global");
        check("a:b c", "wf 1", "a:b c:wf 1");
        check(
            "greet",
            "a:b",
            "error: scope `a:b` contains `:`; a scope may hold any character but a colon",
        );
        check("", "global", "error: function name is empty; give it at least one character");
        check("x", "", "error: scope is empty; give it at least one character");
        check(
            &"n".repeat(257),
            "g",
            "error: function name is 257 bytes long; at most 256 are allowed",
        );
    }

    #[test]
    fn the_last_colon_separates_name_and_scope() {
        let function: FunctionId = "a:b:global".parse().unwrap();
        assert_eq!((function.name(), function.scope()), ("a:b", "global"));
        assert!("greet".parse::<FunctionId>().is_err());
    }

    #[test]
    fn entry_ids_order_by_time_then_sequence() {
        let parse = |text: &str| text.parse::<EntryId>().unwrap();
        assert!(parse("9-5") < parse("10-0"));
        assert!(parse("10-9") < parse("10-10"));
        assert_eq!(parse("10-3").to_string(), "10-3");
        assert!("10".parse::<EntryId>().is_err());
    }

    #[test]
    fn ids_survive_serde_and_refuse_bad_text() {
        let call: CallId = serde_json::from_str("\"c 1\"").unwrap();
        assert_eq!(serde_json::to_string(&call).unwrap(), "\"c 1\"");
        assert!(serde_json::from_str::<CallId>("\"\"").is_err());
    }
}
