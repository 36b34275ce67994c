//! The two stores in lockstep.

use std::time::Duration;

use proptest::prelude::{TestCaseError, prop_assert, prop_assert_eq};
use steadfast_core::call::{Outcome, Payload, Record};
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, OpResult};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Interest, Link, Transport, Wake};
use steadfast_core::wire::{Keys, decode_result};
use steadfast_transport_mem::MemStore;
use steadfast_transport_redis::KeyLayout;

use super::coverage::Coverage;
use super::normal::{Normal, normal, shown};
use super::side::{Action, SHORT, Side};
use super::step::Step;
use crate::support::{RedisServer, World, call, function, inspect, node, submit};

/// How far apart the stores' stamps may be, beside the longest time that a batch took: the wire rounds to
/// milliseconds.
const TOLERANCE: Duration = Duration::from_millis(3);

/// The real server, and the session that watches replies.
pub(crate) struct Pair {
    world: World,
    keys: Keys,
    replies: steadfast_core::name::SessionId,
}

/// One sequence's course.
struct Course<'a> {
    pair: &'a mut Pair,
    coverage: &'a mut Coverage,
    store: MemStore,
    mem: Side,
    real: Side,
    /// Somebody deleted the stream: calls were lost with whom to reply to.
    deleted: bool,
    /// The longest that a batch took: so far apart may the stores have stamped what it did.
    longest: Duration,
}

impl Pair {
    pub(crate) async fn new(server: RedisServer, layout: KeyLayout) -> Self {
        let world = World::in_layout(server, layout).await;
        let keys = match layout {
            KeyLayout::Cluster => Keys::default().in_cluster(),
            _ => Keys::default(),
        };
        let replies = world.transport.connect(Link::Replies).await.unwrap().session;
        Self { world, keys, replies }
    }

    pub(crate) async fn run(
        &mut self,
        sequence: &[Vec<Step>],
        coverage: &mut Coverage,
    ) -> Result<(), TestCaseError> {
        let () = self.world.raw(&["FLUSHALL"]);
        let now = self.time();
        let mut store = MemStore::default();
        let mem = Side::new(store.connect(now).session);
        let real = Side::new(self.world.session);
        let mut course = Course {
            pair: self,
            coverage,
            store,
            mem,
            real,
            deleted: false,
            longest: Duration::ZERO,
        };
        for batch in sequence {
            course.batch(batch).await?;
        }
        course.end().await
    }

    fn time(&mut self) -> StoreTime {
        let (seconds, micros): (u64, u64) = self.world.raw(&["TIME"]);
        StoreTime::from_micros(seconds * 1_000_000 + micros)
    }
}

