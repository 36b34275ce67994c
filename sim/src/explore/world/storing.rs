//! The store's side: operations one by one, blocking reads, and what the store's answers show.

use std::hash::Hash;
use std::rc::Rc;
use std::time::Duration;

use steadfast_core::call::{CallState, Record};
use steadfast_core::machine::Done;
use steadfast_core::name::{CallId, ConsumerId, FunctionId, SessionId};
use steadfast_core::op::{Admission, ConsumerRecord, Op, OpResult, Reply, Settlement};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{TransportError, Wake};

use super::conn::{Answer, Printed, Request};
use super::memory::{Asked, Reaction};
use super::{World, print_of};
use crate::explore::print::Print;
use crate::explore::subject::ExploredStore;
use crate::history::Fact;
use crate::moment::store_time;
use crate::subject::Subject;

impl<M: Subject, S: ExploredStore> World<M, S> {
    fn store_mut(&mut self) -> &mut S {
        Rc::make_mut(&mut self.store)
    }

    /// Asks the store something on a session, and takes over how it stands then.
    fn ask_of(
        &mut self,
        session: SessionId,
        what: &impl Hash,
        ask: impl FnOnce(&mut S, StoreTime) -> Reaction,
        dead: Option<(&FunctionId, &ConsumerId)>,
    ) -> Rc<Asked<S>> {
        let key = (!self.is_fresh).then(|| {
            Print::of(|hasher| {
                (self.store_print, self.now, self.opened, self.calls.print).hash(hasher);
                (session, what).hash(hasher);
            })
        });
        let setting = self.setting.clone();
        let asked = setting.memory.asked(key, || {
            let now = store_time(self.now);
            let mut store = S::clone(&self.store);
            let look = Look { function: &setting.function, auditor: setting.auditor, now };
            let known = dead.and_then(|(function, id)| look.consumer(&mut store, function, id));
            let reaction = ask(&mut store, now);
            let wakes = std::iter::from_fn(|| store.poll_wake());
            let wakes = wakes.map(|(session, wake)| (session, watched(wake))).collect();
            let calls = setting.calls.iter();
            let calls = calls.filter_map(|call| look.call(&mut store, call)).collect();
            let flaw = store.flaws().into_iter().next();
            let print = print_of(&store, self.now);
            Asked { store: Rc::new(store), print, reaction, wakes, calls, known, flaw }
        });
        self.store = asked.store.clone();
        self.store_print = asked.print;
        if let Some(flaw) = &asked.flaw {
            self.wrong = Some(format!("within the store, {flaw}"));
        }
        asked
    }

    /// The next thing on a connection reaches the store: one operation of a batch, a read, or the end.
    pub(super) fn arrive(&mut self, session: SessionId) {
        let Some(conn) = self.conn(session) else {
            return;
        };
        match conn.up.front() {
            Some(Request::Execute { ops, results, .. }) => {
                let op = ops.it[results.len()].clone();
                let result = self.apply(session, &op);
                self.answered(session, result);
            }
            Some(Request::Watch { .. }) => self.watch(session),
            Some(Request::Fin) => {
                conn.up.clear();
                self.end_session(session);
            }
            None => {}
        }
    }

    /// Adds an operation's answer to its batch's; the last one sends them off.
    fn answered(&mut self, session: SessionId, result: OpResult) {
        let Some(conn) = self.conn(session) else {
            return;
        };
        let Some(Request::Execute { effect, ops, results, .. }) = conn.up.front_mut() else {
            return;
        };
        results.push(result);
        if results.len() < ops.it.len() {
            return;
        }
        let (effect, results) = (*effect, std::mem::take(results));
        conn.up.pop_front();
        if let Some(effect) = effect.filter(|_| conn.node_open) {
            let done = Printed::new(Done::Executed(Ok(results)));
            conn.down.push_back(Answer::Done(effect, done));
        }
    }

