//! A production node with one slip: the machine exhibits.
//!
//! The wrapper stands between world and node. A [`Slip`] may change what the node is told and what it
//! asks for; everything that a slip leaves alone is the production node's own work, so that a violation
//! is due to the slip.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hasher;

use steadfast_core::config::Config;
use steadfast_core::event::Event;
use steadfast_core::machine::{Done, Effect, EffectId, Input, Machine, Output};
use steadfast_core::name::NodeId;
use steadfast_core::node::Node;
use steadfast_core::op::{Op, OpResult, Reply};
use steadfast_core::pending::Pending;
use steadfast_core::probe::CountingSink;
use steadfast_core::time::Time;

use crate::subject::Subject;

/// Effects of a slip's own are numbered from here; a node never comes so far.
const OWN_EFFECTS: u64 = 1 << 60;

/// What becomes of an operation that the node asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Wish {
    /// It is sent.
    Send(Op),
    /// It is not sent, and the node is told that this was the answer.
    Pretend(Reply),
}

/// What a slip does beside changing what passes.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// The node's time.
    pub now: Time,
    inputs: VecDeque<Input>,
    effects: VecDeque<(EffectId, Effect)>,
    effects_made: u64,
}

impl Aside {
    /// Tells the node something, after what it is being told now.
    pub fn tell(&mut self, input: Input) {
        self.inputs.push_back(input);
    }

    /// Does something in the node's name; [`Slip::own_done`] hears how it ends.
    pub fn perform(&mut self, effect: Effect) -> EffectId {
        let id = EffectId(OWN_EFFECTS + self.effects_made);
        self.effects_made += 1;
        self.effects.push_back((id, effect));
        id
    }
}

/// One mistake of a machine. Every method leaves things as they are unless it is overridden.
pub trait Slip: Clone + Default + Debug {
    /// The node is about to be told this; nothing keeps it from hearing.
    fn told(&mut self, input: Input, _aside: &mut Aside) -> Option<Input> {
        Some(input)
    }

    /// The node asks for this operation.
    fn op(&mut self, op: Op) -> Wish {
        Wish::Send(op)
    }

    /// The store answered an operation.
    fn answered(&mut self, _result: &mut OpResult, _aside: &mut Aside) {}

    /// The node asks for this; nothing keeps it from happening. Operations went through
    /// [`Slip::op`] before.
    fn effect(&mut self, _id: EffectId, effect: Effect, _aside: &mut Aside) -> Option<Effect> {
        Some(effect)
    }

    /// The node told its host this.
    fn event(&mut self, _event: &Event, _aside: &mut Aside) {}

    /// An effect of the slip's own ended.
    fn own_done(&mut self, _id: EffectId, _done: &Done, _aside: &mut Aside) {}

    /// When the slip wants to be told a tick.
    fn due(&self) -> Option<Time> {
        None
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Bent<S> {
    node: Node,
    slip: S,
    aside: Aside,
    /// Answers made up, by batch and place in it.
    pretended: BTreeMap<EffectId, Vec<(usize, Reply)>>,
}

impl<S: Slip> Subject for Bent<S> {
    fn start(id: NodeId, config: Config, seed: u64) -> Self {
        Self {
            node: Node::new(id, config, seed),
            slip: S::default(),
            aside: Aside::default(),
            pretended: BTreeMap::new(),
        }
    }

    fn probed(self, sink: CountingSink) -> Self {
        Self { node: self.node.with_probes(sink), ..self }
    }
}

impl<S: Slip> Bent<S> {
    /// Puts the answers made up into a batch's results, and shows the slip the others.
    fn complete(&mut self, id: EffectId, done: &mut Done) {
        let pretended = self.pretended.remove(&id).unwrap_or_default();
        let Done::Executed(Ok(results)) = done else {
            return;
        };
        for (place, result) in results.iter_mut().enumerate() {
            match pretended.iter().find(|(pretended, _)| *pretended == place) {
                Some((_, reply)) => *result = Ok(reply.clone()),
                None => self.slip.answered(result, &mut self.aside),
            }
        }
    }

    fn ask(&mut self, id: EffectId, effect: Effect) -> Option<Effect> {
        let effect = match effect {
            Effect::Execute { session, lane, ops } => {
                let mut pretended = Vec::new();
                let ops = ops.into_iter().enumerate().map(|(place, op)| match self.slip.op(op) {
                    Wish::Send(op) => op,
                    Wish::Pretend(reply) => {
                        pretended.push((place, reply));
                        Op::Ping
                    }
                });
                let ops = ops.collect();
                if !pretended.is_empty() {
                    self.pretended.insert(id, pretended);
                }
                Effect::Execute { session, lane, ops }
            }
            other => other,
        };
        self.slip.effect(id, effect, &mut self.aside)
    }
}

impl<S: Slip> Machine for Bent<S> {
    fn handle(&mut self, now: Time, input: Input) {
        self.aside.now = now;
        let input = match input {
            Input::Done { id, done } if id.0 >= OWN_EFFECTS => {
                self.slip.own_done(id, &done, &mut self.aside);
                return;
            }
            Input::Done { id, mut done } => {
                self.complete(id, &mut done);
                Input::Done { id, done }
            }
            other => other,
        };
        if let Some(input) = self.slip.told(input, &mut self.aside) {
            self.node.handle(now, input);
        }
    }

    fn poll(&mut self) -> Output {
        loop {
            if let Some((id, effect)) = self.aside.effects.pop_front() {
                return Output::Effect { id, effect };
            }
            match self.node.poll() {
                Output::Effect { id, effect } => {
                    if let Some(effect) = self.ask(id, effect) {
                        return Output::Effect { id, effect };
                    }
                }
                Output::Event(event) => {
                    self.slip.event(&event, &mut self.aside);
                    return Output::Event(event);
                }
                Output::Wait { until, reason } => {
                    if let Some(input) = self.aside.inputs.pop_front() {
                        self.node.handle(self.aside.now, input);
                        continue;
                    }
                    if self.aside.effects.is_empty() {
                        let until = until.into_iter().chain(self.slip.due()).min();
                        return Output::Wait { until, reason };
                    }
                }
            }
        }
    }

    fn pending(&self) -> Vec<Pending> {
        self.node.pending()
    }

    fn fingerprint(&self, now: Time, into: &mut dyn Hasher) {
        self.node.fingerprint(now, into);
    }
}