impl Course<'_> {
    async fn batch(&mut self, batch: &[Step]) -> Result<(), TestCaseError> {
        if batch.iter().any(|step| matches!(step, Step::Remove { .. } | Step::Requeue { .. })) {
            self.look().await?;
        }
        let resolved: Vec<(Action, Action)> = batch
            .iter()
            .filter_map(|step| Some((self.mem.resolve(step)?, self.real.resolve(step)?)))
            .collect();
        let mut ops = Vec::new();
        for pair in resolved {
            match pair {
                (Action::Op(one), Action::Op(other)) => ops.push((*one, *other)),
                (Action::OutOfMemory, _) => {
                    self.send(std::mem::take(&mut ops)).await?;
                    self.submit_without_memory().await?;
                }
                (one, other) => {
                    self.send(std::mem::take(&mut ops)).await?;
                    self.tamper(one, other);
                }
            }
        }
        self.send(ops).await
    }

    async fn look(&mut self) -> Result<(), TestCaseError> {
        let survey = Op::Survey { functions: vec![function()] };
        let letters = Op::DeadLetters { function: function(), after: EntryId::ZERO, count: 100 };
        self.send(vec![(survey.clone(), survey), (letters.clone(), letters)]).await
    }

    /// Sends a batch to both, and compares at each instant that the batch may have been served at.
    async fn send(&mut self, ops: Vec<(Op, Op)>) -> Result<(), TestCaseError> {
        if ops.is_empty() {
            return Ok(());
        }
        let (mem_ops, real_ops): (Vec<Op>, Vec<Op>) = ops.into_iter().unzip();
        let before = self.pair.time();
        let results = self.pair.world.apply_all(real_ops.clone()).await;
        let after = self.pair.time();
        note(&mut self.real, &real_ops, &results);
        let expected: Vec<Normal> =
            results.iter().map(|result| normal(&mut self.real, result)).collect();
        let span = after.since(before);
        self.longest = self.longest.max(span);
        let slack = TOLERANCE / 2 + self.longest;
        let early = StoreTime::from_micros(before.as_micros() - slack.as_micros() as u64);
        let at_once = [before, after, before + span / 2, early, after + slack];
        // All at one instant, or the first so many before the others.
        let candidates = at_once
            .map(|now| (0, now, now))
            .into_iter()
            .chain((1..mem_ops.len()).map(|first| (first, before, after)));
        let mut told = String::new();
        for (first, start, end) in candidates {
            let (mut store, mut side) = (self.store.clone(), self.mem.clone());
            let answers: Vec<OpResult> = mem_ops
                .iter()
                .enumerate()
                .map(|(place, op)| {
                    let now = if place < first { start } else { end };
                    store.apply(now, side.session, op)
                })
                .collect();
            note(&mut side, &mem_ops, &answers);
            let shown: Vec<Normal> =
                answers.iter().map(|result| normal(&mut side, result)).collect();
            let differing = shown
                .iter()
                .zip(&expected)
                .position(|(one, other)| !one.agrees(other, TOLERANCE + self.longest));
            match differing {
                None => {
                    while store.poll_wake().is_some() {}
                    (self.store, self.mem) = (store, side);
                    for (op, result) in real_ops.iter().zip(&results) {
                        self.coverage.count(op, result);
                    }
                    // A stream that an older caller makes anew may give an id of this millisecond again:
                    // not to be mistaken for the same entry by one side only.
                    while self.pair.time().as_millis() <= after.as_millis() {}
                    return Ok(());
                }
                Some(place) if told.is_empty() => {
                    told = format!(
                        "{}\n  reference: {:?}\n  server:    {:?} ({:?})",
                        mem_ops[place], shown[place], expected[place], results[place]
                    );
                }
                Some(_) => {}
            }
        }
        Err(TestCaseError::fail(told))
    }

    /// Memory is out for as long as a call of its own is submitted, which neither takes.
    async fn submit_without_memory(&mut self) -> Result<(), TestCaseError> {
        let () = self.pair.world.raw(&["CONFIG", "SET", "maxmemory", "1"]);
        let bytes_max = self.store.config().bytes_max;
        self.store.limit_bytes(self.pair.time(), 0);
        let op = submit("too much");
        let sent = self.send(vec![(op.clone(), op)]).await;
        let () = self.pair.world.raw(&["CONFIG", "SET", "maxmemory", "0"]);
        self.store.limit_bytes(self.pair.time(), bytes_max);
        sent
    }

    fn tamper(&mut self, mem: Action, real: Action) {
        let now = self.pair.time();
        let id = function();
        let keys = self.pair.keys.clone();
        // The group's name bears no tag.
        let (stream, group) = (keys.calls(&id), Keys::default().group(&id));
        let world = &mut self.pair.world;
        let _: redis::Value = match real {
            Action::Acknowledge(entry) => world.raw(&["XACK", &stream, &group, &entry.to_string()]),
            Action::Answer(call) => {
                let text = format!(
                    r#"{{"callId":"{call}","result":"7","error":null,"timestamp":1,"status":"success"}}"#
                );
                world.raw(&["SETEX", &keys.result(&id, &call), "300", &text])
            }
            Action::Take(call) => world.raw(&["DEL", &keys.result(&id, &call)]),
            Action::DeleteName(consumer) => {
                let script =
                    "return redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
                    and 1";
                world.raw(&["EVAL", script, "1", &stream, &group, consumer.as_str()])
            }
            Action::DeleteGroup => {
                let script = "return redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1]) and 1";
                world.raw(&["EVAL", script, "1", &stream, &group])
            }
            Action::DeleteStream => world.raw(&["DEL", &stream]),
            Action::Pass => {
                std::thread::sleep(SHORT + TOLERANCE * 4);
                redis::Value::Nil
            }
            Action::Op(_) | Action::OutOfMemory => unreachable!("operations are sent"),
        };
        let store = &mut self.store;
        match mem {
            Action::Acknowledge(entry) => drop(store.older_peer_acknowledge(now, &id, entry)),
            Action::Answer(call) => store.older_peer_answer(
                now,
                Record {
                    call,
                    outcome: Outcome::Success(Payload::trusted("7")),
                    attempts: 1,
                    decided_at: now,
                },
            ),
            Action::Take(call) => drop(store.older_peer_take_result(now, &call)),
            Action::DeleteName(consumer) => drop(store.delete_name(now, &id, &consumer)),
            Action::DeleteGroup => drop(store.delete_group(now, &id)),
            Action::DeleteStream => {
                store.delete_stream(now, &id);
                self.deleted = true;
                // Ids that were used must not come again within this millisecond.
                std::thread::sleep(TOLERANCE);
            }
            Action::Pass | Action::OutOfMemory | Action::Op(_) => {}
        }
        while store.poll_wake().is_some() {}
    }

    /// Everything that can be seen, compared once more.
    async fn end(mut self) -> Result<(), TestCaseError> {
        self.look().await?;
        let ids = (0..5).flat_map(|number| [format!("c{number}"), format!("o{number}")]);
        let looks = ids.clone().map(|id| (inspect(&id), inspect(&id))).collect();
        self.send(looks).await?;
        for id in ids {
            self.compare_result_streams(&id)?;
        }
        let interest = Interest::Replies { caller: node("me"), after: EntryId::ZERO };
        let expected = self
            .pair
            .world
            .transport
            .watch(self.pair.replies, interest.clone(), Duration::from_millis(1))
            .await
            .expect("a watch of replies");
        let now = self.pair.time();
        let got = self.store.watch(now, self.mem.session, &interest);
        let records = |wake: Option<Wake>| match wake {
            Some(Wake::Replies { records, .. }) => records.iter().map(shown).collect(),
            _ => Vec::new(),
        };
        let (one, other) = (records(got.and_then(Result::ok)), records(Some(expected)));
        if one != other && !self.deleted {
            return Err(TestCaseError::fail(format!(
                "replies\n  reference: {one:?}\n  server:    {other:?}"
            )));
        }
        let audit = self.store.audit();
        if audit.is_empty() {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!("the reference is unsound: {audit:?}")))
        }
    }
}

