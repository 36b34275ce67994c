//! P6: the calls of a killed worker run elsewhere soon; a living worker is not robbed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steadfast_core::name::{CallId, FunctionId};

use super::{Calm, Promise, Terms, Violation};
use crate::faults::{FaultKind, NODE_CLOCK_MOST};
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

/// Clocks drift, and what an observer watched it learnt a journey later.
const MARGIN: Duration = Duration::from_millis(500);

/// Checks every removal and every kill.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut running: BTreeMap<HostId, BTreeMap<&CallId, &FunctionId>> = BTreeMap::new();
    let mut jumps: Vec<Moment> = Vec::new();
    for (index, (at, fact)) in history.facts().iter().enumerate() {
        // By an observer's own clock, what it watches may be quiet for as much longer as that jumped.
        jumps.retain(|jump| at.since(*jump) < terms.consumer_timeout);
        let margin = MARGIN + NODE_CLOCK_MOST * jumps.len() as u32;
        match fact {
            Fact::Disturbed { kind: FaultKind::NodeClock, .. } => jumps.push(*at),
            Fact::Begun { host, function, call, .. } => {
                running.entry(*host).or_default().insert(call, function);
            }
            Fact::Ended { host, call, .. } => {
                running.entry(*host).or_default().remove(call);
            }
            Fact::Removed { consumer, connected_for, beat_ago, .. }
                if *connected_for > Duration::ZERO
                    && *beat_ago + margin < terms.consumer_timeout =>
            {
                found.push(Violation {
                    promise: Promise::DeadNoticed,
                    at: *at,
                    what: format!(
                        "{consumer} was removed while a session of its node stood for \
                         {connected_for:?}, and its last sign of life was {beat_ago:?} ago"
                    ),
                });
            }
            Fact::Killed { host, sessions_end: true } => {
                let orphans = running.remove(host).unwrap_or_default();
                let scene = Scene { history, terms, index, at: *at, killed: *host };
                scene.check(&orphans, found);
            }
            _ => {}
        }
    }
}

/// One kill, and what stood around it.
struct Scene<'a> {
    history: &'a History,
    terms: &'a Terms,
    index: usize,
    at: Moment,
    killed: HostId,
}

impl Scene<'_> {
    fn check(&self, orphans: &BTreeMap<&CallId, &FunctionId>, found: &mut Vec<Violation>) {
        let due = self.at + self.terms.takeover;
        let end = self.history.facts().last().map_or(self.at, |(at, _)| *at);
        let settle = self.terms.observer_settle + Duration::from_secs(1);
        if orphans.is_empty() || end < due || self.at.since(Moment::ZERO) < settle {
            return;
        }
        let settled = self.at.before(settle);
        let window = (settled, due);
        let calm = Calm { history: self.history };
        for (call, function) in orphans {
            let observers = self.observers(function, window);
            let watched = observers.iter().any(|observer| {
                calm.holds(window, |host| {
                    host.is_none_or(|host| host == *observer || host == self.killed)
                })
            });
            if watched
                && !self.was_lost(call)
                && !self.was_settled(call)
                && !self.runs_by(call, due)
                && !self.is_with_another_victim(call, due)
            {
                found.push(Violation {
                    promise: Promise::DeadNoticed,
                    at: due,
                    what: format!(
                        "{call} was run by {}, killed at {}, and runs nowhere else",
                        self.killed, self.at
                    ),
                });
            }
        }
    }

    /// Hosts that served the function, were up before and stayed up, and were told to stop nothing.
    fn observers(
        &self,
        function: &FunctionId,
        (from, until): (Moment, Moment),
    ) -> BTreeSet<HostId> {
        let mut hosts = BTreeSet::new();
        for (at, fact) in self.history.facts() {
            match fact {
                Fact::Served { host, function: served, .. }
                    if *at <= from && served == function =>
                {
                    hosts.insert(*host);
                }
                Fact::Killed { host, .. }
                | Fact::StopSent { host, .. }
                | Fact::Retired { host, .. }
                | Fact::ShutdownSent { host }
                    if *at <= until =>
                {
                    hosts.remove(host);
                }
                _ => {}
            }
        }
        hosts
    }

    /// The store lost the call or its body.
    fn was_lost(&self, call: &CallId) -> bool {
        self.history.facts().iter().any(|(_, fact)| match fact {
            Fact::Lost { calls, decisions, .. } => calls.contains(call) || decisions.contains(call),
            Fact::BodiesLost { calls, .. } => calls.contains(call),
            _ => false,
        })
    }

    /// The call was decided before the kill.
    fn was_settled(&self, call: &CallId) -> bool {
        self.history.facts()[..self.index]
            .iter()
            .any(|(_, fact)| matches!(fact, Fact::Decided { call: decided, .. } if decided == call))
    }

    /// What happened from a fact on, and by then.
    fn facts_by(&self, from: usize, due: Moment) -> impl Iterator<Item = &(Moment, Fact)> {
        self.history.facts()[from..].iter().take_while(move |(at, _)| *at <= due)
    }

    /// The call was taken over in time, by one that was then killed or disturbed itself, and may have
    /// begun nothing.
    fn is_with_another_victim(&self, call: &CallId, due: Moment) -> bool {
        let undisturbed = Calm { history: self.history };
        self.facts_by(self.index, due).zip(self.index..).any(|((at, fact), index)| match fact {
            Fact::Delivered { host: next, call: delivered, .. }
                if delivered == call && *next != self.killed =>
            {
                let falls = |fact: &Fact| matches!(fact, Fact::Killed { host, .. } if host == next);
                self.facts_by(index, due).any(|(_, fact)| falls(fact))
                    || !undisturbed.holds((*at, due), |host| host == Some(*next))
            }
            _ => false,
        })
    }

    /// The call is begun elsewhere, or decided, by then.
    fn runs_by(&self, call: &CallId, due: Moment) -> bool {
        self.facts_by(self.index, due).any(|(_, fact)| match fact {
            Fact::Begun { host, call: begun, .. } => begun == call && *host != self.killed,
            Fact::Decided { call: decided, .. } => decided == call,
            _ => false,
        })
    }
}
