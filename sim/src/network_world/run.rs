//! A world from its seed to its judgement.

use std::time::{Duration, UNIX_EPOCH};

use steadfast_core::call::CallState;
use steadfast_core::entropy::Entropy;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{CallId, FunctionId};
use steadfast_core::op::{Op, Reply};
use steadfast_transport_mem::MemStore;
use turmoil::Sim;

use super::caller::Agenda;
use super::process::{Order, Yard};
use super::recorder::Recorder;
use super::scenario::NetworkScenario;
use super::script::{self, Trouble};
use super::troubles::{Troubles, step};
use super::witness::Ledger;
use super::{caller, connector, store, worker};
use crate::checkers::{Terms, Violation, judge};
use crate::faults::{SlotId, Stage};
use crate::history::{Fact, History};
use crate::moment::{Moment, store_time};
use crate::resp::Front;
use crate::workload;

/// A step of the network. Within it, messages do not move.
const TICK: Duration = Duration::from_millis(1);
/// Calls and troubles begin when everybody had time to start.
const STAGE_FROM: Moment = Moment::from_secs(1);
/// How long a healed world may take for each decision, beside what the calls themselves take.
const RECOVERY: Duration = Duration::from_secs(30);
/// After the last decision, awaiters may take so long to hear of it.
const HEARING: Duration = Duration::from_secs(12);
/// Longer than any world lasts.
const EVER: Duration = Duration::from_secs(86_400);

/// What a seed came to.
#[derive(Debug)]
pub struct Run {
    /// What happened.
    pub history: History,
    /// The rolling hash of all events: two runs that differ anywhere differ here.
    pub digest: u64,
    /// How many events there were.
    pub events: u64,
    /// The simulated time at the end.
    pub ended_at: Moment,
    /// What went wrong.
    pub troubles: Vec<Trouble>,
    /// Calls that the store took.
    pub calls: usize,
    /// Every promise that the history breaks.
    pub violations: Vec<Violation>,
    /// A line for each event, where they were asked for.
    pub lines: Vec<String>,
}

/// Runs a seed to its end, and judges it. `wants_lines` keeps a line for each event.
pub fn run(scenario: NetworkScenario, seed: u64, wants_lines: bool) -> Run {
    let mut world = World::new(scenario, seed, wants_lines);
    world.play();
    world.judge()
}

struct World {
    sim: Sim<'static>,
    yard: Yard,
    ledger: Ledger,
    front: Front<MemStore>,
    script: Vec<Trouble>,
    troubles: Troubles,
}

impl World {
    fn new(scenario: NetworkScenario, seed: u64, wants_lines: bool) -> Self {
        let entropy = Entropy::new(seed);
        let recorder = Recorder::new(wants_lines);
        let ledger = Ledger::new();
        let front = store::front(seed, &recorder, &ledger);
        let script = script::draw(entropy, &scenario, STAGE_FROM);
        let death = store::Death::default();
        let troubles = Troubles::new(&script, scenario.latency.1, death.clone(), front.clone());
        let agenda = Agenda::new(intents(entropy, &scenario));
        let yard = Yard::new(scenario, entropy, recorder);
        let mut sim = turmoil::Builder::new()
            .epoch(UNIX_EPOCH + Duration::from_micros(store_time(Moment::ZERO).as_micros()))
            .rng_seed(entropy.stream("network/turmoil").next_u64())
            .simulation_duration(EVER)
            .tick_duration(TICK)
            .min_message_latency(yard.scenario.latency.0)
            .max_message_latency(yard.scenario.latency.1)
            .build();
        let kept = front.clone();
        sim.host(connector::STORE, move || store::live(kept.clone(), death.clone()));
        for slot in slots(&yard.scenario) {
            let (yard, agenda) = (yard.clone(), agenda.clone());
            let name = Yard::name(slot);
            if slot.0 < yard.scenario.workers {
                sim.host(name, move || worker::live(yard.clone(), slot));
            } else {
                sim.host(name, move || caller::live(yard.clone(), agenda.clone(), slot));
            }
        }
        Self { sim, yard, ledger, front, script, troubles }
    }

    fn now(&self) -> Moment {
        Moment::ZERO + self.sim.elapsed()
    }

    fn step(&mut self) {
        let now = self.yard.recorder.pass(self.sim.elapsed());
        self.troubles.play(now, &mut self.sim, &self.yard);
        step(&mut self.sim);
    }

    fn run_until(&mut self, until: Moment) {
        while self.now() < until {
            self.step();
        }
    }

    fn play(&mut self) {
        let stage_until = STAGE_FROM + self.yard.scenario.length;
        self.run_until(stage_until.max(self.troubles.end() + TICK));
        self.heal();
        self.live();
        self.quiet();
        self.end();
    }

    /// Faults are over: whoever lives awaits every call that was taken.
    fn heal(&mut self) {
        self.yard.recorder.fact(Fact::Healed);
        let calls = self.ledger.admitted();
        let scenario = self.yard.scenario.clone();
        for slot in [SlotId(0), SlotId(scenario.workers)] {
            self.yard.order(slot, Order::Await(calls.clone()));
        }
        // The orders take effect with the next step.
        self.step();
    }

