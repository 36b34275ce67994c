//! Which lane an operation travels on, what it touches, and about how large it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Op, Verdict};
use crate::name::FunctionId;

/// A queue of operations of one kind, with one batch in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "each is a queue of every node")]
pub enum Lane {
    /// What users start: submits and queries. The breaker guards it.
    Submit,
    /// Decisions and moves.
    Settle,
    /// Lease renewal.
    Renew,
    /// Reads that do not wait.
    Fetch,
    /// Registration, heartbeat, reconciling, housekeeping.
    Control,
    /// Inspections that keep awaiting callers honest, and pings.
    Probe,
}

impl Lane {
    /// Every lane, in the order in which they are served.
    pub const ALL: [Self; 6] =
        [Self::Settle, Self::Renew, Self::Fetch, Self::Control, Self::Submit, Self::Probe];
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submit => "submit",
            Self::Settle => "settle",
            Self::Renew => "renew",
            Self::Fetch => "fetch",
            Self::Control => "control",
            Self::Probe => "probe",
        })
    }
}

impl Op {
    /// The function whose keys the operation touches, where it is one.
    pub fn function(&self) -> Option<&FunctionId> {
        match self {
            Self::Submit(submission) => Some(&submission.function),
            Self::Register { definition, .. } => Some(&definition.function),
            Self::Touch { token, .. } => Some(&token.function),
            Self::Inspect { function, .. }
            | Self::Begin { function, .. }
            | Self::Decide { function, .. }
            | Self::Move { function, .. }
            | Self::Reject { function, .. }
            | Self::Acknowledge { function, .. }
            | Self::Renew { function, .. }
            | Self::Fetch { function, .. }
            | Self::Reread { function, .. }
            | Self::Deregister { function, .. }
            | Self::Remove { function, .. }
            | Self::Sweep { function, .. }
            | Self::Ensure { function }
            | Self::Describe { function }
            | Self::DeadLetters { function, .. }
            | Self::Requeue { function, .. }
            | Self::OlderPeerAdd { function, .. } => Some(function),
            Self::Beat { .. }
            | Self::Survey { .. }
            | Self::KeepReplies { .. }
            | Self::ForgetReplies { .. }
            | Self::Ping
            | Self::Discover { .. } => None,
        }
    }

    /// The lane it travels on unless a user's query sends it (those travel on [`Lane::Submit`]).
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Submit(_) | Self::Requeue { .. } | Self::OlderPeerAdd { .. } => Lane::Submit,
            Self::Begin { .. }
            | Self::Decide { .. }
            | Self::Move { .. }
            | Self::Reject { .. }
            | Self::Touch { .. }
            | Self::Acknowledge { .. } => Lane::Settle,
            Self::Renew { .. } => Lane::Renew,
            Self::Fetch { .. } | Self::Reread { .. } => Lane::Fetch,
            Self::Register { .. }
            | Self::Beat { .. }
            | Self::Deregister { .. }
            | Self::Remove { .. }
            | Self::Survey { .. }
            | Self::Sweep { .. }
            | Self::Ensure { .. }
            | Self::KeepReplies { .. }
            | Self::ForgetReplies { .. } => Lane::Control,
            Self::Inspect { .. }
            | Self::Ping
            | Self::Describe { .. }
            | Self::Discover { .. }
            | Self::DeadLetters { .. } => Lane::Probe,
        }
    }

    /// About how many bytes it takes on the wire: what the outbox counts against its bound.
    pub fn bytes(&self) -> usize {
        const FRAME: usize = 128;
        FRAME
            + match self {
                Self::Submit(submission) => submission.input.bytes(),
                Self::Decide { verdict: Verdict::Complete { result, .. }, .. } => result.bytes(),
                Self::Decide { verdict: Verdict::Fail { failure, .. }, .. }
                | Self::Decide { verdict: Verdict::DeadLetter { failure, .. }, .. } => {
                    failure.message.len()
                }
                Self::Renew { entries, .. } => entries.len() * 64,
                Self::Beat { pulses, .. } => pulses.len() * 256,
                Self::Survey { functions } => functions.len() * 64,
                _ => 0,
            }
    }
}
