//! The scripts as others may know them: a front in a test, an operator who looks at `SCRIPT EXISTS`.

use crate::script::Script;

/// One of the scripts that the transport loads and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptInfo {
    /// Its name: that of its file in `lua/`, whose head documents keys, arguments and replies.
    pub name: &'static str,
    /// The SHA-1 of its source, in lower-case hexadecimal digits: what `EVALSHA` takes.
    pub hash: &'static str,
    /// Its source, as `SCRIPT LOAD` takes it.
    pub source: &'static str,
}

/// Every script that the transport loads and calls.
pub fn scripts() -> impl Iterator<Item = ScriptInfo> {
    Script::ALL.into_iter().map(|script| ScriptInfo {
        name: script.name(),
        hash: script.hash(),
        source: script.source(),
    })
}

impl Script {
    /// The name of its file in `lua/`.
    const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Decide => "decide",
            Self::Begin => "begin",
            Self::Move => "move",
            Self::Reject => "reject",
            Self::Touch => "touch",
            Self::Acknowledge => "acknowledge",
            Self::Renew => "renew",
            Self::Fetch => "fetch",
            Self::Reread => "reread",
            Self::Register => "register",
            Self::Beat => "beat",
            Self::Deregister => "deregister",
            Self::Remove => "remove",
            Self::Survey => "survey",
            Self::Sweep => "sweep",
            Self::Ensure => "ensure",
            Self::Inspect => "inspect",
            Self::KeepReplies => "keep_replies",
            Self::Discover => "discover",
            Self::Requeue => "requeue",
            Self::SubmitOne => "submit_one",
            Self::CompleteOne => "complete_one",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_script_is_told_apart_by_name_and_hash() {
        let names: BTreeSet<&str> = scripts().map(|script| script.name).collect();
        let hashes: BTreeSet<&str> = scripts().map(|script| script.hash).collect();
        assert_eq!((names.len(), hashes.len()), (Script::ALL.len(), Script::ALL.len()));
        assert!(scripts().all(|script| script.hash.len() == 40));
    }
}
