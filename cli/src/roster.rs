//! The functions that are served now, and how many lines have a call open at each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast_core::name::FunctionId;

use crate::functions_file::{FunctionSpec, Functions};

/// The functions served. A clone is the same roster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster(Arc<Mutex<BTreeMap<FunctionId, Entry>>>);

#[derive(Debug)]
struct Entry {
    spec: FunctionSpec,
    /// Lines whose call is not decided.
    open: u64,
    /// It is not in the file any more: it takes no new call, and ends with its last open one.
    leaving: bool,
}

/// What a new file asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// Not served now.
    pub(crate) new: Vec<FunctionSpec>,
    /// Served, and changed.
    pub(crate) changed: Vec<FunctionSpec>,
    /// Served, and not in the file any more.
    pub(crate) removed: Vec<FunctionId>,
}

/// A line's call is open while this lives.
#[derive(Debug)]
pub(crate) struct Admission {
    function: FunctionId,
    roster: Roster,
    /// The call's deadline where its line names none and the usual one is too early.
    pub(crate) deadline: Option<Duration>,
}

impl Roster {
    /// Admits a call, or nothing where the function is not served.
    pub(crate) fn admit(&self, function: &FunctionId, usual: Duration) -> Option<Admission> {
        let mut entries = self.lock();
        let entry = entries.get_mut(function).filter(|entry| !entry.leaving)?;
        entry.open += 1;
        Some(Admission {
            function: function.clone(),
            roster: self.clone(),
            deadline: entry.spec.deadline(usual),
        })
    }

    /// What has to be done to serve what the file says. One that was leaving is served anew.
    pub(crate) fn changes(&self, file: &Functions) -> Changes {
        let entries = self.lock();
        let mut changes = Changes::default();
        for (function, spec) in file {
            match entries.get(function) {
                None => changes.new.push(spec.clone()),
                Some(entry) if entry.leaving => changes.new.push(spec.clone()),
                Some(entry) if entry.spec != *spec => changes.changed.push(spec.clone()),
                Some(_) => {}
            }
        }
        let served = entries.iter().filter(|(_, entry)| !entry.leaving);
        let removed = served.filter(|(function, _)| !file.contains_key(*function));
        changes.removed = removed.map(|(function, _)| function.clone()).collect();
        changes
    }

    /// The function is served, as `spec` says.
    pub(crate) fn put(&self, spec: FunctionSpec) {
        let mut entries = self.lock();
        let open = entries.get(&spec.function).map_or(0, |entry| entry.open);
        let entry = Entry { spec, open, leaving: false };
        entries.insert(entry.spec.function.clone(), entry);
    }

    /// The function takes no new call.
    pub(crate) fn leave(&self, function: &FunctionId) {
        if let Some(entry) = self.lock().get_mut(function) {
            entry.leaving = true;
        }
    }

    /// Takes out the functions that were leaving and have no open call any more.
    pub(crate) fn take_left(&self) -> Vec<FunctionSpec> {
        let mut entries = self.lock();
        let gone = |entry: &Entry| entry.leaving && entry.open == 0;
        let left = entries.values().filter(|entry| gone(entry));
        let left: Vec<_> = left.map(|entry| entry.spec.clone()).collect();
        entries.retain(|_, entry| !gone(entry));
        left
    }

    /// Some function waits for its last call before it ends.
    pub(crate) fn has_leaving(&self) -> bool {
        self.lock().values().any(|entry| entry.leaving)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FunctionId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(entry) = self.roster.lock().get_mut(&self.function) {
            debug_assert!(entry.open > 0, "an admission is counted until it is dropped");
            entry.open = entry.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::builtin::Builtin;
    use crate::functions_file::Handler;

    const USUAL: Duration = Duration::from_secs(300);

    fn spec(name: &str, concurrency: u32) -> FunctionSpec {
        FunctionSpec {
            function: FunctionId::new(name, "global").unwrap(),
            parameters: Vec::new(),
            description: String::new(),
            timeout: Duration::from_secs(1),
            concurrency,
            attempts_max: 1,
            handler: Handler::Builtin(Builtin::Echo),
        }
    }

    fn file(specs: &[FunctionSpec]) -> Functions {
        specs.iter().map(|spec| (spec.function.clone(), spec.clone())).collect()
    }

    #[test]
    fn only_what_changed_is_saved() {
        let roster = Roster::default();
        for spec in [spec("same", 1), spec("changed", 1), spec("removed", 1)] {
            roster.put(spec);
        }
        let changes = roster.changes(&file(&[spec("same", 1), spec("changed", 2), spec("new", 1)]));
        let expect = Changes {
            new: vec![spec("new", 1)],
            changed: vec![spec("changed", 2)],
            removed: vec![spec("removed", 1).function],
        };
        assert_eq!(changes, expect);
    }

    #[test]
    fn a_removed_function_ends_with_its_last_call() {
        let roster = Roster::default();
        let a = spec("a", 1);
        roster.put(a.clone());
        let open = roster.admit(&a.function, USUAL).unwrap();
        roster.leave(&a.function);
        assert!(roster.admit(&a.function, USUAL).is_none());
        assert_eq!(roster.take_left(), []);
        drop(open);
        assert!(roster.has_leaving());
        assert_eq!(roster.take_left(), [a]);
        assert!(!roster.has_leaving());
    }

    #[test]
    fn a_function_that_comes_back_keeps_its_count() {
        let roster = Roster::default();
        let a = spec("a", 1);
        roster.put(a.clone());
        let open = roster.admit(&a.function, USUAL).unwrap();
        roster.leave(&a.function);
        assert_eq!(roster.changes(&file(from_ref(&a))).new, from_ref(&a));
        roster.put(a.clone());
        assert_eq!(roster.changes(&file(from_ref(&a))), Changes::default());
        roster.leave(&a.function);
        assert_eq!(roster.take_left(), []);
        drop(open);
        assert_eq!(roster.take_left(), [a]);
    }
}
