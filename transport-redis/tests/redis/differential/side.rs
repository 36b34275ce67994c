//! What one side has shown so far, and steps resolved among it. Both sides hold the same things in the same
//! order, under names of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::call::{Delivered, FailureKind, Lease, Payload, Token};
use steadfast_core::name::{CallId, ConsumerId, EntryId, Epoch, IdempotencyKey, SessionId};
use steadfast_core::op::{
    Authority, ConsumerRecord, Destination, Op, OpResult, Pulse, Reply, Submission, Verdict,
};

use super::step::{Form, Step, Wait};
use crate::support::{
    beat, begin, call, complete, consumer, dead_letter, decide, fail, failure, fetch, function,
    inspect, millis, node, pulse, register, relocate, seconds, submission, sweep,
};

/// A short wait; a pass is longer.
pub(crate) const SHORT: Duration = Duration::from_millis(40);

/// What a step means on one side.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Op(Box<Op>),
    Acknowledge(EntryId),
    Answer(CallId),
    Take(CallId),
    DeleteName(ConsumerId),
    DeleteGroup,
    DeleteStream,
    /// A call is submitted while memory is out.
    OutOfMemory,
    Pass,
}

/// What was seen on one side.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) session: SessionId,
    leases: Vec<(CallId, Lease)>,
    epochs: BTreeMap<ConsumerId, Epoch>,
    letters: Vec<EntryId>,
    records: BTreeMap<ConsumerId, ConsumerRecord>,
    numbers: BTreeMap<EntryId, usize>,
}

fn duration(wait: Wait) -> Duration {
    match wait {
        Wait::None => Duration::ZERO,
        Wait::Short => SHORT,
        // As usual, for a deadline: `lua/submit_one.lua` is not told it then.
        Wait::Long => seconds(300),
    }
}

fn who(number: u8) -> String {
    format!("w{number}")
}

fn ours(number: u8) -> String {
    format!("c{number}")
}

fn either(older: bool, number: u8) -> String {
    if older { format!("o{number}") } else { ours(number) }
}

fn nonce(lease: u8) -> std::sync::Arc<str> {
    format!("nonce{}", lease % 2).into()
}

const RESULTS: [&str; 6] = ["0", "false", "\"\"", "null", "{\"a\":\"\\u0000/é\"}", "[1.5]"];

