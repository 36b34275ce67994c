//! What the store's answers show: facts for the checkers, and probes.

use std::time::Duration;

use steadfast_core::call::{CallState, Delivered, FailureKind, Outcome};
use steadfast_core::name::{CallId, ConsumerId, FunctionId, SessionId};
use steadfast_core::op::{
    Admission, Beginning, Destination, Op, OpResult, PulseAnswer, Reply, Settlement, Submission,
    Verdict,
};
use steadfast_core::transport::ErrorKind;
use steadfast_core::{always, reachable, sometimes};

use super::World;
use super::calls::Standing;
use crate::history::Fact;
use crate::subject::{SimStore, Subject};

impl<M: Subject, S: SimStore> World<M, S> {
    /// Situations that a run of many seeds must meet, as the store's answers show them.
    fn probe(&self, conn: u32, op: &Op, result: &OpResult) {
        let sink = &self.probes;
        let reply = match result {
            Ok(reply) => reply,
            Err(error) => {
                let is = |kind| error.kind == kind;
                sometimes!(*sink, is(ErrorKind::Loading), "the store answered that it loads");
                sometimes!(
                    *sink,
                    is(ErrorKind::OutOfMemory),
                    "the store answered that its memory is used up"
                );
                sometimes!(
                    *sink,
                    is(ErrorKind::ReadOnly),
                    "the store answered that it may not write"
                );
                return;
            }
        };
        match (op, reply) {
            (Op::Submit(_), Reply::Submitted(admission)) => match admission {
                Admission::AlreadyOpen => {
                    reachable!(*sink, "a submission was repeated while the call was open");
                }
                Admission::AlreadyDecided(_) => {
                    reachable!(*sink, "a submission was repeated after the decision");
                }
                Admission::Joined { .. } => reachable!(*sink, "a call joined another by its key"),
                Admission::Full { .. } => {
                    reachable!(*sink, "a function had as many open calls as it may");
                }
                Admission::Accepted | Admission::NoSuchLetter => {}
            },
            (Op::Begin { .. }, Reply::Began(beginning)) => match beginning {
                Beginning::Begun { .. } => {
                    reachable!(*sink, "a call of a killed worker was counted before it began");
                }
                Beginning::Decided(_) | Beginning::Fenced => {}
            },
            (Op::Decide { call, verdict, .. }, Reply::Settled(Settlement::Done)) => {
                let decider = self.conns[conn as usize].host;
                let is_robbed = matches!(verdict, Verdict::Complete { entry: Some(_), .. })
                    && self.last_begun.get(call).is_some_and(|last| *last != decider);
                sometimes!(*sink, is_robbed, "a robbed attempt decided its call");
                let by_token = matches!(verdict, Verdict::Complete { entry: None, .. });
                sometimes!(*sink, by_token, "a deferred call was completed by its token");
            }
            (Op::Reject { .. }, Reply::Settled(Settlement::Done)) => {
                reachable!(*sink, "a message that is no call became a dead letter");
            }
            (_, Reply::Settled(Settlement::Overruled(_))) => {
                reachable!(*sink, "a settlement was overruled");
            }
            (_, Reply::Settled(Settlement::Fenced)) => {
                reachable!(*sink, "a settlement was fenced");
            }
            (Op::Move { call, to, .. }, Reply::Settled(Settlement::Done)) => {
                let is_release = matches!(to, Destination::Release);
                let not_begun = is_release && !self.last_begun.contains_key(call);
                sometimes!(
                    *sink,
                    not_begun,
                    "a call was given back by a save or a stop before it began"
                );
            }
            (Op::Reread { .. }, Reply::Fetched { deliveries, .. }) => sometimes!(
                *sink,
                !deliveries.is_empty(),
                "an entry whose answer was cut off was adopted"
            ),
            (Op::Remove { .. }, Reply::Kept) => {
                reachable!(*sink, "a removal came too late: the consumer had beaten");
            }
            (Op::Sweep { .. }, Reply::Swept(swept)) => sometimes!(
                *sink,
                swept.names_removed > 0,
                "the janitor removed a name without a consumer"
            ),
            (Op::KeepReplies { after, .. }, Reply::RepliesKept { created }) => {
                let anew = *created && *after != steadfast_core::name::EntryId::ZERO;
                sometimes!(*sink, anew, "a reply stream was created anew");
            }
            _ => {}
        }
    }

    /// Situations that a decision shows.
    fn probe_decision(&self, call: &CallId, state: &CallState) {
        let sink = &self.probes;
        let CallState::Decided(record) = state else {
            return;
        };
        sometimes!(*sink, record.outcome == Outcome::Expired, "a call expired");
        sometimes!(
            *sink,
            self.past.lost_decision(call),
            "a call whose decision the store lost was decided again"
        );
        if let Outcome::DeadLettered(failure) = &record.outcome {
            let is_lease_ended = failure.kind == FailureKind::LeaseEnded;
            sometimes!(*sink, is_lease_ended, "a deferral ended without completion");
            let deadly = failure.kind == FailureKind::LostWorker && self.deadly.contains(call);
            sometimes!(*sink, deadly, "a call that kills its workers was dead-lettered");
        }
        let is_within_options = record.attempts <= self.scenario.options.attempts_max;
        always!(*sink, is_within_options, "no record shows more attempts than there may be");
    }

    /// Records what an operation shows, as far as any checker asks.
    pub(super) fn observe(&mut self, conn: u32, op: &Op, result: &OpResult) {
        self.probe(conn, op, result);
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
            (Op::Touch { token, .. }, Reply::Settled(Settlement::Overruled(_))) => {
                self.decided_if_open(&token.function, &token.call);
            }
            (Op::Move { function, call, .. }, Reply::Settled(Settlement::Overruled(_)))
            | (Op::Begin { function, call, .. }, Reply::Began(Beginning::Decided(_))) => {
                self.decided_if_open(function, call);
            }
            (Op::Sweep { function, .. }, Reply::Swept(swept))
                if swept.expired + swept.dead_lettered + swept.closed > 0 =>
            {
                self.recount(Some(function));
            }
            (Op::Reject { function, lease, .. }, Reply::Settled(Settlement::Done)) => {
                let (function, entry) = (function.clone(), lease.entry);
                self.fact(Fact::Rejected { function, entry });
            }
            (Op::Register { definition, consumer, sessions, .. }, Reply::Registered { epoch }) => {
                // A repeat answers the epoch and is no heartbeat.
                if !self.consumers.contains_key(consumer) {
                    self.seen_alive(consumer, sessions);
                }
                self.past.registered(self.store.place(), consumer);
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

    /// Records whom the store handed calls to.
    pub(super) fn delivered(&mut self, conn: u32, deliveries: &[Delivered]) {
        let conn = &self.conns[conn as usize];
        let (host, reader) = (conn.host, conn.reader.clone());
        for delivered in deliveries {
            if let (Some(consumer), Delivered::Call(delivery)) = (&reader, delivered) {
                let (consumer, call) = (consumer.clone(), delivery.call.clone());
                self.fact(Fact::Delivered { host, consumer, call });
            }
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
        self.past.admitted(self.store.place(), &submission.call);
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

    pub(super) fn decided(&mut self, function: &FunctionId, call: &CallId) {
        if let Some(standing) = self.admitted.get_mut(call)
            && !std::mem::replace(&mut standing.decided, true)
        {
            self.open -= 1;
        }
        let state = self.look(function, call);
        self.past.decided(self.store.place(), call);
        self.probe_decision(call, &state);
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
