//! What a consumer may be told, and whether it had a meaning.

use std::fmt;
use std::time::Duration;

use crate::attempt::{AttemptEnd, AttemptId};
use crate::call::Delivered;
use crate::event::StopCause;
use crate::name::{EntryId, Epoch};
use crate::op::{Beginning, Loss, Settlement};
use crate::transport::TransportError;

/// What a consumer may be told.
#[derive(Clone, Debug)]
pub(crate) enum ConsumerInput {
    /// It is registered.
    Registered { epoch: Epoch },
    /// The store refused to register it.
    RegisterRefused(TransportError),
    /// It is removed from the registry, as it asked.
    Deregistered,
    /// Its read ended with entries.
    Delivered(Vec<Delivered>),
    /// Its read ended with none.
    ReadEmpty { last: Option<EntryId> },
    /// Its read failed, or its connection did.
    ReadFailed(TransportError),
    /// Entries that were pending at it unseen.
    Adopted(Vec<Delivered>),
    /// The store counted a call that was taken over.
    Began { entry: EntryId, beginning: Beginning },
    /// A handler ended.
    Ran { attempt: AttemptId, end: AttemptEnd },
    /// An attempt's time is over, or its call's.
    AttemptDue { attempt: AttemptId },
    /// The store settled an entry.
    Settled { entry: EntryId, settlement: Settlement },
    /// The store refused to settle an entry, and will again.
    SettleRefused { entry: EntryId, error: TransportError },
    /// Its leases were renewed, but for these.
    Renewed { lost: Vec<(EntryId, Loss)> },
    /// Its heartbeat was taken; these entries are pending at it.
    Pulsed { pending: Vec<EntryId> },
    /// Its heartbeat was refused: what the store keeps of it, or of its function, cannot be read or written.
    PulseRefused(TransportError),
    /// The registry knows it no more.
    Removed,
    /// It is to stop. A stop that names an epoch is for that one only.
    Stop { epoch: Option<Epoch>, drain: Duration, cause: StopCause },
    /// Its drain time is over.
    DrainOver,
    /// Its backoff is over.
    BackoffOver,
}

/// Whether an input had a meaning in the state in which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Handled,
    Ignored(Ignored),
}

/// Why an input had no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// The consumer has stopped: nothing reaches it any more.
    Stopped,
    /// It did not ask for this.
    NotAsked,
    /// It holds no such entry.
    NotHeld,
    /// It runs no such attempt.
    NotRunning,
    /// The stop names another epoch.
    OtherEpoch,
    /// It is stopping already, and no earlier end was asked for.
    Stopping,
    /// It is not in error.
    NotInError,
    /// It is not stopping.
    NotStopping,
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Handled => return f.write_str("handled"),
            Self::Ignored(reason) => reason,
        };
        write!(f, "ignored: ")?;
        f.write_str(match reason {
            Ignored::Stopped => "it has stopped",
            Ignored::NotAsked => "it did not ask for this",
            Ignored::NotHeld => "it holds no such entry",
            Ignored::NotRunning => "it runs no such attempt",
            Ignored::OtherEpoch => "the stop names another epoch",
            Ignored::Stopping => "it is stopping already",
            Ignored::NotInError => "it is not in error",
            Ignored::NotStopping => "it is not stopping",
        })
    }
}
