//! What the suites of several crates share: a redis-server of a test's own, short names for operations, and a
//! tabletop on which one node and the reference store are moved by hand.
//!
//! On the tabletop every effect takes one millisecond there and one back, in order. Nothing is random, so that a trace
//! of the tabletop is a story that a reader can follow; the simulator is where messages are lost.

mod clock;
mod half_open;
mod leaks;
pub mod ops;
mod redis_server;
mod relay;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use steadfast_core::attempt::{Attempt, AttemptEnd, AttemptId};
use steadfast_core::command::Command;
use steadfast_core::config::Config;
use steadfast_core::event::Event;
use steadfast_core::machine::{Done, Effect, EffectId, Input, Machine, Output, StoreMachine};
use steadfast_core::name::{NodeId, SessionId};
use steadfast_core::node::Node;
use steadfast_core::time::{StoreTime, Time};
use steadfast_core::transport::{Interest, Wake};
use steadfast_transport_mem::{MemStore, StoreConfig};

pub use half_open::HalfOpen;
pub use leaks::leaks;
pub use redis_server::{Ended, RedisServer, command};
pub use relay::Relay;

/// A message takes this long from the node to the store, and back.
const LATENCY: Duration = Duration::from_millis(1);

/// The store's time when the node's is zero.
const STORE_START: StoreTime = StoreTime::from_millis(1_700_000_000_000);

enum Happening {
    AtStore(EffectId, Effect),
    AtNode(Input),
    BlockOver(SessionId),
    HandlerEnds(EffectId, AttemptId),
}

/// How the tabletop's handler ends an attempt.
pub type Policy = fn(&Attempt) -> AttemptEnd;

/// One node and the reference store, moved by hand.
pub struct Tabletop {
    /// The node.
    pub node: Node,
    /// The store.
    pub store: MemStore,
    /// What the node said to its host, in order.
    pub events: Vec<Event>,
    now: Time,
    agenda: BTreeMap<(Time, u64), Happening>,
    next: u64,
    watches: BTreeMap<SessionId, EffectId>,
    running: BTreeMap<AttemptId, (EffectId, AttemptEnd)>,
    policy: Policy,
    handler_time: Duration,
    trace: String,
}

impl std::fmt::Debug for Tabletop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tabletop").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Tabletop {
    /// A node whose handlers end after `handler_time` as the policy says.
    pub fn new(config: Config, handler_time: Duration, policy: Policy) -> Self {
        let id = NodeId::new("node").expect("a valid id");
        Self {
            node: Node::new(id, config, 1),
            store: MemStore::new(StoreConfig::default()),
            events: Vec::new(),
            now: Time::ZERO,
            agenda: BTreeMap::new(),
            next: 0,
            watches: BTreeMap::new(),
            running: BTreeMap::new(),
            policy,
            handler_time,
            trace: String::new(),
        }
    }

    /// The story so far.
    pub fn trace(&self) -> &str {
        &self.trace
    }

    /// Writes a line between the others.
    pub fn note(&mut self, line: &str) {
        _ = writeln!(self.trace, "-- {line}");
    }

    /// Gives the node a command.
    pub fn command(&mut self, command: Command) {
        self.tell(Input::Command(command));
    }

    /// Gives the node several commands at once.
    pub fn commands(&mut self, commands: impl IntoIterator<Item = Command>) {
        self.tell(Input::Several(commands.into_iter().map(Input::Command).collect()));
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, happening)) = self.pop_before(end) {
            self.now = at;
            match happening {
                Happening::AtNode(input) => self.tell(input),
                Happening::AtStore(id, effect) => self.at_store(id, effect),
                Happening::BlockOver(session) => self.block_over(session),
                Happening::HandlerEnds(id, attempt) => {
                    if let Some((effect, end)) = self.running.remove(&attempt) {
                        debug_assert_eq!(effect, id);
                        self.tell(Input::Done { id, done: Done::Ran(end) });
                    }
                }
            }
        }
        self.now = end;
    }

    fn pop_before(&mut self, end: Time) -> Option<(Time, Happening)> {
        let (&(at, sequence), _) = self.agenda.first_key_value()?;
        if at > end {
            return None;
        }
        self.agenda.remove(&(at, sequence)).map(|happening| (at, happening))
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.agenda.insert((self.now + after, self.next), happening);
        self.next += 1;
    }

    fn store_now(&self) -> StoreTime {
        STORE_START + self.now.since(Time::ZERO)
    }

    fn tell(&mut self, input: Input) {
        if !matches!(input, Input::Tick) {
            _ = writeln!(self.trace, "{} > {input}", self.now);
        }
        self.node.handle(self.now, input);
        loop {
            match self.node.poll() {
                Output::Wait { until, .. } => {
                    if let Some(until) = until {
                        self.plan(until.since(self.now), Happening::AtNode(Input::Tick));
                    }
                    return;
                }
                Output::Event(event) => {
                    _ = writeln!(self.trace, "{} < event: {event}", self.now);
                    self.events.push(event);
                }
                Output::Effect { id, effect } => {
                    _ = writeln!(self.trace, "{} < {id} {effect}", self.now);
                    self.perform(id, effect);
                }
            }
        }
    }

    fn perform(&mut self, id: EffectId, effect: Effect) {
        match effect {
            Effect::Run(attempt) => {
                let end = (self.policy)(&attempt);
                self.running.insert(attempt.id, (id, end));
                self.plan(self.handler_time, Happening::HandlerEnds(id, attempt.id));
            }
            Effect::Interrupt { attempt, .. } => {
                if let Some((_, end)) = self.running.get_mut(&attempt) {
                    *end = AttemptEnd::Interrupted;
                }
            }
            effect => self.plan(LATENCY, Happening::AtStore(id, effect)),
        }
    }

    fn at_store(&mut self, id: EffectId, effect: Effect) {
        let now = self.store_now();
        match effect {
            Effect::Connect(_) => {
                let connected = self.store.connect(now);
                self.answer(id, Done::Connected(Ok(connected)));
            }
            Effect::Close(session) => {
                self.watches.remove(&session);
                self.store.disconnect(now, session);
            }
            Effect::Execute { session, ops, .. } => {
                let results = ops.iter().map(|op| self.store.apply(now, session, op)).collect();
                self.answer(id, Done::Executed(Ok(results)));
            }
            Effect::Watch { session, interest, block } => self.watch(id, session, &interest, block),
            Effect::Abort(session) => self.block_over(session),
            Effect::Run(_) | Effect::Interrupt { .. } => unreachable!("done at the node"),
        }
        while let Some((session, wake)) = self.store.poll_wake() {
            if let Some(id) = self.watches.remove(&session) {
                self.answer(id, Done::Watched(wake));
            }
        }
    }

    fn watch(&mut self, id: EffectId, session: SessionId, interest: &Interest, block: Duration) {
        let Some(wake) = self.store.watch(self.store_now(), session, interest) else {
            self.watches.insert(session, id);
            self.plan(block, Happening::BlockOver(session));
            return;
        };
        self.answer(id, Done::Watched(wake));
    }

    fn block_over(&mut self, session: SessionId) {
        if let Some(id) = self.watches.remove(&session) {
            self.store.unwatch(session);
            self.answer(id, Done::Watched(Ok(Wake::Nothing)));
        }
    }

    fn answer(&mut self, id: EffectId, done: Done) {
        self.plan(LATENCY, Happening::AtNode(Input::Done { id, done }));
    }
}