    /// Goes on until every call is decided and every awaiter was told; reports those that are not.
    fn live(&mut self) {
        let scenario = self.yard.scenario.clone();
        let attempts = scenario.options.attempts_max;
        let bound = RECOVERY
            + (scenario.options.timeout + scenario.policy.lease * 2) * attempts
            + scenario.options.backoff.most * attempts
            + scenario.config.consumer_timeout;
        let due = self.now() + bound;
        while self.now() < due && (!self.ledger.open().is_empty() || self.is_waited()) {
            self.run_until(self.now() + Duration::from_millis(250));
        }
        if self.is_waited() {
            self.run_until(self.now() + HEARING);
        }
        self.report_stuck();
    }

    fn is_waited(&self) -> bool {
        self.yard.recorder.is_waited()
    }

    fn report_stuck(&mut self) {
        let stuck = self.ledger.open();
        if stuck.is_empty() && !self.is_waited() {
            return;
        }
        for slot in slots(&self.yard.scenario) {
            self.yard.order(slot, Order::Tell);
        }
        self.run_until(self.now() + Duration::from_millis(50));
        let said = self.yard.said().join("; ");
        self.yard.recorder.event("pending", || format!("pending: {said}"));
        for (function, call) in stuck {
            let why = format!("{}; {said}", self.look(&function, &call));
            self.yard.recorder.fact(Fact::Stuck { call, why });
        }
    }

    /// Lets everything that has a time to live or a heartbeat come to rest.
    fn quiet(&mut self) {
        let config = &self.yard.scenario.config;
        let rest = if self.script.is_empty() {
            config.sweep_interval
        } else {
            config.consumer_timeout.max(config.stateless_idle) + config.sweep_interval * 3
        };
        self.run_until(self.now() + rest);
        self.note_leftovers();
    }

    fn note_leftovers(&mut self) {
        let left = self.front.with_store(|store, now| store.leftovers(now));
        for left in left {
            self.yard.recorder.fact(Fact::LeftOver { what: left.to_string() });
        }
    }

    /// Shuts every host down, and looks at what is left.
    fn end(&mut self) {
        let living: Vec<SlotId> =
            slots(&self.yard.scenario).filter(|slot| self.yard.alive(*slot).is_some()).collect();
        for slot in &living {
            self.yard.order(*slot, Order::Shutdown);
        }
        let due = self.now() + self.yard.scenario.options.drain + Duration::from_secs(10);
        while self.now() < due && living.iter().any(|slot| self.yard.alive(*slot).is_some()) {
            self.run_until(self.now() + Duration::from_millis(50));
        }
        for slot in living {
            if let Some(host) = self.yard.alive(slot) {
                let what = format!("{host} has not ended after its shutdown");
                self.yard.recorder.fact(Fact::LeftOver { what });
            }
        }
        for (function, call) in self.ledger.admitted() {
            let state = self.look(&function, &call);
            self.yard.recorder.fact(Fact::Final { call, state });
        }
        for what in self.front.with_store(|store, _| store.audit()) {
            let what = format!("the store is unsound: {what}");
            self.yard.recorder.fact(Fact::LeftOver { what });
        }
        self.note_leftovers();
    }

    /// What the store knows of a call.
    fn look(&self, function: &FunctionId, call: &CallId) -> CallState {
        self.front.with_store(|store, now| {
            let session = store.connect(now).session;
            let op = Op::Inspect { function: function.clone(), call: call.clone() };
            let result = store.apply(now, session, &op);
            store.disconnect(now, session);
            match result {
                Ok(Reply::Inspected(state)) => state,
                _ => CallState::Absent,
            }
        })
    }

    fn judge(self) -> Run {
        let calls = self.ledger.admitted().len();
        let recorded = self.yard.recorder.take();
        let terms = Terms::of(&self.yard.scenario.config);
        let violations = judge(&recorded.history, &terms);
        Run {
            history: recorded.history,
            digest: recorded.digest,
            events: recorded.events,
            ended_at: recorded.ended_at,
            troubles: self.script,
            calls,
            violations,
            lines: recorded.lines,
        }
    }
}

fn slots(scenario: &NetworkScenario) -> impl Iterator<Item = SlotId> + use<> {
    (0..scenario.workers + scenario.callers).map(SlotId)
}

fn intents(entropy: Entropy, scenario: &NetworkScenario) -> Vec<workload::Intent> {
    let (workers, callers): (Vec<SlotId>, Vec<SlotId>) =
        slots(scenario).partition(|slot| slot.0 < scenario.workers);
    let stage = Stage {
        workers: &workers,
        callers: &callers,
        functions: scenario.functions.len() as u16,
        from: STAGE_FROM,
        until: STAGE_FROM + scenario.length,
    };
    workload::draw(entropy, &scenario.habits, &scenario.functions, stage)
}
