//! The reference store with one flaw: the store exhibits.
//!
//! A [`Flaw`] may change what an operation does; everything that it leaves alone is the reference store's
//! own work. [`Faithful`] has none, and is what controls run over.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;

use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{CallId, FunctionId, SessionId};
use steadfast_core::op::{Op, OpResult};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Connected, Interest, TransportError, Wake};
use steadfast_transport_mem::MemStore;

use crate::subject::SimStore;

/// An answer to a blocking read.
pub type Woken = Result<Wake, TransportError>;

/// One mistake of a store. Every method does what the reference does unless it is overridden.
pub trait Flaw: Clone + Default + Debug {
    /// The flaw of a store that is named by this seed.
    fn of(_seed: u64) -> Self {
        Self::default()
    }

    /// Applies an operation.
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        at.apply(op)
    }

    /// Starts a blocking read.
    fn watch(&mut self, at: &mut At<'_>, interest: &Interest) -> Option<Woken> {
        at.watch(interest)
    }

    /// A blocking read is about to be answered.
    fn woken(&mut self, _at: &mut At<'_>, _woken: &mut Woken) {}

    /// A session ended.
    fn disconnected(&mut self, _session: SessionId) {}

    /// The server restarted.
    fn restarted(&mut self) {}

    /// Dead letters that the flaw wrote beside those of the reference.
    fn letters(&self) -> Vec<(FunctionId, CallId)> {
        Vec::new()
    }
}

/// The reference store at one moment, for one session.
#[derive(Debug)]
pub struct At<'a> {
    /// The reference store.
    pub store: &'a mut MemStore,
    /// The store's time.
    pub now: StoreTime,
    /// Who asks.
    pub session: SessionId,
}

impl At<'_> {
    /// What the reference does.
    pub fn apply(&mut self, op: &Op) -> OpResult {
        self.store.apply(self.now, self.session, op)
    }

    /// What the reference does.
    pub fn watch(&mut self, interest: &Interest) -> Option<Woken> {
        self.store.watch(self.now, self.session, interest)
    }
}

/// No flaw at all.
#[derive(Clone, Debug, Default)]
pub struct Faithful;

impl Flaw for Faithful {}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Flawed<F> {
    store: MemStore,
    flaw: F,
    now: StoreTime,
    /// Answers that the flaw has looked at already.
    wakes: VecDeque<(SessionId, Woken)>,
}

impl<F: Flaw> StoreMachine for Flawed<F> {
    fn connect(&mut self, now: StoreTime) -> Connected {
        self.now = now;
        self.store.connect(now)
    }

    fn disconnect(&mut self, now: StoreTime, session: SessionId) {
        self.now = now;
        self.flaw.disconnected(session);
        self.wakes.retain(|(woken, _)| *woken != session);
        self.store.disconnect(now, session);
    }

    fn apply(&mut self, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        self.now = now;
        let mut at = At { store: &mut self.store, now, session };
        if at.store.has_session(session) { self.flaw.apply(&mut at, op) } else { at.apply(op) }
    }

    fn watch(&mut self, now: StoreTime, session: SessionId, interest: &Interest) -> Option<Woken> {
        self.now = now;
        let mut at = At { store: &mut self.store, now, session };
        let mut woken = self.flaw.watch(&mut at, interest);
        if let Some(woken) = &mut woken {
            self.flaw.woken(&mut at, woken);
        }
        woken
    }

    fn unwatch(&mut self, session: SessionId) {
        self.store.unwatch(session);
    }

    fn poll_wake(&mut self) -> Option<(SessionId, Woken)> {
        while let Some((session, mut woken)) = self.store.poll_wake() {
            let mut at = At { store: &mut self.store, now: self.now, session };
            self.flaw.woken(&mut at, &mut woken);
            self.wakes.push_back((session, woken));
        }
        self.wakes.pop_front()
    }
}

impl<F: Flaw> SimStore for Flawed<F> {
    fn empty(seed: u64) -> Self {
        Self {
            store: <MemStore as SimStore>::empty(seed),
            flaw: F::of(seed),
            now: StoreTime::ZERO,
            wakes: VecDeque::new(),
        }
    }

    fn restart(&mut self, now: StoreTime) {
        self.wakes.clear();
        self.flaw.restarted();
        SimStore::restart(&mut self.store, now);
    }

    fn leftovers(&self, now: StoreTime) -> Vec<String> {
        let mut found = SimStore::leftovers(&self.store, now);
        let mut letters: BTreeMap<(FunctionId, CallId), u32> = BTreeMap::new();
        for function in self.store.functions() {
            for call in self.store.dead_letters(&function).into_iter().filter_map(|it| it.call) {
                *letters.entry((function.clone(), call)).or_default() += 1;
            }
        }
        for letter in self.flaw.letters() {
            *letters.entry(letter).or_default() += 1;
        }
        for ((function, call), count) in letters.into_iter().filter(|(_, count)| *count > 1) {
            found.push(format!("{count} dead letters of {call} of {function}"));
        }
        found
    }

    fn registered(&self, now: StoreTime) -> Vec<String> {
        let of = |function: FunctionId| {
            let records = self.store.consumers(now, &function);
            records.into_iter().map(move |it| format!("consumer {} of {function}", it.consumer))
        };
        self.store.functions().into_iter().flat_map(of).collect()
    }

    fn keep_past(&mut self) {
        SimStore::keep_past(&mut self.store);
    }

    fn place(&self) -> usize {
        SimStore::place(&self.store)
    }

    fn go_back(&mut self, place: usize, now: StoreTime) -> bool {
        let went = SimStore::go_back(&mut self.store, place, now);
        if went {
            self.wakes.clear();
            self.flaw.restarted();
        }
        went
    }

    fn flush(&mut self, now: StoreTime) {
        SimStore::flush(&mut self.store, now);
    }

    fn delete_stream(&mut self, now: StoreTime, function: &FunctionId) {
        SimStore::delete_stream(&mut self.store, now, function);
    }

    fn delete_group(&mut self, now: StoreTime, function: &FunctionId) {
        SimStore::delete_group(&mut self.store, now, function);
    }

    fn audit(&self) -> Vec<String> {
        SimStore::audit(&self.store)
    }
}
