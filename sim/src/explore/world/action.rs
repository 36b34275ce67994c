//! What may happen next, and the taking of it.

use std::rc::Rc;
use std::time::Duration;

use steadfast_core::call::{CallState, Payload};
use steadfast_core::command::{Command, Request as CallRequest, Ticket};
use steadfast_core::machine::Input;
use steadfast_core::name::{CallId, SessionId};

use super::conn::Request;
use super::{World, call_id, host};
use crate::explore::print::Print;
use crate::explore::subject::ExploredStore;
use crate::faults::FaultKind;
use crate::history::Fact;
use crate::moment::Moment;
use crate::subject::Subject;

/// How long a cut connection or a crash excuses delays.
const EXCUSE: Duration = Duration::from_secs(12);

/// One thing that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explore) enum Action {
    /// What is first on a connection reaches the store.
    Arrive(SessionId),
    /// What is first on a connection reaches the node.
    Answer(SessionId),
    /// A wish to end a blocking read reaches the store.
    Abort(SessionId),
    /// A second copy of a batch reaches the store.
    Copy(u8),
    /// A node's timer fires.
    Tick(u8),
    /// A handler of a node ends with its result.
    Finish(u8, u8),
    /// A handler of a node ends as it was told to.
    Drop(u8, u8),
    /// The store notices that a crashed node's sessions are over.
    SessionsEnd(u8),
    /// Time goes to the next timer.
    Pass,
    /// The caller makes its next call.
    Call,
    /// A worker is saved.
    Save(u8),
    /// The first worker is told to stop its first incarnation.
    Stop,
    /// A node crashes.
    Crash(u8),
    /// The batch that is first on a connection reaches the store, with a second copy right behind it.
    Duplicate(SessionId),
    /// The batch that is first on a connection reaches the store, and a second copy will some day.
    Stray(SessionId),
    /// A connection dies with what is on its way.
    Cut(SessionId),
}

impl<M: Subject, S: ExploredStore> World<M, S> {
    /// Everything that may happen next; nothing where all is over.
    pub(in crate::explore) fn actions(&self) -> Vec<Action> {
        let mut actions = self.moving();
        let still = actions.is_empty();
        if still && self.is_owed() && self.is_overdue() {
            return Vec::new();
        }
        let passes = (still && self.is_owed()) || (!still && self.left.haste > 0);
        self.add_outside(&mut actions);
        if passes && self.next_due().is_some() {
            actions.push(Action::Pass);
        }
        actions
    }

    /// Nothing is on its way, and nothing is owed.
    pub(in crate::explore) fn is_quiet(&self) -> bool {
        self.moving().is_empty() && !self.is_owed()
    }

    /// Nothing is on its way, and what is owed is not settled in time.
    pub(in crate::explore) fn is_stuck(&self) -> bool {
        self.moving().is_empty() && self.is_owed() && self.is_overdue()
    }

    /// What happens by itself, without time passing.
    pub(super) fn moving(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for (session, conn) in &self.conns {
            if conn.store_open && !conn.up.is_empty() {
                actions.push(Action::Arrive(*session));
            }
            if conn.node_open && !conn.down.is_empty() {
                actions.push(Action::Answer(*session));
            }
            if conn.aborting.is_some() {
                actions.push(Action::Abort(*session));
            }
        }
        actions.extend((0..self.copies.len() as u8).map(Action::Copy));
        let time = self.node_time();
        for node in 0..self.places.len() as u8 {
            let place = &self.places[usize::from(node)];
            if self.is_alive(node) && place.due.is_some_and(|due| due <= time) {
                actions.push(Action::Tick(node));
            }
            for (index, running) in place.running.iter().enumerate() {
                let index = index as u8;
                actions.push(Action::Finish(node, index));
                if running.interrupted {
                    actions.push(Action::Drop(node, index));
                }
            }
            let crashed = place.machine.is_none();
            if crashed && self.conns.values().any(|conn| conn.node == node) {
                actions.push(Action::SessionsEnd(node));
            }
        }
        actions
    }

