//! What happened, as the world saw it: the only thing that checkers look at.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::attempt::AttemptEnd;
use steadfast_core::breaker::BreakerState;
use steadfast_core::call::{CallState, Outcome, Record};
use steadfast_core::command::{FunctionOptions, Ticket};
use steadfast_core::event::{CallError, StopCause};
use steadfast_core::name::{CallId, ConsumerId, EntryId, Epoch, FunctionId, NodeId};
use steadfast_core::op::ConsumerStatus;

use crate::faults::FaultKind;
use crate::moment::Moment;

/// One incarnation of a node, numbered in the order of starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostId(pub u32);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}", self.0)
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fact {
    /// An incarnation started under this node id.
    Started {
        /// Which.
        host: HostId,
        /// Its node id.
        node: NodeId,
    },
    /// A process was killed; its machine and its handlers are gone.
    Killed {
        /// Which.
        host: HostId,
        /// The store sees its sessions end at once (a killed process), or not for long (lost power).
        sessions_end: bool,
    },
    /// Something was done to one node, or to all where none is named, which excuses delays until then.
    Disturbed {
        /// Which incarnation, or all.
        host: Option<HostId>,
        /// By what.
        kind: FaultKind,
        /// When its effect is over.
        until: Moment,
    },
    /// The host was told to serve a function: a first time, or a save.
    Served {
        /// By which host.
        host: HostId,
        /// The function.
        function: FunctionId,
        /// How.
        options: FunctionOptions,
    },
    /// The host was told to retire a function.
    Retired {
        /// Which host.
        host: HostId,
        /// The function.
        function: FunctionId,
    },
    /// The host was told to stop one incarnation.
    StopSent {
        /// Which host.
        host: HostId,
        /// The consumer named.
        consumer: ConsumerId,
        /// The epoch named.
        epoch: Epoch,
    },
    /// The host was told to end.
    ShutdownSent {
        /// Which host.
        host: HostId,
    },
    /// The host said how a consumer stands.
    Status {
        /// Which host.
        host: HostId,
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its epoch, once registered.
        epoch: Option<Epoch>,
        /// Its status now.
        status: ConsumerStatus,
        /// Why it stopped.
        cause: Option<StopCause>,
    },
    /// The store registered a consumer, or repeated its epoch.
    Registered {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// The store removed a consumer at another node's wish.
    Removed {
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// How long the oldest live session stood of those that its node had told the store; zero where
        /// none lives.
        connected_for: Duration,
        /// Since its last heartbeat or registration at the store.
        beat_ago: Duration,
    },
    /// The store took a call.
    Admitted {
        /// The function.
        function: FunctionId,
        /// The call.
        call: CallId,
        /// It is not to be delivered before this.
        not_before: Moment,
        /// When it will be overdue.
        overdue_at: Moment,
    },
    /// The store joined a call to an earlier one by its key.
    Joined {
        /// The call that was not made.
        call: CallId,
        /// The one that stands for it.
        to: CallId,
    },
    /// A caller was told that its call is accepted.
    Acknowledged {
        /// The call that is open.
        call: CallId,
    },
    /// The store handed a call to the read of a consumer. Only worlds that take a group away from under its
    /// consumers note it: there one entry is handed out again while its first holder knows of nothing.
    Delivered {
        /// To which host.
        host: HostId,
        /// To which consumer.
        consumer: ConsumerId,
        /// The call.
        call: CallId,
    },
    /// A handler was started.
    Begun {
        /// On which host.
        host: HostId,
        /// The function.
        function: FunctionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its epoch.
        epoch: Epoch,
        /// The call.
        call: CallId,
        /// Which attempt of the call it is said to be.
        attempt: u32,
    },
    /// A handler answered. Those of a killed host never do.
    Ended {
        /// On which host.
        host: HostId,
        /// The consumer.
        consumer: ConsumerId,
        /// The call.
        call: CallId,
        /// How.
        end: AttemptEnd,
    },
    /// A handler was told to end. It still answers, and no longer counts as running.
    Interrupted {
        /// On which host.
        host: HostId,
        /// The consumer.
        consumer: ConsumerId,
        /// The call.
        call: CallId,
    },
    /// Somebody offered an outcome by token.
    Offered {
        /// The call.
        call: CallId,
        /// What.
        outcome: Outcome,
    },
    /// Somebody asked for a call to be cancelled, at once or when its wait ends.
    CancelAsked {
        /// The call.
        call: CallId,
    },
    /// The store said that an operation decided a call.
    Decided {
        /// The call.
        call: CallId,
        /// What the store keeps right after.
        state: CallState,
    },
    /// A host was told an outcome.
    Observed {
        /// Which host.
        host: HostId,
        /// The outcome.
        record: Record,
    },
    /// A host made a request that it expects to be answered.
    Asked {
        /// Which host.
        host: HostId,
        /// The request.
        ticket: Ticket,
        /// The call it is about.
        call: CallId,
        /// It is to make the call.
        makes: bool,
    },
    /// A host answered a request.
    Answered {
        /// Which host.
        host: HostId,
        /// The request.
        ticket: Ticket,
        /// With which error, if it was one.
        error: Option<CallError>,
    },
    /// The caller was told to forget a request.
    Abandoned {
        /// Which.
        ticket: Ticket,
    },
    /// The store lost what it had acknowledged. Exactly these are excused from P1, each once.
    Lost {
        /// Calls of which it knows nothing any more.
        calls: Vec<CallId>,
        /// Calls that it holds, open again, and whose decision it lost.
        decisions: Vec<CallId>,
        /// Consumers whose registration it lost.
        consumers: Vec<ConsumerId>,
        /// Entries that are no calls, and are gone.
        entries: Vec<(FunctionId, EntryId)>,
    },
    /// Somebody deleted what these calls consist of: the store can only expire them.
    BodiesLost {
        /// Which calls.
        calls: Vec<CallId>,
        /// Entries that are no calls, and are gone with them.
        entries: Vec<(FunctionId, EntryId)>,
    },
    /// The store's clock is ahead of the world's by so many microseconds from now on.
    StoreClock {
        /// Ahead; behind where negative.
        ahead_micros: i64,
    },
    /// Somebody added an entry that is no call.
    Malformed {
        /// To this function's stream.
        function: FunctionId,
        /// Which entry.
        entry: EntryId,
    },
    /// The store made a dead letter of an entry that is no call.
    Rejected {
        /// From this function's stream.
        function: FunctionId,
        /// Which entry.
        entry: EntryId,
    },
    /// Whoever begins this call dies of it.
    Poisonous {
        /// Which call.
        call: CallId,
    },
    /// A host's breaker changed its state.
    Breaker {
        /// Whose.
        host: HostId,
        /// From this.
        from: BreakerState,
        /// To this.
        to: BreakerState,
    },
    /// Faults are over; what the world owes from here is liveness.
    Healed,
    /// Where an admitted call stands when everything is over.
    Final {
        /// The call.
        call: CallId,
        /// What the store knows of it.
        state: CallState,
    },
    /// A call that is not decided in time, and what the machines say.
    Stuck {
        /// The call.
        call: CallId,
        /// Where the store has it, and the pending reasons of every live host.
        why: String,
    },
    /// Something is left over after quiet.
    LeftOver {
        /// What.
        what: String,
    },
    /// The world ran more events than any sane seed needs.
    Runaway {
        /// How many.
        events: u64,
    },
}

/// All facts, in order.
#[derive(Clone, Debug, Default)]
pub struct History {
    facts: Vec<(Moment, Fact)>,
}

impl History {
    /// Adds a fact. Time does not go back.
    pub fn push(&mut self, at: Moment, fact: Fact) {
        debug_assert!(self.facts.last().is_none_or(|(last, _)| *last <= at));
        self.facts.push((at, fact));
    }

    /// The facts in order.
    pub fn facts(&self) -> &[(Moment, Fact)] {
        &self.facts
    }
}

impl FromIterator<(Moment, Fact)> for History {
    fn from_iter<I: IntoIterator<Item = (Moment, Fact)>>(facts: I) -> Self {
        Self { facts: facts.into_iter().collect() }
    }
}
