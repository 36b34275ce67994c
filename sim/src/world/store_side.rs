//! The store's side: requests are applied, blocking reads wait, and what the store says is recorded.

use std::hash::Hash;
use std::time::Duration;

use steadfast_core::call::CallState;
use steadfast_core::machine::{Done, EffectId};
use steadfast_core::name::{CallId, ConsumerId, FunctionId, SessionId};
use steadfast_core::op::{
    Admission, Beginning, Op, OpResult, PulseAnswer, Reply, Settlement, Submission,
};
use steadfast_core::transport::{Connected, TransportError, Wake};

use super::World;
use super::calls::Standing;
use super::event::{Message, What};
use crate::history::{Fact, HostId};
use crate::moment::store_time;
use crate::subject::{SimStore, Subject};

impl<M: Subject, S: SimStore> World<M, S> {
    pub(super) fn open_session(&mut self) -> Connected {
        self.store.connect(store_time(self.now))
    }

    /// The store notices that a session is over.
    pub(super) fn end_session(&mut self, conn: u32) {
        let state = self.conn(conn);
        if !std::mem::take(&mut state.store_open) {
            return;
        }
        state.watch = None;
        state.partial.clear();
        let session = state.session;
        self.sessions.remove(&session);
        self.store.disconnect(store_time(self.now), session);
        self.note(|_| format!("store = {session} ends"));
    }

    /// A request reaches the store.
    pub(super) fn arrive(&mut self, conn: u32, message: Message) {
        if !self.conns[conn as usize].store_open {
            // A closed port answers with a reset.
            self.queue.push(self.now + self.scenario.latency.0, What::Broken(conn));
            return;
        }
        match message {
            Message::Execute { effect, ops, last, cut } => {
                self.execute(conn, effect, &ops, (last, cut));
            }
            Message::Watch { effect, interest, block, cut } => {
                let session = self.session_of(conn);
                (session.0, &interest).hash(&mut self.digest);
                let answer = self.store.watch(store_time(self.now), session, &interest);
                self.note(|_| format!("store = {session} watches for {interest}"));
                self.conn(conn).watch = Some((effect, cut));
                let aborted = self.conn(conn).aborted.take() == Some(effect);
                match answer {
                    Some(wake) => self.wake(conn, wake),
                    None if aborted => {
                        self.store.unwatch(session);
                        self.wake(conn, Ok(Wake::Nothing));
                    }
                    None => self.queue.push(self.now + block, What::BlockEnd(conn, effect)),
                }
                self.wake_others();
            }
            Message::Fin => self.end_session(conn),
        }
    }

    fn session_of(&self, conn: u32) -> SessionId {
        self.conns[conn as usize].session
    }

    fn execute(
        &mut self,
        conn: u32,
        effect: Option<EffectId>,
        ops: &[Op],
        (last, cut): (bool, Option<usize>),
    ) {
        let session = self.session_of(conn);
        let mut results = std::mem::take(&mut self.conn(conn).partial);
        for (index, op) in ops.iter().enumerate() {
            if cut.is_some_and(|cut| index >= cut) {
                break;
            }
            let result = self.store.apply(store_time(self.now), session, op);
            (session.0, op, &result).hash(&mut self.digest);
            self.note(|_| match &result {
                Ok(reply) => format!("store = {session} [{op}] {reply}"),
                Err(error) => format!("store = {session} [{op}] error: {error}"),
            });
            self.observe(op, &result);
            results.push(result);
            self.wake_others();
        }
        match (cut, effect) {
            (Some(_), _) => self.reset(conn),
            (None, Some(effect)) if last => {
                self.send_down(conn, effect, Done::Executed(Ok(results)));
            }
            (None, Some(_)) => self.conn(conn).partial = results,
            (None, None) => {}
        }
    }

    /// Answers the blocking reads that have something now.
    pub(super) fn wake_others(&mut self) {
        while let Some((session, wake)) = self.store.poll_wake() {
            if let Some(conn) = self.sessions.get(&session).copied() {
                self.wake(conn, wake);
            }
        }
    }

    fn wake(&mut self, conn: u32, wake: Result<Wake, TransportError>) {
        let Some((effect, cut)) = self.conn(conn).watch.take() else {
            debug_assert!(false, "the store woke a session that does not wait");
            return;
        };
        self.note(|world| match &wake {
            Ok(wake) => format!("store = {} wakes: {wake}", world.session_of(conn)),
            Err(error) => format!("store = {} wakes: {error}", world.session_of(conn)),
        });
        if cut {
            self.reset(conn);
        } else {
            self.send_down(conn, effect, Done::Watched(wake));
        }
    }

    pub(super) fn block_ends(&mut self, conn: u32, effect: EffectId) {
        let waiting = self.conn(conn).watch;
        if waiting.is_some_and(|(present, _)| present == effect) {
            let session = self.session_of(conn);
            self.store.unwatch(session);
            self.wake(conn, Ok(Wake::Nothing));
        }
    }

    /// The node wants a blocking read to end early; the wish travels on another connection.
    pub(super) fn abort(&mut self, host: HostId, session: SessionId) {
        let Some(conn) = self.host(host).sessions.get(&session).copied() else {
            return;
        };
        if let Some(effect) = self.conn(conn).under_way()
            && !self.is_closed_up(host)
        {
            let at = self.now + self.scenario.latency.1;
            self.queue.push(at, What::AbortAtStore(conn, effect));
        }
    }

    pub(super) fn abort_arrives(&mut self, conn: u32, effect: EffectId) {
        if self.conn(conn).watch.is_some() {
            self.block_ends(conn, effect);
        } else {
            self.conn(conn).aborted = Some(effect);
        }
    }

