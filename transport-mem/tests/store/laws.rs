//! Laws over random sequences of operations, each sent once or twice, as time passes and jumps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use steadfast_core::call::{Delivered, FailureKind, Lease, Outcome, Token};
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{CallId, ConsumerId, EntryId, Epoch};
use steadfast_core::op::{
    Admission, Authority, Destination, Op, Reply, Settlement, Submission, Verdict,
};
use steadfast_transport_mem::MemStore;

use crate::world::{
    START, World, beat, begin, call, caller, complete_entry, consumer, dead_letter, decide, defer,
    fail, failure, function, keyed, register, relocate, retry, seconds, sweep_op,
};

/// One step; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Submit { call: u8, delayed: bool },
    OlderAdd(u8),
    Register(u8),
    Beat(u8),
    Deregister(u8),
    Remove(u8),
    Fetch(u8),
    Begin(u8),
    Complete(u8),
    Fail(u8),
    DeadLetter(u8),
    Release(u8),
    Retry { lease: u8, delayed: bool },
    Defer(u8),
    Touch(u8),
    FailByToken(u8),
    Renew(u8),
    Cancel(u8),
    Expire(u8),
    Acknowledge(u8),
    Requeue(u8),
    Sweep,
    KeepReplies,
    ForgetReplies,
    Pass(u16),
    JumpBack(u16),
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let small = 0..10_u8;
    let who = 0..3_u8;
    let lease = 0..4_u8;
    let step = prop_oneof![
        6 => (small.clone(), any::<bool>())
            .prop_map(|(call, delayed)| Step::Submit { call, delayed }),
        1 => small.clone().prop_map(Step::OlderAdd),
        3 => who.clone().prop_map(Step::Register),
        1 => who.clone().prop_map(Step::Beat),
        1 => who.clone().prop_map(Step::Deregister),
        1 => who.clone().prop_map(Step::Remove),
        8 => who.clone().prop_map(Step::Fetch),
        2 => lease.clone().prop_map(Step::Begin),
        2 => lease.clone().prop_map(Step::Complete),
        1 => lease.clone().prop_map(Step::Fail),
        1 => lease.clone().prop_map(Step::DeadLetter),
        2 => lease.clone().prop_map(Step::Release),
        2 => (lease.clone(), any::<bool>())
            .prop_map(|(lease, delayed)| Step::Retry { lease, delayed }),
        2 => lease.clone().prop_map(Step::Defer),
        1 => lease.clone().prop_map(Step::Touch),
        1 => lease.clone().prop_map(Step::FailByToken),
        1 => lease.prop_map(Step::Renew),
        1 => small.clone().prop_map(Step::Cancel),
        1 => small.clone().prop_map(Step::Expire),
        1 => small.clone().prop_map(Step::Acknowledge),
        1 => small.prop_map(Step::Requeue),
        2 => Just(Step::Sweep),
        1 => Just(Step::KeepReplies),
        1 => Just(Step::ForgetReplies),
        4 => (0..40_u16).prop_map(Step::Pass),
        1 => (0..40_u16).prop_map(Step::JumpBack),
    ];
    proptest::collection::vec((step, any::<bool>()), 1..120)
}

/// Every second of the calls that are submitted; none that is requeued, and no older caller's.
fn asks_for_stream(call: &CallId) -> bool {
    let number = call.as_str().strip_prefix('c').and_then(|number| number.parse::<u8>().ok());
    number.is_some_and(|number| number % 2 == 0)
}

/// The store beside what must be true of it.
struct Judge {
    world: World,
    epochs: BTreeMap<ConsumerId, Epoch>,
    greatest_epoch: Epoch,
    /// Every delivery ever made: late and repeated uses are part of the game.
    leases: Vec<(CallId, Lease)>,
    accepted: BTreeSet<CallId>,
    decided: BTreeMap<CallId, Outcome>,
    done: BTreeMap<CallId, u32>,
    requeued: u32,
}

impl Judge {
    fn new() -> Self {
        Self {
            world: World::new(),
            epochs: BTreeMap::new(),
            greatest_epoch: Epoch(0),
            leases: Vec::new(),
            accepted: BTreeSet::new(),
            decided: BTreeMap::new(),
            done: BTreeMap::new(),
            requeued: 0,
        }
    }

