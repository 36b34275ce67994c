//! Faults, and the plan of a seed drawn from its mask.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::entropy::{Entropy, Stream};

use super::{FaultKind, Mask};
use crate::moment::Moment;

/// The farthest that a node's clock jumps: monotonic clocks do not jump far, and a node that missed a
/// consumer timeout cannot know that others did not.
pub const NODE_CLOCK_MOST: Duration = Duration::from_secs(15);

/// The longest that functions are saved again and again.
const RESAVED_MOST: Duration = Duration::from_secs(4);

/// A node's place in the world, whatever incarnation fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub u16);

/// Which directions a partition closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Closed {
    /// From the node to the store.
    Up,
    /// From the store to the node.
    Down,
    /// Both.
    Both,
}

impl Closed {
    /// Whether requests are held.
    pub const fn up(self) -> bool {
        matches!(self, Self::Up | Self::Both)
    }

    /// Whether answers are held.
    pub const fn down(self) -> bool {
        matches!(self, Self::Down | Self::Both)
    }
}

/// What a store refuses while it is unwell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// Everything: it loads its data.
    Loading,
    /// Submissions: its memory is used up.
    OutOfMemory,
    /// Every write: it is a replica now.
    ReadOnly,
}

/// One thing that is done to the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// From now on, each message or request suffers the kind with this chance in a million.
    Rough {
        /// [`FaultKind::RequestLost`], [`FaultKind::AnswerLost`], [`FaultKind::Duplicate`] or
        /// [`FaultKind::Delay`].
        kind: FaultKind,
        /// The chance; zero ends it.
        chance_ppm: u32,
    },
    /// Resets a connection of this node.
    Kill(SlotId),
    /// Kills the process.
    Crash {
        /// Whose.
        slot: SlotId,
        /// The store sees its sessions end at once.
        sessions_end: bool,
        /// It is started again after so long.
        down: Duration,
    },
    /// Stops the process for so long, as SIGSTOP does.
    Pause(SlotId, Duration),
    /// Closes the way between node and store.
    Partition {
        /// Whose.
        slot: SlotId,
        /// Which directions.
        closed: Closed,
        /// For so long.
        lasts: Duration,
    },
    /// Restarts the store.
    Restart {
        /// It refuses connections for so long.
        down: Duration,
    },
    /// Restarts the store without the writes of the last while.
    Lose {
        /// [`FaultKind::StoreRollback`] or [`FaultKind::Failover`].
        kind: FaultKind,
        /// Writes younger than this are lost.
        lag: Duration,
        /// It refuses connections, or after a failover writes, for so long.
        down: Duration,
    },
    /// The store loses everything.
    Flush {
        /// In a restart; otherwise its sessions stay.
        restarts: bool,
    },
    /// Deletes the call stream of the function with this number.
    DeleteStream(u16),
    /// Deletes the consumer group of the function with this number.
    DeleteGroup(u16),
    /// The store refuses, for so long.
    Refuse(Refusal, Duration),
    /// Every message to the store takes so much longer, for so long.
    Slow {
        /// How much longer.
        by: Duration,
        /// For so long.
        lasts: Duration,
    },
    /// The store's clock jumps by so many microseconds; back where negative.
    StoreClock(i64),
    /// A node's clock jumps forwards.
    NodeClock(SlotId, Duration),
    /// A worker retires a function.
    Retire {
        /// Which worker.
        slot: SlotId,
        /// The function's number.
        function: u16,
        /// It serves it again after so long.
        back_after: Duration,
    },
    /// Adds an entry that is no call to the stream of the function with this number.
    PoisonMessage {
        /// The function's number.
        function: u16,
        /// Which of the ways to be no call.
        way: u8,
    },
    /// A caller forgets the request that it made last but so many.
    Abandon {
        /// Which caller.
        slot: SlotId,
        /// Counted back from the last.
        back: u32,
    },
    /// All of these at one moment.
    Together(Vec<Fault>),
    /// Serves a function again.
    Save(SlotId),
    /// For so long, serves each function again whenever an incarnation of it becomes active.
    Resave(SlotId, Duration),
    /// Sends a stop.
    Stop {
        /// To this node.
        slot: SlotId,
        /// Naming one of the consumers that were seen so far, counted back from the last.
        back: u32,
        /// So many times.
        times: u32,
    },
}

