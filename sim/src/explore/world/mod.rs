//! One state of the exhaustive world: machines, store, messages on their way, and what may happen next.
//!
//! Nothing here draws from chance: a step takes one of the actions that [`World::actions`] lists. Time
//! stands still while anything is on its way, and then goes to the next timer: the order of events is
//! explored, not their distances. (A budget of haste lets it go on earlier.) A connection is opened at
//! once; everything else that crosses the edge of a machine is a step of its own: each operation at the
//! store, each answer, each handler's end, each wish to end a blocking read.

mod action;
mod conn;
mod describe;
mod hosting;
mod memory;
mod past;
mod storing;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::rc::Rc;
use std::time::Duration;

use steadfast_core::attempt::AttemptId;
use steadfast_core::call::Record;
use steadfast_core::command::{Command, OnTimeout, Ticket};
use steadfast_core::definition::Definition;
use steadfast_core::machine::{EffectId, Input, Machine};
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId, NodeId, SessionId};
use steadfast_core::op::Op;
use steadfast_core::time::Time;

use super::options::{Budget, Options};
use super::print::Print;
use super::subject::ExploredStore;
use crate::history::{Fact, History, HostId};
use crate::moment::{Moment, store_time};
use crate::subject::Subject;

pub(super) use action::Action;
use conn::{Conn, Printed};
use memory::Memory;
use past::Past;

/// When exploring begins: everybody is connected, registered and settled, and no timer is near.
const BEGINNING: Moment = Moment::from_millis(3_300);

/// A handler under way.
#[derive(Clone, Debug)]
struct Running {
    effect: EffectId,
    id: AttemptId,
    call: CallId,
    consumer: ConsumerId,
    epoch: Epoch,
    attempt: u32,
    interrupted: bool,
}

/// One node's process.
#[derive(Debug)]
struct Place<M> {
    /// Nothing once it has crashed.
    machine: Option<Rc<M>>,
    print: Print,
    running: Vec<Running>,
    /// When the machine wants its tick.
    due: Option<Time>,
    has_ended: bool,
    /// Consumers and attempts that it has started: so much is drawn from its random streams.
    drawn: (u32, u32),
}

impl<M> Clone for Place<M> {
    fn clone(&self) -> Self {
        Self { machine: self.machine.clone(), running: self.running.clone(), ..*self }
    }
}

/// Admitted calls, with what was decided.
#[derive(Clone, Debug, Default)]
struct Calls {
    known: BTreeMap<CallId, Option<Record>>,
    print: Print,
}

impl Calls {
    fn put(&mut self, call: &CallId, record: Option<Record>) {
        self.known.insert(call.clone(), record);
        self.print = Print::of_value(&self.known);
    }
}

/// What all states of one search share.
#[derive(Debug)]
struct Setting<M, S> {
    options: Options,
    function: FunctionId,
    names: Vec<NodeId>,
    /// Every call that may be made.
    calls: Vec<CallId>,
    /// The session with which the world itself looks into the store.
    auditor: SessionId,
    memory: Memory<M, S>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct World<M, S> {
    setting: Rc<Setting<M, S>>,
    now: Moment,
    /// When something last happened from outside.
    touched_at: Moment,
    places: Vec<Rc<Place<M>>>,
    store: Rc<S>,
    store_print: Print,
    /// Connections that were ever opened.
    opened: u32,
    conns: BTreeMap<SessionId, Rc<Conn>>,
    /// Second copies of batches, of these connections.
    copies: Vec<(SessionId, Printed<[Op]>)>,
    left: Budget,
    /// The first worker's first incarnation.
    first: Option<Rc<(ConsumerId, Epoch)>>,
    calls: Rc<Calls>,
    tickets: Rc<BTreeSet<Ticket>>,
    past: Past,
    /// What is wrong beside broken promises.
    wrong: Option<String>,
    /// Readable lines of what machines and store say, where they are asked for.
    notes: Option<Vec<String>>,
    /// Nothing is recalled: machines and store work everything out anew.
    is_fresh: bool,
}

impl<M, S> Clone for World<M, S> {
    fn clone(&self) -> Self {
        Self {
            setting: self.setting.clone(),
            places: self.places.clone(),
            store: self.store.clone(),
            conns: self.conns.clone(),
            copies: self.copies.clone(),
            first: self.first.clone(),
            calls: self.calls.clone(),
            tickets: self.tickets.clone(),
            past: self.past.clone(),
            wrong: self.wrong.clone(),
            notes: self.notes.clone(),
            ..*self
        }
    }
}

impl<M: Subject, S: ExploredStore> World<M, S> {
    /// The state in which exploring begins.
    pub(super) fn new(options: &Options) -> Self {
        let mut store = S::empty(1);
        let auditor = store.connect(store_time(Moment::ZERO)).session;
        let mut names: Vec<NodeId> = (0..options.workers).map(|it| name("worker", it)).collect();
        names.extend(options.separate_caller.then(|| name("caller", 0)));
        let function = FunctionId::new("greet", "global").expect("a literal name is valid");
        let place = |(index, name): (usize, &NodeId)| {
            let machine = M::start(name.clone(), options.config.clone(), index as u64 + 1);
            Rc::new(Place {
                machine: Some(Rc::new(machine)),
                print: Print::default(),
                running: Vec::new(),
                due: None,
                has_ended: false,
                drawn: (0, 0),
            })
        };
        let calls = (1..=options.budget.calls).map(call_id).collect();
        let memory = Memory::default();
        let setting = Setting { options: options.clone(), function, names, calls, auditor, memory };
        let mut world = Self {
            places: setting.names.iter().enumerate().map(place).collect(),
            setting: Rc::new(setting),
            now: Moment::ZERO,
            touched_at: BEGINNING,
            store: Rc::new(store),
            store_print: Print::default(),
            opened: 0,
            conns: BTreeMap::new(),
            copies: Vec::new(),
            left: Budget::default(),
            first: None,
            calls: Rc::default(),
            tickets: Rc::default(),
            past: Past::default(),
            wrong: None,
            notes: None,
            is_fresh: false,
        };
        world.print_all();
        world.begin();
        world.left = options.budget;
        world
    }