    /// Kills every session and starts the store anew, with its data.
    pub(super) fn restart_store(&mut self, down: Duration) {
        self.store_up = false;
        self.note(|_| format!("store restarts, down for {down:?}"));
        for conn in 0..self.conns.len() as u32 {
            if self.conns[conn as usize].store_open {
                self.reset(conn);
            }
        }
        self.store.restart(store_time(self.now));
        self.auditor = self.open_session().session;
        self.queue.push(self.now + down, What::StoreUp);
    }

    pub(super) fn store_comes_up(&mut self) {
        self.store_up = true;
        self.note(|_| "store accepts connections".into());
    }

    /// Where the store has a call. The world's own look, which changes nothing.
    pub(super) fn look(&mut self, function: &FunctionId, call: &CallId) -> CallState {
        let op = Op::Inspect { function: function.clone(), call: call.clone() };
        match self.store.apply(store_time(self.now), self.auditor, &op) {
            Ok(Reply::Inspected(state)) => state,
            _ => CallState::Absent,
        }
    }

    /// Records what an operation shows, as far as any checker asks.
    fn observe(&mut self, op: &Op, result: &OpResult) {
        let Ok(reply) = result else { return };
        match (op, reply) {
            (Op::Submit(submission), Reply::Submitted(Admission::Accepted)) => {
                self.admit(submission);
            }
            (Op::Submit(submission), Reply::Submitted(Admission::Joined { call: to, .. })) => {
                let (call, to) = (submission.call.clone(), to.clone());
                self.fact(Fact::Joined { call, to });
            }
            (Op::Decide { function, call, .. }, Reply::Settled(settlement)) => match settlement {
                Settlement::Done => self.decided(function, call),
                Settlement::Overruled(_) => self.decided_if_open(function, call),
                _ => {}
            },
            (Op::Move { function, call, .. }, Reply::Settled(Settlement::Overruled(_)))
            | (Op::Begin { function, call, .. }, Reply::Began(Beginning::Decided(_))) => {
                self.decided_if_open(function, call);
            }
            (Op::Sweep { function, .. }, Reply::Swept(swept))
                if swept.expired + swept.dead_lettered + swept.closed > 0 =>
            {
                self.recount(Some(function));
            }
            (Op::Register { definition, consumer, sessions, .. }, Reply::Registered { epoch }) => {
                self.seen_alive(consumer, sessions);
                self.fact(Fact::Registered {
                    function: definition.function.clone(),
                    consumer: consumer.clone(),
                    epoch: *epoch,
                });
            }
            (Op::Beat { sessions, pulses, .. }, Reply::Beaten(answers)) => {
                for (pulse, answer) in pulses.iter().zip(answers) {
                    if matches!(answer, PulseAnswer::Alive { .. }) {
                        self.seen_alive(&pulse.consumer, sessions);
                    }
                }
            }
            (Op::Remove { function, consumer, .. }, Reply::Removed { .. }) => {
                let (connected_for, beat_ago) = self.signs_of_life(consumer);
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

    fn seen_alive(&mut self, consumer: &ConsumerId, sessions: &[SessionId]) {
        let alive = (self.now, sessions.to_vec());
        self.consumers.insert(consumer.clone(), alive);
    }

    /// How long the oldest live one of the sessions last told stood, and since when nothing was told.
    fn signs_of_life(&self, consumer: &ConsumerId) -> (Duration, Duration) {
        let Some((beat, told)) = self.consumers.get(consumer) else {
            return (Duration::ZERO, Duration::MAX);
        };
        let oldest = told
            .iter()
            .filter_map(|session| self.sessions.get(session))
            .map(|conn| self.now.since(self.conns[*conn as usize].opened_at))
            .max();
        (oldest.unwrap_or(Duration::ZERO), self.now.since(*beat))
    }

    fn admit(&mut self, submission: &Submission) {
        let not_before = self.now + submission.delay;
        let overdue_at = self.now + submission.deadline;
        let standing = Standing { function: submission.function.clone(), decided: false };
        if self
            .admitted
            .insert(submission.call.clone(), standing)
            .is_none_or(|before| before.decided)
        {
            self.open += 1;
        }
        self.fact(Fact::Admitted {
            function: submission.function.clone(),
            call: submission.call.clone(),
            not_before,
            overdue_at,
        });
    }

    fn decided_if_open(&mut self, function: &FunctionId, call: &CallId) {
        if self.admitted.get(call).is_some_and(|standing| !standing.decided) {
            self.decided(function, call);
        }
    }

    fn decided(&mut self, function: &FunctionId, call: &CallId) {
        if let Some(standing) = self.admitted.get_mut(call)
            && !std::mem::replace(&mut standing.decided, true)
        {
            self.open -= 1;
        }
        let state = self.look(function, call);
        self.fact(Fact::Decided { call: call.clone(), state });
    }

    /// Looks at every call that is thought open: sweeps and deadlines decide without naming.
    pub(super) fn recount(&mut self, only: Option<&FunctionId>) {
        let open: Vec<(CallId, FunctionId)> = self
            .admitted
            .iter()
            .filter(|(_, standing)| !standing.decided)
            .filter(|(_, standing)| only.is_none_or(|only| standing.function == *only))
            .map(|(call, standing)| (call.clone(), standing.function.clone()))
            .collect();
        for (call, function) in open {
            if let CallState::Decided(_) = self.look(&function, &call) {
                self.decided(&function, &call);
            }
        }
    }
}