impl Course<'_> {
    fn compare_result_streams(&mut self, id: &str) -> Result<(), TestCaseError> {
        let now = self.pair.time();
        let records = self.store.result_stream(now, &call(id));
        let got: Vec<String> = records.iter().map(shown).collect();
        let key = self.pair.keys.result_stream(&function(), &call(id));
        let world = &mut self.pair.world;
        let entries: Vec<(String, Vec<(String, String)>)> = world.raw(&["XRANGE", &key, "-", "+"]);
        let mut expected = Vec::new();
        for (entry, fields) in entries {
            let [(field, text)] = &fields[..] else {
                return Err(TestCaseError::fail(format!("{key} {entry} has {fields:?}")));
            };
            prop_assert_eq!(field, "record");
            let record = decode_result(text);
            let record = record.map_err(|error| TestCaseError::fail(format!("{key}: {error}")))?;
            expected.push(shown(&record));
        }
        prop_assert_eq!(&got, &expected, "{}: the reference, and the server", key);
        if !expected.is_empty() {
            let ttl_ms: i64 = world.raw(&["PTTL", &key]);
            prop_assert!((1..=300_000).contains(&ttl_ms), "{} lives for {} ms", key, ttl_ms);
        }
        let is_decided = self.store.records(now).iter().any(|it| it.call == call(id));
        if is_decided || !records.is_empty() {
            let last = records.last().map(|record| record.outcome.kind());
            self.coverage.count_stream(last);
        }
        Ok(())
    }
}

fn note(side: &mut Side, ops: &[Op], results: &[OpResult]) {
    for (op, result) in ops.iter().zip(results) {
        if let Ok(reply) = result {
            side.note(op, reply);
        }
    }
}