    /// Starts every node, and lets the caller listen to replies: what it asks for does not exist.
    fn begin(&mut self) {
        for node in 0..self.places.len() as u8 {
            self.fact(Fact::Started { host: host(node), node: self.name(node).clone() });
            if node < self.setting.options.workers {
                self.serve(node);
            } else {
                self.feed(node, Input::Tick);
            }
        }
        self.drift(Moment::from_millis(1));
        let call = CallId::new("nowhere").expect("a literal id is valid");
        let (caller, ticket) = (self.caller(), Ticket(1));
        self.ask(caller, ticket, call.clone());
        let function = self.setting.function.clone();
        let on_timeout = OnTimeout::Abandon;
        let command = Command::Await { ticket, function, call, timeout: None, on_timeout };
        self.feed(caller, Input::Command(command));
        self.drift(BEGINNING);
    }

    /// A connection that is about to change.
    fn conn(&mut self, session: SessionId) -> Option<&mut Conn> {
        self.conns.get_mut(&session).map(|conn| Rc::make_mut(conn).touch())
    }

    fn serve(&mut self, node: u8) {
        let function = self.setting.function.clone();
        let options = self.setting.options.function.clone();
        let definition = Box::new(Definition::new(function.clone()));
        self.fact(Fact::Served { host: host(node), function, options: options.clone() });
        self.feed(node, Input::Command(Command::Serve { definition, options }));
    }

    fn ask(&mut self, node: u8, ticket: Ticket, call: CallId) {
        Rc::make_mut(&mut self.tickets).insert(ticket);
        self.fact(Fact::Asked { host: host(node), ticket, call, makes: true });
    }

    /// Which node calls.
    fn caller(&self) -> u8 {
        if self.setting.options.separate_caller { self.setting.options.workers } else { 0 }
    }

    fn name(&self, node: u8) -> &NodeId {
        &self.setting.names[usize::from(node)]
    }

    fn is_alive(&self, node: u8) -> bool {
        let place = &self.places[usize::from(node)];
        place.machine.is_some() && !place.has_ended
    }

    fn node_time(&self) -> Time {
        Time::from_micros(self.now.as_micros())
    }

    fn fact(&mut self, fact: Fact) {
        self.past.push(self.now, fact);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(notes) = &mut self.notes {
            notes.push(line());
        }
    }

    /// Keeps readable lines from here on.
    pub(super) fn with_notes(mut self) -> Self {
        self.notes = Some(Vec::new());
        self
    }

    /// The lines noted since the last time.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        self.notes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What is wrong beside broken promises.
    pub(super) fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// The facts of the path that led here.
    pub(super) fn history(&self) -> History {
        self.past.history()
    }

    /// What was noted since an earlier state of this path can break a promise: the print of what
    /// there is to judge.
    pub(super) fn to_judge_since(&self, earlier: &Self) -> Option<Print> {
        self.past
            .is_to_be_judged_since(&earlier.past)
            .then(|| Print::of_value(&(earlier.past.print(), self.past.print())))
    }

