//! The reconciler: finds consumers of other nodes that are dead, and has the store remove them.
//!
//! A node is dead when none of its sessions lives for the session grace, while the observer's own link
//! stood long enough and the server lives the same life; or when its heartbeat did not change for the
//! consumer timeout. Both are measured by the observer's own clock, as watched by this observer, so that
//! clock jumps and restarts rob nobody. A node with many functions looks at them in rounds; sessions are seen
//! with every look, and a consumer that seems dead is looked at next. The store compares epoch, heartbeat and sessions once more, and
//! removes atomically (P6).

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::Bound;

use crate::event::Event;
use crate::name::{ConsumerId, FunctionId};
use crate::node::desk::Desk;
use crate::node::outbox::Route;
use crate::op::{ConsumerRecord, FunctionSurvey, GroupName, Op, OpResult, Reply, Survey};
use crate::reachable;
use crate::time::Time;

/// What was seen of another node's consumer, and since when.
#[derive(Clone, Debug)]
struct Observation {
    function: FunctionId,
    record: ConsumerRecord,
    /// Since when the record did not change.
    unchanged_since: Time,
    /// Since when none of its node's sessions lives.
    sessionless_since: Option<Time>,
    /// It read or renewed lately, by the last look at its function.
    renews: bool,
    removing: bool,
    /// The look that saw it last.
    look: u64,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reconciler {
    surveying: bool,
    /// The last function of the round that was looked at.
    cursor: Option<FunctionId>,
    /// Every function was looked at once.
    went_round: bool,
    observed: BTreeMap<ConsumerId, Observation>,
    /// Looks at one function, so far.
    looks: u64,
    /// Consumers removed by this node, and entries taken over from them.
    pub(crate) removed: u64,
    pub(crate) taken_over: u64,
}

impl Reconciler {
    /// Looks at the next functions of the round, and at those with a consumer that seems dead.
    pub(crate) fn survey<T>(&mut self, desk: &mut Desk, functions: &BTreeMap<FunctionId, T>) {
        if std::mem::replace(&mut self.surveying, true) {
            return;
        }
        let most = desk.config.survey_functions_max * if self.is_alone() { 2 } else { 1 };
        let after = self.cursor.take().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = functions.range((after, Bound::Unbounded)).map(|(function, _)| function);
        let round: Vec<_> = rest.take(most).cloned().collect();
        let is_whole = round.len() < most;
        self.went_round |= is_whole;
        self.cursor = round.last().filter(|_| !is_whole).cloned();
        let mut asked: BTreeSet<FunctionId> = round.into_iter().collect();
        let seem_dead = self.observed.values().filter(|it| it.sessionless_since.is_some());
        asked.extend(seem_dead.map(|it| it.function.clone()));
        asked.retain(|function| functions.contains_key(function));
        let op = Op::Survey { functions: asked.into_iter().collect() };
        desk.outbox.push(desk.now, op, Route::Survey);
    }

    /// A whole round saw no consumer of another node: nobody is to be watched dying. Looks are rarer then,
    /// and go as far.
    pub(crate) fn is_alone(&self) -> bool {
        self.went_round && self.observed.is_empty()
    }

    pub(crate) fn surveyed(
        &mut self,
        desk: &mut Desk,
        link_since: Option<Time>,
        ours: impl Fn(&ConsumerId) -> bool,
        result: &OpResult,
    ) {
        self.surveying = false;
        let Ok(Reply::Surveyed(survey)) = result else {
            return;
        };
        let settled =
            link_since.is_some_and(|since| desk.now.since(since) >= desk.config.observer_settle);
        // Of what could not be read nothing is known: whoever was seen there stays as seen, is not found
        // dead, and is looked for as often as before.
        self.went_round &= survey.unread.is_empty();
        for function in &survey.functions {
            self.look_at(desk, function, &ours);
        }
        let surveyed: BTreeSet<_> = survey.functions.iter().map(|it| &it.function).collect();
        for observation in self.observed.values_mut() {
            observation.watch_sessions(desk.now, survey, settled);
            let looked_at = surveyed.contains(&observation.function);
            if looked_at && !observation.removing && observation.is_dead(desk) {
                reachable!(desk.probes, "a consumer was found dead");
                observation.removing = true;
                remove(desk, observation);
            }
        }
    }

    /// Takes in what stands registered for one function.
    fn look_at(
        &mut self,
        desk: &Desk,
        function: &FunctionSurvey,
        ours: impl Fn(&ConsumerId) -> bool,
    ) {
        self.looks += 1;
        for (index, record) in function.consumers.iter().enumerate() {
            if ours(&record.consumer) {
                continue;
            }
            let renews = name_of(function, record, index)
                .is_some_and(|name| name.idle < desk.config.session_grace);
            match self.observed.get_mut(&record.consumer) {
                Some(seen) if seen.record.is_unchanged(record) => {
                    (seen.renews, seen.look) = (renews, self.looks);
                }
                _ => {
                    let seen = Observation {
                        function: function.function.clone(),
                        record: record.clone(),
                        unchanged_since: desk.now,
                        sessionless_since: None,
                        renews,
                        removing: false,
                        look: self.looks,
                    };
                    self.observed.insert(record.consumer.clone(), seen);
                }
            }
        }
        let looks = self.looks;
        self.observed.retain(|_, seen| seen.look == looks || seen.function != function.function);
    }

