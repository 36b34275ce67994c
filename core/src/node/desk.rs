//! What every part of a node may write to: the outbox, the timers, effects and events.
//!
//! Parts never perform anything. They put operations, effects and events here; `Node::poll` hands them
//! to the driver.

use std::collections::{BTreeMap, VecDeque};

use crate::attempt::AttemptId;
use crate::config::Config;
use crate::entropy::{Entropy, Stream};
use crate::event::Event;
use crate::machine::{Effect, EffectId, Output};
use crate::name::{NodeId, SessionId};
use crate::node::outbox::Outbox;
use crate::op::Lane;
use crate::probe::NodeSink;
use crate::time::Time;
use crate::timer::{ConsumerKey, Timers};
use crate::transport::Link;

/// What an effect under way belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Flight {
    /// A connection attempt.
    Connect(Link),
    /// A lane's batch, on the command link.
    Batch(Lane),
    /// A blocking read on this link.
    Watch(Link),
    /// A handler of this consumer.
    Run(ConsumerKey, AttemptId),
}

/// The named random streams of a node. A new use of randomness gets a stream of its own.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) call_ids: Stream,
    pub(crate) consumer_ids: Stream,
    pub(crate) nonces: Stream,
    pub(crate) reconnect_jitter: Stream,
    pub(crate) retry_jitter: Stream,
}

impl Streams {
    fn new(entropy: Entropy) -> Self {
        Self {
            call_ids: entropy.stream("call-ids"),
            consumer_ids: entropy.stream("consumer-ids"),
            nonces: entropy.stream("nonces"),
            reconnect_jitter: entropy.stream("reconnect-jitter"),
            retry_jitter: entropy.stream("retry-jitter"),
        }
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) node: NodeId,
    pub(crate) config: Config,
    pub(crate) now: Time,
    pub(crate) streams: Streams,
    pub(crate) timers: Timers,
    pub(crate) outbox: Outbox,
    pub(crate) flights: BTreeMap<EffectId, Flight>,
    /// All sessions that stand, in order.
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) outputs: VecDeque<Output>,
    /// Where probes write.
    pub(crate) probes: NodeSink,
    /// Inputs that had no meaning when they came: unknown, late or repeated.
    pub(crate) ignored_inputs: u64,
    next_effect: u64,
    next_attempt: u64,
    next_consumer: u32,
}

impl Desk {
    pub(crate) fn new(node: NodeId, config: Config, seed: u64) -> Self {
        Self {
            node,
            config,
            now: Time::ZERO,
            streams: Streams::new(Entropy::new(seed)),
            timers: Timers::default(),
            outbox: Outbox::default(),
            flights: BTreeMap::new(),
            sessions: Vec::new(),
            outputs: VecDeque::new(),
            probes: NodeSink::default(),
            ignored_inputs: 0,
            next_effect: 0,
            next_attempt: 0,
            next_consumer: 0,
        }
    }

    /// Emits an effect that is answered, and remembers whose it is.
    pub(crate) fn launch(&mut self, effect: Effect, flight: Flight) -> EffectId {
        let id = self.emit(effect);
        self.flights.insert(id, flight);
        id
    }

    /// Emits an effect that has no answer.
    pub(crate) fn emit(&mut self, effect: Effect) -> EffectId {
        let id = EffectId(self.next_effect);
        self.next_effect += 1;
        self.outputs.push_back(Output::Effect { id, effect });
        id
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn close(&mut self, session: SessionId) {
        self.emit(Effect::Close(session));
    }

    pub(crate) fn new_attempt(&mut self) -> AttemptId {
        let id = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        id
    }

    pub(crate) fn new_consumer(&mut self) -> ConsumerKey {
        let key = ConsumerKey(self.next_consumer);
        self.next_consumer += 1;
        key
    }
}
