//! Consumers: registration, heartbeat, removal, and what is known of them.

use steadfast_core::definition::Definition;
use steadfast_core::name::{ConsumerId, EntryId, Epoch, FunctionId, NodeId, SessionId};
use steadfast_core::op::{
    ConsumerRecord, ConsumerStatus, FunctionSurvey, GroupName, Pulse, PulseAnswer, Reply,
};
use steadfast_core::time::StoreTime;

use super::function::{Function, STATE_TTL};
use super::stream::{Group, Stream};
use super::work::{Return, Work};

impl Work<'_> {
    /// [`Op::Register`](steadfast_core::op::Op::Register). A repeat answers the epoch and changes no
    /// state: a late one must not pass for a heartbeat, nor bring back a consumer that was removed.
    pub(super) fn register(
        &mut self,
        definition: &Definition,
        consumer: &ConsumerId,
        node: &NodeId,
        sessions: &[SessionId],
    ) -> Epoch {
        let known = self.function.known(self.now, consumer);
        let known = known.map(|record| (record.epoch, record.status));
        if known.is_none_or(|(_, status)| status != ConsumerStatus::Stopped) {
            self.ensure();
        }
        if let Some((epoch, _)) = known {
            return epoch;
        }
        let epoch = self.function.next_epoch(self.now);
        let record = ConsumerRecord {
            consumer: consumer.clone(),
            epoch,
            node: node.clone(),
            status: ConsumerStatus::Starting,
            started_at: self.now,
            heartbeat: self.now,
            run_id: self.run_id.clone(),
            sessions: sessions.into(),
            error_count: 0,
            last_error: None,
        };
        let expires = self.now + STATE_TTL;
        self.function.set_consumer(record, expires);
        self.function.set_definition(definition.clone(), expires);
        epoch
    }

    /// One consumer's part of [`Op::Beat`](steadfast_core::op::Op::Beat).
    pub(super) fn beat(&mut self, sessions: &[SessionId], pulse: &Pulse) -> PulseAnswer {
        let record = self
            .function
            .consumer(self.now, &pulse.consumer)
            .filter(|record| record.epoch == pulse.epoch);
        let Some(record) = record else {
            return PulseAnswer::Removed;
        };
        let record = ConsumerRecord {
            status: pulse.status,
            heartbeat: self.now,
            run_id: self.run_id.clone(),
            sessions: sessions.into(),
            error_count: pulse.error_count,
            last_error: pulse.last_error.clone(),
            ..record.clone()
        };
        let expires = self.now + STATE_TTL;
        self.function.set_consumer(record, expires);
        self.function.refresh(expires);
        PulseAnswer::Alive { pending: self.pending_at(&pulse.consumer) }
    }

    fn pending_at(&self, consumer: &ConsumerId) -> Vec<EntryId> {
        self.stream()
            .and_then(Stream::group)
            .map(|group| group.pending_at(consumer))
            .unwrap_or_default()
    }

    /// Gives back all that is pending at a consumer, then removes its name.
    fn dissolve(&mut self, consumer: &ConsumerId, how: Return) -> u32 {
        let pending = self.pending_at(consumer);
        for id in &pending {
            self.give_back(*id, how);
        }
        if let Some(stream) = &mut self.function.stream {
            stream.remove_name(consumer);
        }
        pending.len() as u32
    }

    /// [`Op::Deregister`](steadfast_core::op::Op::Deregister). Where there is no state any more, a name
    /// that a late read re-created is dissolved all the same: the incarnation is over. State of another
    /// epoch is left alone, with its name. The last consumer takes the stream with it, where that holds
    /// nothing.
    pub(super) fn deregister(&mut self, consumer: &ConsumerId, epoch: Epoch) -> u32 {
        let record = self.function.consumer(self.now, consumer);
        if record.is_some_and(|record| record.epoch != epoch) {
            return 0;
        }
        let released = self.dissolve(consumer, Return::Released);
        self.function.bury_consumer(self.now, consumer);
        self.closed_any = true;
        released
    }

    /// [`Op::Remove`](steadfast_core::op::Op::Remove).
    pub(super) fn remove(
        &mut self,
        consumer: &ConsumerId,
        epoch: Epoch,
        heartbeat: StoreTime,
        sessions: &[SessionId],
    ) -> Reply {
        let as_observed = self.function.consumer(self.now, consumer).is_some_and(|record| {
            record.epoch == epoch && record.heartbeat == heartbeat && *record.sessions == *sessions
        });
        if !as_observed {
            return Reply::Kept;
        }
        let taken_over = self.dissolve(consumer, Return::TakenOver);
        self.function.bury_consumer(self.now, consumer);
        self.closed_any = true;
        Reply::Removed { taken_over }
    }
}

/// How one function stands, for [`Op::Survey`](steadfast_core::op::Op::Survey).
pub(super) fn survey(
    now: StoreTime,
    id: &FunctionId,
    function: Option<&Function>,
) -> FunctionSurvey {
    let blank = Function::default();
    let function = function.unwrap_or(&blank);
    let stream = function.stream.as_ref();
    let group = stream.and_then(Stream::group);
    FunctionSurvey {
        function: id.clone(),
        has_stream: stream.is_some(),
        has_group: group.is_some(),
        entries: stream.map_or(0, Stream::len) as u64,
        open: function.open().len() as u64,
        parked: function.parked().len() as u64,
        next_due: function.next_due(now),
        consumers: function.consumers(now).cloned().collect(),
        names: group.map(|group| names(now, group)).unwrap_or_default(),
    }
}

fn names(now: StoreTime, group: &Group) -> Vec<GroupName> {
    group
        .names()
        .iter()
        .map(|(consumer, name)| GroupName {
            consumer: consumer.clone(),
            pending: name.pending.len() as u64,
            idle: now.since(name.seen_at),
        })
        .collect()
}
