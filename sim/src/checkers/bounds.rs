//! Attempts, concurrency and epochs stay within their bounds.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::call::CallState;
use steadfast_core::command::FunctionOptions;
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId};

use super::{Promise, Terms, Violation};
use crate::faults::FaultKind;
use crate::history::{Fact, History, HostId};

#[derive(Default)]
struct Bounds<'a> {
    options: BTreeMap<&'a FunctionId, &'a FunctionOptions>,
    functions: BTreeMap<&'a CallId, &'a FunctionId>,
    running: BTreeMap<(HostId, &'a ConsumerId), BTreeSet<&'a CallId>>,
    /// Every epoch that each consumer was given; several only where the store lost its registration.
    epochs: BTreeMap<&'a ConsumerId, BTreeSet<Epoch>>,
    /// Consumers whose registration the store lost since they were given their last epoch.
    forgotten: BTreeSet<&'a ConsumerId>,
    /// The store or a group has gone back: a call may be delivered from two of its pasts.
    went_back: bool,
    last: BTreeMap<&'a FunctionId, Epoch>,
    /// When each consumer was given its epoch, by the latest that the store's clock had shown then. A
    /// removed consumer is known for so long; afterwards it is a new one.
    given_at: BTreeMap<&'a ConsumerId, i128>,
    kept_micros: i128,
    ahead_micros: i128,
    high_micros: i128,
}

/// Checks every bound at every fact.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut bounds = Bounds::default();
    for (at, fact) in history.facts() {
        let shown = i128::from(at.as_micros()) + bounds.ahead_micros;
        bounds.high_micros = bounds.high_micros.max(shown);
        bounds.kept_micros = terms.kept.as_micros().cast_signed();
        if let Some((promise, what)) = bounds.broken_by(fact) {
            found.push(Violation { promise, at: *at, what });
        }
    }
}

impl<'a> Bounds<'a> {
    fn broken_by(&mut self, fact: &'a Fact) -> Option<(Promise, String)> {
        match fact {
            Fact::Served { function, options, .. } => {
                self.options.insert(function, options);
                None
            }
            Fact::Admitted { function, call, .. } => {
                self.functions.insert(call, function);
                None
            }
            Fact::Begun { .. } => self.begun(fact),
            Fact::Ended { host, consumer, call, .. }
            | Fact::Interrupted { host, consumer, call } => {
                if let Some(calls) = self.running.get_mut(&(*host, consumer)) {
                    calls.remove(call);
                }
                None
            }
            Fact::Decided { call, state: CallState::Decided(record) } => {
                let options = self.options.get(self.functions.get(call)?)?;
                (record.attempts > options.attempts_max).then(|| {
                    let most = options.attempts_max;
                    let what = format!("{record} attempts, and {most} are the most");
                    (Promise::BoundedAttempts, what)
                })
            }
            Fact::Lost { consumers, .. } => {
                self.forgotten.extend(consumers);
                self.went_back = true;
                None
            }
            Fact::StoreClock { ahead_micros } => {
                self.ahead_micros = i128::from(*ahead_micros);
                None
            }
            Fact::Disturbed { kind: FaultKind::GroupDeleted, .. } => {
                self.went_back = true;
                None
            }
            Fact::Registered { function, consumer, epoch } => {
                self.registered(function, consumer, *epoch)
            }
            _ => None,
        }
    }

    fn begun(&mut self, fact: &'a Fact) -> Option<(Promise, String)> {
        let Fact::Begun { host, function, consumer, epoch, call, attempt } = fact else {
            return None;
        };
        let options = self.options.get(function)?;
        let running = self.running.entry((*host, consumer)).or_default();
        if !running.insert(call) && !self.went_back {
            let what = format!("{host}: {consumer} runs {call} twice at once");
            return Some((Promise::BoundedConcurrency, what));
        }
        if running.len() > options.concurrency as usize {
            let what = format!("{host}: {consumer} runs {} at once", running.len());
            return Some((Promise::BoundedConcurrency, what));
        }
        if *attempt == 0 || *attempt > options.attempts_max {
            let what = format!("{call} begins as attempt {attempt}");
            return Some((Promise::BoundedAttempts, what));
        }
        if !self.epochs.get(consumer).is_some_and(|given| given.contains(epoch)) {
            let what = format!("{consumer} runs {call} under {epoch}, which it was not given");
            return Some((Promise::EpochsAdvance, what));
        }
        None
    }

    fn registered(
        &mut self,
        function: &'a FunctionId,
        consumer: &'a ConsumerId,
        epoch: Epoch,
    ) -> Option<(Promise, String)> {
        let given = self.epochs.entry(consumer).or_default();
        let given_at = *self.given_at.entry(consumer).or_insert(self.high_micros);
        let is_forgotten = self.high_micros - given_at >= self.kept_micros;
        let is_anew = given.is_empty() || self.forgotten.remove(consumer) || is_forgotten;
        let last = self.last.get(function).copied();
        let holds = given.contains(&epoch) || (is_anew && last.is_none_or(|last| last < epoch));
        given.insert(epoch);
        self.last.insert(function, last.map_or(epoch, |last| last.max(epoch)));
        (!holds).then(|| {
            let what = format!("{consumer} is given {epoch} after {last:?}");
            (Promise::EpochsAdvance, what)
        })
    }
}
