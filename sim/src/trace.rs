//! What can be told of a run: each message, effect and event, as data and as a readable line.

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_core::event::Event;
use steadfast_core::machine::{Effect, EffectId, Input};
use steadfast_core::name::{NodeId, SessionId};
use steadfast_core::op::{Op, OpResult};
use steadfast_core::transport::{Interest, Link, TransportError, Wake};

use crate::history::HostId;
use crate::moment::Moment;

/// An incarnation of a node, with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Which incarnation.
    pub host: HostId,
    /// Its node id.
    pub node: NodeId,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Moment,
    /// What happened.
    pub what: Happening,
}

/// What happened at one place, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// A machine was told something: `<`.
    Told {
        /// Whose machine.
        who: Who,
        /// What.
        input: Input,
    },
    /// A machine wants something done: `>`.
    Wants {
        /// Whose machine.
        who: Who,
        /// The effect's name.
        id: EffectId,
        /// What.
        effect: Effect,
    },
    /// A machine told its host something: `!`.
    Says {
        /// Whose machine.
        who: Who,
        /// What.
        event: Event,
    },
    /// The store accepted a connection.
    Opened {
        /// Whose.
        who: Who,
        /// How the store knows it.
        session: SessionId,
        /// The effect that asked for it.
        id: EffectId,
        /// What for.
        link: Link,
    },
    /// The store noticed that a connection is over.
    SessionEnds {
        /// Whose.
        who: Who,
        /// Which.
        session: SessionId,
    },
    /// The store applied an operation.
    Applied {
        /// Who sent it.
        who: Who,
        /// On which session.
        session: SessionId,
        /// The effect that it came with; nothing for a copy that the network made.
        id: Option<EffectId>,
        /// The operation.
        op: Op,
        /// What the store answers.
        result: OpResult,
    },
    /// A blocking read reached the store.
    Watches {
        /// Whose.
        who: Who,
        /// On which session.
        session: SessionId,
        /// The effect that it came with.
        id: EffectId,
        /// For what.
        interest: Interest,
    },
    /// The store answers a blocking read.
    Wakes {
        /// Whose.
        who: Who,
        /// On which session.
        session: SessionId,
        /// The effect that asked.
        id: EffectId,
        /// With what.
        wake: Result<Wake, TransportError>,
    },
    /// The world's own remark: a fault, a phase, somebody who starts or dies.
    Remark(String),
}

impl Happening {
    /// Whose machine or connection it is about, unless it is a remark.
    pub const fn who(&self) -> Option<&Who> {
        match self {
            Self::Told { who, .. }
            | Self::Wants { who, .. }
            | Self::Says { who, .. }
            | Self::Opened { who, .. }
            | Self::SessionEnds { who, .. }
            | Self::Applied { who, .. }
            | Self::Watches { who, .. }
            | Self::Wakes { who, .. } => Some(who),
            Self::Remark(_) => None,
        }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told { who, input } => write!(f, "{} < {input}", who.node),
            Self::Wants { who, id, effect } => write!(f, "{} > {id} {effect}", who.node),
            Self::Says { who, event } => write!(f, "{} ! {event}", who.node),
            Self::Opened { who, session, link, .. } => {
                write!(f, "store = {session} of {} ({link})", who.node)
            }
            Self::SessionEnds { session, .. } => write!(f, "store = {session} ends"),
            Self::Applied { session, op, result: Ok(reply), .. } => {
                write!(f, "store = {session} [{op}] {reply}")
            }
            Self::Applied { session, op, result: Err(error), .. } => {
                write!(f, "store = {session} [{op}] error: {error}")
            }
            Self::Watches { session, interest, .. } => {
                write!(f, "store = {session} watches for {interest}")
            }
            Self::Wakes { session, wake: Ok(wake), .. } => {
                write!(f, "store = {session} wakes: {wake}")
            }
            Self::Wakes { session, wake: Err(error), .. } => {
                write!(f, "store = {session} wakes: {error}")
            }
            Self::Remark(remark) => f.write_str(remark),
        }
    }
}

impl fmt::Display for Step {
    /// The moment, the place, and what happened there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.what)
    }
}
