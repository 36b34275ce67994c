//! Who waits for what: brings a node's events to the requests of the host's users.
//!
//! It only remembers and matches. What is to be done is decided by the node.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::command::Ticket;
use steadfast_core::event::{Answer, CallError, Event, LinkState, StopCause};
use steadfast_core::name::{ConsumerId, FunctionId};
use steadfast_core::op::ConsumerStatus;
use steadfast_core::transport::Link;
use tokio::sync::oneshot;

use crate::error::ServeError;
use crate::function::Handler;
use crate::host::Served;
use crate::inbox::answer;

type Reply = oneshot::Sender<Result<Answer, CallError>>;

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Switchboard {
    asked: BTreeMap<Ticket, Reply>,
    functions: BTreeMap<FunctionId, Desk>,
    command_link_is_up: bool,
    waiting_for_link: Vec<oneshot::Sender<()>>,
    waiting_for_end: Vec<oneshot::Sender<()>>,
}

/// One function's part.
#[derive(Default)]
struct Desk {
    handler: Option<Handler>,
    /// The incarnations that have not stopped.
    consumers: BTreeSet<ConsumerId>,
    serving: Vec<Serving>,
    stopping: Vec<Stopping>,
}

/// Somebody who waits for an incarnation to become active.
struct Serving {
    /// The incarnations before it.
    before: BTreeSet<ConsumerId>,
    reply: oneshot::Sender<Result<Served, ServeError>>,
}

/// Somebody who waits for incarnations to stop.
struct Stopping {
    left: BTreeSet<ConsumerId>,
    reply: oneshot::Sender<()>,
}

impl Switchboard {
    pub(crate) fn expect_answer(&mut self, ticket: Ticket, reply: Reply) {
        let earlier = self.asked.insert(ticket, reply);
        debug_assert!(earlier.is_none(), "{ticket} was used twice");
    }

    pub(crate) fn forget_answer(&mut self, ticket: Ticket) {
        self.asked.remove(&ticket);
    }

    /// To be called before the node is told to serve: its next incarnation is the one waited for.
    pub(crate) fn expect_active(
        &mut self,
        function: &FunctionId,
        handler: Handler,
        reply: oneshot::Sender<Result<Served, ServeError>>,
    ) {
        let desk = self.functions.entry(function.clone()).or_default();
        desk.handler = Some(handler);
        let before = desk.consumers.clone();
        desk.serving.retain(|it| !it.reply.is_closed());
        desk.serving.push(Serving { before, reply });
    }

    /// To be called before the node is told to retire the function.
    pub(crate) fn expect_stopped(&mut self, function: &FunctionId, reply: oneshot::Sender<()>) {
        match self.functions.get_mut(function) {
            Some(desk) if !desk.consumers.is_empty() => {
                let left = desk.consumers.clone();
                desk.stopping.retain(|it| !it.reply.is_closed());
                desk.stopping.push(Stopping { left, reply });
            }
            _ => answer(reply, ()),
        }
    }

    pub(crate) fn expect_link(&mut self, reply: oneshot::Sender<()>) {
        if self.command_link_is_up {
            answer(reply, ());
        } else {
            self.waiting_for_link.push(reply);
        }
    }

    pub(crate) fn expect_end(&mut self, reply: oneshot::Sender<()>) {
        self.waiting_for_end.push(reply);
    }

    /// Tells those who waited for the end that it is over.
    pub(crate) fn ended(self) {
        for reply in self.waiting_for_end {
            answer(reply, ());
        }
    }

    pub(crate) fn handler(&self, function: &FunctionId) -> Option<Handler> {
        self.functions.get(function)?.handler.clone()
    }

    /// Brings an event to whoever waits for it. Gives back what others may want to see: all but answers.
    pub(crate) fn route(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Answer { ticket, answer: given } => {
                if let Some(reply) = self.asked.remove(&ticket) {
                    answer(reply, given);
                }
                None
            }
            Event::Link { link: Link::Command, state } => {
                self.command_link_is_up = state == LinkState::Up;
                if self.command_link_is_up {
                    for reply in self.waiting_for_link.drain(..) {
                        answer(reply, ());
                    }
                }
                Some(event)
            }
            Event::Consumer { .. } => {
                self.route_consumer(&event);
                Some(event)
            }
            other => Some(other),
        }
    }

    fn route_consumer(&mut self, event: &Event) {
        let Event::Consumer { function, consumer, epoch, status, cause } = event else {
            return;
        };
        let desk = self.functions.entry(function.clone()).or_default();
        match (status, epoch) {
            (ConsumerStatus::Stopped, _) => {
                desk.stopped(function, consumer, cause.unwrap_or(StopCause::Asked));
            }
            (ConsumerStatus::Active, Some(epoch)) => {
                desk.consumers.insert(consumer.clone());
                desk.active(&Served {
                    function: function.clone(),
                    consumer: consumer.clone(),
                    epoch: *epoch,
                });
            }
            _ => drop(desk.consumers.insert(consumer.clone())),
        }
        if desk.is_idle() {
            self.functions.remove(function);
        }
    }
}

impl Desk {
    fn active(&mut self, served: &Served) {
        let waits = |serving: &mut Serving| !serving.before.contains(&served.consumer);
        for serving in self.serving.extract_if(.., waits) {
            answer(serving.reply, Ok(served.clone()));
        }
    }

    fn stopped(&mut self, function: &FunctionId, consumer: &ConsumerId, cause: StopCause) {
        self.consumers.remove(consumer);
        for stopping in &mut self.stopping {
            stopping.left.remove(consumer);
        }
        for stopping in self.stopping.extract_if(.., |it| it.left.is_empty()) {
            answer(stopping.reply, ());
        }
        // After a save or a fencing, a newer incarnation takes its place and answers those who wait.
        if cause == StopCause::Asked {
            let consumers = &self.consumers;
            let is_hopeless = |serving: &mut Serving| {
                !serving.before.contains(consumer) && consumers.is_subset(&serving.before)
            };
            for serving in self.serving.extract_if(.., is_hopeless) {
                let function = function.clone();
                answer(serving.reply, Err(ServeError::Stopped { function, cause }));
            }
        }
        // A fenced incarnation is gone before the one that takes its place appears.
        let is_succeeded = cause == StopCause::Fenced;
        if !is_succeeded && self.consumers.is_empty() && self.serving.is_empty() {
            self.handler = None;
        }
    }

    fn is_idle(&self) -> bool {
        self.handler.is_none() && self.consumers.is_empty() && self.stopping.is_empty()
    }
}
