//! What befalls a store beside its operations: restarts, losses, and older peers' own commands.

use steadfast_core::call::Record;
use steadfast_core::name::{CallId, ConsumerId, EntryId, FunctionId};
use steadfast_core::time::StoreTime;

use super::function::{Function, RESULT_TTL};
use super::watches::Ready;
use super::{MemStore, StoreInput};

impl MemStore {
    /// The server dies and comes back with its data: a new run id, and every session is gone with its
    /// watch, unanswered.
    pub fn restart(&mut self, now: StoreTime) {
        self.record(now, None, || StoreInput::Restart);
        self.state.restart(self.config.seed, now);
        self.wakes.clear();
    }

    /// All data is lost (FLUSHALL); the sessions stay. Blocked reads of deliveries end with
    /// [`NoGroup`](steadfast_core::transport::ErrorKind::NoGroup).
    pub fn flush(&mut self, now: StoreTime) {
        self.record(now, None, || StoreInput::Flush);
        let functions: Vec<FunctionId> = self.state.functions.keys().cloned().collect();
        self.state.flush();
        self.serve(now, functions.into_iter().map(Ready::Calls).collect());
    }

    /// Somebody deletes a function's stream, and the group with it. Answers whether there was one.
    pub fn delete_stream(&mut self, now: StoreTime, function: &FunctionId) -> bool {
        self.record(now, None, || StoreInput::DeleteStream(function.clone()));
        self.tamper(now, function, |kept| {
            let Some(stream) = kept.stream.take() else {
                return false;
            };
            let bytes: usize = stream.entries().values().map(super::stream::Entry::bytes).sum();
            kept.bytes -= bytes;
            true
        })
    }

    /// Somebody deletes a function's group. Answers whether there was one.
    pub fn delete_group(&mut self, now: StoreTime, function: &FunctionId) -> bool {
        self.record(now, None, || StoreInput::DeleteGroup(function.clone()));
        self.tamper(now, function, |kept| {
            kept.stream.as_mut().is_some_and(super::stream::Stream::delete_group)
        })
    }

    /// Somebody deletes a consumer's name from the group (XGROUP DELCONSUMER): what is pending at it is
    /// in nobody's pending list any more. Answers whether there was such a name.
    pub fn delete_name(
        &mut self,
        now: StoreTime,
        function: &FunctionId,
        name: &ConsumerId,
    ) -> bool {
        self.record(now, None, || StoreInput::DeleteName(function.clone(), name.clone()));
        self.tamper(now, function, |kept| {
            kept.stream.as_mut().is_some_and(|stream| stream.remove_name(name))
        })
    }

    /// An older peer acknowledges an entry and does not delete it (XACK). Answers whether it was
    /// pending.
    pub fn older_peer_acknowledge(
        &mut self,
        now: StoreTime,
        function: &FunctionId,
        entry: EntryId,
    ) -> bool {
        self.record(now, None, || StoreInput::OlderPeerAcknowledge(function.clone(), entry));
        self.tamper(now, function, |kept| {
            kept.stream.as_mut().is_some_and(|stream| stream.acknowledge(entry))
        })
    }

    /// An older peer writes a result (SET with a TTL), whatever stands there.
    pub fn older_peer_answer(&mut self, now: StoreTime, record: Record) {
        self.record(now, None, || StoreInput::OlderPeerAnswer(record.clone()));
        self.state.results.keep(record, now + RESULT_TTL);
    }

    /// An older caller deletes the result that it has read. Answers whether there was one.
    pub fn older_peer_take_result(&mut self, now: StoreTime, call: &CallId) -> bool {
        self.record(now, None, || StoreInput::OlderPeerTakeResult(call.clone()));
        self.state.results.remove(call)
    }

    /// The administrator sets another bound of bytes ([`StoreConfig::bytes_max`](super::StoreConfig)).
    pub fn limit_bytes(&mut self, now: StoreTime, bytes_max: usize) {
        self.record(now, None, || StoreInput::LimitBytes(bytes_max));
        self.config.bytes_max = bytes_max;
    }

    /// Changes a function's keys behind the scripts' backs.
    fn tamper(
        &mut self,
        now: StoreTime,
        function: &FunctionId,
        change: impl FnOnce(&mut Function) -> bool,
    ) -> bool {
        let mut ready = Vec::new();
        let changed =
            self.state.work(&self.config, now, function, &mut ready, |work| change(work.function));
        ready.push(Ready::Calls(function.clone()));
        self.serve(now, ready);
        changed
    }
}
