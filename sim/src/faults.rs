//! What goes wrong: kinds, the swarm mask of a seed, and the plan drawn from it.
//!
//! A plan is data, drawn before the world starts from one random stream for each kind. So leaving a
//! kind out, or one planned fault, shifts nothing else, and a shrinker need only drop items. A further
//! kind of fault is a variant of [`FaultKind`], its draw in [`Plan::draw`], and its effect in the world.

use std::fmt;
use std::time::Duration;

use steadfast_core::entropy::{Entropy, Stream};

use crate::moment::Moment;

/// A family of faults, which a seed's mask may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The connection dies before a request is applied.
    RequestLost,
    /// The connection dies after a request was applied, or half of it.
    AnswerLost,
    /// A request is applied twice; the second answer goes nowhere.
    Duplicate,
    /// A message is late, and with it those behind it on its connection; other connections overtake.
    Delay,
    /// An idle or busy connection is reset at a random moment.
    ConnectionKill,
    /// A worker's process is killed, and started again later.
    WorkerCrash,
    /// A caller's process is killed, and started again later.
    CallerCrash,
    /// A process makes no progress for a while: its connections stand.
    Pause,
    /// Nothing passes between one node and the store, in one direction or both.
    Partition,
    /// The store restarts with all its data: another run id, no sessions.
    StoreRestart,
    /// A function is served again by its host, once or 20 times in 2 s.
    Save,
    /// Stops that are late, duplicated or addressed to another host; or that name the present consumer.
    Stop,
    /// A handler panics or hangs.
    Handler,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::RequestLost,
        Self::AnswerLost,
        Self::Duplicate,
        Self::Delay,
        Self::ConnectionKill,
        Self::WorkerCrash,
        Self::CallerCrash,
        Self::Pause,
        Self::Partition,
        Self::StoreRestart,
        Self::Save,
        Self::Stop,
        Self::Handler,
    ];

    /// The kind's word, as the command line takes and reports show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestLost => "request-lost",
            Self::AnswerLost => "answer-lost",
            Self::Duplicate => "duplicate",
            Self::Delay => "delay",
            Self::ConnectionKill => "connection-kill",
            Self::WorkerCrash => "worker-crash",
            Self::CallerCrash => "caller-crash",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::StoreRestart => "store-restart",
            Self::Save => "save",
            Self::Stop => "stop",
            Self::Handler => "handler",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kinds that a seed injects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mask(u32);

impl Mask {
    /// These kinds.
    pub fn of(kinds: &[FaultKind]) -> Self {
        Self(kinds.iter().fold(0, |mask, kind| mask | kind.bit()))
    }

    /// A seed's choice among these kinds: each is left out by the toss of a coin.
    #[must_use]
    pub fn swarm(self, entropy: Entropy) -> Self {
        Self(self.0 & entropy.stream("faults/mask").next_u64() as u32)
    }

    /// Whether a kind is injected.
    pub const fn has(self, kind: FaultKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The kinds, in order.
    pub fn kinds(self) -> impl Iterator<Item = FaultKind> {
        FaultKind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        self.kinds()
            .enumerate()
            .try_for_each(|(index, kind)| write!(f, "{}{kind}", if index == 0 { "" } else { " " }))
    }
}

/// A node's place in the world, whatever incarnation fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u16);

/// Which directions a partition closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// One thing that is done to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Serves a function again.
    Save(SlotId),
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
            Self::Rough { kind, .. } => *kind,
            Self::Kill(_) => FaultKind::ConnectionKill,
            Self::Crash { .. } => FaultKind::WorkerCrash,
            Self::Pause(..) => FaultKind::Pause,
            Self::Partition { .. } => FaultKind::Partition,
            Self::Restart { .. } => FaultKind::StoreRestart,
            Self::Save(_) => FaultKind::Save,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        FaultKind::Handler => {}
        _ => {
            for _ in 0..=random.below(u64::from(intensity.most)) {
                let at = from + random.up_to(length);
                let fault = draw_one(kind, random, intensity, stage);
                steps.extend(fault.map(|fault| (at, fault)));
            }
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
        FaultKind::RequestLost
        | FaultKind::AnswerLost
        | FaultKind::Duplicate
        | FaultKind::Delay
        | FaultKind::Save
        | FaultKind::Handler => return None,
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

/// How often each kind was injected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injected([u64; FaultKind::ALL.len()]);

impl Injected {
    /// Counts one.
    pub fn count(&mut self, kind: FaultKind) {
        self.0[kind as usize] += 1;
    }

    /// How often the kind was injected.
    pub const fn of(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }

    /// Adds another world's counts.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(mask: Mask) -> Plan {
        let intensity =
            Intensity { storms: 3, most: 3, message_ppm: 50_000, longest: Duration::from_secs(40) };
        let stage = Stage {
            workers: &[SlotId(0), SlotId(1)],
            callers: &[SlotId(2)],
            from: Moment::from_secs(1),
            until: Moment::from_secs(60),
        };
        Plan::draw(Entropy::new(11), mask, &intensity, stage)
    }

    #[test]
    fn leaving_a_kind_out_leaves_the_others_as_they_are() {
        let all = plan(Mask::of(&FaultKind::ALL));
        for kind in FaultKind::ALL {
            let only = plan(Mask::of(&[kind]));
            assert!(only.steps.iter().all(|step| all.steps.contains(step)));
        }
    }

    #[test]
    fn every_planned_fault_lies_within_its_stage_and_in_order() {
        let steps = plan(Mask::of(&FaultKind::ALL)).steps;
        assert!(steps.is_sorted_by_key(|(at, _)| *at) && steps.len() > 10);
        assert!(steps[0].0 >= Moment::from_secs(1));
        assert!(steps[steps.len() - 1].0 < Moment::from_secs(60));
    }
}
