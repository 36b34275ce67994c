//! Runs scenarios by seed and judges what happened.

use std::time::Duration;

use steadfast_core::config::Config;
use steadfast_core::name::NodeId;
use steadfast_core::node::Node;
use steadfast_core::time::StoreTime;
use steadfast_transport_mem::{MemStore, StoreConfig};

use crate::checkers::{self, Terms, Violation};
use crate::faults::{Injected, Mask};
use crate::scenario::Scenario;
use crate::subject::{SimStore, Subject};
use crate::world::{Run, World};

impl Subject for Node {
    fn start(id: NodeId, config: Config, seed: u64) -> Self {
        Self::new(id, config, seed)
    }
}

/// One seed, judged.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What the history breaks; empty for a good seed.
    pub violations: Vec<Violation>,
    /// The rolling hash of all events.
    pub digest: u64,
    /// How many events there were.
    pub events: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// Faults injected.
    pub injected: Injected,
    /// The kinds that the seed chose.
    pub mask: Mask,
    /// Calls that the store admitted.
    pub calls: usize,
    /// A line for each event, if the run was traced.
    pub trace: Vec<String>,
}

/// Runs production nodes over the reference store, and judges.
pub fn judge(scenario: Scenario, seed: u64) -> Report {
    judge_as::<Node, MemStore>(scenario, seed, false)
}

/// The same, with a readable line for each event.
pub fn judge_traced(scenario: Scenario, seed: u64) -> Report {
    judge_as::<Node, MemStore>(scenario, seed, true)
}

/// Runs any machine over any store, and judges.
pub fn judge_as<M: Subject, S: SimStore>(scenario: Scenario, seed: u64, traced: bool) -> Report {
    let terms = Terms::of(&scenario.config);
    let world = World::<M, S>::new(scenario, seed);
    let run = if traced { world.traced() } else { world }.run();
    let violations = checkers::judge(&run.history, &terms);
    report(seed, run, violations)
}

fn report(seed: u64, run: Run, violations: Vec<Violation>) -> Report {
    Report {
        seed,
        violations,
        digest: run.digest,
        events: run.events,
        simulated: run.ended_at.since(crate::moment::Moment::ZERO),
        injected: run.injected,
        mask: run.mask,
        calls: run.calls,
        trace: run.trace,
    }
}

impl SimStore for MemStore {
    fn empty(seed: u64) -> Self {
        Self::new(StoreConfig { seed, ..StoreConfig::default() })
    }

    fn restart(&mut self, now: StoreTime) {
        Self::restart(self, now);
    }

    fn leftovers(&self, now: StoreTime) -> Vec<String> {
        Self::leftovers(self, now).iter().map(ToString::to_string).collect()
    }
}
