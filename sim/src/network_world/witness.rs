//! The store's side of a history: what each operation shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast_core::call::CallState;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{CallId, ConsumerId, FunctionId, SessionId};
use steadfast_core::op::{
    Admission, Beginning, Op, OpResult, PulseAnswer, Reply, Settlement, Submission,
};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{TransportError, Wake};
use steadfast_transport_mem::MemStore;

use super::recorder::Recorder;
use crate::history::Fact;
use crate::moment::Moment;
use crate::resp::Witness;

/// What the store was seen to hold. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Ledger(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// The calls that were admitted, and whether each is decided.
    admitted: BTreeMap<CallId, (FunctionId, bool)>,
    /// When each consumer was seen alive, and the sessions that it named.
    alive: BTreeMap<ConsumerId, (Moment, Vec<SessionId>)>,
    sessions: BTreeMap<SessionId, Moment>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls that were admitted.
    pub(super) fn admitted(&self) -> Vec<(FunctionId, CallId)> {
        let seen = self.lock();
        let calls = seen.admitted.iter();
        calls.map(|(call, (function, _))| (function.clone(), call.clone())).collect()
    }

    /// Those of them that are not decided.
    pub(super) fn open(&self) -> Vec<(FunctionId, CallId)> {
        let seen = self.lock();
        let open = seen.admitted.iter().filter(|(_, (_, decided))| !decided);
        open.map(|(call, (function, _))| (function.clone(), call.clone())).collect()
    }
}

/// Sees what the store does, and tells it.
#[derive(Debug)]
pub(super) struct StoreWitness {
    pub(super) recorder: Recorder,
    pub(super) ledger: Ledger,
}

impl Witness<MemStore> for StoreWitness {
    fn opened(&mut self, _now: StoreTime, session: SessionId) {
        let at = self.recorder.now();
        self.ledger.lock().sessions.insert(session, at);
        self.recorder.event(&session, || format!("{session} opens"));
    }

    fn ended(&mut self, _now: StoreTime, session: SessionId) {
        self.ledger.lock().sessions.remove(&session);
        self.recorder.event(&session, || format!("{session} ends"));
    }

    fn applied(
        &mut self,
        store: &mut MemStore,
        now: StoreTime,
        session: SessionId,
        op: &Op,
        result: &OpResult,
    ) {
        self.recorder.event(&(session, op, result), || match result {
            Ok(_) => format!("{session} {op}"),
            Err(error) => format!("{session} {op}: {error}"),
        });
        if let Ok(reply) = result {
            self.observe(&mut Look { store, now, session }, op, reply);
        }
    }

    fn woken(&mut self, _now: StoreTime, session: SessionId, wake: &Result<Wake, TransportError>) {
        self.recorder.event(&(session, wake), || match wake {
            Ok(wake) => format!("{session} is woken: {wake}"),
            Err(error) => format!("{session} is woken: {error}"),
        });
    }
}

/// A look at the store within the step of a session.
struct Look<'a> {
    store: &'a mut MemStore,
    now: StoreTime,
    session: SessionId,
}

impl Look<'_> {
    fn state(&mut self, function: &FunctionId, call: &CallId) -> CallState {
        let op = Op::Inspect { function: function.clone(), call: call.clone() };
        match self.store.apply(self.now, self.session, &op) {
            Ok(Reply::Inspected(state)) => state,
            _ => CallState::Absent,
        }
    }
}