    fn watch(&mut self, session: SessionId) {
        let Some(conn) = self.conn(session) else {
            return;
        };
        let Some(Request::Watch { effect, interest, until }) = conn.up.pop_front() else {
            return;
        };
        conn.watch = Some((effect, until));
        let aborted = conn.aborted.take() == Some(effect);
        let ask = |store: &mut S, now| {
            Reaction::Watched(store.watch(now, session, &interest.it).map(watched))
        };
        let asked = self.ask_of(session, &(1u8, interest.print), ask, None);
        match &asked.reaction {
            Reaction::Watched(Some(wake)) => self.wake(session, wake),
            _ if aborted => self.unwatch(session),
            _ => {}
        }
        self.wake_others(&asked.wakes);
    }

    /// Applies one operation, and notes what its answer shows.
    pub(super) fn apply(&mut self, session: SessionId, op: &Op) -> OpResult {
        let dead = match op {
            Op::Remove { function, consumer, .. } => Some((function, consumer)),
            _ => None,
        };
        let ask = |store: &mut S, now| Reaction::Applied(store.apply(now, session, op));
        let asked = self.ask_of(session, &(0u8, op), ask, dead);
        let Reaction::Applied(result) = &asked.reaction else {
            unreachable!("an operation is applied");
        };
        self.note(|| match result {
            Ok(reply) => format!("  store = {reply}"),
            Err(error) => format!("  store = error: {error}"),
        });
        self.observe(op, result, asked.known.as_ref());
        self.wake_others(&asked.wakes);
        self.look_at_calls(&asked.calls);
        result.clone()
    }

    fn observe(&mut self, op: &Op, result: &OpResult, known: Option<&ConsumerRecord>) {
        let Ok(reply) = result else { return };
        match (op, reply) {
            (Op::Submit(submission), Reply::Submitted(Admission::Accepted)) => {
                if !self.calls.known.contains_key(&submission.call) {
                    Rc::make_mut(&mut self.calls).put(&submission.call, None);
                }
                self.fact(Fact::Admitted {
                    function: submission.function.clone(),
                    call: submission.call.clone(),
                    not_before: self.now + submission.delay,
                    overdue_at: self.now + submission.deadline,
                });
            }
            (Op::Decide { call, .. }, Reply::Settled(Settlement::Done)) => {
                if let Some(Some(record)) = self.calls.known.get(call) {
                    // It was decided before, and the store says that this operation did it.
                    let state = CallState::Decided(record.clone());
                    self.fact(Fact::Decided { call: call.clone(), state });
                }
            }
            (Op::Register { definition, consumer, .. }, Reply::Registered { epoch }) => {
                self.fact(Fact::Registered {
                    function: definition.function.clone(),
                    consumer: consumer.clone(),
                    epoch: *epoch,
                });
            }
            (Op::Remove { function, consumer, .. }, Reply::Removed { .. }) => {
                let (connected_for, beat_ago) = self.signs_of_life(known);
                self.fact(Fact::Removed {
                    function: function.clone(),
                    consumer: consumer.clone(),
                    connected_for,
                    beat_ago,
                });
            }
            _ => {}
        }
    }

    fn signs_of_life(&self, known: Option<&ConsumerRecord>) -> (Duration, Duration) {
        let Some(known) = known else {
            return (Duration::ZERO, Duration::MAX);
        };
        let live = known.sessions.iter().filter_map(|session| self.conns.get(session));
        let stood = live.filter(|conn| conn.store_open).map(|conn| self.now.since(conn.opened_at));
        let beat_ago = store_time(self.now).since(known.heartbeat);
        (stood.max().unwrap_or(Duration::ZERO), beat_ago)
    }

    /// Sees where every call stands: whoever decided, lost or revived one, it is noted.
    fn look_at_calls(&mut self, states: &[(CallId, CallState)]) {
        for (call, state) in states {
            let Some(decided) = self.calls.known.get(call) else {
                continue;
            };
            match (state, decided) {
                (CallState::Open { .. }, None) => {}
                (CallState::Decided(record), Some(before)) if record == before => {}
                (CallState::Decided(record), _) => self.decided(call, record.clone()),
                (state, _) => self.fact(Fact::Final { call: call.clone(), state: state.clone() }),
            }
        }
    }

