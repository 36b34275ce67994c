//! Attempts, concurrency and epochs stay within their bounds.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::call::CallState;
use steadfast_core::command::FunctionOptions;
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId};

use super::store_clock::{Shown, StoreClock};
use super::{Promise, Terms, Violation};
use crate::faults::FaultKind;
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

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
    /// Since when each consumer is kept, by the store's clock: since its removal, or since it was given its
    /// epoch. A removed consumer is known for so long; afterwards it is a new one.
    kept_since: BTreeMap<&'a ConsumerId, Shown>,
    clock: StoreClock,
}

/// Checks every bound at every fact.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut bounds = Bounds::default();
    for (at, fact) in history.facts() {
        if let Some((promise, what)) = bounds.broken_by(*at, fact, terms) {
            found.push(Violation { promise, at: *at, what });
        }
    }
}

impl<'a> Bounds<'a> {
    fn broken_by(
        &mut self,
        at: Moment,
        fact: &'a Fact,
        terms: &Terms,
    ) -> Option<(Promise, String)> {
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
                self.clock.jump(at, *ahead_micros);
                None
            }
            Fact::Removed { consumer, .. } => {
                self.kept_since.insert(consumer, self.clock.at(at));
                None
            }
            Fact::Disturbed { kind: FaultKind::GroupDeleted, .. } => {
                self.went_back = true;
                None
            }
            Fact::Registered { function, consumer, epoch } => {
                let shown = self.clock.at(at);
                let since = *self.kept_since.entry(consumer).or_insert(shown);
                let is_forgotten = self.clock.has_shown(since, terms.kept, at);
                if is_forgotten {
                    self.kept_since.insert(consumer, shown);
                }
                self.registered((function, consumer, *epoch), is_forgotten)
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
        (function, consumer, epoch): (&'a FunctionId, &'a ConsumerId, Epoch),
        is_forgotten: bool,
    ) -> Option<(Promise, String)> {
        let given = self.epochs.entry(consumer).or_default();
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
