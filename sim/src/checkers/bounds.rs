//! Attempts, concurrency and epochs stay within their bounds.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::call::CallState;
use steadfast_core::command::FunctionOptions;
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId};

use super::{Promise, Violation};
use crate::history::{Fact, History, HostId};

#[derive(Default)]
struct Bounds<'a> {
    options: BTreeMap<&'a FunctionId, &'a FunctionOptions>,
    functions: BTreeMap<&'a CallId, &'a FunctionId>,
    running: BTreeMap<(HostId, &'a ConsumerId), BTreeSet<&'a CallId>>,
    epochs: BTreeMap<&'a ConsumerId, Epoch>,
    last: BTreeMap<&'a FunctionId, Epoch>,
}

/// Checks every bound at every fact.
pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let mut bounds = Bounds::default();
    for (at, fact) in history.facts() {
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
        if !running.insert(call) {
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
        if self.epochs.get(consumer) != Some(epoch) {
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
        let before = self.epochs.insert(consumer, epoch);
        let last = self.last.get(function).copied();
        let holds = match before {
            Some(before) => before == epoch,
            None => last.is_none_or(|last| last < epoch),
        };
        self.last.insert(function, last.map_or(epoch, |last| last.max(epoch)));
        (!holds).then(|| {
            let what = format!("{consumer} is given {epoch} after {last:?}");
            (Promise::EpochsAdvance, what)
        })
    }
}