    pub(crate) fn removed(
        &mut self,
        desk: &mut Desk,
        function: FunctionId,
        consumer: ConsumerId,
        result: &OpResult,
    ) {
        // Removed, or it lives after all: what comes next is watched anew.
        self.observed.remove(&consumer);
        if let Ok(Reply::Removed { taken_over }) = result {
            self.removed += 1;
            self.taken_over += u64::from(*taken_over);
            desk.tell(Event::TakenOver { function, consumer, entries: *taken_over });
        }
    }

    pub(crate) fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        (self.surveying, &self.cursor, self.went_round).hash(&mut into);
        for (consumer, observation) in &self.observed {
            consumer.hash(&mut into);
            now.since(observation.unchanged_since).hash(&mut into);
            observation.sessionless_since.map(|since| now.since(since)).hash(&mut into);
            (observation.renews, observation.removing).hash(&mut into);
        }
    }
}

/// The group's name of a consumer. Where the store lists both in one order it stands at the same place, or
/// near.
fn name_of<'a>(
    function: &'a FunctionSurvey,
    record: &ConsumerRecord,
    index: usize,
) -> Option<&'a GroupName> {
    let is_its = |name: &&GroupName| name.consumer == record.consumer;
    let there = function.names.get(index).filter(is_its);
    there.or_else(|| function.names.iter().find(is_its))
}

impl ConsumerRecord {
    /// Nothing of it changed that a living consumer changes.
    fn is_unchanged(&self, now: &Self) -> bool {
        self.epoch == now.epoch && self.heartbeat == now.heartbeat && self.sessions == now.sessions
    }
}

impl Observation {
    /// Sessions say something only where the observer's own link stood for long, and the server lives the
    /// life in which the consumer last beat.
    fn watch_sessions(&mut self, now: Time, survey: &Survey, settled: bool) {
        let sessionless = match &survey.sessions {
            Some(live) if settled && self.record.run_id == survey.run_id => {
                !self.record.sessions.iter().any(|session| live.contains(session))
            }
            Some(_) | None => false,
        };
        if sessionless {
            self.sessionless_since.get_or_insert(now);
        } else {
            self.sessionless_since = None;
        }
    }

    fn is_dead(&self, desk: &Desk) -> bool {
        let gone = self
            .sessionless_since
            .is_some_and(|since| desk.now.since(since) >= desk.config.session_grace);
        (gone && !self.renews)
            || desk.now.since(self.unchanged_since) >= desk.config.consumer_timeout
    }
}

fn remove(desk: &mut Desk, observation: &Observation) {
    let (function, record) = (&observation.function, &observation.record);
    let op = Op::Remove {
        function: function.clone(),
        consumer: record.consumer.clone(),
        epoch: record.epoch,
        heartbeat: record.heartbeat,
        sessions: record.sessions.clone(),
    };
    let route = Route::Remove(function.clone(), record.consumer.clone());
    desk.outbox.push(desk.now, op, route);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::name::{Epoch, NodeId, RunId, SessionId};
    use crate::op::{ConsumerStatus, Unread};
    use crate::time::StoreTime;
    use crate::transport::{ErrorKind, TransportError};

    fn function() -> FunctionId {
        FunctionId::new("greet", "global").unwrap()
    }

    fn run_id() -> RunId {
        RunId::new("run").unwrap()
    }

    /// A look at one function, whose consumer is of a node without a session; or one that could not be read.
    fn look(readable: bool) -> Reply {
        let record = ConsumerRecord {
            consumer: ConsumerId::new("other").unwrap(),
            epoch: Epoch(1),
            node: NodeId::new("other-node").unwrap(),
            status: ConsumerStatus::Active,
            started_at: StoreTime::ZERO,
            heartbeat: StoreTime::ZERO,
            run_id: run_id(),
            sessions: [SessionId(9)].into(),
            error_count: 0,
            last_error: None,
        };
        let seen = FunctionSurvey {
            function: function(),
            has_stream: true,
            has_group: true,
            entries: 0,
            open: 0,
            parked: 0,
            next_due: None,
            consumers: vec![record],
            names: Vec::new(),
        };
        let error = TransportError::not_applied(ErrorKind::WrongType, "");
        Reply::Surveyed(Survey {
            run_id: run_id(),
            now: StoreTime::ZERO,
            sessions: Some(BTreeSet::new()),
            functions: readable.then_some(seen).into_iter().collect(),
            unread: (!readable)
                .then_some(Unread { function: function(), error })
                .into_iter()
                .collect(),
        })
    }

    /// Looks once a second, as given; answers how many removals were asked for.
    fn removals(looks: &[bool]) -> usize {
        let mut desk = Desk::new(NodeId::new("node").unwrap(), Config::default(), 1);
        let mut reconciler = Reconciler::default();
        let asked = BTreeMap::from([(function(), 1)]);
        desk.now = Time::ZERO + Duration::from_secs(100);
        for readable in looks {
            desk.now += Duration::from_secs(1);
            reconciler.survey(&mut desk, &asked);
            reconciler.surveyed(&mut desk, Some(Time::ZERO), |_| false, &Ok(look(*readable)));
            assert!(!reconciler.is_alone(), "somebody may be there");
        }
        desk.outbox.len(crate::op::Lane::Control) - looks.len()
    }

    #[test]
    fn what_cannot_be_read_is_not_dead() {
        assert_eq!(removals(&[true, true, true]), 1);
        assert_eq!(removals(&[true, false, false, false, false]), 0);
        assert_eq!(removals(&[false, false, false]), 0);
        assert_eq!(removals(&[true, false, false, false, true]), 1);
    }
}
