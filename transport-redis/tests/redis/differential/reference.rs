//! The reference's side: what the server was asked, asked at instants at which it may have been served.
//!
//! When exactly the server served a command is not known, only between which of its times. The first instants
//! at which the answers agree are taken, and a later answer may show that it was others: where none agrees any
//! more, the course so far is gone through anew by many references side by side, each at other instants, drawn
//! at random, and whoever disagrees drops out. Only where none is left do the two differ.

use std::time::Duration;

use steadfast_core::call::{Outcome, Payload, Record};
use steadfast_core::entropy::{Entropy, Stream};
use steadfast_core::machine::StoreMachine;
use steadfast_core::op::Op;
use steadfast_core::time::StoreTime;
use steadfast_transport_mem::MemStore;

use super::normal::{Normal, normal};
use super::side::{Action, Side};
use super::step::Step;
use crate::support::function;

/// How far apart the stores' stamps may be, beside the longest time that a batch took: the wire rounds to
/// milliseconds.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(3);

/// So many references go through a course anew before the two are said to differ.
const CANDIDATES: usize = 200;
/// So often instants are drawn for a turn of a course that is gone through anew.
const DRAWS: usize = 1_000;

/// What a batch does: a step, resolved by each side, or an operation that is the same for both.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Step(Step),
    Op(Op),
}

impl Asked {
    pub(crate) fn resolve(&self, side: &Side) -> Option<Op> {
        match self {
            Self::Op(op) => Some(op.clone()),
            Self::Step(step) => match side.resolve(step)? {
                Action::Op(op) => Some(*op),
                other => unreachable!("{other:?} is done beside the store"),
            },
        }
    }
}

/// What happened to both.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    /// Operations, told what stands there by the server between two of its times.
    Asked { asked: Vec<Asked>, begun: StoreTime, ended: StoreTime, told: Vec<Normal> },
    /// Something was done beside the store.
    Tampered { step: Step, at: StoreTime },
    /// So many bytes may be held from now on.
    Limited { bytes_max: usize, at: StoreTime },
}

/// The reference, and what it has shown.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) store: MemStore,
    pub(crate) side: Side,
    /// When it was asked last: its time does not go back.
    last: StoreTime,
}

impl Reference {
    pub(crate) fn new(now: StoreTime) -> Self {
        let mut store = MemStore::default();
        let side = Side::new(store.connect(now).session);
        Self { store, side, last: now }
    }

    /// Takes a batch at each's instant; says where its answers differ from the server's.
    fn ask(
        &mut self,
        asked: &[Asked],
        instants: &[StoreTime],
        told: &[Normal],
        tolerance: Duration,
    ) -> Result<(), String> {
        let ops: Option<Vec<Op>> = asked.iter().map(|it| it.resolve(&self.side)).collect();
        let ops = ops.ok_or("a step means nothing here any more")?;
        let session = self.side.session;
        let mut answers = Vec::with_capacity(ops.len());
        for (op, instant) in ops.iter().zip(instants) {
            self.last = self.last.max(*instant);
            answers.push(self.store.apply(self.last, session, op));
        }
        self.drain();
        self.side.note_all(&ops, &answers);
        for ((op, answer), other) in ops.iter().zip(&answers).zip(told) {
            let shown = normal(&mut self.side, answer);
            if !shown.agrees(other, tolerance) {
                return Err(format!("{op}\n  reference: {shown:?}\n  server:    {other:?}"));
            }
        }
        Ok(())
    }

    /// Takes a turn at the likeliest instants at which its answers are the server's.
    pub(crate) fn follow(&mut self, turn: &Turn, longest: Duration) -> Result<(), String> {
        let Turn::Asked { asked, begun, ended, told } = turn else {
            return self.take(turn, &mut Entropy::new(0).stream("unused"), longest);
        };
        let mut differs = None;
        for instants in likely(*begun, *ended, longest, asked.len()) {
            let mut tried = self.clone();
            match tried.ask(asked, &instants, told, TOLERANCE + longest) {
                Ok(()) => {
                    *self = tried;
                    return Ok(());
                }
                Err(why) => differs = differs.or(Some(why)),
            }
        }
        Err(differs.expect("at least one instant is tried"))
    }

    /// Takes a turn at instants drawn at random.
    fn take(&mut self, turn: &Turn, draws: &mut Stream, longest: Duration) -> Result<(), String> {
        match turn {
            Turn::Asked { asked, begun, ended, told } => {
                let instants = drawn(*begun, *ended, asked.len(), draws);
                self.ask(asked, &instants, told, TOLERANCE + longest)
            }
            Turn::Tampered { step, at } => {
                self.tamper(step, *at);
                Ok(())
            }
            Turn::Limited { bytes_max, at } => {
                self.store.limit_bytes(*at, *bytes_max);
                Ok(())
            }
        }
    }

    /// Goes through a whole course anew, from this state on: one of those whose answers are the server's.
    pub(crate) fn replay(&self, course: &[Turn], longest: Duration) -> Option<Self> {
        let mut draws = Entropy::new(0).stream("instants");
        let mut left = vec![self.clone()];
        for turn in course {
            let tried = (0..DRAWS).filter_map(|number| {
                let mut taken = left[number % left.len()].clone();
                taken.take(turn, &mut draws, longest).is_ok().then_some(taken)
            });
            left = tried.take(CANDIDATES).collect();
            if left.is_empty() {
                return None;
            }
        }
        left.into_iter().next()
    }

    fn tamper(&mut self, step: &Step, now: StoreTime) {
        let Some(action) = self.side.resolve(step) else {
            return;
        };
        let (store, id) = (&mut self.store, function());
        match action {
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
            Action::DeleteStream => drop(store.delete_stream(now, &id)),
            Action::Pass => {}
            Action::OutOfMemory | Action::Op(_) => unreachable!("these are turns of their own"),
        }
        self.drain();
    }

    fn drain(&mut self) {
        while self.store.poll_wake().is_some() {}
    }
}

/// Instants of so many operations, the likeliest first: all at one, or the first so many before the others.
fn likely(
    begun: StoreTime,
    ended: StoreTime,
    longest: Duration,
    count: usize,
) -> impl Iterator<Item = Vec<StoreTime>> {
    let span = ended.since(begun);
    let slack = TOLERANCE / 2 + longest;
    let at_once = [begun, ended, begun + span / 2, earlier(begun, slack), ended + slack];
    let together = at_once.into_iter().map(move |now| vec![now; count]);
    let parted = (1..count).map(move |first| {
        let at = |place| if place < first { begun } else { ended };
        (0..count).map(at).collect()
    });
    together.chain(parted)
}

/// Instants of so many operations, none before the one ahead of it: a script serves several at one.
fn drawn(begun: StoreTime, ended: StoreTime, count: usize, draws: &mut Stream) -> Vec<StoreTime> {
    let (first, last) = (earlier(begun, TOLERANCE / 2), ended + TOLERANCE / 2);
    // Edges are where the two part.
    let mut now = match draws.below(5) {
        0 => first,
        1 => last,
        2 => begun,
        3 => ended,
        _ => first + draws.up_to(last.since(first)),
    };
    let next = |_| {
        let here = now;
        if draws.below(2) == 0 {
            now = now + draws.up_to(last.since(now));
        }
        here
    };
    (0..count).map(next).collect()
}

fn earlier(instant: StoreTime, by: Duration) -> StoreTime {
    StoreTime::from_micros(instant.as_micros() - by.as_micros() as u64)
}