impl StoreWitness {
    fn observe(&self, look: &mut Look<'_>, op: &Op, reply: &Reply) {
        match (op, reply) {
            (Op::Submit(submission), Reply::Submitted(admission)) => {
                self.admission(submission, admission);
            }
            (Op::Decide { function, call, .. }, Reply::Settled(Settlement::Done)) => {
                self.decided(look, function, call);
            }
            (Op::Touch { token, .. }, Reply::Settled(Settlement::Overruled(_))) => {
                self.decided_if_open(look, &token.function, &token.call);
            }
            (
                Op::Decide { function, call, .. } | Op::Move { function, call, .. },
                Reply::Settled(Settlement::Overruled(_)),
            )
            | (Op::Begin { function, call, .. }, Reply::Began(Beginning::Decided(_))) => {
                self.decided_if_open(look, function, call);
            }
            (Op::Sweep { function, .. }, Reply::Swept(swept))
                if swept.expired + swept.dead_lettered + swept.closed > 0 =>
            {
                for (of, call) in self.ledger.open() {
                    if of == *function {
                        self.decided_if_open(look, &of, &call);
                    }
                }
            }
            (Op::Reject { function, lease, .. }, Reply::Settled(Settlement::Done)) => {
                let (function, entry) = (function.clone(), lease.entry);
                self.recorder.fact(Fact::Rejected { function, entry });
            }
            (Op::Register { definition, consumer, sessions, .. }, Reply::Registered { epoch }) => {
                // A repeat answers the epoch and is no heartbeat.
                if !self.ledger.lock().alive.contains_key(consumer) {
                    self.alive(consumer, sessions);
                }
                let (function, consumer) = (definition.function.clone(), consumer.clone());
                self.recorder.fact(Fact::Registered { function, consumer, epoch: *epoch });
            }
            (Op::Beat { sessions, pulses, .. }, Reply::Beaten(answers)) => {
                for (pulse, answer) in pulses.iter().zip(answers) {
                    if matches!(answer, PulseAnswer::Alive { .. }) {
                        self.alive(&pulse.consumer, sessions);
                    }
                }
            }
            (Op::Remove { function, consumer, .. }, Reply::Removed { .. }) => {
                let (connected_for, beat_ago) = self.signs_of_life(consumer);
                let (function, consumer) = (function.clone(), consumer.clone());
                self.recorder.fact(Fact::Removed { function, consumer, connected_for, beat_ago });
            }
            _ => {}
        }
    }

    fn admission(&self, submission: &Submission, admission: &Admission) {
        let call = submission.call.clone();
        match admission {
            Admission::Accepted => {
                let (at, function) = (self.recorder.now(), submission.function.clone());
                self.ledger.lock().admitted.insert(call.clone(), (function.clone(), false));
                self.recorder.fact(Fact::Admitted {
                    function,
                    call,
                    not_before: at + submission.delay,
                    overdue_at: at + submission.deadline,
                });
            }
            Admission::Joined { call: to, .. } => {
                self.recorder.fact(Fact::Joined { call, to: to.clone() });
            }
            _ => {}
        }
    }

    fn decided_if_open(&self, look: &mut Look<'_>, function: &FunctionId, call: &CallId) {
        let is_open = self.ledger.lock().admitted.get(call).is_some_and(|(_, decided)| !decided);
        if is_open && matches!(look.state(function, call), CallState::Decided(_)) {
            self.decided(look, function, call);
        }
    }

    fn decided(&self, look: &mut Look<'_>, function: &FunctionId, call: &CallId) {
        if let Some((_, decided)) = self.ledger.lock().admitted.get_mut(call) {
            *decided = true;
        }
        let state = look.state(function, call);
        self.recorder.fact(Fact::Decided { call: call.clone(), state });
    }

    fn alive(&self, consumer: &ConsumerId, sessions: &[SessionId]) {
        let at = self.recorder.now();
        self.ledger.lock().alive.insert(consumer.clone(), (at, sessions.to_vec()));
    }

    /// How long the oldest live one of the sessions last told stood, and since when nothing was told.
    fn signs_of_life(&self, consumer: &ConsumerId) -> (Duration, Duration) {
        let now = self.recorder.now();
        let seen = self.ledger.lock();
        let Some((beat, told)) = seen.alive.get(consumer) else {
            return (Duration::ZERO, Duration::MAX);
        };
        let opened = told.iter().filter_map(|session| seen.sessions.get(session));
        let oldest = opened.map(|opened| now.since(*opened)).max();
        (oldest.unwrap_or(Duration::ZERO), now.since(*beat))
    }
}
