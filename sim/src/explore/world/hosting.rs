//! The machines' side: inputs, effects, events, handlers.

use std::collections::VecDeque;
use std::hash::Hash;
use std::rc::Rc;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::Payload;
use steadfast_core::event::{Answer as UserAnswer, Event};
use steadfast_core::machine::{Done, Effect, EffectId, Input, Output};
use steadfast_core::name::SessionId;
use steadfast_core::op::ConsumerStatus;
use steadfast_core::transport::{ErrorKind, TransportError};

use super::conn::{Answer, Awaited, Conn, Request};
use super::describe::list;
use super::memory::{Said, Told};
use super::{Running, World, host, print_machine};
use crate::explore::print::Print;
use crate::explore::subject::ExploredStore;
use crate::history::Fact;
use crate::moment::store_time;
use crate::subject::Subject;

/// More outputs than any input causes.
const OUTPUTS_MAX: usize = 10_000;

/// Inputs that follow within the same step.
type Soon = VecDeque<Input>;

impl<M: Subject, S: ExploredStore> World<M, S> {
    /// Tells a machine something, does what it says, and opens the connections that it wants.
    pub(super) fn feed(&mut self, node: u8, input: Input) {
        let print = Print::of_value(&input);
        self.feed_known(node, print, || input);
    }

    /// The same for an input of which the print is known: it is made only where it is needed.
    fn feed_known(&mut self, node: u8, print: Print, input: impl FnOnce() -> Input) {
        let mut soon = Soon::new();
        let mut said = self.tell(node, print, input);
        while let Some(outputs) = said {
            for output in outputs.iter() {
                self.act(node, output, &mut soon);
            }
            said = soon.pop_front().and_then(|input| {
                let print = Print::of_value(&input);
                self.tell(node, print, || input)
            });
        }
    }

    /// Tells a machine something; answers all that it says, up to when it waits.
    fn tell(
        &mut self,
        node: u8,
        print: Print,
        input: impl FnOnce() -> Input,
    ) -> Option<Rc<[Said]>> {
        let time = self.node_time();
        let machine = self.places[usize::from(node)].machine.clone()?;
        let key = (!self.is_fresh).then(|| self.key_of(node, print));
        let told = self.setting.memory.told(key, || {
            let mut machine = M::clone(&machine);
            machine.handle(time, input());
            let mut said: Vec<Said> = Vec::new();
            loop {
                let output = machine.poll();
                let is_last = matches!(output, Output::Wait { .. });
                said.push(output.into());
                if is_last || said.len() > OUTPUTS_MAX {
                    break;
                }
            }
            let print = print_machine(&machine, time);
            Told { machine: Rc::new(machine), print, said: said.into() }
        });
        if told.said.len() > OUTPUTS_MAX {
            self.wrong = Some(format!("{} speaks without end", self.name(node)));
        }
        let place = self.place(node);
        place.machine = Some(told.machine.clone());
        place.print = told.print;
        Some(told.said.clone())
    }

    /// Names a machine as it is, and what it is told.
    fn key_of(&self, node: u8, input: Print) -> Print {
        let place = &self.places[usize::from(node)];
        Print::of(|hasher| {
            (node, self.now, place.print, place.drawn, input).hash(hasher);
            for running in &place.running {
                (running.effect, running.id).hash(hasher);
            }
            for (session, conn) in &self.conns {
                if conn.node == node {
                    (session, conn.link, conn.opened_at, conn.node_open).hash(hasher);
                    conn.outstanding.hash(hasher);
                }
            }
        })
    }

    fn act(&mut self, node: u8, said: &Said, soon: &mut Soon) {
        match said {
            Said::Execute { id, session, lane, ops } => {
                self.note_effect(node, || format!("send on {lane}: {}", list(&ops.it)));
                let (effect, lane, ops) = (Some(*id), *lane, ops.clone());
                let request = Request::Execute { effect, lane, ops, results: Vec::new() };
                self.send(node, *session, (*id, Awaited::Batch(lane)), request);
            }
            Said::Watch { id, session, interest, block } => {
                self.note_effect(node, || format!("watch for {}", interest.it));
                let (effect, interest, until) = (*id, interest.clone(), self.now + *block);
                let request = Request::Watch { effect, interest, until };
                self.send(node, *session, (effect, Awaited::Watch), request);
            }
            Said::Else(Output::Effect { id, effect }) => {
                self.note_effect(node, || effect.to_string());
                self.perform(node, *id, effect, soon);
            }
            Said::Else(Output::Event(event)) => self.hear(node, event),
            Said::Else(Output::Wait { until, .. }) => self.place(node).due = *until,
        }
    }

    fn note_effect(&mut self, node: u8, what: impl FnOnce() -> String) {
        if self.notes.is_some() {
            let line = format!("  {} > {}", self.name(node), what());
            self.note(|| line);
        }
    }

