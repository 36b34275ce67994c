//! The scripts, put together from `lua/`, with the hashes that call them.

use std::sync::LazyLock;

use crate::command::Command;

/// A script by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Script {
    Submit,
    Decide,
    Begin,
    Move,
    Reject,
    Touch,
    Acknowledge,
    Renew,
    Fetch,
    Reread,
    Register,
    Beat,
    Deregister,
    Remove,
    Survey,
    Sweep,
    Ensure,
    Inspect,
    KeepReplies,
    Discover,
    Requeue,
    SubmitOne,
    CompleteOne,
}

macro_rules! lua {
    ($head:literal $(, $file:literal)*) => {
        concat!($head, "\n" $(, include_str!(concat!("../lua/", $file, ".lua")))*)
    };
}

/// Refused by the server where memory is out.
macro_rules! growing {
    ($($file:literal),*) => { lua!("#!lua" $(, $file)*) };
}

/// Runs where memory is out, so that a full store can drain.
macro_rules! draining {
    ($($file:literal),*) => { lua!("#!lua flags=allow-oom" $(, $file)*) };
}

/// Writes nothing.
macro_rules! reading {
    ($($file:literal),*) => { lua!("#!lua flags=no-writes,allow-oom" $(, $file)*) };
}

/// Everything that deals with calls.
macro_rules! settling {
    ($flags:ident: $($file:literal),*) => {
        $flags!(
            "part/frame", "part/int", "part/format", "part/ensure", "part/success", "part/record",
            "part/registered",
            "part/open", "part/entry", "part/parked", "part/standing", "part/conclude" $(, $file)*
        )
    };
}

impl Script {
    pub(crate) const ALL: [Self; 23] = [
        Self::Submit,
        Self::Decide,
        Self::Begin,
        Self::Move,
        Self::Reject,
        Self::Touch,
        Self::Acknowledge,
        Self::Renew,
        Self::Fetch,
        Self::Reread,
        Self::Register,
        Self::Beat,
        Self::Deregister,
        Self::Remove,
        Self::Survey,
        Self::Sweep,
        Self::Ensure,
        Self::Inspect,
        Self::KeepReplies,
        Self::Discover,
        Self::Requeue,
        Self::SubmitOne,
        Self::CompleteOne,
    ];

    /// Its source, as it is loaded.
    pub(crate) const fn source(self) -> &'static str {
        match self {
            Self::Submit => growing!(
                "part/frame",
                "part/int",
                "part/ensure",
                "part/first_entry",
                "part/format",
                "part/new_entry",
                "part/manner",
                "part/ordinary_submits",
                "part/open",
                "submit"
            ),
            Self::Decide => draining!(
                "part/frame",
                "part/success",
                "part/int",
                "part/format",
                "part/record",
                "part/ordinary_successes",
                "part/ensure",
                "part/registered",
                "part/open",
                "part/entry",
                "part/parked",
                "part/standing",
                "part/conclude",
                "part/decide",
                "decide"
            ),
            Self::Begin => settling!(draining: "begin"),
            Self::Move => settling!(draining: "part/give_back", "move"),
            Self::Reject => settling!(draining: "part/decide", "reject"),
            Self::Touch => settling!(draining: "touch"),
            Self::Acknowledge => settling!(draining: "acknowledge"),
            Self::Renew => settling!(draining: "renew"),
            Self::Fetch => draining!("part/frame", "part/int", "part/format", "fetch"),
            Self::Reread => draining!(
                "part/frame",
                "part/int",
                "part/format",
                "part/ensure",
                "part/open",
                "part/entry",
                "reread"
            ),
            Self::Register => {
                draining!("part/frame", "part/int", "part/format", "part/ensure", "register")
            }
            Self::Beat => draining!("part/int", "part/format", "beat"),
            Self::Deregister => settling!(draining: "part/give_back", "part/worker", "deregister"),
            Self::Remove => settling!(draining: "part/give_back", "part/worker", "remove"),
            Self::Survey => reading!("part/int", "part/format", "survey"),
            Self::Sweep => settling!(draining: "part/give_back", "sweep"),
            Self::Ensure => {
                draining!("part/frame", "part/int", "part/format", "part/ensure", "ensure")
            }
            Self::Inspect => settling!(reading: "inspect"),
            Self::KeepReplies => draining!("keep_replies"),
            Self::Discover => reading!("part/int", "part/format", "discover"),
            Self::Requeue => settling!(growing: "requeue"),
            Self::SubmitOne => growing!("part/first_entry", "submit_one"),
            Self::CompleteOne => draining!("part/success", "complete_one"),
        }
    }

    pub(crate) fn hash(self) -> &'static str {
        static HASHES: LazyLock<Vec<String>> = LazyLock::new(|| {
            let hash = |script: Script| redis::Script::new(script.source()).get_hash().to_owned();
            Script::ALL.into_iter().map(hash).collect()
        });
        &HASHES[self as usize]
    }

    /// The command that loads it.
    pub(crate) fn load(self) -> Command {
        let mut cmd = Command::new("SCRIPT");
        cmd.arg("LOAD").arg(self.source());
        cmd
    }

    /// The commands that load all of them.
    pub(crate) fn load_all() -> impl Iterator<Item = Command> {
        Self::ALL.into_iter().map(Self::load)
    }

    /// The start of the command that calls it on these keys; its arguments are to follow.
    pub(crate) fn call(self, keys: &[String]) -> Command {
        let mut cmd = self.call_on(keys.len());
        for key in keys {
            cmd.arg(key);
        }
        cmd
    }

    /// The start of the command that calls it; so many keys are to follow, and its arguments.
    pub(crate) fn call_on(self, keys: usize) -> Command {
        let mut cmd = Command::new("EVALSHA");
        cmd.arg(self.hash()).arg(keys);
        cmd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_stands_at_its_own_place() {
        for (place, script) in Script::ALL.into_iter().enumerate() {
            assert_eq!(script as usize, place, "{script:?}");
            assert!(script.source().starts_with("#!lua"));
        }
    }
}