    /// The machines that live, with their nodes.
    pub(super) fn machines(&self) -> impl Iterator<Item = (&NodeId, &M)> {
        let machines = self.places.iter().zip(&self.setting.names);
        machines.filter_map(|(place, name)| Some((name, place.machine.as_deref()?)))
    }

    /// Those of them that have no timer due.
    pub(super) fn resting_machines(&self) -> impl Iterator<Item = (&NodeId, &M)> {
        let time = self.node_time();
        let machines = self.places.iter().zip(&self.setting.names);
        machines
            .filter(move |(place, _)| place.due.is_none_or(|due| due > time))
            .filter_map(|(place, name)| Some((name, place.machine.as_deref()?)))
    }

    pub(super) fn store(&self) -> &S {
        &self.store
    }

    /// The time as every machine's clock shows it.
    pub(super) fn machine_time(&self) -> Time {
        self.node_time()
    }

    /// What a stop that comes too late names.
    pub(super) fn first_incarnation(&self) -> Option<&(ConsumerId, Epoch)> {
        self.first.as_deref()
    }

    /// Something is expected still: an outcome, an answer, the end of a matter that a machine has open.
    pub(super) fn is_owed(&self) -> bool {
        self.calls.known.values().any(Option::is_none)
            || !self.tickets.is_empty()
            || self.machines().any(|(_, machine)| !machine.pending().is_empty())
    }

    /// How much longer what is owed may take.
    fn is_overdue(&self) -> bool {
        self.now.since(self.touched_at) > self.setting.options.patience
    }

    /// The state in short: of two states with one print only the first is explored.
    pub(super) fn print(&self) -> Print {
        Print::of(|hasher| {
            self.now.since(self.touched_at).hash(hasher);
            for place in &self.places {
                (place.print, place.machine.is_some(), place.has_ended).hash(hasher);
                for running in &place.running {
                    (&running.call, &running.consumer, running.attempt).hash(hasher);
                    running.interrupted.hash(hasher);
                }
            }
            self.store_print.hash(hasher);
            for (session, conn) in &self.conns {
                session.hash(hasher);
                conn.feed(self.now, hasher);
            }
            for (session, ops) in &self.copies {
                (session, ops.print).hash(hasher);
            }
            // What is admitted, decided, asked and answered is told by the facts.
            self.left.hash(hasher);
            self.past.print().hash(hasher);
        })
    }

    /// Prints anew whatever depends on time.
    fn print_all(&mut self) {
        let time = self.node_time();
        for place in &mut self.places {
            let print = place.machine.as_deref().map(|machine| print_machine(machine, time));
            Rc::make_mut(place).print = print.unwrap_or_default();
        }
        self.print_store();
    }

    fn print_store(&mut self) {
        self.store_print = print_of(&*self.store, self.now);
    }

    /// Has machines and store work everything out anew.
    pub(super) fn fresh(mut self) -> Self {
        self.is_fresh = true;
        self
    }

    /// How many machine steps and store steps were worked out.
    pub(super) fn worked_out(&self) -> (usize, usize) {
        self.setting.memory.len()
    }

    /// Lets everything happen in one order, and time pass, until this moment.
    pub(super) fn drift(&mut self, until: Moment) {
        const STEPS_MAX: u32 = 20_000;
        for _ in 0..STEPS_MAX {
            if let Some(action) = self.moving().first().copied() {
                self.step(action);
            } else if self.next_due().is_some_and(|due| due <= until) {
                self.step(Action::Pass);
            } else {
                self.now = self.now.max(until);
                self.print_all();
                return;
            }
        }
        self.wrong = Some(format!("more than {STEPS_MAX} steps in one order: it runs in circles"));
    }

    /// Lets time pass for this long, in one order.
    pub(super) fn rest(&mut self, span: Duration) {
        let until = self.now + span;
        self.drift(until);
    }
}

fn print_machine(machine: &impl Machine, time: Time) -> Print {
    Print::of(|hasher| machine.fingerprint(time, hasher))
}

fn print_of(store: &impl ExploredStore, now: Moment) -> Print {
    Print::of(|hasher| store.fingerprint(store_time(now), hasher))
}

fn call_id(number: u8) -> CallId {
    CallId::new(format!("call-{number}")).expect("a generated id is valid")
}

fn name(kind: &str, index: u8) -> NodeId {
    NodeId::new(format!("{kind}-{index}")).expect("a generated node id is valid")
}

/// A node's only incarnation.
const fn host(node: u8) -> HostId {
    HostId(node as u32)
}
