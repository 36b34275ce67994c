//! The two stores in lockstep.

use std::time::Duration;

use proptest::prelude::{TestCaseError, prop_assert, prop_assert_eq};
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::EntryId;
use steadfast_core::op::Op;
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Interest, Link, Transport, Wake};
use steadfast_core::wire::{Keys, decode_result};
use steadfast_transport_redis::KeyLayout;

use super::coverage::Coverage;
use super::normal::{normal, shown};
use super::reference::{Asked, Reference, TOLERANCE, Turn};
use super::side::{Action, SHORT, Side};
use super::step::Step;
use crate::support::{RedisServer, World, call, function, inspect, node, submit};

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
    /// As it stood before the first turn.
    beginning: Reference,
    turns: Vec<Turn>,
    reference: Reference,
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
        let reference = Reference::new(self.time());
        let real = Side::new(self.world.session);
        let mut course = Course {
            pair: self,
            coverage,
            beginning: reference.clone(),
            turns: Vec::new(),
            reference,
            real,
            deleted: false,
            longest: Duration::ZERO,
        };
        for batch in sequence {
            course.batch(batch).await?;
        }
        course.end().await
    }

    /// Does something beside the store.
    fn tamper(&mut self, action: Action) {
        let id = function();
        let keys = self.keys.clone();
        // The group's name bears no tag.
        let (stream, group) = (keys.calls(&id), Keys::default().group(&id));
        let world = &mut self.world;
        let _: redis::Value = match action {
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
            Action::DeleteStream => {
                let deleted = world.raw(&["DEL", &stream]);
                // Ids that were used must not come again within this millisecond.
                std::thread::sleep(TOLERANCE);
                deleted
            }
            Action::Pass => {
                std::thread::sleep(SHORT + TOLERANCE * 4);
                redis::Value::Nil
            }
            Action::Op(_) | Action::OutOfMemory => unreachable!("these are turns of their own"),
        };
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
        let mut asked = Vec::new();
        for step in batch {
            match step {
                Step::OutOfMemory => {
                    self.send(std::mem::take(&mut asked)).await?;
                    self.submit_without_memory().await?;
                }
                step if step.is_done_beside_the_store() => {
                    self.send(std::mem::take(&mut asked)).await?;
                    self.tamper(step)?;
                }
                step => asked.push(Asked::Step(step.clone())),
            }
        }
        self.send(asked).await
    }

    async fn look(&mut self) -> Result<(), TestCaseError> {
        let survey = Op::Survey { functions: vec![function()] };
        let letters = Op::DeadLetters { function: function(), after: EntryId::ZERO, count: 100 };
        self.send(vec![Asked::Op(survey), Asked::Op(letters)]).await
    }

    /// Sends a batch to both, and compares. What means nothing yet is left out.
    async fn send(&mut self, mut asked: Vec<Asked>) -> Result<(), TestCaseError> {
        asked.retain(|it| {
            [&self.reference.side, &self.real].into_iter().all(|side| it.resolve(side).is_some())
        });
        if asked.is_empty() {
            return Ok(());
        }
        let ops: Vec<Op> = asked.iter().filter_map(|it| it.resolve(&self.real)).collect();
        let begun = self.pair.time();
        let results = self.pair.world.apply_all(ops.clone()).await;
        let ended = self.pair.time();
        self.longest = self.longest.max(ended.since(begun));
        self.real.note_all(&ops, &results);
        let told = results.iter().map(|result| normal(&mut self.real, result)).collect();
        self.turn(Turn::Asked { asked, begun, ended, told })?;
        for (op, result) in ops.iter().zip(&results) {
            self.coverage.count(op, result);
        }
        // A stream that an older caller makes anew may give an id of this millisecond again: not to be mistaken
        // for the same entry by one side only.
        while self.pair.time().as_millis() <= ended.as_millis() {}
        Ok(())
    }

    /// The reference takes what the server has taken.
    fn turn(&mut self, turn: Turn) -> Result<(), TestCaseError> {
        let followed = self.reference.follow(&turn, self.longest);
        self.turns.push(turn);
        let Err(differs) = followed else {
            return Ok(());
        };
        let replayed = self.beginning.replay(&self.turns, self.longest);
        self.reference = replayed.ok_or_else(|| TestCaseError::fail(differs))?;
        self.coverage.count_replay();
        Ok(())
    }

    /// Memory is out for as long as a call of its own is submitted, which neither takes.
    async fn submit_without_memory(&mut self) -> Result<(), TestCaseError> {
        let () = self.pair.world.raw(&["CONFIG", "SET", "maxmemory", "1"]);
        let bytes_max = self.reference.store.config().bytes_max;
        let at = self.pair.time();
        self.turn(Turn::Limited { bytes_max: 0, at })?;
        let sent = self.send(vec![Asked::Op(submit("too much"))]).await;
        let () = self.pair.world.raw(&["CONFIG", "SET", "maxmemory", "0"]);
        let at = self.pair.time();
        self.turn(Turn::Limited { bytes_max, at })?;
        sent
    }

    fn tamper(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let (Some(action), Some(_)) = (self.real.resolve(step), self.reference.side.resolve(step))
        else {
            return Ok(());
        };
        let at = self.pair.time();
        self.deleted |= matches!(action, Action::DeleteStream);
        self.pair.tamper(action);
        self.turn(Turn::Tampered { step: step.clone(), at })
    }

    /// Everything that can be seen, compared once more.
    async fn end(mut self) -> Result<(), TestCaseError> {
        self.look().await?;
        let ids = (0..5).flat_map(|number| [format!("c{number}"), format!("o{number}")]);
        let looks = ids.clone().map(|id| Asked::Op(inspect(&id))).collect();
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
        let got = self.reference.store.watch(now, self.reference.side.session, &interest);
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
        let audit = self.reference.store.audit();
        if audit.is_empty() {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!("the reference is unsound: {audit:?}")))
        }
    }

    fn compare_result_streams(&mut self, id: &str) -> Result<(), TestCaseError> {
        let now = self.pair.time();
        let records = self.reference.store.result_stream(now, &call(id));
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
        let is_decided = self.reference.store.records(now).iter().any(|it| it.call == call(id));
        if is_decided || !records.is_empty() {
            let last = records.last().map(|record| record.outcome.kind());
            self.coverage.count_stream(last);
        }
        Ok(())
    }
}
