//! Runs scenarios by seed and judges what happened.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use steadfast_core::config::Config;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{FunctionId, NodeId};
use steadfast_core::node::Node;
use steadfast_core::probe::CountingSink;
use steadfast_core::time::StoreTime;
use steadfast_transport_mem::store::{JournalEntry, StoreInput};
use steadfast_transport_mem::{MemStore, StoreConfig};

use crate::checkers::{self, Promise, Terms, Violation};
use crate::faults::{Injected, Mask};
use crate::probes::Tallies;
use crate::scenario::Scenario;
use crate::script::Script;
use crate::subject::{SimStore, Subject};
use crate::world::{Run, World};

impl Subject for Node {
    fn start(id: NodeId, config: Config, seed: u64) -> Self {
        Self::new(id, config, seed)
    }

    fn probed(self, sink: CountingSink) -> Self {
        self.with_probes(sink)
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
    /// How often each probe was looked at, and how often it held.
    pub probes: Tallies,
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
    let script = Script::draw(&scenario, seed);
    report(seed, play_as::<M, S>(scenario, seed, script, traced))
}

/// A run and its judgement.
#[derive(Clone, Debug)]
pub struct Played {
    /// What happened.
    pub run: Run,
    /// What it breaks, in order of time.
    pub violations: Vec<Violation>,
}

/// Runs any machine over any store with a script of its own, and judges. A panic is a violation too: the
/// run is what happened until then.
pub fn play_as<M: Subject, S: SimStore>(
    scenario: Scenario,
    seed: u64,
    script: Script,
    traced: bool,
) -> Played {
    let terms = Terms::of(&scenario.config);
    let world = World::<M, S>::staged(scenario, seed, script);
    let mut world = if traced { world.traced() } else { world };
    let ended = catch_unwind(AssertUnwindSafe(|| world.play()));
    let run = world.into_run();
    let at = run.ended_at;
    if let Err(panic) = ended {
        // The phases after it never came, and what they show is missing: only the panic counts.
        let what = panic_text(&*panic);
        return Played {
            run,
            violations: vec![Violation { promise: Promise::NeverPanics, at, what }],
        };
    }
    let mut violations = checkers::judge(&run.history, &terms);
    violations.extend(run.probes.broken().into_iter().map(|probe| Violation {
        promise: Promise::ProbeHolds,
        at,
        what: probe.to_owned(),
    }));
    Played { run, violations }
}

/// What a panic says.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a word"))
}

fn report(seed: u64, Played { run, violations }: Played) -> Report {
    Report {
        seed,
        violations,
        digest: run.digest,
        events: run.events,
        simulated: run.ended_at.since(crate::moment::Moment::ZERO),
        injected: run.injected,
        mask: run.mask,
        calls: run.calls,
        probes: run.probes,
        trace: run.trace.iter().map(ToString::to_string).collect(),
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

    fn keep_past(&mut self) {
        self.start_journal();
    }

    fn place(&self) -> usize {
        self.journal().len()
    }

    fn go_back(&mut self, place: usize, now: StoreTime) -> bool {
        let journal = self.journal();
        let Some(kept) = journal.get(..place) else {
            return false;
        };
        let is_connect = |entry: &&JournalEntry| matches!(entry.input, StoreInput::Connect);
        let sessions_lost = journal[place..].iter().filter(is_connect).count();
        *self = Self::replay(self.config().clone(), kept);
        for _ in 0..sessions_lost {
            self.connect(now);
        }
        Self::restart(self, now);
        true
    }

    fn flush(&mut self, now: StoreTime) {
        Self::flush(self, now);
    }

    fn delete_stream(&mut self, now: StoreTime, function: &FunctionId) {
        Self::delete_stream(self, now, function);
    }

    fn delete_group(&mut self, now: StoreTime, function: &FunctionId) {
        Self::delete_group(self, now, function);
    }

    fn audit(&self) -> Vec<String> {
        Self::audit(self)
    }
}
