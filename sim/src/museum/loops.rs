//! Machines that leave their loop, or stay in it, by mistake; and stops that stop something else.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::command::Command;
use steadfast_core::event::Event;
use steadfast_core::machine::{Done, Effect, EffectId, Input};
use steadfast_core::name::{ConsumerId, Epoch, FunctionId, SessionId};
use steadfast_core::op::{ConsumerStatus, Destination, Lane, Op, OpResult, Reply, Settlement};
use steadfast_core::time::Time;
use steadfast_core::transport::{ErrorKind, Interest, Link};

use super::bent::{Aside, Slip, Wish};

/// A stop is a message to a function: whoever serves it when the message comes obeys.
#[derive(Clone, Debug, Default)]
pub struct StopOfAnother {
    functions: BTreeMap<ConsumerId, FunctionId>,
    present: BTreeMap<FunctionId, (ConsumerId, Epoch)>,
}

impl Slip for StopOfAnother {
    fn told(&mut self, input: Input, _aside: &mut Aside) -> Option<Input> {
        let Input::Command(Command::Stop { consumer, drain, .. }) = &input else {
            return Some(input);
        };
        let present =
            self.functions.get(consumer).and_then(|function| self.present.get(function)).cloned();
        Some(match present {
            Some((consumer, epoch)) => {
                Input::Command(Command::Stop { consumer, epoch, drain: *drain })
            }
            None => input,
        })
    }

    fn event(&mut self, event: &Event, _aside: &mut Aside) {
        let Event::Consumer { function, consumer, epoch: Some(epoch), status, .. } = event else {
            return;
        };
        self.functions.insert(consumer.clone(), function.clone());
        if *status == ConsumerStatus::Active {
            self.present.insert(function.clone(), (consumer.clone(), *epoch));
        }
    }
}

/// Consumers that have left their loop, and say so to nobody: they read no more.
#[derive(Clone, Debug, Default)]
struct Deaf(BTreeSet<ConsumerId>);

impl Deaf {
    fn hears(&self, effect: Effect) -> Option<Effect> {
        let deaf = matches!(&effect, Effect::Watch { interest, .. }
            if matches!(interest, Interest::Deliveries { consumer, .. }
                if self.0.contains(consumer)));
        (!deaf).then_some(effect)
    }
}

/// The loop runs while the status is `active`: an error, which only degrades, ends it.
#[derive(Clone, Debug, Default)]
pub struct ErrorEndsLoop {
    deaf: Deaf,
}

impl Slip for ErrorEndsLoop {
    fn effect(&mut self, _id: EffectId, effect: Effect, _aside: &mut Aside) -> Option<Effect> {
        self.deaf.hears(effect)
    }

    fn event(&mut self, event: &Event, _aside: &mut Aside) {
        if let Event::Consumer { consumer, status: ConsumerStatus::Error, .. } = event {
            self.deaf.0.insert(consumer.clone());
        }
    }
}

/// NOGROUP is taken for the function's end: whoever reads it leaves the loop.
#[derive(Clone, Debug, Default)]
pub struct NoGroupEndsLoop {
    deaf: Deaf,
    reads: BTreeMap<EffectId, ConsumerId>,
}

impl Slip for NoGroupEndsLoop {
    fn told(&mut self, input: Input, _aside: &mut Aside) -> Option<Input> {
        if let Input::Done { id, done: Done::Watched(answer) } = &input
            && let Some(consumer) = self.reads.remove(id)
            && matches!(answer, Err(error) if error.kind == ErrorKind::NoGroup)
        {
            self.deaf.0.insert(consumer);
        }
        Some(input)
    }

    fn effect(&mut self, id: EffectId, effect: Effect, _aside: &mut Aside) -> Option<Effect> {
        if let Effect::Watch { interest: Interest::Deliveries { consumer, .. }, .. } = &effect {
            self.reads.insert(id, consumer.clone());
        }
        self.deaf.hears(effect)
    }
}

/// A consumer stops and does not sign off: the registry shows it for as long as its keys live.
#[derive(Clone, Debug, Default)]
pub struct StillRegistered;

impl Slip for StillRegistered {
    fn op(&mut self, op: Op) -> Wish {
        match op {
            Op::Deregister { .. } => Wish::Pretend(Reply::Deregistered { released: 0 }),
            op => Wish::Send(op),
        }
    }
}

/// Functions share one client, and the one that is closed first closes it for all.
#[derive(Clone, Debug, Default)]
pub struct ClosesShared {
    command: Option<SessionId>,
    connecting: BTreeMap<EffectId, Link>,
    closed: bool,
}

