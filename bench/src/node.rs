//! A node over the reference store: what a timer step costs, and a call's whole life in one process.

use std::collections::VecDeque;
use std::time::Duration;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::Payload;
use steadfast_core::command::{Command, FunctionOptions, Request, Ticket};
use steadfast_core::config::Config;
use steadfast_core::definition::Definition;
use steadfast_core::event::{Answer, Event};
use steadfast_core::machine::{Done, Effect, EffectId, Input, Machine, Output, StoreMachine};
use steadfast_core::name::{FunctionId, NodeId, SessionId};
use steadfast_core::node::Node;
use steadfast_core::time::{StoreTime, Time};
use steadfast_core::transport::Wake;
use steadfast_transport_mem::MemStore;

use crate::measure::Figure;

/// The store's clock when the node's stands at zero.
const EPOCH_MICROS: u64 = 1_000_000_000;

/// A driver without a network: every effect ends at once, a watch when something comes or its block
/// time is over.
struct World {
    node: Node,
    store: MemStore,
    now: Time,
    wake_at: Option<Time>,
    watches: Vec<(SessionId, EffectId, Time)>,
    outcomes: u64,
    inputs: u64,
}

impl World {
    fn new() -> Self {
        let id = NodeId::new("bench").expect("a good id");
        Self {
            node: Node::new(id, Config::default(), 1),
            store: MemStore::default(),
            now: Time::ZERO,
            wake_at: None,
            watches: Vec::new(),
            outcomes: 0,
            inputs: 0,
        }
    }

    fn store_now(&self) -> StoreTime {
        StoreTime::from_micros(EPOCH_MICROS + self.now.as_micros())
    }

    /// Gives one input and everything that follows from it at this moment.
    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.inputs += 1;
            self.node.handle(self.now, input);
            loop {
                match self.node.poll() {
                    Output::Effect { id, effect } => self.perform(id, effect, &mut inputs),
                    Output::Event(Event::Answer { answer, .. }) => {
                        self.outcomes += u64::from(matches!(answer, Ok(Answer::Outcome(_))));
                    }
                    Output::Event(_) => {}
                    Output::Wait { until, .. } => {
                        self.wake_at = until;
                        break;
                    }
                }
            }
        }
    }

    fn perform(&mut self, id: EffectId, effect: Effect, inputs: &mut VecDeque<Input>) {
        let now = self.store_now();
        let mut done = |id, done| inputs.push_back(Input::Done { id, done });
        match effect {
            Effect::Connect(_) => done(id, Done::Connected(Ok(self.store.connect(now)))),
            Effect::Close(session) => {
                self.store.disconnect(now, session);
                self.watches.retain(|(watching, ..)| *watching != session);
            }
            Effect::Execute { session, ops, .. } => {
                let results = ops.iter().map(|op| self.store.apply(now, session, op)).collect();
                done(id, Done::Executed(Ok(results)));
            }
            Effect::Watch { session, interest, block } => {
                match self.store.watch(now, session, &interest) {
                    Some(wake) => done(id, Done::Watched(wake)),
                    None => self.watches.push((session, id, self.now + block)),
                }
            }
            Effect::Abort(session) => {
                if let Some(id) = self.take_watch(session) {
                    self.store.unwatch(session);
                    done(id, Done::Watched(Ok(Wake::Nothing)));
                }
            }
            Effect::Run(attempt) => done(id, Done::Ran(AttemptEnd::Success(attempt.input))),
            Effect::Interrupt { .. } => {}
        }
        while let Some((session, wake)) = self.store.poll_wake() {
            if let Some(id) = self.take_watch(session) {
                inputs.push_back(Input::Done { id, done: Done::Watched(wake) });
            }
        }
    }

    fn take_watch(&mut self, session: SessionId) -> Option<EffectId> {
        let index = self.watches.iter().position(|(watching, ..)| *watching == session)?;
        Some(self.watches.swap_remove(index).1)
    }

    /// Lets the next thing happen that time alone brings, and nothing else.
    fn step(&mut self) {
        let watch_end = self.watches.iter().map(|(.., end)| *end).min();
        let Some(next) = self.wake_at.into_iter().chain(watch_end).min() else {
            return;
        };
        self.now = self.now.max(next);
        let ended = self.watches.iter().position(|(.., end)| *end <= self.now);
        match ended {
            Some(index) => {
                let (session, id, _) = self.watches.swap_remove(index);
                self.store.unwatch(session);
                let done = Done::Watched(Ok(Wake::Nothing));
                self.give(Input::Done { id, done });
            }
            None => self.give(Input::Tick),
        }
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.wake_at.is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }
}

pub(crate) fn figures() -> Vec<Figure> {
    let function = FunctionId::new("echo", "global").expect("a good name");
    let mut world = World::new();
    world.give(Input::Tick);
    world.give(Input::Command(Command::Serve {
        definition: Box::new(Definition::new(function.clone())),
        options: FunctionOptions::default(),
    }));
    world.pass(Duration::from_secs(10));

    let tick = Figure::of("node: a tick with nothing due", || world.give(Input::Tick));
    let step = Figure::of("node: a timer step of an idle worker, store included", || {
        world.step();
    });

    let input = Payload::trusted(r#"{"name":"Ada"}"#);
    let mut ticket = 0;
    let (outcomes, inputs) = (world.outcomes, world.inputs);
    let call = Figure::of("node: a call from request to outcome, store included", || {
        ticket += 1;
        world.now += Duration::from_millis(100);
        world.give(Input::Command(Command::Call {
            ticket: Ticket(ticket),
            request: Box::new(Request::new(function.clone(), input.clone())),
        }));
        // Should anything be left, it waits for a timer.
        while world.outcomes - outcomes < ticket {
            world.step();
        }
    });
    let inputs_per_call = (world.inputs - inputs) as f64 / ticket as f64;
    let per_input = Figure {
        name: "node: one of a call's inputs",
        median_ns: call.median_ns / inputs_per_call,
        best_ns: call.best_ns / inputs_per_call,
        limit_ns: None,
    };
    vec![tick, step, call, per_input]
}
