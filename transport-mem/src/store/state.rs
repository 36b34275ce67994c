//! All that the store keeps, and the way of each operation to its function.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::definition::Definition;
use steadfast_core::name::{EntryId, FunctionId, RunId, SessionId};
use steadfast_core::op::{Op, OpResult, Reply, Survey};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{ErrorKind, TransportError};

use super::function::Function;
use super::replies::{Replies, Results};
use super::result_streams::ResultStreams;
use super::watches::{Ready, Watches};
use super::work::Work;
use super::{StoreConfig, Use, consumers, submit};

/// The data: equal states answer everything alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) run_id: RunId,
    pub(super) lives: u64,
    pub(super) sessions: BTreeSet<SessionId>,
    next_session: u64,
    pub(super) functions: BTreeMap<FunctionId, Function>,
    /// When the next key of each function expires.
    function_expiry: BTreeSet<(StoreTime, FunctionId)>,
    pub(super) results: Results,
    pub(super) result_streams: ResultStreams,
    pub(super) replies: Replies,
    pub(super) watches: Watches,
    calls: usize,
    function_bytes: usize,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            run_id: run_id(seed, 1, StoreTime::ZERO),
            lives: 1,
            sessions: BTreeSet::new(),
            next_session: 1,
            functions: BTreeMap::new(),
            function_expiry: BTreeSet::new(),
            results: Results::default(),
            result_streams: ResultStreams::default(),
            replies: Replies::default(),
            watches: Watches::default(),
            calls: 0,
            function_bytes: 0,
        }
    }

    pub(super) fn used(&self) -> Use {
        Use {
            calls: self.calls,
            bytes: self.function_bytes
                + self.results.bytes
                + self.result_streams.bytes
                + self.replies.bytes,
        }
    }

    pub(super) fn connect(&mut self) -> SessionId {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(session);
        session
    }

    pub(super) fn disconnect(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.watches.unblock(session);
    }

    /// The error to answer a session that does not live.
    pub(super) fn unknown(&self, session: SessionId) -> Option<TransportError> {
        (!self.sessions.contains(&session)).then(|| {
            TransportError::not_applied(
                ErrorKind::Disconnected,
                format!("{session} has ended or never was; connect again"),
            )
        })
    }

    /// A new life: the data stays, the sessions are gone.
    pub(super) fn restart(&mut self, seed: u64, now: StoreTime) {
        self.lives += 1;
        self.run_id = run_id(seed, self.lives, now);
        self.sessions.clear();
        self.watches.clear();
    }

    /// Loses all data and keeps the sessions.
    pub(super) fn flush(&mut self) {
        self.functions.clear();
        self.function_expiry.clear();
        self.results = Results::default();
        self.result_streams = ResultStreams::default();
        self.replies = Replies::default();
        self.calls = 0;
        self.function_bytes = 0;
    }

    /// Forgets what has expired.
    fn purge(&mut self, now: StoreTime) {
        self.results.purge(now);
        self.result_streams.purge(now);
        self.replies.purge(now);
        while let Some((at, id)) = self.function_expiry.first()
            && *at <= now
        {
            let id = id.clone();
            self.settle_function(&id, |function| function.purge(now));
        }
    }

    /// Changes one function and brings the sums and the expiry index up to date.
    fn settle_function<R>(
        &mut self,
        id: &FunctionId,
        change: impl FnOnce(&mut Function) -> R,
    ) -> R {
        let function = self.functions.entry(id.clone()).or_default();
        let before = (function.held(), function.bytes, function.next_expiry());
        let result = change(function);
        let after = (function.held(), function.bytes, function.next_expiry());
        let blank = function.is_blank();
        self.calls = self.calls - before.0 + after.0;
        self.function_bytes = self.function_bytes - before.1 + after.1;
        if before.2 != after.2 {
            if let Some(at) = before.2 {
                self.function_expiry.remove(&(at, id.clone()));
            }
            if let Some(at) = after.2 {
                self.function_expiry.insert((at, id.clone()));
            }
        }
        if blank {
            self.functions.remove(id);
        }
        result
    }

    /// Works on one function.
    pub(super) fn work<R>(
        &mut self,
        config: &StoreConfig,
        now: StoreTime,
        id: &FunctionId,
        ready: &mut Vec<Ready>,
        job: impl FnOnce(&mut Work<'_>) -> R,
    ) -> R {
        // Taken out for the time of the work, so that the function can be borrowed beside them.
        let mut results = std::mem::take(&mut self.results);
        let mut result_streams = std::mem::take(&mut self.result_streams);
        let mut replies = std::mem::take(&mut self.replies);
        let run_id = self.run_id.clone();
        let result = self.settle_function(id, |function| {
            job(&mut Work {
                now,
                id,
                function,
                results: &mut results,
                result_streams: &mut result_streams,
                replies: &mut replies,
                run_id: &run_id,
                config,
                ready,
                closed_any: false,
            })
        });
        self.results = results;
        self.result_streams = result_streams;
        self.replies = replies;
        result
    }

    /// The operations that only read. They purge nothing, but do not see what has expired.
    pub(super) fn query(&self, config: &StoreConfig, now: StoreTime, op: &Op) -> Option<OpResult> {
        let function = |id: &FunctionId| self.functions.get(id);
        Some(Ok(match op {
            Op::Inspect { function: id, call } => {
                let state = submit::inspect(now, function(id), &self.results, call);
                Reply::Inspected(state)
            }
            Op::Survey { functions } => Reply::Surveyed(Survey {
                run_id: self.run_id.clone(),
                now,
                sessions: config.sees_sessions.then(|| self.sessions.clone()),
                functions: functions
                    .iter()
                    .map(|id| consumers::survey(now, id, function(id)))
                    .collect(),
                unread: Vec::new(),
            }),
            Op::Ping => Reply::Pong { run_id: self.run_id.clone(), now },
            Op::Describe { function: id } => {
                Reply::Described(function(id).and_then(|it| it.definition(now)).cloned())
            }
            Op::Discover { scope } => Reply::Discovered {
                definitions: self.discover(now, scope.as_deref()),
                unread: Vec::new(),
            },
            Op::DeadLetters { function: id, after, count } => {
                Reply::Letters(self.letters(id, *after, *count))
            }
            _ => return None,
        }))
    }

    fn discover(&self, now: StoreTime, scope: Option<&str>) -> Vec<Definition> {
        self.functions
            .iter()
            .filter(|(id, _)| scope.is_none_or(|scope| id.scope() == scope))
            .filter_map(|(_, function)| function.definition(now).cloned())
            .collect()
    }

    fn letters(
        &self,
        id: &FunctionId,
        after: EntryId,
        count: u32,
    ) -> Vec<steadfast_core::call::DeadLetter> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.functions
            .get(id)
            .map(|function| {
                let page = function.letters().range((Excluded(after), Unbounded));
                page.take(count as usize).map(|(_, letter)| letter.clone()).collect()
            })
            .unwrap_or_default()
    }

    /// The operations that change something.
    pub(super) fn apply(
        &mut self,
        config: &StoreConfig,
        now: StoreTime,
        op: &Op,
        ready: &mut Vec<Ready>,
    ) -> OpResult {
        self.purge(now);
        match op {
            Op::Beat { sessions, pulses, .. } => {
                let mut answers = Vec::with_capacity(pulses.len());
                for pulse in pulses {
                    answers.push(self.work(config, now, &pulse.function, ready, |work| {
                        work.beat(sessions, pulse)
                    }));
                }
                Ok(Reply::Beaten(answers))
            }
            Op::KeepReplies { caller, after } => {
                let created = self.replies.keep(now, caller, *after);
                Ok(Reply::RepliesKept { created })
            }
            Op::ForgetReplies { caller } => {
                Ok(Reply::RepliesForgotten { existed: self.replies.forget(caller) })
            }
            _ => {
                let Some(id) = op.function() else {
                    return Err(unsupported(op));
                };
                let used = self.used();
                self.work(config, now, id, ready, |work| work.perform(op, used))
            }
        }
    }
}

