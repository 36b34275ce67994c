//! What a store acknowledged and may lose, and its losing it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steadfast_core::call::{CallState, Place};
use steadfast_core::name::{CallId, ConsumerId, EntryId, FunctionId};

use super::World;
use crate::faults::{FaultKind, Refusal};
use crate::history::Fact;
use crate::moment::Moment;
use crate::subject::{SimStore, Subject};

/// After it, a loss excuses no delay any more by itself: by then whoever the store forgot was fenced and
/// registered anew, and whoever it remembers from the past was found dead.
const AFTERMATH: Duration = Duration::from_secs(75);

/// Where in the store's past each thing was acknowledged. Places are those of [`SimStore::place`].
#[derive(Debug, Default)]
pub(super) struct Past {
    places: Vec<(Moment, usize)>,
    admitted: BTreeMap<CallId, usize>,
    decided: BTreeMap<CallId, usize>,
    registered: BTreeMap<ConsumerId, usize>,
    malformed: BTreeMap<(FunctionId, EntryId), usize>,
    undone: BTreeSet<CallId>,
}

/// Takes out what lies behind a place.
fn behind<K: Ord + Clone>(known: &mut BTreeMap<K, usize>, place: usize) -> Vec<K> {
    let lost: Vec<K> =
        known.iter().filter(|(_, at)| **at > place).map(|(key, _)| key.clone()).collect();
    for key in &lost {
        known.remove(key);
    }
    lost
}

impl Past {
    /// Notes how far the store was at a moment.
    pub(super) fn remember(&mut self, now: Moment, place: impl FnOnce() -> usize) {
        let place = place();
        if place > 0 {
            match self.places.last_mut() {
                Some((at, last)) if *at == now => *last = place,
                _ => self.places.push((now, place)),
            }
        }
    }

    /// How far the store was at the end of that moment.
    fn place_at(&self, at: Moment) -> usize {
        let later = self.places.partition_point(|(moment, _)| *moment <= at);
        later.checked_sub(1).map_or(0, |index| self.places[index].1)
    }

    pub(super) fn admitted(&mut self, place: usize, call: &CallId) {
        self.admitted.insert(call.clone(), place);
        self.decided.remove(call);
    }

    pub(super) fn decided(&mut self, place: usize, call: &CallId) {
        self.decided.insert(call.clone(), place);
    }

    pub(super) fn registered(&mut self, place: usize, consumer: &ConsumerId) {
        self.registered.entry(consumer.clone()).or_insert(place);
    }

    pub(super) fn malformed(&mut self, place: usize, function: FunctionId, entry: EntryId) {
        self.malformed.insert((function, entry), place);
    }

    /// The store made a decision of this call and lost it.
    pub(super) fn lost_decision(&self, call: &CallId) -> bool {
        self.undone.contains(call)
    }

    /// Everything behind a place is lost.
    fn lose(&mut self, place: usize) -> Fact {
        self.places.retain(|(_, kept)| *kept <= place);
        let calls = behind(&mut self.admitted, place);
        let mut decisions = behind(&mut self.decided, place);
        decisions.retain(|call| self.admitted.contains_key(call));
        self.undone.extend(decisions.iter().cloned());
        let consumers = behind(&mut self.registered, place);
        let entries = behind(&mut self.malformed, place);
        Fact::Lost { calls, decisions, consumers, entries }
    }
}

impl<M: Subject, S: SimStore> World<M, S> {
    /// The store comes back without the writes of the last while; where it is a replica that took over,
    /// it refuses writes for a time.
    pub(super) fn lose(&mut self, kind: FaultKind, lag: Duration, down: Duration) {
        if !self.store_up {
            return;
        }
        let place = self.past.place_at(self.now.before(lag));
        let now = self.store_now();
        self.end_sessions();
        if !self.store.go_back(place, now) {
            self.store.restart(now);
            self.come_back(down);
            return;
        }
        self.note(|_| format!("store loses the writes of the last {lag:?} ({kind})"));
        self.disturbed(None, kind, self.now + down + AFTERMATH);
        let lost = self.past.lose(place);
        self.forget(lost);
        if kind == FaultKind::Failover {
            self.refusing = Some((Refusal::ReadOnly, self.now + down));
            self.come_back(down / 4);
        } else {
            self.come_back(down);
        }
    }

    /// The store loses everything.
    pub(super) fn flush(&mut self, restarts: bool) {
        if !self.store_up {
            return;
        }
        self.note(|_| "store loses everything".into());
        self.disturbed(None, FaultKind::StoreFlush, self.now + AFTERMATH);
        let now = self.store_now();
        self.store.flush(now);
        let lost = self.past.lose(0);
        self.past.remember(self.now, || self.store.place());
        self.forget(lost);
        if restarts {
            self.restart_store(Duration::from_secs(1));
        } else {
            self.wake_others();
        }
    }

    fn forget(&mut self, lost: Fact) {
        let Fact::Lost { calls, decisions, consumers, .. } = &lost else {
            return;
        };
        for call in calls {
            if let Some(standing) = self.admitted.remove(call)
                && !standing.decided
            {
                self.open -= 1;
            }
        }
        for call in decisions {
            if let Some(standing) = self.admitted.get_mut(call)
                && std::mem::take(&mut standing.decided)
            {
                self.open += 1;
            }
        }
        for consumer in consumers {
            self.consumers.remove(consumer);
        }
        self.fact(lost);
        let wrong = self.store.audit();
        steadfast_core::always!(self.probes, wrong.is_empty(), "a store that went back is sound");
    }

    /// Somebody deletes a function's stream: what stood there can only expire.
    pub(super) fn delete_stream(&mut self, function: u16) {
        let function = self.scenario.functions[usize::from(function)].clone();
        let open: Vec<CallId> = self
            .admitted
            .iter()
            .filter(|(_, standing)| !standing.decided && standing.function == function)
            .map(|(call, _)| call.clone())
            .collect();
        let mut calls = Vec::new();
        for call in open {
            if let CallState::Open { place: Place::Queued | Place::Pending(_), .. } =
                self.look(&function, &call)
            {
                calls.push(call);
            }
        }
        let entries = self.past.malformed.keys().filter(|(of, _)| *of == function);
        let entries = entries.cloned().collect();
        self.disturbed(None, FaultKind::StreamDeleted, self.now + AFTERMATH);
        self.note(|_| format!("somebody deletes the stream of {function}"));
        self.bodies_lost.extend(calls.iter().cloned());
        self.fact(Fact::BodiesLost { calls, entries });
        let now = self.store_now();
        self.store.delete_stream(now, &function);
        self.wake_others();
    }

    /// Somebody deletes a function's group.
    pub(super) fn delete_group(&mut self, function: u16) {
        let function = self.scenario.functions[usize::from(function)].clone();
        self.disturbed(None, FaultKind::GroupDeleted, self.now + AFTERMATH);
        self.note(|_| format!("somebody deletes the group of {function}"));
        let now = self.store_now();
        self.store.delete_group(now, &function);
        self.wake_others();
    }
}
