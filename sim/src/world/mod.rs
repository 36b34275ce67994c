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
mod network;
mod phases;
mod store_side;

use std::collections::BTreeMap;
use std::hash::Hash;

use steadfast_core::command::Ticket;
use steadfast_core::entropy::{Entropy, Stream};
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId, SessionId};

use crate::digest::Digest;
use crate::faults::{FaultKind, Injected, Mask, Plan, SlotId, Stage};
use crate::history::{Fact, History, HostId};
use crate::moment::{Moment, store_time};
use crate::queue::Queue;
use crate::scenario::Scenario;
use crate::subject::{SimStore, Subject};
use crate::workload::{self, Intent};

use calls::{Purpose, Standing};
use event::What;
use hosts::{Host, Slot};
use network::{Conn, Roughness};

/// More events than any seed needs: beyond, machines or world run in circles.
const EVENTS_MAX: u64 = 5_000_000;

/// When faults and calls begin: by then everybody is connected and registered.
const STAGE_FROM: Moment = Moment::from_secs(1);

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
    trace: Option<Vec<String>>,

    slots: Vec<Slot>,
    hosts: Vec<Host<M>>,
    conns: Vec<Conn>,

    store: S,
    store_up: bool,
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
    /// A readable line for each event, where tracing was asked for.
    pub trace: Vec<String>,
}

impl<M: Subject, S: SimStore> World<M, S> {
    /// The world of a scenario and a seed, about to begin.
    pub fn new(scenario: Scenario, seed: u64) -> Self {
        let entropy = Entropy::new(seed);
        let mask = Mask::of(&scenario.faults);
        let mask = if scenario.swarm { mask.swarm(entropy) } else { mask };
        let workers: Vec<SlotId> = (0..scenario.workers).map(SlotId).collect();
        let callers: Vec<SlotId> =
            (0..scenario.callers).map(|index| SlotId(scenario.workers + index)).collect();
        let stage = Stage {
            workers: &workers,
            callers: &callers,
            from: STAGE_FROM,
            until: STAGE_FROM + scenario.length,
        };
        let plan = Plan::draw(entropy, mask, &scenario.intensity, stage);
        let intents = workload::draw(entropy, &scenario.habits, &scenario.functions, stage);
        let mut store = S::empty(entropy.stream("store").next_u64());
        let auditor = store.connect(store_time(Moment::ZERO)).session;
        let slots = workers
            .iter()
            .map(|slot| Slot::new(*slot, true))
            .chain(callers.iter().map(|slot| Slot::new(*slot, false)))
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
        }
    }

    /// Keeps a readable line for each event.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// Runs the world through all of its phases.
    pub fn run(mut self) -> Run {
        self.begin();
        self.run_until(STAGE_FROM + self.scenario.length);
        self.heal();
        self.live();
        self.quiet();
        self.end();
        Run {
            history: self.history,
            digest: self.digest.value(),
            events: self.events,
            ended_at: self.now,
            injected: self.injected,
            mask: self.mask,
            calls: self.admitted.len(),
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

    fn fact(&mut self, fact: Fact) {
        self.history.push(self.now, fact);
    }

    /// Notes that delays until then are excused: of one host, or of all.
    fn disturbed(&mut self, host: Option<HostId>, kind: FaultKind, until: Moment) {
        self.injected.count(kind);
        self.fact(Fact::Disturbed { host, kind, until });
    }

    /// Adds a line to the trace, where there is one.
    fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{} {}", self.now, line(self));
            self.trace.iter_mut().for_each(|lines| lines.push(line.clone()));
        }
    }
}
