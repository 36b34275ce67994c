//! What goes wrong: kinds, the swarm mask of a seed, and the plan drawn from it.
//!
//! A plan is data, drawn before the world starts from one random stream for each kind. So leaving a
//! kind out, or one planned fault, shifts nothing else, and a shrinker need only drop items. A further
//! kind of fault is a variant of [`FaultKind`], its draw in [`Plan::draw`], and its effect in the world.

mod plan;

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_core::entropy::Entropy;

pub use plan::{Closed, Fault, Intensity, NODE_CLOCK_MOST, Plan, Refusal, SlotId, Stage};

/// A family of faults, which a seed's mask may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
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
    /// A handler panics, hangs, or answers twice.
    Handler,
    /// The store restarts without its last writes: what it acknowledged is not what it synced.
    StoreRollback,
    /// The store loses everything, in a restart or under its living sessions.
    StoreFlush,
    /// A replica that lags takes over, as another life of the store; the old one refuses writes.
    Failover,
    /// Somebody deletes a call stream under its consumers.
    StreamDeleted,
    /// Somebody deletes a consumer group under its consumers.
    GroupDeleted,
    /// The store restarts and loads its data for a while.
    Loading,
    /// The store is out of memory: it refuses submissions, and nothing else.
    OutOfMemory,
    /// The store takes its time for everything.
    SlowStore,
    /// The store's clock jumps.
    StoreClock,
    /// A node's clock jumps forwards.
    NodeClock,
    /// A worker retires a function while calls arrive, and serves it again later.
    Retire,
    /// An entry that is no call appears in a call stream.
    PoisonMessage,
    /// A call whose handler kills its worker's process each time.
    PoisonCall,
    /// The bounds of queues are small, and are reached.
    QueueLimit,
    /// A caller forgets a request that it has made.
    Abandon,
    /// Several of the others at one moment.
    Cascade,
    /// A function is served again as soon as the new incarnation is active, over and over for a while.
    Resave,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 30] = [
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
        Self::StoreRollback,
        Self::StoreFlush,
        Self::Failover,
        Self::StreamDeleted,
        Self::GroupDeleted,
        Self::Loading,
        Self::OutOfMemory,
        Self::SlowStore,
        Self::StoreClock,
        Self::NodeClock,
        Self::Retire,
        Self::PoisonMessage,
        Self::PoisonCall,
        Self::QueueLimit,
        Self::Abandon,
        Self::Cascade,
        Self::Resave,
    ];

    /// The kinds after which the store does not hold what it acknowledged: P1 excuses just that.
    pub const TAKE_FROM_THE_STORE: [Self; 4] =
        [Self::StoreRollback, Self::StoreFlush, Self::Failover, Self::StreamDeleted];

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
            Self::StoreRollback => "store-rollback",
            Self::StoreFlush => "store-flush",
            Self::Failover => "failover",
            Self::StreamDeleted => "stream-deleted",
            Self::GroupDeleted => "group-deleted",
            Self::Loading => "loading",
            Self::OutOfMemory => "out-of-memory",
            Self::SlowStore => "slow-store",
            Self::StoreClock => "store-clock",
            Self::NodeClock => "node-clock",
            Self::Retire => "retire",
            Self::PoisonMessage => "poison-message",
            Self::PoisonCall => "poison-call",
            Self::QueueLimit => "queue-limit",
            Self::Abandon => "abandon",
            Self::Cascade => "cascade",
            Self::Resave => "resave",
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<FaultKind>", into = "Vec<FaultKind>")]
pub struct Mask(u32);

impl Mask {
    /// These kinds.
    pub fn of(kinds: &[FaultKind]) -> Self {
        Self(kinds.iter().fold(0, |mask, kind| mask | kind.bit()))
    }

    /// A seed's choice among these kinds: each is left out by the toss of a coin, and those that take
    /// from the store what it acknowledged by the toss of another two, as they excuse much.
    #[must_use]
    pub fn swarm(self, entropy: Entropy) -> Self {
        let mut random = entropy.stream("faults/mask");
        let (coins, more, most) = (random.next_u64(), random.next_u64(), random.next_u64());
        let rare = Self::of(&FaultKind::TAKE_FROM_THE_STORE).0;
        let chosen = coins as u32 & (!rare | (more & most) as u32);
        Self(self.0 & chosen)
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

impl From<Vec<FaultKind>> for Mask {
    fn from(kinds: Vec<FaultKind>) -> Self {
        Self::of(&kinds)
    }
}

impl From<Mask> for Vec<FaultKind> {
    fn from(mask: Mask) -> Self {
        mask.kinds().collect()
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
    use std::time::Duration;

    use super::*;
    use crate::moment::Moment;

    fn plan(mask: Mask) -> Plan {
        let intensity =
            Intensity { storms: 3, most: 3, message_ppm: 50_000, longest: Duration::from_secs(40) };
        let stage = Stage {
            workers: &[SlotId(0), SlotId(1)],
            callers: &[SlotId(2)],
            functions: 2,
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