impl Side {
    pub(crate) fn new(session: SessionId) -> Self {
        Self {
            session,
            leases: Vec::new(),
            epochs: BTreeMap::new(),
            letters: Vec::new(),
            records: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// The entry's number: in the order in which entries were shown.
    pub(crate) fn number(&mut self, entry: EntryId) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(entry).or_insert(next)
    }

    /// The epoch's number, by whose it is.
    pub(crate) fn owner_of(&self, epoch: Epoch) -> String {
        let owner = self.epochs.iter().find(|(_, it)| **it == epoch);
        owner.map_or_else(|| "an epoch".to_owned(), |(consumer, _)| format!("epoch of {consumer}"))
    }

    fn lease(&self, back: u8) -> Option<(&str, &Lease)> {
        let place = self.leases.len().checked_sub(usize::from(back) + 1)?;
        self.leases.get(place).map(|(call, lease)| (call.as_str(), lease))
    }

    fn by_lease(&self, back: u8, op: impl Fn(&str, &Lease) -> Op) -> Option<Op> {
        self.lease(back).map(|(call, lease)| op(call, lease))
    }

    fn epoch(&self, id: u8, wrong: bool) -> Epoch {
        let epoch = self.epochs.get(&consumer(&who(id))).copied().unwrap_or(Epoch(7));
        Epoch(epoch.0 + u64::from(wrong))
    }

    fn entries(&self, backs: [u8; 2]) -> Vec<(EntryId, CallId)> {
        backs
            .into_iter()
            .filter_map(|back| self.lease(back))
            .map(|(id, lease)| (lease.entry, call(id)))
            .collect()
    }

    pub(crate) fn resolve(&self, step: &Step) -> Option<Action> {
        Some(match step {
            Step::OlderAck(back) => Action::Acknowledge(self.lease(*back)?.1.entry),
            Step::OlderAnswer(number) => Action::Answer(call(&either(number % 2 == 0, *number))),
            Step::OlderTake(number) => Action::Take(call(&either(number % 2 == 0, *number))),
            Step::DeleteName(id) => Action::DeleteName(consumer(&who(*id))),
            Step::DeleteGroup => Action::DeleteGroup,
            Step::DeleteStream => Action::DeleteStream,
            Step::OutOfMemory => Action::OutOfMemory,
            Step::Pass => Action::Pass,
            _ => Action::Op(Box::new(self.op(step)?)),
        })
    }

    fn op(&self, step: &Step) -> Option<Op> {
        Some(match step {
            Step::Register(id) => register(&who(*id), self.session),
            Step::Beat { consumers, wrong_epoch, error } => {
                let pulse = |id: u8| Pulse {
                    error_count: u64::from(id),
                    last_error: error.then(|| "it broke".into()),
                    ..pulse(&who(id), self.epoch(id, *wrong_epoch))
                };
                beat(consumers.iter().map(|id| pulse(*id)).collect(), self.session)
            }
            Step::Deregister { consumer: id, wrong_epoch } => Op::Deregister {
                function: function(),
                consumer: consumer(&who(*id)),
                epoch: self.epoch(*id, *wrong_epoch),
            },
            Step::Remove { consumer: id, as_observed } => {
                let record = self.records.get(&consumer(&who(*id)))?;
                Op::Remove {
                    function: function(),
                    consumer: record.consumer.clone(),
                    epoch: record.epoch,
                    heartbeat: record.heartbeat + millis(if *as_observed { 0 } else { 1_000 }),
                    sessions: record.sessions.clone(),
                }
            }
            Step::Fetch { consumer, count } => fetch(&who(*consumer), *count),
            Step::Reread { consumer: id, leases } => Op::Reread {
                function: function(),
                consumer: consumer(&who(*id)),
                entries: self.entries(*leases).into_iter().map(|(entry, _)| entry).collect(),
            },
            Step::Renew { consumer: id, leases } => Op::Renew {
                function: function(),
                consumer: consumer(&who(*id)),
                entries: self.entries(*leases),
            },
            Step::Requeue { letter, call: id } => Op::Requeue {
                function: function(),
                letter: self.letters.get(usize::from(*letter)).copied().unwrap_or_default(),
                call: call(&ours(*id)),
                deadline: seconds(900),
            },
            Step::Sweep { rob, limit } => {
                sweep(*limit, if *rob { Duration::ZERO } else { seconds(3_600) })
            }
            Step::ForgetReplies => Op::ForgetReplies { caller: node("me") },
            Step::KeepReplies => Op::KeepReplies { caller: node("me"), after: EntryId::ZERO },
            Step::Ensure => Op::Ensure { function: function() },
            Step::Describe => Op::Describe { function: function() },
            Step::Discover(all) => Op::Discover { scope: (!all).then(|| "global".into()) },
            Step::Letters(count) => {
                Op::DeadLetters { function: function(), after: EntryId::ZERO, count: *count }
            }
            Step::Survey => Op::Survey { functions: vec![function()] },
            Step::Ping => Op::Ping,
            _ => return self.op_on_a_call(step),
        })
    }

    fn op_on_a_call(&self, step: &Step) -> Option<Op> {
        match step {
            Step::Submit { call, delay, deadline, keyed, told, few } => {
                let [replies, streams] = *told;
                Some(Op::Submit(Submission {
                    delay: duration(*delay),
                    deadline: duration(*deadline),
                    idempotency_key: keyed
                        .then(|| IdempotencyKey::new(format!("k{}", call / 2)).unwrap()),
                    reply_to: replies.then(|| node("me")),
                    traceparent: (replies && call % 2 == 1).then(|| "00-trace".into()),
                    result_stream: streams,
                    open_max: if *few { 2 } else { 100_000 },
                    ..submission(&ours(*call))
                }))
            }
            Step::OlderAdd { call, form, streams } => Some(older_add(*call, *form, *streams)),
            Step::Begin { lease, most } => {
                self.by_lease(*lease, |id, lease| match begin(id, lease) {
                    Op::Begin { function, call, lease, .. } => {
                        Op::Begin { function, call, lease, attempts_max: *most }
                    }
                    other => other,
                })
            }
            Step::Complete { lease, result, name_entry } => self.by_lease(*lease, |id, lease| {
                complete(id, RESULTS[usize::from(*result)], name_entry.then_some(lease.entry))
            }),
            Step::CompleteCall(number) => Some(complete(&ours(*number), "1", None)),
            Step::Fail(lease) => self.by_lease(*lease, fail),
            Step::DeadLetter(lease) => self.by_lease(*lease, dead_letter),
            Step::Release(lease) => {
                self.by_lease(*lease, |id, lease| relocate(id, lease, Destination::Release))
            }
            Step::Retry { lease, delay } => self.by_lease(*lease, |id, lease| {
                relocate(id, lease, Destination::Retry { delay: duration(*delay) })
            }),
            Step::Defer { lease, hold } => self.by_lease(*lease, |id, it| {
                let (nonce, lease) = (nonce(*lease), duration(*hold));
                relocate(id, it, Destination::Defer { nonce, lease })
            }),
            Step::Touch { lease, hold } => self.by_lease(*lease, |id, _| Op::Touch {
                token: Token { function: function(), call: call(id), nonce: nonce(*lease) },
                lease: duration(*hold),
            }),
            Step::FailByToken { lease, letter } => self.by_lease(*lease, |id, _| {
                let (failure, by) =
                    (failure(FailureKind::Handler), Authority::Token(nonce(*lease)));
                decide(
                    id,
                    if *letter {
                        Verdict::DeadLetter { failure, by }
                    } else {
                        Verdict::Fail { failure, by }
                    },
                )
            }),
            Step::Reject(lease) => self.by_lease(*lease, |_, lease| Op::Reject {
                function: function(),
                lease: lease.clone(),
                reason: "not readable".into(),
            }),
            Step::Cancel { older, call } => Some(decide(&either(*older, *call), Verdict::Cancel)),
            Step::Expire { older, call } => Some(decide(&either(*older, *call), Verdict::Expire)),
            Step::Acknowledge(number) => {
                Some(Op::Acknowledge { function: function(), call: call(&ours(*number)) })
            }
            Step::Inspect(number) => Some(inspect(&either(number % 2 == 0, *number))),
            _ => None,
        }
    }

    /// Remembers what the answers to a batch show.
    pub(crate) fn note_all(&mut self, ops: &[Op], results: &[OpResult]) {
        for (op, result) in ops.iter().zip(results) {
            if let Ok(reply) = result {
                self.note(op, reply);
            }
        }
    }

    fn note(&mut self, op: &Op, reply: &Reply) {
        match (op, reply) {
            (Op::Register { consumer, .. }, Reply::Registered { epoch }) => {
                self.epochs.insert(consumer.clone(), *epoch);
            }
            (Op::Fetch { consumer, .. }, Reply::Fetched { deliveries, .. }) => {
                let epoch = self.epochs.get(consumer).copied().unwrap_or(Epoch(7));
                for delivered in deliveries {
                    let entry = delivered.entry();
                    let id = match delivered {
                        Delivered::Call(delivery) => delivery.call.clone(),
                        Delivered::Malformed { .. } => call("malformed"),
                    };
                    self.leases.push((id, Lease { entry, consumer: consumer.clone(), epoch }));
                }
            }
            (_, Reply::Letters(letters)) => {
                self.letters = letters.iter().map(|letter| letter.entry).collect();
            }
            (_, Reply::Surveyed(survey)) => {
                let records = survey.functions.iter().flat_map(|it| it.consumers.iter());
                self.records =
                    records.map(|record| (record.consumer.clone(), record.clone())).collect();
            }
            _ => {}
        }
    }
}

fn older_add(number: u8, form: Form, streams: bool) -> Op {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut fields = vec![
        field("callId", &either(true, number)),
        field("functionName", "greet"),
        field("input", Payload::trusted("{\"n\":[1,-2.5e3,\"\\u00e9\"]}").as_str()),
        field("item", "{}"),
        field("timestamp", "2023-11-14T22:13:20Z"),
        field("unknown", "yes"),
    ];
    if streams {
        fields.push(field("resultStream", "1"));
    }
    match form {
        Form::Good => {}
        Form::BadInput => "{\"n\":01}".clone_into(&mut fields[2].1),
        Form::NoCall => drop(fields.remove(0)),
        Form::Overdue => fields.push(field("deadline", "1700000000000")),
    }
    Op::OlderPeerAdd { function: function(), fields }
}