    fn lease(&self, number: u8) -> Option<&(CallId, Lease)> {
        let recent = self.leases.len().saturating_sub(4);
        self.leases.get(recent + usize::from(number))
    }

    fn by_lease(&self, number: u8, op: impl Fn(&str, &Lease) -> Op) -> Option<Op> {
        let (call, lease) = self.lease(number)?;
        Some(op(call.as_str(), lease))
    }

    /// The operation that a step stands for, where there is something to do.
    fn op(&self, step: &Step) -> Option<Op> {
        let name = |number: &u8| format!("c{number}");
        let who = |number: &u8| format!("w{number}");
        match step {
            Step::Submit { call: id, delayed } => {
                // An id that was decided may be forgotten, and would be a new call.
                (!self.decided.contains_key(&call(&name(id)))).then(|| {
                    Op::Submit(Submission {
                        delay: seconds(if *delayed { 30 } else { 0 }),
                        reply_to: Some(caller("me")),
                        result_stream: asks_for_stream(&call(&name(id))),
                        ..keyed(&name(id), &format!("k{}", id.max(&1)))
                    })
                })
            }
            Step::OlderAdd(id) => Some(Op::OlderPeerAdd {
                function: function(),
                fields: vec![
                    ("callId".into(), format!("older{}", self.world.store.journal().len())),
                    ("input".into(), if *id == 0 { "{" } else { "{}" }.into()),
                ],
            }),
            Step::Register(id) => Some(register(&who(id), self.world.session)),
            Step::Beat(id) => {
                let epoch = *self.epochs.get(&consumer(&who(id)))?;
                Some(beat(&who(id), epoch, self.world.session))
            }
            Step::Deregister(id) => Some(Op::Deregister {
                function: function(),
                consumer: consumer(&who(id)),
                epoch: *self.epochs.get(&consumer(&who(id)))?,
            }),
            Step::Remove(id) => {
                let all = self.world.store.consumers(self.world.now, &function());
                let record = all.into_iter().find(|it| it.consumer == consumer(&who(id)))?;
                Some(Op::Remove {
                    function: function(),
                    consumer: record.consumer,
                    epoch: record.epoch,
                    heartbeat: record.heartbeat,
                    sessions: record.sessions,
                })
            }
            Step::Fetch(id) => {
                Some(Op::Fetch { function: function(), consumer: consumer(&who(id)), count: 2 })
            }
            Step::Begin(id) => self.by_lease(*id, begin),
            Step::Complete(id) => {
                self.by_lease(*id, |call, lease| complete_entry(call, Some(lease.entry)))
            }
            Step::Fail(id) => self.by_lease(*id, fail),
            Step::DeadLetter(id) => self.by_lease(*id, dead_letter),
            Step::Release(id) => {
                self.by_lease(*id, |call, lease| relocate(call, lease, Destination::Release))
            }
            Step::Retry { lease, delayed } => {
                let delay = seconds(if *delayed { 20 } else { 0 });
                self.by_lease(*lease, |call, lease| retry(call, lease, delay))
            }
            Step::Defer(id) => self.by_lease(*id, |call, lease| {
                defer(call, lease, &lease.entry.to_string(), seconds(40))
            }),
            Step::Touch(id) => self.by_lease(*id, |id, lease| Op::Touch {
                token: Token {
                    function: function(),
                    call: call(id),
                    nonce: lease.entry.to_string().into(),
                },
                lease: seconds(40),
            }),
            Step::FailByToken(id) => self.by_lease(*id, |call, lease| {
                let failure = failure(FailureKind::Handler);
                let by = Authority::Token(lease.entry.to_string().into());
                decide(call, Verdict::Fail { failure, by })
            }),
            Step::Renew(id) => {
                let (call, lease) = self.lease(*id)?;
                Some(Op::Renew {
                    function: function(),
                    consumer: lease.consumer.clone(),
                    entries: vec![(lease.entry, call.clone())],
                })
            }
            Step::Cancel(id) => Some(decide(&name(id), Verdict::Cancel)),
            Step::Expire(id) => Some(decide(&name(id), Verdict::Expire)),
            Step::Acknowledge(id) => {
                Some(Op::Acknowledge { function: function(), call: call(&name(id)) })
            }
            Step::Requeue(id) => {
                let letters = self.world.store.dead_letters(&function());
                let letter = letters.get(usize::from(*id) % letters.len().max(1))?;
                Some(Op::Requeue {
                    function: function(),
                    letter: letter.entry,
                    call: call(&format!("requeued{}", self.requeued)),
                    deadline: seconds(60),
                })
            }
            Step::Sweep => Some(sweep_op(100)),
            Step::ForgetReplies => Some(Op::ForgetReplies { caller: caller("me") }),
            Step::KeepReplies => {
                Some(Op::KeepReplies { caller: caller("me"), after: EntryId::ZERO })
            }
            Step::Pass(_) | Step::JumpBack(_) => None,
        }
    }