impl Work<'_> {
    /// One operation on one function; a step that closes a call or removes a consumer may be the last of a
    /// function's.
    fn perform(&mut self, op: &Op, used: Use) -> OpResult {
        let result = self.act(op, used);
        if self.closed_any {
            self.function.forget_unserved(self.now);
        }
        result
    }

    /// The operations on one function that change something.
    fn act(&mut self, op: &Op, used: Use) -> OpResult {
        Ok(match op {
            Op::Submit(submission) => return self.submit(submission, used),
            Op::Begin { call, lease, attempts_max, .. } => {
                Reply::Began(self.begin(call, lease, *attempts_max))
            }
            Op::Decide { call, verdict, attempts, .. } => {
                Reply::Settled(self.decide(call, verdict, *attempts))
            }
            Op::Move { call, lease, to, .. } => Reply::Settled(self.relocate(call, lease, to)),
            Op::Reject { lease, reason, .. } => Reply::Settled(self.reject(lease, reason)),
            Op::Touch { token, lease } => Reply::Settled(self.touch(token, *lease)),
            Op::Acknowledge { call, .. } => self.acknowledge(call),
            Op::Renew { consumer, entries, .. } => self.renew(consumer, entries),
            Op::Fetch { consumer, count, .. } => return self.fetch(consumer, *count),
            Op::Reread { consumer, entries, .. } => return self.reread(consumer, entries),
            Op::Register { definition, consumer, node, sessions } => {
                Reply::Registered { epoch: self.register(definition, consumer, node, sessions) }
            }
            Op::Deregister { consumer, epoch, .. } => {
                Reply::Deregistered { released: self.deregister(consumer, *epoch) }
            }
            Op::Remove { consumer, epoch, heartbeat, sessions, .. } => {
                self.remove(consumer, *epoch, *heartbeat, sessions)
            }
            Op::Sweep { attempts_max, stateless_idle, limit, .. } => {
                Reply::Swept(self.sweep(*attempts_max, *stateless_idle, *limit))
            }
            Op::Ensure { .. } => Reply::Ensured { created: self.ensure() },
            Op::Requeue { letter, call, deadline, .. } => {
                Reply::Submitted(self.requeue(*letter, call, *deadline))
            }
            Op::OlderPeerAdd { fields, .. } => Reply::Added(self.older_peer_add(fields)),
            other => return Err(unsupported(other)),
        })
    }
}

fn unsupported(op: &Op) -> TransportError {
    TransportError::not_applied(
        ErrorKind::Unsupported,
        format!("the reference store does not know the operation `{op}`"),
    )
}

fn run_id(seed: u64, life: u64, since: StoreTime) -> RunId {
    let text = format!("mem-{seed:x}-{life}-{:x}", since.as_micros());
    RunId::new(text).expect("hexadecimal numbers and dashes are a valid run id")
}
