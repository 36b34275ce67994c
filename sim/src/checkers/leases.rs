//! P2 and P6 as far as leases go: who holds a call runs it alone, a removed consumer works no more, and a
//! failure is decided by who holds the call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steadfast_core::call::{CallState, FailureKind, Outcome};
use steadfast_core::name::{CallId, ConsumerId};

use super::{Calm, Promise, Violation};
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

/// What befell a host so long ago may still show.
const AFTERMATH: Duration = Duration::from_secs(20);

/// An undisturbed consumer that was removed has learnt so by its heartbeat after this.
const LEARNT: Duration = Duration::from_secs(20);

/// One execution that has not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run<'a> {
    host: HostId,
    consumer: &'a ConsumerId,
    since: Moment,
}

struct Leases<'a> {
    history: &'a History,
    running: BTreeMap<&'a CallId, Vec<Run<'a>>>,
    /// Whom each call was handed to last, as far as the world notes it.
    handed: BTreeMap<&'a CallId, &'a ConsumerId>,
    /// The execution that each call was begun by last, of those by who may hold it.
    latest: BTreeMap<&'a CallId, Run<'a>>,
    removed: BTreeMap<&'a ConsumerId, Moment>,
    /// Calls with an error offered by token.
    offered: BTreeSet<&'a CallId>,
}

/// Checks every execution and every failure.
pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let mut leases = Leases {
        history,
        running: BTreeMap::new(),
        handed: BTreeMap::new(),
        latest: BTreeMap::new(),
        removed: BTreeMap::new(),
        offered: BTreeSet::new(),
    };
    for (at, fact) in history.facts() {
        if let Some((promise, what)) = leases.broken_by(*at, fact) {
            found.push(Violation { promise, at: *at, what });
        }
    }
}

impl<'a> Leases<'a> {
    fn broken_by(&mut self, at: Moment, fact: &'a Fact) -> Option<(Promise, String)> {
        match fact {
            Fact::Delivered { consumer, call, .. } => {
                self.handed.insert(call, consumer);
                None
            }
            Fact::Begun { host, consumer, call, .. } => {
                let run = Run { host: *host, consumer, since: at };
                let broken = self.is_resurrected(run).or_else(|| self.is_robbery(run, call));
                self.running.entry(call).or_default().push(run);
                if self.may_hold(consumer, call) {
                    self.latest.insert(call, run);
                }
                broken.map(|what| (Promise::DeadNoticed, what))
            }
            Fact::Ended { host, consumer, call, .. }
            | Fact::Interrupted { host, consumer, call } => {
                if let Some(runs) = self.running.get_mut(call) {
                    runs.retain(|run| run.host != *host || run.consumer != consumer);
                }
                None
            }
            Fact::Killed { host, .. } => {
                for runs in self.running.values_mut() {
                    runs.retain(|run| run.host != *host);
                }
                None
            }
            Fact::Removed { consumer, .. } => {
                self.removed.insert(consumer, at);
                None
            }
            // Whom a call was handed to may be among what was lost: an earlier holder holds it again.
            Fact::Lost { .. } => {
                self.handed.clear();
                self.latest.clear();
                None
            }
            Fact::Offered { call, .. } => {
                self.offered.insert(call);
                None
            }
            Fact::Decided { call, state: CallState::Decided(record) } => match &record.outcome {
                Outcome::Error(failure) if failure.kind == FailureKind::Handler => {
                    self.is_still_run(call).map(|what| (Promise::DecidedOnce, what))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn calm(&self, from: Moment, until: Moment, hosts: [HostId; 2]) -> bool {
        let calm = Calm { history: self.history };
        calm.holds((from, until), |host| host.is_none_or(|host| hosts.contains(&host)))
    }

    /// A consumer that was removed long ago, and could have learnt so, begins another call.
    fn is_resurrected(&self, run: Run<'_>) -> Option<String> {
        let removed = *self.removed.get(run.consumer)?;
        let could_learn = run.since.since(removed) > LEARNT
            && self.calm(run.since.before(LEARNT), run.since, [run.host; 2]);
        could_learn.then(|| {
            format!("{}: {} begins a call, and was removed at {removed}", run.host, run.consumer)
        })
    }

    /// A call is begun that another consumer runs, which nothing kept from its lease.
    fn is_robbery(&self, run: Run<'_>, call: &CallId) -> Option<String> {
        let robbed = self.running.get(call)?.iter().find(|other| {
            (other.host, other.consumer) != (run.host, run.consumer)
                && !self.removed.contains_key(other.consumer)
                && self.calm(other.since.before(AFTERMATH), run.since, [run.host, other.host])
        })?;
        Some(format!(
            "{}: {} begins {call}, which {} runs since {}",
            run.host, run.consumer, robbed.consumer, robbed.since
        ))
    }

    /// Who was removed, and has yet to learn so, holds nothing that it begins; and who begins late what was
    /// handed to another since holds it no more.
    fn may_hold(&self, consumer: &ConsumerId, call: &CallId) -> bool {
        let is_handed_on = self.handed.get(call).is_some_and(|last| *last != consumer);
        !is_handed_on && !self.removed.contains_key(consumer)
    }

    /// A handler's error decided a call whose latest attempt still runs: who failed did not hold it.
    fn is_still_run(&self, call: &CallId) -> Option<String> {
        let latest = self.latest.get(call)?;
        let runs = self.running.get(call)?.iter().any(|run| run == latest);
        (runs && !self.offered.contains(call)).then(|| {
            format!(
                "{call} is decided as failed, and {} runs its latest attempt since {}",
                latest.consumer, latest.since
            )
        })
    }
}