    fn step(&mut self, step: &Step, twice: bool) {
        match step {
            Step::Pass(s) => self.world.now += seconds(u64::from(*s)),
            Step::JumpBack(s) => {
                let back = self.world.now.as_millis() - u64::from(*s) * 1_000;
                self.world.now = START.max(steadfast_core::time::StoreTime::from_millis(back));
            }
            _ => {
                if let Some(op) = self.op(step) {
                    self.send(&op, twice);
                }
            }
        }
    }

    fn send(&mut self, op: &Op, twice: bool) {
        let Ok(reply) = self.world.apply(op) else {
            return;
        };
        self.note(op, &reply);
        let repeats_alike = !matches!(op, Op::Fetch { .. } | Op::OlderPeerAdd { .. });
        if twice && repeats_alike {
            let before = self.world.store.snapshot();
            let _ = self.world.apply(op);
            assert_eq!(self.world.store.snapshot(), before, "{op} sent twice");
        }
        self.judge();
    }

    fn note(&mut self, op: &Op, reply: &Reply) {
        match (op, reply) {
            (Op::Submit(submission), Reply::Submitted(Admission::Accepted)) => {
                assert!(self.accepted.insert(submission.call.clone()));
            }
            (Op::Requeue { call, .. }, Reply::Submitted(Admission::Accepted)) => {
                assert!(self.accepted.insert(call.clone()));
                self.requeued += 1;
            }
            (Op::Register { consumer, .. }, Reply::Registered { epoch })
                if self.epochs.get(consumer) != Some(epoch) =>
            {
                assert!(*epoch > self.greatest_epoch, "{epoch} does not grow");
                self.greatest_epoch = *epoch;
                self.epochs.insert(consumer.clone(), *epoch);
            }
            (Op::Fetch { consumer, .. }, Reply::Fetched { deliveries, .. }) => {
                let epoch = self.epochs.get(consumer).copied().unwrap_or(Epoch(0));
                for delivered in deliveries {
                    if let Delivered::Call(delivery) = delivered {
                        let lease =
                            Lease { entry: delivery.entry, consumer: consumer.clone(), epoch };
                        assert!(delivery.attempt >= 1);
                        self.leases.push((delivery.call.clone(), lease));
                    }
                }
            }
            (Op::Decide { call, .. }, Reply::Settled(Settlement::Done)) => {
                let done = self.done.entry(call.clone()).or_default();
                *done += 1;
                assert_eq!(*done, 1, "{call} was decided twice");
            }
            _ => {}
        }
    }

    /// What must hold between any two operations.
    fn judge(&mut self) {
        let open: BTreeSet<CallId> =
            self.world.store.open_calls().into_iter().map(|(_, call)| call).collect();
        for record in self.world.store.records(self.world.now) {
            assert!(!open.contains(&record.call), "{record} is open too");
            let (call, kept) = (record.call.clone(), record.clone());
            let before = self.decided.entry(record.call).or_insert_with(|| record.outcome.clone());
            assert_eq!(*before, record.outcome, "an outcome was overwritten");
            let streamed = self.world.store.result_stream(self.world.now, &call);
            let expect: Vec<_> = asks_for_stream(&call).then_some(kept).into_iter().collect();
            assert_eq!(streamed, expect, "the result stream of {call}");
        }
        for call in &self.accepted {
            let decided = self.decided.contains_key(call);
            assert!(decided != open.contains(call), "{call} is lost, or open again");
        }
    }