impl Fault {
    /// The family.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Rough { kind, .. } | Self::Lose { kind, .. } => *kind,
            Self::Kill(_) => FaultKind::ConnectionKill,
            Self::Crash { .. } => FaultKind::WorkerCrash,
            Self::Pause(..) => FaultKind::Pause,
            Self::Partition { .. } => FaultKind::Partition,
            Self::Restart { .. } => FaultKind::StoreRestart,
            Self::Flush { .. } => FaultKind::StoreFlush,
            Self::DeleteStream(_) => FaultKind::StreamDeleted,
            Self::DeleteGroup(_) => FaultKind::GroupDeleted,
            Self::Refuse(Refusal::Loading, _) => FaultKind::Loading,
            Self::Refuse(Refusal::OutOfMemory, _) => FaultKind::OutOfMemory,
            Self::Refuse(Refusal::ReadOnly, _) => FaultKind::Failover,
            Self::Slow { .. } => FaultKind::SlowStore,
            Self::StoreClock(_) => FaultKind::StoreClock,
            Self::NodeClock(..) => FaultKind::NodeClock,
            Self::Retire { .. } => FaultKind::Retire,
            Self::PoisonMessage { .. } => FaultKind::PoisonMessage,
            Self::Abandon { .. } => FaultKind::Abandon,
            Self::Together(_) => FaultKind::Cascade,
            Self::Save(_) => FaultKind::Save,
            Self::Resave(..) => FaultKind::Resave,
            Self::Stop { .. } => FaultKind::Stop,
        }
    }
}

/// How much goes wrong while faults last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// Stretches of time with faults; between them the world is left alone.
    pub storms: u32,
    /// The most occurrences of each planned kind in one storm.
    pub most: u32,
    /// The most that a message's chance of suffering may be, in parts per million.
    pub message_ppm: u32,
    /// The longest pause or partition.
    pub longest: Duration,
}

/// What is done when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    /// In order of time.
    pub steps: Vec<(Moment, Fault)>,
}

/// What a plan is drawn for.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// The workers' places.
    pub workers: &'a [SlotId],
    /// The callers' places.
    pub callers: &'a [SlotId],
    /// How many functions there are.
    pub functions: u16,
    /// Faults begin here.
    pub from: Moment,
    /// And are over here.
    pub until: Moment,
}

impl Plan {
    /// Draws the plan of a seed.
    pub fn draw(entropy: Entropy, mask: Mask, intensity: &Intensity, stage: Stage<'_>) -> Self {
        let storms = storms(&mut entropy.stream("faults/storms"), intensity, stage);
        let mut steps = Vec::new();
        for kind in mask.kinds() {
            let mut random = entropy.stream(&format!("faults/{kind}"));
            for storm in &storms {
                draw_kind(kind, &mut random, intensity, stage, *storm, &mut steps);
            }
        }
        steps.retain(|(at, _)| *at < stage.until);
        steps.sort_by_key(|(at, _)| *at);
        Self { steps }
    }
}

/// Draws the stretches of time with faults.
fn storms(random: &mut Stream, intensity: &Intensity, stage: Stage<'_>) -> Vec<(Moment, Moment)> {
    let whole = stage.until.since(stage.from);
    let share = whole / intensity.storms.max(1);
    (0..intensity.storms)
        .map(|index| {
            let from = stage.from + share * index + random.up_to(share / 3);
            (from, from + share / 4 + random.up_to(share / 3))
        })
        .collect()
}