    fn perform(&mut self, node: u8, id: EffectId, effect: &Effect, soon: &mut Soon) {
        match effect {
            Effect::Connect(link) => {
                let store = Rc::make_mut(&mut self.store);
                let connected = store.connect(store_time(self.now));
                self.print_store();
                self.opened += 1;
                let conn = Conn::new(node, *link, self.now);
                self.conns.insert(connected.session, Rc::new(conn));
                soon.push_back(Input::Done { id, done: Done::Connected(Ok(connected)) });
            }
            Effect::Close(session) => self.close(*session),
            Effect::Execute { .. } | Effect::Watch { .. } => {
                debug_assert!(false, "{effect} is shared, and so elsewhere");
            }
            Effect::Abort(session) => {
                if let Some(conn) = self.conn(*session) {
                    conn.aborting = conn.outstanding.first().map(|(effect, _)| *effect);
                }
            }
            Effect::Run(attempt) => {
                self.fact(Fact::Begun {
                    host: host(node),
                    function: attempt.function.clone(),
                    consumer: attempt.consumer.clone(),
                    epoch: attempt.epoch,
                    call: attempt.call.clone(),
                    attempt: attempt.attempt,
                });
                let place = self.place(node);
                place.drawn.1 += 1;
                place.running.push(Running {
                    effect: id,
                    id: attempt.id,
                    call: attempt.call.clone(),
                    consumer: attempt.consumer.clone(),
                    epoch: attempt.epoch,
                    attempt: attempt.attempt,
                    interrupted: false,
                });
            }
            Effect::Interrupt { attempt, .. } => {
                let running = &mut self.place(node).running;
                if let Some(running) = running.iter_mut().find(|running| running.id == *attempt) {
                    running.interrupted = true;
                    let (consumer, call) = (running.consumer.clone(), running.call.clone());
                    self.fact(Fact::Interrupted { host: host(node), consumer, call });
                }
            }
        }
    }

    pub(super) fn place(&mut self, node: u8) -> &mut super::Place<M> {
        Rc::make_mut(&mut self.places[usize::from(node)])
    }

    fn send(
        &mut self,
        node: u8,
        session: SessionId,
        awaited: (EffectId, Awaited),
        request: Request,
    ) {
        let conn = self.conn(session);
        let Some(conn) = conn.filter(|conn| conn.node_open) else {
            let name = self.name(node);
            self.wrong = Some(format!("{name} sends on {session}, which it has closed"));
            return;
        };
        conn.outstanding.push(awaited);
        if conn.store_open {
            conn.up.push_back(request);
        }
    }

    /// The node closes a connection: what it awaits there it has given up, what is sent still arrives.
    fn close(&mut self, session: SessionId) {
        let Some(conn) = self.conn(session) else {
            return;
        };
        conn.node_open = false;
        conn.outstanding.clear();
        conn.down.clear();
        conn.aborting = None;
        if conn.store_open {
            conn.up.push_back(Request::Fin);
        }
        self.forget_if_over(session);
    }

    pub(super) fn forget_if_over(&mut self, session: SessionId) {
        if self.conns.get(&session).is_some_and(|conn| conn.is_over()) {
            self.conns.remove(&session);
        }
    }

    fn hear(&mut self, node: u8, event: &Event) {
        if self.notes.is_some() && !matches!(event, Event::Link { .. }) {
            let line = format!("  {} ! {event}", self.name(node));
            self.note(|| line);
        }
        let host = host(node);
        match event {
            Event::Answer { ticket, answer } => {
                Rc::make_mut(&mut self.tickets).remove(ticket);
                let error = answer.as_ref().err().cloned();
                self.fact(Fact::Answered { host, ticket: *ticket, error });
                match answer {
                    Ok(UserAnswer::Submitted(call)) => {
                        self.fact(Fact::Acknowledged { call: call.clone() });
                    }
                    Ok(UserAnswer::Outcome(record)) => {
                        self.fact(Fact::Acknowledged { call: record.call.clone() });
                        self.fact(Fact::Observed { host, record: record.clone() });
                    }
                    _ => {}
                }
            }
            Event::Consumer { function, consumer, epoch, status, cause } => {
                let (function, consumer) = (function.clone(), consumer.clone());
                let (epoch, status, cause) = (*epoch, *status, *cause);
                if let (0, ConsumerStatus::Active, Some(epoch)) = (node, status, epoch) {
                    self.first.get_or_insert_with(|| Rc::new((consumer.clone(), epoch)));
                }
                // Each incarnation starts once, and may do so again after an error.
                self.place(node).drawn.0 += u32::from(status == ConsumerStatus::Starting);
                self.fact(Fact::Status { host, function, consumer, epoch, status, cause });
            }
            Event::ShutDown => self.place(node).has_ended = true,
            _ => {}
        }
    }

    /// An answer reaches its node.
    pub(super) fn answer(&mut self, session: SessionId) {
        let Some(conn) = self.conn(session) else {
            return;
        };
        let node = conn.node;
        match conn.down.pop_front() {
            Some(Answer::Done(id, done)) => {
                conn.outstanding.retain(|(effect, _)| *effect != id);
                let print = Print::of_value(&(id, done.print));
                self.feed_known(node, print, || Input::Done { id, done: (*done.it).clone() });
            }
            Some(Answer::Broken) => {
                for (id, awaited) in std::mem::take(&mut conn.outstanding) {
                    let error = TransportError::unknown(ErrorKind::Disconnected, "");
                    let done = match awaited {
                        Awaited::Batch(_) => Done::Executed(Err(error)),
                        Awaited::Watch => Done::Watched(Err(error)),
                    };
                    self.feed(node, Input::Done { id, done });
                }
            }
            None => {}
        }
        self.forget_if_over(session);
    }

    /// A handler ends: with a result of its own, or as it was told to.
    pub(super) fn finish(&mut self, node: u8, index: u8, obeys: bool) {
        let running = self.place(node).running.remove(usize::from(index));
        let Running { effect, call, consumer, epoch, attempt, .. } = running;
        let end = if obeys {
            AttemptEnd::Interrupted
        } else {
            AttemptEnd::Success(Payload::trusted(format!("[{attempt},{}]", epoch.0)))
        };
        self.fact(Fact::Ended { host: host(node), consumer, call, end: end.clone() });
        self.feed(node, Input::Done { id: effect, done: Done::Ran(end) });
    }
}