    /// What happens from outside, as far as the budget goes.
    fn add_outside(&self, actions: &mut Vec<Action>) {
        let left = &self.left;
        let nodes = 0..self.places.len() as u8;
        if left.calls > 0 && self.is_alive(self.caller()) {
            actions.push(Action::Call);
        }
        let workers = 0..self.setting.options.workers;
        if left.saves > 0 {
            actions.extend(workers.filter(|node| self.is_alive(*node)).map(Action::Save));
        }
        if left.stops > 0 && self.first.is_some() && self.is_alive(0) {
            actions.push(Action::Stop);
        }
        if left.crashes > 0 && nodes.clone().filter(|node| self.is_alive(*node)).count() > 1 {
            actions.extend(nodes.filter(|node| self.is_alive(*node)).map(Action::Crash));
        }
        for (session, conn) in &self.conns {
            let doubles = conn.store_open && conn.next_batch().is_some();
            if left.duplicates > 0 && doubles {
                actions.push(Action::Duplicate(*session));
            }
            if left.strays > 0 && doubles {
                actions.push(Action::Stray(*session));
            }
            if left.cuts > 0 && conn.node_open && conn.is_busy() {
                actions.push(Action::Cut(*session));
            }
        }
    }

    /// When the next timer fires or the next blocking read ends.
    pub(super) fn next_due(&self) -> Option<Moment> {
        let timers = (0..self.places.len() as u8)
            .filter(|node| self.is_alive(*node))
            .filter_map(|node| self.places[usize::from(node)].due)
            .map(|due| Moment::from_micros(due.as_micros()));
        let reads = self.conns.values().filter_map(|conn| conn.watch).map(|(_, until)| until);
        timers.chain(reads).min().map(|due| due.max(self.now))
    }

    /// Takes one action.
    pub(in crate::explore) fn step(&mut self, action: Action) {
        match action {
            Action::Arrive(session) => self.arrive(session),
            Action::Answer(session) => self.answer(session),
            Action::Abort(session) => self.abort(session),
            Action::Copy(index) => {
                let (session, ops) = self.copies.remove(usize::from(index));
                for op in ops.it.iter() {
                    // Nobody reads the answers to a copy.
                    let _unread = self.apply(session, op);
                }
            }
            Action::Tick(node) => self.feed(node, Input::Tick),
            Action::Finish(node, index) => self.finish(node, index, false),
            Action::Drop(node, index) => self.finish(node, index, true),
            Action::SessionsEnd(node) => {
                let of_node = self.conns.iter().filter(|(_, conn)| conn.node == node);
                for session in of_node.map(|(session, _)| *session).collect::<Vec<_>>() {
                    self.end_session(session);
                }
            }
            Action::Pass => self.pass(),
            _ => {
                self.touched_at = self.now;
                self.take_outside(action);
            }
        }
    }

    fn take_outside(&mut self, action: Action) {
        match action {
            Action::Call => {
                self.left.calls -= 1;
                self.call(self.setting.options.budget.calls - self.left.calls);
            }
            Action::Save(node) => {
                self.left.saves -= 1;
                self.serve(node);
            }
            Action::Stop => {
                self.left.stops -= 1;
                if let Some((consumer, epoch)) = self.first.as_deref().cloned() {
                    let drain = self.setting.options.function.drain;
                    let of = consumer.clone();
                    self.fact(Fact::StopSent { host: host(0), consumer: of, epoch });
                    let stop = Command::Stop { consumer, epoch, drain };
                    self.feed(0, Input::Command(stop));
                }
            }
            Action::Crash(node) => {
                self.left.crashes -= 1;
                self.crash(node);
            }
            Action::Duplicate(session) => {
                self.left.duplicates -= 1;
                self.excuse(FaultKind::Duplicate);
                let conn = self.conn(session);
                if let Some(conn) = conn
                    && let Some(Request::Execute { lane, ops, .. }) = conn.up.front()
                {
                    let (lane, ops) = (*lane, ops.clone());
                    let copy = Request::Execute { effect: None, lane, ops, results: Vec::new() };
                    conn.up.insert(1, copy);
                }
                self.arrive(session);
            }
            Action::Stray(session) => {
                self.left.strays -= 1;
                self.excuse(FaultKind::Duplicate);
                let conn = self.conns.get(&session);
                if let Some(ops) = conn.and_then(|conn| conn.next_batch()).cloned() {
                    self.copies.push((session, ops));
                }
                self.arrive(session);
            }
            Action::Cut(session) => {
                self.left.cuts -= 1;
                self.excuse(FaultKind::AnswerLost);
                self.cut(session);
            }
            _ => debug_assert!(false, "{action:?} does not come from outside"),
        }
    }