fn draw_kind(
    kind: FaultKind,
    random: &mut Stream,
    intensity: &Intensity,
    stage: Stage<'_>,
    (from, until): (Moment, Moment),
    steps: &mut Vec<(Moment, Fault)>,
) {
    // Two of three storms: kinds meet in ever other combinations.
    if random.below(3) == 0 {
        return;
    }
    let length = until.since(from);
    match kind {
        FaultKind::RequestLost
        | FaultKind::AnswerLost
        | FaultKind::Duplicate
        | FaultKind::Delay => {
            let chance_ppm = random.below(u64::from(intensity.message_ppm)) as u32;
            steps.push((from, Fault::Rough { kind, chance_ppm }));
            let chance_ppm = 0;
            steps.push((until, Fault::Rough { kind, chance_ppm }));
        }
        FaultKind::Save => draw_saves(random, intensity, stage, (from, length), steps),
        FaultKind::Handler | FaultKind::PoisonCall | FaultKind::QueueLimit => {}
        FaultKind::Cascade => {
            let at = from + random.up_to(length);
            steps.push((at, Fault::Together(draw_cascade(random, intensity, stage))));
        }
        // Once in a storm: what the store loses is excused, and little would be left to judge.
        _ if FaultKind::TAKE_FROM_THE_STORE.contains(&kind) => {
            let at = from + random.up_to(length);
            let fault = draw_one(kind, random, intensity, stage);
            steps.extend(fault.map(|fault| (at, fault)));
        }
        _ => {
            for _ in 0..=random.below(u64::from(intensity.most)) {
                let at = from + random.up_to(length);
                let fault = draw_one(kind, random, intensity, stage);
                steps.extend(fault.map(|fault| (at, fault)));
            }
        }
    }
}

/// What comes down together: every process of a kind, or a few of anything.
fn draw_cascade(random: &mut Stream, intensity: &Intensity, stage: Stage<'_>) -> Vec<Fault> {
    let everybody = [stage.workers, stage.callers].concat();
    let down = Duration::from_millis(50) + random.up_to(Duration::from_secs(6));
    let lasts = skewed(random, intensity);
    match random.below(4) {
        0 => {
            let all = stage.workers.iter();
            all.map(|slot| Fault::Crash { slot: *slot, sessions_end: true, down }).collect()
        }
        1 => {
            let cut = |slot: &SlotId| Fault::Partition { slot: *slot, closed: Closed::Both, lasts };
            everybody.iter().map(cut).collect()
        }
        2 => {
            let mut faults: Vec<Fault> = everybody.iter().map(|slot| Fault::Kill(*slot)).collect();
            faults.push(Fault::Restart { down });
            faults
        }
        _ => {
            let kinds = [FaultKind::WorkerCrash, FaultKind::Pause, FaultKind::Partition];
            let drawn = kinds.iter().filter_map(|kind| draw_one(*kind, random, intensity, stage));
            let mut faults: Vec<Fault> = drawn.collect();
            faults.extend(stage.workers.iter().map(|slot| Fault::Save(*slot)));
            faults
        }
    }
}

fn draw_saves(
    random: &mut Stream,
    intensity: &Intensity,
    stage: Stage<'_>,
    (from, length): (Moment, Duration),
    steps: &mut Vec<(Moment, Fault)>,
) {
    let Some(slot) = pick(random, stage.workers) else {
        return;
    };
    if random.below(2) == 0 {
        let first = from + random.up_to(length);
        for _ in 0..20 {
            steps.push((first + random.up_to(Duration::from_secs(2)), Fault::Save(slot)));
        }
    } else {
        for _ in 0..=random.below(u64::from(intensity.most)) {
            steps.push((from + random.up_to(length), Fault::Save(slot)));
        }
    }
}