    /// Everything is decided, everybody leaves, time passes: nothing may remain.
    fn quiet(&mut self) {
        for (_, call) in self.world.store.open_calls() {
            self.send(&decide(call.as_str(), Verdict::Cancel), true);
        }
        for (consumer, epoch) in self.epochs.clone() {
            let op = Op::Deregister { function: function(), consumer, epoch };
            self.send(&op, true);
        }
        // Strangers, and what older callers left: overdue after five minutes; what is no call is
        // rejected by a consumer that comes by.
        self.world.now += seconds(7_200);
        self.send(&sweep_op(1_000), true);
        self.reject_malformed();
        self.world.now += seconds(7_200);
        let leftovers = self.world.store.leftovers(self.world.now);
        let found: Vec<String> = leftovers.iter().map(ToString::to_string).collect();
        assert_eq!(found, Vec::<String>::new());
    }

    fn reject_malformed(&mut self) {
        self.world.ask(&Op::Ensure { function: function() });
        let epoch = self.world.register("janitor");
        for delivered in self.world.fetch_all("janitor") {
            let Delivered::Malformed { entry, reason } = delivered else {
                panic!("{delivered} outlived its deadline");
            };
            let reject = Op::Reject {
                function: function(),
                lease: Lease { entry, consumer: consumer("janitor"), epoch },
                reason: reason.into(),
            };
            self.world.check(&reject, "done");
        }
        let deregister =
            Op::Deregister { function: function(), consumer: consumer("janitor"), epoch };
        self.world.check(&deregister, "deregistered, 0 released");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_over_any_sequence(steps in steps()) {
        let mut judge = Judge::new();
        for (step, twice) in &steps {
            judge.step(step, *twice);
        }
        judge.quiet();
        let store = &judge.world.store;
        let replayed = MemStore::replay(store.config().clone(), store.journal());
        prop_assert!(replayed.snapshot() == store.snapshot(), "a replay differs");
    }

    #[test]
    fn no_more_calls_are_open_than_the_bound_allows(
        submits in proptest::collection::vec((0..20_u8, 1..8_u32), 1..40),
    ) {
        let mut world = World::new();
        for (id, open_max) in submits {
            let submission = Submission { open_max, ..keyed(&format!("c{id}"), &format!("k{id}")) };
            let accepted = world.ask(&Op::Submit(submission)) == Reply::Submitted(Admission::Accepted);
            let open = world.store.open_calls().len();
            prop_assert!(!accepted || open <= open_max as usize);
        }
    }

    #[test]
    fn blocked_sessions_and_wakes_deliver_each_entry_once(
        submits in 1..12_usize,
        readers in 1..12_u32,
    ) {
        use steadfast_core::transport::{Interest, Wake};

        let mut world = World::new();
        world.ask(&Op::Ensure { function: function() });
        for number in 0..readers {
            let session = world.store.connect(world.now).session;
            let interest = Interest::Deliveries {
                function: function(),
                consumer: consumer(&format!("w{number}")),
                count: 1,
            };
            prop_assert_eq!(world.store.watch(world.now, session, &interest), None);
        }
        let mut delivered = BTreeSet::new();
        for number in 0..submits {
            world.submit(&format!("c{number}"));
            world.pass(Duration::from_millis(1));
            while let Some((_, wake)) = world.store.poll_wake() {
                let Ok(Wake::Deliveries(deliveries)) = wake else {
                    panic!("{wake:?}");
                };
                for one in deliveries {
                    prop_assert!(delivered.insert(one.entry()), "delivered twice");
                }
            }
        }
        prop_assert_eq!(delivered.len(), submits.min(readers as usize));
        prop_assert_eq!(world.store.pending_entries(&function()).len(), delivered.len());
    }
}
