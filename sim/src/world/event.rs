//! What can be scheduled.

use std::time::Duration;

use steadfast_core::attempt::{AttemptEnd, AttemptId};
use steadfast_core::machine::{Done, EffectId, Input};
use steadfast_core::op::Op;
use steadfast_core::transport::{Interest, Link};

use crate::faults::SlotId;
use crate::history::HostId;

/// A thing to happen. Small: what is large is boxed.
#[derive(Debug)]
pub(super) enum What {
    /// A machine's timer is due.
    Tick(HostId),
    /// A machine is told something that travels on no connection.
    Input(HostId, Box<Input>),
    /// An answer reaches the node.
    Answer(u32, EffectId, Box<Done>),
    /// The node's side learns that a connection is dead.
    Broken(u32),
    /// A wish for a connection reaches the store.
    ConnectAtStore(HostId, EffectId, Link),
    /// A request reaches the store.
    Arrive(u32, Box<Message>),
    /// A connection dies on both sides.
    Reset(u32),
    /// The store notices that a session's peer is gone.
    SessionEnd(u32),
    /// A blocking read has waited for its block time.
    BlockEnd(u32, EffectId),
    /// A wish to end a blocking read reaches the store.
    AbortAtStore(u32, EffectId),
    /// A handler answers, if it still runs.
    HandlerEnd(HostId, AttemptId, Box<AttemptEnd>),
    /// A process dies of what it runs.
    Die(HostId),
    /// Somebody uses a token.
    Publish(u32),
    /// A caller makes a call.
    Make(u32),
    /// A caller submits the same call once more.
    MakeAgain(u32),
    /// A caller cancels a call.
    Cancel(u32),
    /// A step of the plan.
    Fault(u32),
    /// A host is told to serve a function, where it does not.
    Serve(SlotId, u16),
    /// A paused process goes on.
    Resume(HostId),
    /// A partition ends, if it is still the one numbered so.
    Reopen(SlotId, u32),
    /// The store accepts connections again.
    StoreUp,
    /// A dead process is started again.
    Restart(SlotId),
}

/// What travels from a node to the store on a connection.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// A batch, or a part of one.
    Execute {
        /// Whose answer it is; a duplicate has none.
        effect: Option<EffectId>,
        /// The operations of this part.
        ops: Vec<Op>,
        /// The batch is complete with this part.
        last: bool,
        /// The connection dies after so many operations.
        cut: Option<usize>,
    },
    /// A blocking read.
    Watch {
        /// Whose answer it is.
        effect: EffectId,
        /// For what.
        interest: Interest,
        /// For how long.
        block: Duration,
        /// The connection dies as the answer leaves.
        cut: bool,
    },
    /// The node closed the connection.
    Fin,
}
