//! The troubles of a seed, drawn before its world starts.

use std::fmt;
use std::time::Duration;

use steadfast_core::entropy::{Entropy, Stream};

use super::scenario::NetworkScenario;
use crate::faults::SlotId;
use crate::moment::Moment;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TroubleKind {
    /// A worker's process ends without a word, and another takes its place later.
    WorkerCrash,
    /// A caller's process ends without a word, and another takes its place later.
    CallerCrash,
    /// The store's process ends, and comes back with all its data.
    StoreRestart,
    /// What a node sends is lost; what the store sends arrives.
    ToStoreLost,
    /// What the store sends is lost; what the node sends arrives, and is applied.
    FromStoreLost,
    /// Nothing arrives either way.
    AllLost,
    /// A worker's process ends while nothing arrives either way: the store does not see it end.
    MachineLost,
    /// Messages are held back, and all delivered at the end.
    Hold,
    /// Messages take long, each another time.
    Jitter,
    /// A function is served again by its host, once or 20 times in 2 s.
    Save,
    /// Somebody flushes the store's cache of scripts. Excuses nothing.
    ScriptFlush,
}

impl TroubleKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::WorkerCrash,
        Self::CallerCrash,
        Self::StoreRestart,
        Self::ToStoreLost,
        Self::FromStoreLost,
        Self::AllLost,
        Self::MachineLost,
        Self::Hold,
        Self::Jitter,
        Self::Save,
        Self::ScriptFlush,
    ];

    fn length(self, random: &mut Stream) -> Duration {
        let between = |random: &mut Stream, from: u64, to: u64| {
            Duration::from_millis(from) + random.up_to(Duration::from_millis(to - from))
        };
        match self {
            Self::WorkerCrash | Self::CallerCrash => between(random, 500, 8_000),
            Self::StoreRestart => between(random, 100, 6_000),
            // Some shorter than any timeout, some longer than the consumer timeout.
            Self::ToStoreLost | Self::FromStoreLost | Self::AllLost => match random.below(3) {
                0 => between(random, 100, 2_000),
                1 => between(random, 2_000, 12_000),
                _ => between(random, 20_000, 40_000),
            },
            Self::MachineLost => between(random, 1_000, 10_000),
            Self::Hold => between(random, 1_000, 12_000),
            Self::Jitter => between(random, 1_000, 8_000),
            Self::Save | Self::ScriptFlush => Duration::ZERO,
        }
    }
}

impl fmt::Display for TroubleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WorkerCrash => "worker-crash",
            Self::CallerCrash => "caller-crash",
            Self::StoreRestart => "store-restart",
            Self::ToStoreLost => "to-store-lost",
            Self::FromStoreLost => "from-store-lost",
            Self::AllLost => "all-lost",
            Self::MachineLost => "machine-lost",
            Self::Hold => "hold",
            Self::Jitter => "jitter",
            Self::Save => "save",
            Self::ScriptFlush => "script-flush",
        })
    }
}

/// One trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What.
    pub kind: TroubleKind,
    /// Whose; the store's trouble is everybody's.
    pub slot: SlotId,
    /// When it begins.
    pub from: Moment,
    /// When it is over.
    pub until: Moment,
    /// Which function is saved, and how often.
    pub saves: (usize, u32),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} until {}", self.kind, self.slot.0, self.until)
    }
}

/// Draws the troubles of a seed, in order of time. Of one slot (and of the store) no two overlap: what
/// turmoil does to a link cannot be stacked.
pub(super) fn draw(entropy: Entropy, scenario: &NetworkScenario, from: Moment) -> Vec<Trouble> {
    let mut random = entropy.stream("network/troubles");
    let mut drawn: Vec<Trouble> = Vec::new();
    if scenario.kinds.is_empty() {
        return drawn;
    }
    for _ in 0..scenario.troubles {
        let kind = scenario.kinds[random.below(scenario.kinds.len() as u64) as usize];
        let begin = from + random.up_to(scenario.length);
        let trouble = Trouble {
            kind,
            slot: slot(&mut random, scenario, kind),
            from: begin,
            until: begin + kind.length(&mut random),
            saves: (
                random.below(scenario.functions.len() as u64) as usize,
                if random.below(2) == 0 { 1 } else { 20 },
            ),
        };
        if drawn.iter().all(|other| !overlap(other, &trouble)) {
            drawn.push(trouble);
        }
    }
    drawn.sort_by_key(|trouble| trouble.from);
    drawn
}

fn slot(random: &mut Stream, scenario: &NetworkScenario, kind: TroubleKind) -> SlotId {
    let (workers, callers) = (u64::from(scenario.workers), u64::from(scenario.callers));
    let number = match kind {
        TroubleKind::WorkerCrash | TroubleKind::MachineLost | TroubleKind::Save => {
            random.below(workers)
        }
        TroubleKind::CallerCrash => workers + random.below(callers),
        _ => random.below(workers + callers),
    };
    SlotId(number as u16)
}

fn overlap(one: &Trouble, other: &Trouble) -> bool {
    let is_everybodys = |trouble: &Trouble| trouble.kind == TroubleKind::StoreRestart;
    let margin = Duration::from_millis(100);
    (one.slot == other.slot || is_everybodys(one) || is_everybodys(other))
        && one.from.before(margin) <= other.until
        && other.from.before(margin) <= one.until
}
