//! The store's side: requests are applied, blocking reads wait.

use std::hash::Hash;
use std::time::Duration;

use steadfast_core::call::CallState;
use steadfast_core::machine::{Done, EffectId};
use steadfast_core::name::{CallId, FunctionId, SessionId};
use steadfast_core::op::{Lane, Op, Reply};
use steadfast_core::transport::{Connected, ErrorKind, Interest, TransportError, Wake};

use super::World;
use super::event::{Message, What};
use crate::faults::Refusal;
use crate::history::HostId;
use crate::subject::{SimStore, Subject};
use crate::trace::Happening;

impl<M: Subject, S: SimStore> World<M, S> {
    pub(super) fn open_session(&mut self) -> Connected {
        let now = self.store_now();
        self.store.connect(now)
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
        let now = self.store_now();
        self.store.disconnect(now, session);
        self.tell(|world| Happening::SessionEnds { who: world.whose(conn), session });
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
                let now = self.store_now();
                let answer = match self.refusal(None) {
                    Some(error) => Some(Err(error)),
                    None => self.store.watch(now, session, &interest),
                };
                self.tell(|world| Happening::Watches {
                    who: world.whose(conn),
                    session,
                    id: effect,
                    interest: interest.clone(),
                });
                let reader = match &interest {
                    Interest::Deliveries { consumer, .. } => Some(consumer.clone()),
                    _ => None,
                };
                let reading = self.conn(conn);
                (reading.watch, reading.reader) = (Some((effect, cut)), reader);
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

    /// The error of what the store refuses at present: an operation, or where none is given a watch.
    fn refusal(&mut self, op: Option<&Op>) -> Option<TransportError> {
        let (refusal, until) = self.refusing?;
        if self.now >= until {
            self.refusing = None;
            return None;
        }
        let adds = matches!(op, Some(Op::Submit(_) | Op::Requeue { .. }));
        let reads = op.is_some_and(|op| {
            matches!(op, Op::Survey { .. } | Op::Ping | Op::Discover { .. })
                || op.lane() == Lane::Probe
        });
        let kind = match refusal {
            Refusal::Loading => ErrorKind::Loading,
            Refusal::OutOfMemory if adds => ErrorKind::OutOfMemory,
            Refusal::ReadOnly if !reads => ErrorKind::ReadOnly,
            Refusal::OutOfMemory | Refusal::ReadOnly => return None,
        };
        Some(TransportError::not_applied(kind, ""))
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
        let (session, now) = (self.session_of(conn), self.store_now());
        let mut results = std::mem::take(&mut self.conn(conn).partial);
        for (index, op) in ops.iter().enumerate() {
            if cut.is_some_and(|cut| index >= cut) {
                break;
            }
            let result = match self.refusal(Some(op)) {
                Some(error) => Err(error),
                None => self.store.apply(now, session, op),
            };
            match &result {
                // A look at everything, every half second: what it shows was hashed as it came to be.
                Ok(Reply::Surveyed(survey)) => {
                    (session.0, op, &survey.run_id, survey.now).hash(&mut self.digest);
                    let functions = survey.functions.iter();
                    let sizes = functions.map(|it| (it.entries, it.open, it.consumers.len()));
                    sizes.for_each(|sizes| sizes.hash(&mut self.digest));
                }
                result => (session.0, op, result).hash(&mut self.digest),
            }
            self.tell(|world| Happening::Applied {
                who: world.whose(conn),
                session,
                id: effect,
                op: op.clone(),
                result: result.clone(),
            });
            self.past.remember(self.now, || self.store.place());
            self.observe(conn, op, &result);
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
        self.tell(|world| Happening::Wakes {
            who: world.whose(conn),
            session: world.session_of(conn),
            id: effect,
            wake: wake.clone(),
        });
        if let Ok(Wake::Deliveries(deliveries)) = &wake {
            self.delivered(conn, deliveries);
        }
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
        self.note(|_| format!("store restarts, down for {down:?}"));
        self.end_sessions();
        let now = self.store_now();
        self.store.restart(now);
        self.come_back(down);
    }

    /// Every connection dies.
    pub(super) fn end_sessions(&mut self) {
        for conn in 0..self.conns.len() as u32 {
            if self.conns[conn as usize].store_open {
                self.reset(conn);
            }
        }
    }

    /// The store refuses connections for so long.
    pub(super) fn come_back(&mut self, down: Duration) {
        self.store_up = false;
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
        let now = self.store_now();
        match self.store.apply(now, self.auditor, &op) {
            Ok(Reply::Inspected(state)) => state,
            _ => CallState::Absent,
        }
    }
}