    fn decided(&mut self, call: &CallId, record: Record) {
        Rc::make_mut(&mut self.calls).put(call, Some(record.clone()));
        self.fact(Fact::Decided { call: call.clone(), state: CallState::Decided(record) });
    }

    /// Answers the blocking reads that have something now.
    fn wake_others(&mut self, wakes: &[(SessionId, Printed<Done>)]) {
        for (session, wake) in wakes {
            self.wake(*session, wake);
        }
    }

    fn wake(&mut self, session: SessionId, done: &Printed<Done>) {
        let Some(conn) = self.conn(session) else {
            return;
        };
        let Some((effect, _)) = conn.watch.take() else {
            self.wrong = Some(format!("the store woke {session}, which does not wait"));
            return;
        };
        let name = conn.node;
        if conn.node_open {
            conn.down.push_back(Answer::Done(effect, done.clone()));
        }
        if self.notes.is_some() {
            let line = format!("  store = wakes {}: {}", self.name(name), done.it);
            self.note(|| line);
        }
    }

    /// A blocking read ends with nothing.
    pub(super) fn unwatch(&mut self, session: SessionId) {
        self.store_mut().unwatch(session);
        self.print_store();
        self.wake(session, &watched(Ok(Wake::Nothing)));
    }

    /// A wish to end a blocking read reaches the store, before the read, in time, or too late.
    pub(super) fn abort(&mut self, session: SessionId) {
        let Some(conn) = self.conn(session) else {
            return;
        };
        let Some(effect) = conn.aborting.take() else {
            return;
        };
        if conn.watch.is_some_and(|(waiting, _)| waiting == effect) {
            self.unwatch(session);
        } else if conn.up.iter().any(
            |request| matches!(request, Request::Watch { effect: coming, .. } if *coming == effect),
        ) {
            conn.aborted = Some(effect);
        }
    }

    /// The store notices that a session is over.
    pub(super) fn end_session(&mut self, session: SessionId) {
        let now = store_time(self.now);
        let Some(conn) = self.conn(session) else {
            return;
        };
        conn.store_open = false;
        conn.up.clear();
        conn.watch = None;
        conn.aborting = None;
        conn.aborted = None;
        self.store_mut().disconnect(now, session);
        self.print_store();
        self.copies.retain(|(of, _)| *of != session);
        self.forget_if_over(session);
    }

    /// A connection dies with all that is on its way.
    pub(super) fn cut(&mut self, session: SessionId) {
        self.end_session(session);
        if let Some(conn) = self.conn(session) {
            conn.down.clear();
            conn.down.push_back(Answer::Broken);
        }
    }
}

fn watched(wake: Result<Wake, TransportError>) -> Printed<Done> {
    Printed::new(Done::Watched(wake))
}

/// The world's own look into the store, which changes nothing.
struct Look<'a> {
    function: &'a FunctionId,
    auditor: SessionId,
    now: StoreTime,
}

impl Look<'_> {
    fn call(&self, store: &mut impl ExploredStore, call: &CallId) -> Option<(CallId, CallState)> {
        let op = Op::Inspect { function: self.function.clone(), call: call.clone() };
        match store.apply(self.now, self.auditor, &op) {
            Ok(Reply::Inspected(state)) => Some((call.clone(), state)),
            _ => None,
        }
    }

    fn consumer(
        &self,
        store: &mut impl ExploredStore,
        function: &FunctionId,
        id: &ConsumerId,
    ) -> Option<ConsumerRecord> {
        let op = Op::Survey { functions: vec![function.clone()] };
        let Ok(Reply::Surveyed(survey)) = store.apply(self.now, self.auditor, &op) else {
            return None;
        };
        let mut records = survey.functions.into_iter().flat_map(|function| function.consumers);
        records.find(|record| record.consumer == *id)
    }
}
