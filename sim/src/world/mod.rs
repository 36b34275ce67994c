//! The discrete-event world: machines and one store, and everything between them as events.
//!
//! One queue, ordered by simulated time and then by scheduling. A request travels, is applied at the
//! store, and its answer travels; each of the three is a moment of its own, so that anything can happen
//! in between. All chance comes from the seed's named streams.

mod calls;
mod event;
mod faulting;
mod handlers;
mod hosts;
mod losses;
mod network;
mod observing;
mod phases;
mod store_side;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::time::Duration;

use steadfast_core::command::Ticket;
use steadfast_core::entropy::{Entropy, Stream};
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId, SessionId};
use steadfast_core::probe::CountingSink;
use steadfast_core::time::StoreTime;

use crate::digest::Digest;
use crate::faults::{FaultKind, Injected, Mask, Plan, Refusal, SlotId};
use crate::history::{Fact, History, HostId};
use crate::moment::{Moment, store_time, store_time_ahead};
use crate::probes::Tallies;
use crate::queue::Queue;
use crate::scenario::Scenario;
use crate::script::{STAGE_FROM, Script};
use crate::subject::{SimStore, Subject};
use crate::trace::{Happening, Step, Who};
use crate::workload::Intent;

use calls::{Purpose, Standing};
use event::What;
use hosts::{Host, Slot};
use network::{Conn, Roughness};

/// More events than any seed needs: beyond, machines or world run in circles.
const EVENTS_MAX: u64 = 5_000_000;

/// A world of one seed.
#[derive(Debug)]
pub struct World<M, S> {
    scenario: Scenario,
    entropy: Entropy,
    mask: Mask,
    plan: Plan,
    now: Moment,
    queue: Queue<What>,
    events: u64,
    digest: Digest,
    history: History,
    injected: Injected,
    trace: Option<Vec<Step>>,

    slots: Vec<Slot>,
    hosts: Vec<Host<M>>,
    conns: Vec<Conn>,

    store: S,
    store_up: bool,
    /// How far the store's clock is ahead of the world's.
    store_ahead_micros: i64,
    /// Everything that the store's clock has jumped back.
    store_back: Duration,
    /// What it refuses, and until when.
    refusing: Option<(Refusal, Moment)>,
    /// How much longer every message to it takes, and until when.
    slow: Option<(Duration, Moment)>,
    /// What the store acknowledged, and when: what it may lose.
    past: losses::Past,
    /// Calls whose bodies are deleted: they can only expire.
    bodies_lost: BTreeSet<CallId>,
    /// Calls whose handlers kill their worker.
    deadly: BTreeSet<CallId>,
    /// The session with which the world itself looks into the store.
    auditor: SessionId,
    /// The connection behind each session of the store's present life.
    sessions: BTreeMap<SessionId, u32>,
    /// Each consumer's last sign of life at the store, and the sessions it told.
    consumers: BTreeMap<ConsumerId, (Moment, Vec<SessionId>)>,
    /// Incarnations in the order in which they became active, for stops that name them.
    seen: Vec<(HostId, FunctionId, ConsumerId, Epoch)>,

    intents: Vec<Intent>,
    tickets: BTreeMap<Ticket, (HostId, Purpose)>,
    last_ticket: u64,
    /// Every admitted call.
    admitted: BTreeMap<CallId, Standing>,
    /// How many of them are not decided.
    open: usize,
    publications: Vec<handlers::Publishing>,

    rough: Roughness,
    latency: Stream,
    faults: Stream,
    wandering: Stream,
    healed: bool,
    saves: u64,
    probes: CountingSink,
    /// The host that began each call last.
    last_begun: BTreeMap<CallId, HostId>,
}

/// What a run of a world came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Everything that happened.
    pub history: History,
    /// The rolling hash of all events.
    pub digest: u64,
    /// How many events there were.
    pub events: u64,
    /// Simulated time from beginning to end.
    pub ended_at: Moment,
    /// Faults injected, by kind.
    pub injected: Injected,
    /// The kinds that the seed chose.
    pub mask: Mask,
    /// Calls that the store admitted.
    pub calls: usize,
    /// How often each probe was looked at, and how often it held.
    pub probes: Tallies,
    /// What can be told of each event, where tracing was asked for.
    pub trace: Vec<Step>,
}

impl<M: Subject, S: SimStore> World<M, S> {
    /// The world of a scenario and a seed, about to begin.
    pub fn new(scenario: Scenario, seed: u64) -> Self {
        let script = Script::draw(&scenario, seed);
        Self::staged(scenario, seed, script)
    }

