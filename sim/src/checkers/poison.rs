//! P10: what is no call becomes a dead letter, and a call that kills is run no more than it may.

use std::collections::BTreeMap;

use steadfast_core::call::{CallState, FailureKind, Outcome};
use steadfast_core::name::{CallId, EntryId, FunctionId};

use super::{Promise, Violation};
use crate::faults::FaultKind;
use crate::history::{Fact, History};
use crate::moment::Moment;

/// Entries of one function that are no calls. They are counted, not named: a takeover re-appends them.
#[derive(Default)]
struct Malformed {
    added: u32,
    /// At most so many are gone with what the store lost, or somebody deleted.
    gone: u32,
    rejected: u32,
}

#[derive(Default)]
struct Poison<'a> {
    malformed: BTreeMap<&'a FunctionId, Malformed>,
    /// The store went back: what was rejected may stand there again.
    went_back: bool,
    attempts_max: BTreeMap<&'a FunctionId, u32>,
    deadly: BTreeMap<&'a CallId, u32>,
    /// How often a group was deleted, and its deliveries forgotten: each lets a call be begun once more, uncounted.
    uncounted: u32,
}

/// Checks every entry that is no call, and every call that kills.
pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let mut poison = Poison::default();
    for (at, fact) in history.facts() {
        if let Some(what) = poison.broken_by(fact) {
            found.push(Violation { promise: Promise::BadInput, at: *at, what });
        }
    }
    let at = history.facts().last().map_or(Moment::ZERO, |(at, _)| *at);
    for (function, Malformed { added, gone, rejected }) in &poison.malformed {
        if rejected + gone < *added {
            let what = format!("{added} entries of {function} are no calls, {rejected} rejected");
            found.push(Violation { promise: Promise::BadInput, at, what });
        }
    }
}

impl<'a> Poison<'a> {
    fn gone(&mut self, entries: &'a [(FunctionId, EntryId)]) {
        for (function, _) in entries {
            self.malformed.entry(function).or_default().gone += 1;
        }
    }

    fn broken_by(&mut self, fact: &'a Fact) -> Option<String> {
        match fact {
            Fact::Served { function, options, .. } => {
                self.attempts_max.insert(function, options.attempts_max);
            }
            Fact::Malformed { function, .. } => {
                self.malformed.entry(function).or_default().added += 1;
            }
            Fact::Rejected { function, entry } => {
                let malformed = self.malformed.entry(function).or_default();
                malformed.rejected += 1;
                if malformed.rejected > malformed.added && !self.went_back {
                    return Some(format!("{entry} of {function} was rejected, and is a call"));
                }
            }
            Fact::Lost { entries, .. } => {
                self.went_back = true;
                // The counts of attempts went back with it.
                self.deadly.values_mut().for_each(|begun| *begun = 0);
                self.gone(entries);
            }
            Fact::BodiesLost { entries, .. } => self.gone(entries),
            Fact::Disturbed { kind: FaultKind::GroupDeleted, .. } => self.uncounted += 1,
            // Taken anew: lost before, or forgotten.
            Fact::Admitted { call, .. } => {
                self.deadly.remove(call);
            }
            Fact::Poisonous { call } => {
                self.deadly.entry(call).or_default();
            }
            Fact::Begun { function, call, .. } => {
                let most = self.attempts_max.get(function)? + self.uncounted;
                let begun = self.deadly.get_mut(call)?;
                *begun += 1;
                if *begun > most {
                    return Some(format!("{call} kills, and was begun {begun} times"));
                }
            }
            Fact::Decided { call, state: CallState::Decided(record) } => {
                if let Outcome::DeadLettered(failure) = &record.outcome
                    && failure.kind == FailureKind::Malformed
                {
                    return Some(format!("{call} is well-formed, and was rejected as malformed"));
                }
            }
            _ => {}
        }
        None
    }
}
