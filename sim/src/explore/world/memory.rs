//! What was worked out before: the same machine told the same, the same store asked the same.
//!
//! A few thousand machine states and store states make up millions of worlds. Each is taken on once, and
//! every world shares it. A key names all that the world knows of the part beside its fingerprint: ids of
//! what is under way, sessions, how much was drawn from the machine's random streams.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use steadfast_core::call::CallState;
use steadfast_core::machine::{Done, Effect, EffectId, Output};
use steadfast_core::name::{CallId, SessionId};
use steadfast_core::op::{ConsumerRecord, Lane, Op, OpResult};
use steadfast_core::transport::Interest;

use super::conn::Printed;
use crate::explore::print::{BuildTable, Print};

/// A machine after an input, and all that it said.
#[derive(Debug)]
pub(super) struct Told<M> {
    pub(super) machine: Rc<M>,
    pub(super) print: Print,
    pub(super) said: Rc<[Said]>,
}

/// What a machine said, ready to be shared.
#[derive(Debug)]
pub(super) enum Said {
    Execute { id: EffectId, session: SessionId, lane: Lane, ops: Printed<[Op]> },
    Watch { id: EffectId, session: SessionId, interest: Printed<Interest>, block: Duration },
    Else(Output),
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        match output {
            Output::Effect { id, effect: Effect::Execute { session, lane, ops } } => {
                Self::Execute { id, session, lane, ops: Printed::new(ops) }
            }
            Output::Effect { id, effect: Effect::Watch { session, interest, block } } => {
                Self::Watch { id, session, interest: Printed::new(interest), block }
            }
            output => Self::Else(output),
        }
    }
}

/// What the store was asked, answered.
#[derive(Clone, Debug)]
pub(super) enum Reaction {
    Applied(OpResult),
    Watched(Option<Printed<Done>>),
}

/// A store after a request, and all that it said and shows.
#[derive(Debug)]
pub(super) struct Asked<S> {
    pub(super) store: Rc<S>,
    pub(super) print: Print,
    pub(super) reaction: Reaction,
    pub(super) wakes: Vec<(SessionId, Printed<Done>)>,
    /// Where every call stands now.
    pub(super) calls: Vec<(CallId, CallState)>,
    /// The consumer that the request names as dead, as it was known before.
    pub(super) known: Option<ConsumerRecord>,
    /// What is wrong within the store.
    pub(super) flaw: Option<String>,
}

/// Everything worked out so far. Never iterated: the order of such tables is nobody's business.
#[derive(Debug)]
pub(super) struct Memory<M, S> {
    told: RefCell<HashMap<Print, Rc<Told<M>>, BuildTable>>,
    asked: RefCell<HashMap<Print, Rc<Asked<S>>, BuildTable>>,
}

impl<M, S> Default for Memory<M, S> {
    fn default() -> Self {
        Self { told: RefCell::default(), asked: RefCell::default() }
    }
}

impl<M, S> Memory<M, S> {
    /// What a machine does upon an input, worked out once for each key.
    pub(super) fn told(&self, key: Option<Print>, work: impl FnOnce() -> Told<M>) -> Rc<Told<M>> {
        recall(&self.told, key, work)
    }

    /// What the store does upon a request, worked out once for each key.
    pub(super) fn asked(
        &self,
        key: Option<Print>,
        work: impl FnOnce() -> Asked<S>,
    ) -> Rc<Asked<S>> {
        recall(&self.asked, key, work)
    }

    /// How many machine steps and store steps were worked out.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.told.borrow().len(), self.asked.borrow().len())
    }
}

fn recall<T>(
    table: &RefCell<HashMap<Print, Rc<T>, BuildTable>>,
    key: Option<Print>,
    work: impl FnOnce() -> T,
) -> Rc<T> {
    let Some(key) = key else {
        return Rc::new(work());
    };
    if let Some(known) = table.borrow().get(&key) {
        return known.clone();
    }
    let new = Rc::new(work());
    table.borrow_mut().insert(key, new.clone());
    new
}