    /// The world of a scenario and a seed with this script instead of the one that the seed draws: what
    /// befalls it and what callers do. Everything else (latencies, handlers, nodes) is still the seed's.
    pub fn staged(mut scenario: Scenario, seed: u64, script: Script) -> Self {
        let entropy = Entropy::new(seed);
        let Script { mask, plan, intents } = script;
        if mask.has(FaultKind::QueueLimit) {
            faulting::narrow(&mut scenario.config, entropy);
        }
        let mut store = S::empty(entropy.stream("store").next_u64());
        if FaultKind::TAKE_FROM_THE_STORE.iter().any(|kind| mask.has(*kind)) {
            store.keep_past();
        }
        let auditor = store.connect(store_time(Moment::ZERO)).session;
        let slots = (0..scenario.workers + scenario.callers)
            .map(|slot| Slot::new(SlotId(slot), slot < scenario.workers))
            .collect();
        Self {
            scenario,
            entropy,
            mask,
            plan,
            now: Moment::ZERO,
            queue: Queue::default(),
            events: 0,
            digest: Digest::default(),
            history: History::default(),
            injected: Injected::default(),
            trace: None,
            slots,
            hosts: Vec::new(),
            conns: Vec::new(),
            store,
            store_up: true,
            store_ahead_micros: 0,
            store_back: Duration::ZERO,
            refusing: None,
            slow: None,
            past: losses::Past::default(),
            bodies_lost: BTreeSet::new(),
            deadly: faulting::deadly(mask, entropy, &intents),
            auditor,
            sessions: BTreeMap::new(),
            consumers: BTreeMap::new(),
            seen: Vec::new(),
            intents,
            tickets: BTreeMap::new(),
            last_ticket: 0,
            admitted: BTreeMap::new(),
            open: 0,
            publications: Vec::new(),
            rough: Roughness::default(),
            latency: entropy.stream("latency"),
            faults: entropy.stream("faults/messages"),
            wandering: entropy.stream("wandering"),
            healed: false,
            saves: 0,
            probes: CountingSink::default(),
            last_begun: BTreeMap::new(),
        }
    }

    /// Keeps what can be told of each event.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// Runs the world through all of its phases.
    pub fn run(mut self) -> Run {
        self.play();
        self.into_run()
    }

    /// Runs the world through all of its phases, and leaves it to be asked, even after a panic.
    pub(crate) fn play(&mut self) {
        self.begin();
        self.run_until(STAGE_FROM + self.scenario.length);
        self.heal();
        self.live();
        self.quiet();
        self.end();
    }

    /// What the run came to, so far.
    pub(crate) fn into_run(self) -> Run {
        Run {
            history: self.history,
            digest: self.digest.value(),
            events: self.events,
            ended_at: self.now,
            injected: self.injected,
            mask: self.mask,
            calls: self.admitted.len(),
            probes: Tallies::of(&self.probes),
            trace: self.trace.unwrap_or_default(),
        }
    }

    /// Runs every event before a moment, and stands there.
    fn run_until(&mut self, until: Moment) {
        while self.queue.next_at().is_some_and(|at| at < until) && !self.ran_away() {
            self.step();
        }
        self.now = self.now.max(until);
    }

    fn ran_away(&self) -> bool {
        self.events >= EVENTS_MAX
    }

    fn step(&mut self) {
        let Some((at, what)) = self.queue.pop() else {
            return;
        };
        debug_assert!(at >= self.now, "time does not go back");
        self.now = at;
        self.events += 1;
        at.as_micros().hash(&mut self.digest);
        match what {
            What::Tick(host) => self.tick(host),
            What::Input(host, input) => self.deliver(host, *input),
            What::Answer(conn, effect, done) => self.answer_arrives(conn, effect, done),
            What::Broken(conn) => self.break_at_node(conn),
            What::ConnectAtStore(host, effect, link) => self.connect_at_store(host, effect, link),
            What::Arrive(conn, message) => self.arrive(conn, *message),
            What::Reset(conn) => self.reset(conn),
            What::SessionEnd(conn) => self.end_session(conn),
            What::BlockEnd(conn, effect) => self.block_ends(conn, effect),
            What::AbortAtStore(conn, effect) => self.abort_arrives(conn, effect),
            What::HandlerEnd(host, attempt, end) => self.handler_ends(host, attempt, *end),
            What::Die(host) => self.die(host),
            What::Publish(publishing) => self.publish(publishing),
            What::Make(intent) => self.make(intent),
            What::MakeAgain(intent) => self.make_again(intent),
            What::Cancel(intent) => self.cancel(intent),
            What::Fault(step) => self.inject(step),
            What::Serve(slot, function) => self.serve_again(slot, function),
            What::Resume(host) => self.resume(host),
            What::Reopen(slot, closing) => self.reopen(slot, closing),
            What::StoreUp => self.store_comes_up(),
            What::Restart(slot) => self.restart_slot(slot),
        }
    }

    /// What the store's clock shows.
    fn store_now(&self) -> StoreTime {
        store_time_ahead(self.now, self.store_ahead_micros)
    }

    fn fact(&mut self, fact: Fact) {
        self.history.push(self.now, fact);
    }

    /// Notes that delays until then are excused: of one host, or of all.
    fn disturbed(&mut self, host: Option<HostId>, kind: FaultKind, until: Moment) {
        self.injected.count(kind);
        self.fact(Fact::Disturbed { host, kind, until });
    }

    /// Adds a remark to the trace, where there is one.
    fn note(&mut self, remark: impl FnOnce(&Self) -> String) {
        self.tell(|world| Happening::Remark(remark(world)));
    }

    /// Adds a step to the trace, where there is one.
    fn tell(&mut self, what: impl FnOnce(&Self) -> Happening) {
        if self.trace.is_some() {
            let step = Step { at: self.now, what: what(self) };
            self.trace.iter_mut().for_each(|steps| steps.push(step.clone()));
        }
    }

    /// Who a host is, for the trace.
    fn who(&self, host: HostId) -> Who {
        Who { host, node: self.host(host).name.clone() }
    }

    /// Whose connection it is, for the trace.
    fn whose(&self, conn: u32) -> Who {
        self.who(self.conns[conn as usize].host)
    }
}
