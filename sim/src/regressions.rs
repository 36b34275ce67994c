//! Bugs that were found by seed, by name. Each stays fixed: `tests/regressions.rs` runs all of
//! them.
//!
//! A bug is kept by its seeds, as they were found: they go on drawing worlds like the ones that met
//! it, though what a seed draws changes as scenarios and kinds of faults are added. And by its
//! shrunk case, in `cases/`: a file with the whole script, which no later change of drawing
//! touches. That a case does find its bug was seen by putting the bug back. `BUGS.md` tells each
//! story. A checker that accused the innocent is a bug too: it hides behind its alarm what it was made for.

use crate::case::Case;
use crate::checkers::Promise;
use crate::faults::FaultKind;
use crate::scenario::{self, Scenario};
use crate::workload::Habits;

/// A scenario, and its seeds that met a bug.
pub type Found = (fn() -> Scenario, &'static [u64]);

/// A bug that was found by seed.
#[derive(Clone, Copy, Debug)]
pub struct Regression {
    /// Its name here and in `BUGS.md`.
    pub name: &'static str,
    /// The promise that it broke.
    pub promise: Promise,
    /// What was wrong, in a sentence.
    pub wrong: &'static str,
    /// Where it was found: the scenario and its seeds.
    pub found: &'static [Found],
    /// The shrunk case, as its file's text, where there is one.
    pub case: Option<&'static str>,
}

impl Regression {
    /// The shrunk case, where there is one.
    ///
    /// # Errors
    /// Where the file is not a case of this version.
    pub fn shrunk(&self) -> Result<Option<Case>, serde_json::Error> {
        self.case.map(serde_json::from_str).transpose()
    }
}

/// The swarm as it was when the first bugs were found: with the first thirteen kinds of faults.
pub fn first_swarm() -> Scenario {
    Scenario {
        faults: vec![
            FaultKind::RequestLost,
            FaultKind::AnswerLost,
            FaultKind::Duplicate,
            FaultKind::Delay,
            FaultKind::ConnectionKill,
            FaultKind::WorkerCrash,
            FaultKind::CallerCrash,
            FaultKind::Pause,
            FaultKind::Partition,
            FaultKind::StoreRestart,
            FaultKind::Save,
            FaultKind::Stop,
            FaultKind::Handler,
        ],
        ..swarm_of_240()
    }
}

/// The swarm as it was until its seeds had 300 calls.
pub fn swarm_of_240() -> Scenario {
    Scenario { habits: Habits::mixed(240), ..scenario::swarm() }
}

/// Every bug, in the order of finding.
pub const ALL: [Regression; 9] = [
    Regression {
        name: "late-promotion",
        promise: Promise::SaveStallsNothing,
        wrong: "a delayed call was promoted up to 5 s late when the worker that had parked it was gone",
        found: &[(first_swarm, &[395, 130, 137, 309])],
        case: Some(include_str!("../cases/late-promotion.json")),
    },
    Regression {
        name: "stale-look",
        promise: Promise::NoLostCall,
        wrong: "a look from before the submission told a later awaiter that the outcome is forgotten",
        found: &[(first_swarm, &[447])],
        case: None,
    },
    Regression {
        name: "revenant",
        promise: Promise::EpochsAdvance,
        wrong: "a late copy of a registration brought a removed consumer back",
        found: &[(first_swarm, &[150, 420, 430])],
        case: Some(include_str!("../cases/revenant.json")),
    },
    Regression {
        name: "adopted-twice",
        promise: Promise::BoundedConcurrency,
        wrong: "an adopted call was run again by the late answer of the read that was cut",
        found: &[(scenario::mini, &[8819, 4257, 6985, 8203, 8315]), (first_swarm, &[875])],
        case: Some(include_str!("../cases/adopted-twice.json")),
    },
    Regression {
        name: "slow-clock-removal",
        promise: Promise::EpochsAdvance,
        wrong: "a checker counted how long a removed consumer is known from before the store's clock went back",
        found: &[(swarm_of_240, &[55_386])],
        case: Some(include_str!("../cases/slow-clock-removal.json")),
    },
    Regression {
        name: "handed-out-again",
        promise: Promise::DecidedOnce,
        wrong: "a checker took who began last for who holds the call, after its group was deleted",
        found: &[(swarm_of_240, &[58_551])],
        case: Some(include_str!("../cases/handed-out-again.json")),
    },
    Regression {
        name: "taker-falls-too",
        promise: Promise::DeadNoticed,
        wrong: "a checker missed that a call was taken over in time, by a worker that was killed itself",
        found: &[(swarm_of_240, &[97_104, 80_675])],
        case: Some(include_str!("../cases/taker-falls-too.json")),
    },
    Regression {
        name: "handover-undone",
        promise: Promise::DecidedOnce,
        wrong: "a checker took who was handed a call for its holder though the store had lost the handover",
        found: &[(scenario::swarm, &[55_720])],
        case: Some(include_str!("../cases/handover-undone.json")),
    },
    Regression {
        name: "saved-without-pause",
        promise: Promise::SaveStallsNothing,
        wrong: "a function saved whenever it was active handed its calls from incarnation to incarnation",
        found: &[(scenario::resaves, &[11, 54])],
        case: Some(include_str!("../cases/saved-without-pause.json")),
    },
];
