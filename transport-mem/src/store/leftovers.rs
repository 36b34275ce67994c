//! What must not be there after quiet (P7).

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_core::name::FunctionId;
use steadfast_core::time::StoreTime;

use super::MemStore;
use super::stream::Stream;

/// Something that quiet should have cleared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leftover {
    /// Of which function.
    pub function: FunctionId,
    /// What kind of thing it is.
    pub kind: LeftoverKind,
    /// Which one: a call, an entry, a consumer.
    pub which: String,
}

/// The kinds of leftovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftoverKind {
    /// A record in the open hash.
    OpenCall,
    /// A call in parking.
    ParkedCall,
    /// An entry in the stream.
    StreamEntry,
    /// An entry in a pending list.
    PendingEntry,
    /// A name in the group with no registered consumer behind it.
    Name,
    /// A stream of a function that nobody serves: it has neither owner nor TTL.
    Stream,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            LeftoverKind::OpenCall => "open call",
            LeftoverKind::ParkedCall => "parked call",
            LeftoverKind::StreamEntry => "stream entry",
            LeftoverKind::PendingEntry => "pending entry",
            LeftoverKind::Name => "group name",
            LeftoverKind::Stream => "stream",
        };
        write!(f, "{kind} {} of {}", self.which, self.function)
    }
}

impl MemStore {
    /// All that P7 forbids after quiet. Not listed: what has a TTL (outcomes, result streams, replies,
    /// idempotency keys, consumers' states, definitions, epochs), the empty stream of a function that is served, and
    /// dead letters, which are bounded.
    pub fn leftovers(&self, now: StoreTime) -> Vec<Leftover> {
        let mut found = Vec::new();
        for (id, function) in &self.state.functions {
            let mut add = |kind, which: String| {
                found.push(Leftover { function: id.clone(), kind, which });
            };
            for call in function.open().keys() {
                add(LeftoverKind::OpenCall, call.to_string());
            }
            for call in function.parked().keys() {
                add(LeftoverKind::ParkedCall, call.to_string());
            }
            let Some(stream) = &function.stream else {
                continue;
            };
            for entry in stream.entries().keys() {
                add(LeftoverKind::StreamEntry, entry.to_string());
            }
            if let Some(group) = Stream::group(stream) {
                for entry in group.pending().keys() {
                    add(LeftoverKind::PendingEntry, entry.to_string());
                }
                for name in group.names().keys() {
                    if function.consumer(now, name).is_none() {
                        add(LeftoverKind::Name, name.to_string());
                    }
                }
            }
            if function.consumers(now).next().is_none() {
                add(LeftoverKind::Stream, id.to_string());
            }
        }
        found
    }
}