impl Slip for ClosesShared {
    fn told(&mut self, input: Input, _aside: &mut Aside) -> Option<Input> {
        if let Input::Done { id, done: Done::Connected(Ok(connected)) } = &input
            && self.connecting.remove(id) == Some(Link::Command)
        {
            self.command = Some(connected.session);
        }
        Some(input)
    }

    fn effect(&mut self, id: EffectId, effect: Effect, _aside: &mut Aside) -> Option<Effect> {
        if let Effect::Connect(link) = &effect {
            self.connecting.insert(id, *link);
        }
        // A client that was closed on purpose does not connect again, and answers nothing.
        let dead = self.closed
            && match &effect {
                Effect::Connect(_) => true,
                Effect::Execute { session, .. } => Some(*session) == self.command,
                _ => false,
            };
        (!dead).then_some(effect)
    }

    fn event(&mut self, event: &Event, aside: &mut Aside) {
        if let (Event::Consumer { status: ConsumerStatus::Stopped, .. }, Some(session)) =
            (event, self.command)
            && !self.closed
        {
            self.closed = true;
            aside.perform(Effect::Close(session));
        }
    }
}

/// What was fetched and not begun is skipped when the consumer stops, and stays pending at its name.
#[derive(Clone, Debug, Default)]
pub struct SkipsAtStop {
    shutting_down: bool,
}

impl Slip for SkipsAtStop {
    fn told(&mut self, input: Input, _aside: &mut Aside) -> Option<Input> {
        self.shutting_down |= matches!(input, Input::Command(Command::Shutdown { .. }));
        Some(input)
    }

    fn op(&mut self, op: Op) -> Wish {
        match op {
            Op::Move { to: Destination::Release, .. } => {
                Wish::Pretend(Reply::Settled(Settlement::Done))
            }
            // Signing off gives back what is pending in the same step; it had no such step.
            Op::Deregister { .. } if !self.shutting_down => {
                Wish::Pretend(Reply::Deregistered { released: 0 })
            }
            op => Wish::Send(op),
        }
    }
}

/// At its start a process clears the registry of what others left there, and of the living too.
#[derive(Clone, Debug, Default)]
pub struct RemovesHealthy {
    ours: BTreeSet<ConsumerId>,
    command: Option<SessionId>,
    started: bool,
}

impl Slip for RemovesHealthy {
    fn answered(&mut self, result: &mut OpResult, aside: &mut Aside) {
        let (Ok(Reply::Surveyed(survey)), Some(session), false) =
            (result, self.command, self.started)
        else {
            return;
        };
        let ops: Vec<Op> = survey
            .functions
            .iter()
            .flat_map(|function| {
                // They have told their connections: they are up.
                let others = function
                    .consumers
                    .iter()
                    .filter(|it| !self.ours.contains(&it.consumer) && !it.sessions.is_empty());
                others.map(|record| Op::Remove {
                    function: function.function.clone(),
                    consumer: record.consumer.clone(),
                    epoch: record.epoch,
                    heartbeat: record.heartbeat,
                    sessions: record.sessions.clone(),
                })
            })
            .collect();
        if !ops.is_empty() {
            self.started = true;
            aside.perform(Effect::Execute { session, lane: Lane::Control, ops });
        }
    }

    fn effect(&mut self, _id: EffectId, effect: Effect, _aside: &mut Aside) -> Option<Effect> {
        if let Effect::Execute { session, .. } = &effect {
            self.command = Some(*session);
        }
        Some(effect)
    }

    fn event(&mut self, event: &Event, _aside: &mut Aside) {
        if let Event::Consumer { consumer, .. } = event {
            self.ours.insert(consumer.clone());
        }
    }
}

/// A host that serves a while after it started: no mistake, but what a group's first entry needs.
#[derive(Clone, Debug, Default)]
pub struct ServesLate {
    held: Vec<Command>,
}

impl ServesLate {
    /// When it serves, by its own clock: more than a second into the calls, less than the two in which
    /// an undisturbed call has to begin.
    const FROM: Time = Time::from_millis(2_200);
}

impl Slip for ServesLate {
    fn told(&mut self, input: Input, aside: &mut Aside) -> Option<Input> {
        if aside.now < Self::FROM {
            return match input {
                Input::Command(command @ Command::Serve { .. }) => {
                    self.held.push(command);
                    Some(Input::Tick)
                }
                input => Some(input),
            };
        }
        for command in self.held.drain(..) {
            aside.tell(Input::Command(command));
        }
        Some(input)
    }

    fn due(&self) -> Option<Time> {
        (!self.held.is_empty()).then_some(Self::FROM)
    }
}
