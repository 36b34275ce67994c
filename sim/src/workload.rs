//! What callers do: calls drawn before the world starts, each a plan of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::call::Payload;
use steadfast_core::command::{OnTimeout, Request};
use steadfast_core::entropy::{Entropy, Stream};
use steadfast_core::name::{CallId, FunctionId, IdempotencyKey};

use crate::faults::{SlotId, Stage};
use crate::moment::Moment;

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Manner {
    /// Submitted, and awaited by another request.
    Submit,
    /// Called: the answer is the outcome.
    Call,
}

/// One call that a caller means to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// When it is made first.
    pub at: Moment,
    /// By which caller.
    pub slot: SlotId,
    /// How.
    pub manner: Manner,
    /// What is asked for, its call id included.
    pub request: Request,
    /// It is submitted once more under the same id, by this caller at that moment.
    pub again: Option<(Moment, SlotId)>,
    /// It is cancelled by the caller at that moment.
    pub cancel_at: Option<Moment>,
}

/// What callers do, in chances in a thousand for each call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Calls to make.
    pub calls: u32,
    /// A deadline of a few seconds.
    pub short_deadline: u32,
    /// A wait that ends early, and then cancels or not.
    pub impatient: u32,
    /// A cancellation.
    pub cancel: u32,
    /// A second submission under the same id.
    pub again: u32,
    /// A delayed first delivery.
    pub delay: u32,
    /// A key that joins it to another call.
    pub keyed: u32,
}

impl Habits {
    /// Plain calls.
    pub const fn plain(calls: u32) -> Self {
        Self { calls, short_deadline: 0, impatient: 0, cancel: 0, again: 0, delay: 0, keyed: 0 }
    }

    /// Everything that callers do, mostly plain calls.
    pub const fn mixed(calls: u32) -> Self {
        Self {
            calls,
            short_deadline: 40,
            impatient: 60,
            cancel: 40,
            again: 80,
            delay: 50,
            keyed: 40,
        }
    }
}

/// Draws all calls of a seed, in order of time.
pub fn draw(
    entropy: Entropy,
    habits: &Habits,
    functions: &[FunctionId],
    stage: Stage<'_>,
) -> Vec<Intent> {
    let mut random = entropy.stream("workload");
    let length = stage.until.since(stage.from);
    let mut intents: Vec<Intent> = (0..habits.calls)
        .map(|number| draw_one(&mut random, habits, functions, stage, (number, length)))
        .collect();
    intents.sort_by_key(|intent| intent.at);
    intents
}

fn draw_one(
    random: &mut Stream,
    habits: &Habits,
    functions: &[FunctionId],
    stage: Stage<'_>,
    (number, length): (u32, Duration),
) -> Intent {
    let at = stage.from + random.up_to(length);
    let which = random.below(functions.len() as u64) as usize;
    let slot = pick(random, stage.callers);
    let mut request =
        Request::new(functions[which].clone(), Payload::trusted(format!("{{\"n\":{number}}}")));
    request.call = CallId::new(format!("c{number}")).ok();
    let mut drawn = |weight: u32| random.below(1_000) < u64::from(weight);
    let (short, impatient, cancel) =
        (drawn(habits.short_deadline), drawn(habits.impatient), drawn(habits.cancel));
    let (again, delay, keyed) = (drawn(habits.again), drawn(habits.delay), drawn(habits.keyed));
    let soon = |random: &mut Stream| Duration::from_millis(50) + random.up_to(SOON);
    if short {
        request.deadline = Some(Duration::from_secs(1) + soon(random));
    }
    if impatient {
        request.timeout = Some(soon(random));
        if random.below(2) == 0 {
            request.on_timeout = OnTimeout::Cancel;
        }
    }
    if delay {
        request.delay = soon(random);
    }
    if keyed {
        let key = format!("{which}-{}", random.below(4));
        request.idempotency_key = IdempotencyKey::new(key).ok();
    }
    Intent {
        at,
        slot,
        manner: if random.below(2) == 0 { Manner::Submit } else { Manner::Call },
        request,
        again: again.then(|| (at + random.up_to(SOON), pick(random, stage.callers))),
        cancel_at: cancel.then(|| at + random.up_to(SOON)),
    }
}

/// How soon is soon.
const SOON: Duration = Duration::from_secs(5);

fn pick(random: &mut Stream, slots: &[SlotId]) -> SlotId {
    slots[random.below(slots.len() as u64) as usize]
}
