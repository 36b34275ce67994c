//! The reconciler: finds consumers of other nodes that are dead, and has the store remove them.
//!
//! A node is dead when none of its sessions lives for the session grace, while the observer's own link
//! stood long enough and the server lives the same life; or when its heartbeat did not change for the
//! consumer timeout. Both are measured by the observer's own clock, as watched by this observer, so that
//! clock jumps and restarts rob nobody. The store compares epoch, heartbeat and sessions once more, and
//! removes atomically (P6).

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use crate::event::Event;
use crate::name::{ConsumerId, FunctionId};
use crate::node::desk::Desk;
use crate::node::outbox::Route;
use crate::op::{ConsumerRecord, FunctionSurvey, Op, OpResult, Reply, Survey};
use crate::time::Time;

/// What was seen of another node's consumer, and since when.
#[derive(Clone, Debug)]
struct Observation {
    record: ConsumerRecord,
    /// Since when the record did not change.
    unchanged_since: Time,
    /// Since when none of its node's sessions lives.
    sessionless_since: Option<Time>,
    removing: bool,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reconciler {
    surveying: bool,
    observed: BTreeMap<ConsumerId, Observation>,
    /// Consumers removed by this node, and entries taken over from them.
    pub(crate) removed: u64,
    pub(crate) taken_over: u64,
}

impl Reconciler {
    pub(crate) fn survey<'a>(
        &mut self,
        desk: &mut Desk,
        functions: impl Iterator<Item = &'a FunctionId>,
    ) {
        if !self.surveying {
            self.surveying = true;
            let op = Op::Survey { functions: functions.cloned().collect() };
            desk.outbox.push(desk.now, op, Route::Survey);
        }
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
        let mut seen = BTreeMap::new();
        for function in &survey.functions {
            for record in function.consumers.iter().filter(|record| !ours(&record.consumer)) {
                let observation = self.observed.remove(&record.consumer);
                let mut observation = look(desk.now, observation, record);
                if !observation.removing
                    && is_dead(desk, survey, function, &mut observation, settled)
                {
                    observation.removing = true;
                    remove(desk, &function.function, record);
                }
                seen.insert(record.consumer.clone(), observation);
            }
        }
        self.observed = seen;
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
        self.surveying.hash(&mut into);
        for (consumer, observation) in &self.observed {
            consumer.hash(&mut into);
            now.since(observation.unchanged_since).hash(&mut into);
            observation.sessionless_since.map(|since| now.since(since)).hash(&mut into);
            observation.removing.hash(&mut into);
        }
    }
}

fn look(now: Time, before: Option<Observation>, record: &ConsumerRecord) -> Observation {
    match before {
        Some(observation)
            if observation.record.epoch == record.epoch
                && observation.record.heartbeat == record.heartbeat
                && observation.record.sessions == record.sessions =>
        {
            observation
        }
        _ => Observation {
            record: record.clone(),
            unchanged_since: now,
            sessionless_since: None,
            removing: false,
        },
    }
}

fn is_dead(
    desk: &Desk,
    survey: &Survey,
    function: &FunctionSurvey,
    observation: &mut Observation,
    settled: bool,
) -> bool {
    let record = &observation.record;
    let sessionless = match &survey.sessions {
        Some(live) if settled && record.run_id == survey.run_id => {
            !record.sessions.iter().any(|session| live.contains(session))
        }
        Some(_) | None => false,
    };
    let idle = function.names.iter().find(|name| name.consumer == record.consumer);
    let renews = idle.is_some_and(|name| name.idle < desk.config.session_grace);
    if sessionless {
        observation.sessionless_since.get_or_insert(desk.now);
    } else {
        observation.sessionless_since = None;
    }
    let gone = observation
        .sessionless_since
        .is_some_and(|since| desk.now.since(since) >= desk.config.session_grace);
    (gone && !renews) || desk.now.since(observation.unchanged_since) >= desk.config.consumer_timeout
}

fn remove(desk: &mut Desk, function: &FunctionId, record: &ConsumerRecord) {
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