/// Draws one occurrence, if there is anybody whom it can befall.
fn draw_one(
    kind: FaultKind,
    random: &mut Stream,
    intensity: &Intensity,
    stage: Stage<'_>,
) -> Option<Fault> {
    let anybody = [stage.workers, stage.callers].concat();
    Some(match kind {
        FaultKind::ConnectionKill => Fault::Kill(pick(random, &anybody)?),
        FaultKind::WorkerCrash | FaultKind::CallerCrash => Fault::Crash {
            slot: pick(
                random,
                if kind == FaultKind::WorkerCrash { stage.workers } else { stage.callers },
            )?,
            sessions_end: random.below(8) != 0,
            down: Duration::from_millis(50) + random.up_to(Duration::from_secs(10)),
        },
        FaultKind::Pause => Fault::Pause(pick(random, &anybody)?, skewed(random, intensity)),
        FaultKind::Partition => Fault::Partition {
            slot: pick(random, &anybody)?,
            closed: [Closed::Both, Closed::Up, Closed::Down][random.below(3) as usize],
            lasts: skewed(random, intensity),
        },
        FaultKind::StoreRestart => Fault::Restart { down: random.up_to(Duration::from_secs(8)) },
        FaultKind::Stop => Fault::Stop {
            slot: pick(random, stage.workers)?,
            back: random.below(8) as u32,
            times: 1 + random.below(3) as u32,
        },
        FaultKind::Resave => {
            Fault::Resave(pick(random, stage.workers)?, random.up_to(RESAVED_MOST))
        }
        FaultKind::Abandon => {
            Fault::Abandon { slot: pick(random, stage.callers)?, back: random.below(4) as u32 }
        }
        FaultKind::NodeClock => {
            Fault::NodeClock(pick(random, &anybody)?, random.up_to(NODE_CLOCK_MOST))
        }
        FaultKind::Retire => Fault::Retire {
            slot: pick(random, stage.workers)?,
            function: random.below(u64::from(stage.functions)) as u16,
            back_after: random.up_to(Duration::from_secs(8)),
        },
        _ => return draw_store_fault(kind, random, stage),
    })
}

/// Draws one occurrence of what befalls the store.
fn draw_store_fault(kind: FaultKind, random: &mut Stream, stage: Stage<'_>) -> Option<Fault> {
    let function = random.below(u64::from(stage.functions)) as u16;
    let lasts = random.up_to(Duration::from_secs(8));
    Some(match kind {
        FaultKind::StoreRollback => {
            Fault::Lose { kind, lag: random.up_to(Duration::from_secs(1)), down: lasts }
        }
        FaultKind::Failover => {
            Fault::Lose { kind, lag: random.up_to(Duration::from_secs(4)), down: lasts / 2 }
        }
        FaultKind::StoreFlush => Fault::Flush { restarts: random.below(2) == 0 },
        FaultKind::StreamDeleted => Fault::DeleteStream(function),
        FaultKind::GroupDeleted => Fault::DeleteGroup(function),
        FaultKind::Loading => Fault::Refuse(Refusal::Loading, lasts),
        FaultKind::OutOfMemory => Fault::Refuse(Refusal::OutOfMemory, lasts),
        FaultKind::SlowStore => {
            Fault::Slow { by: random.up_to(Duration::from_millis(2_500)), lasts }
        }
        FaultKind::StoreClock => {
            let back = random.below(20_000_000).cast_signed();
            let forwards = random.below(180_000_000).cast_signed();
            Fault::StoreClock(if random.below(2) == 0 { -back } else { forwards })
        }
        FaultKind::PoisonMessage => Fault::PoisonMessage { function, way: random.below(5) as u8 },
        _ => return None,
    })
}

fn pick(random: &mut Stream, slots: &[SlotId]) -> Option<SlotId> {
    slots.get(random.below(slots.len() as u64) as usize).copied()
}

/// Mostly short, sometimes as long as it may be.
fn skewed(random: &mut Stream, intensity: &Intensity) -> Duration {
    let most = if random.below(3) == 0 { intensity.longest } else { intensity.longest / 10 };
    random.up_to(most)
}