    fn excuse(&mut self, kind: FaultKind) {
        let until = self.now + EXCUSE;
        self.fact(Fact::Disturbed { host: None, kind, until });
    }

    fn pass(&mut self) {
        if !self.moving().is_empty() {
            self.left.haste = self.left.haste.saturating_sub(1);
            self.touched_at = self.now;
            self.excuse(FaultKind::Delay);
        }
        if let Some(due) = self.next_due() {
            self.now = due;
        }
        self.print_all();
        let over = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.watch.is_some_and(|(_, until)| until <= self.now));
        for session in over.map(|(session, _)| *session).collect::<Vec<_>>() {
            self.unwatch(session);
        }
    }

    fn call(&mut self, number: u8) {
        let call = call_id(number);
        let (caller, ticket) = (self.caller(), Ticket(u64::from(number) + 1));
        self.ask(caller, ticket, call.clone());
        let input = Payload::trusted(number.to_string());
        let request = CallRequest::new(self.setting.function.clone(), input);
        let request = Box::new(CallRequest { call: Some(call), ..request });
        self.feed(caller, Input::Command(Command::Call { ticket, request }));
    }

    /// The process is gone: what it sent still arrives until the store notices.
    fn crash(&mut self, node: u8) {
        self.fact(Fact::Killed { host: host(node), sessions_end: true });
        let place = self.place(node);
        place.machine = None;
        place.print = Print::default();
        place.running.clear();
        place.due = None;
        if node == self.caller() {
            self.tickets = Rc::default();
        }
        let of_node = self.conns.iter().filter(|(_, conn)| conn.node == node);
        for session in of_node.map(|(session, _)| *session).collect::<Vec<_>>() {
            if let Some(conn) = self.conn(session) {
                conn.node_open = false;
                conn.outstanding.clear();
                conn.down.clear();
                conn.aborting = None;
            }
            self.forget_if_over(session);
        }
    }

    /// Tells every node to end, and waits for it.
    pub(in crate::explore) fn shut_down(&mut self) {
        let drain = self.setting.options.function.drain;
        for node in 0..self.places.len() as u8 {
            if self.is_alive(node) {
                self.fact(Fact::ShutdownSent { host: host(node) });
                self.feed(node, Input::Command(Command::Shutdown { drain }));
            }
        }
        self.rest(drain + Duration::from_secs(10));
    }

    /// Notes how everything stands at the end.
    pub(in crate::explore) fn conclude(&mut self) {
        for (call, decided) in &self.calls.clone().known {
            if let Some(record) = decided {
                let state = CallState::Decided(record.clone());
                self.fact(Fact::Final { call: call.clone(), state });
            }
        }
        for what in self.store().leftovers(crate::moment::store_time(self.now)) {
            self.fact(Fact::LeftOver { what });
        }
        for node in 0..self.places.len() as u8 {
            if self.is_alive(node) {
                let what = format!("{} has not ended after its shutdown", self.name(node));
                self.fact(Fact::LeftOver { what });
            }
        }
    }

    /// Notes what is stuck, and what the machines say.
    pub(in crate::explore) fn note_stuck(&mut self) {
        let pending = self.machines().flat_map(|(name, machine)| {
            machine.pending().into_iter().map(move |pending| format!("{name}: {pending}"))
        });
        let why = pending.collect::<Vec<_>>().join("; ");
        let open = self.calls.known.iter().find(|(_, decided)| decided.is_none());
        let call = open.map(|(call, _)| call.clone());
        let nobody = || CallId::new("no-call").expect("a literal id is valid");
        self.fact(Fact::Stuck { call: call.unwrap_or_else(nobody), why });
    }
}
