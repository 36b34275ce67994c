//! Short names for ids and operations.

use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind, Lease, Payload};
use steadfast_core::definition::Definition;
use steadfast_core::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey, NodeId, SessionId,
};
use steadfast_core::op::{Authority, ConsumerStatus, Destination, Op, Pulse, Submission, Verdict};

pub(crate) fn function() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

pub(crate) fn call(id: &str) -> CallId {
    CallId::new(id).unwrap()
}

pub(crate) fn consumer(id: &str) -> ConsumerId {
    ConsumerId::new(id).unwrap()
}

pub(crate) fn node(id: &str) -> NodeId {
    NodeId::new(id).unwrap()
}

pub(crate) fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn submission(id: &str) -> Submission {
    Submission {
        function: function(),
        call: call(id),
        input: Payload::trusted(r#"{"n":1}"#),
        deadline: seconds(300),
        delay: Duration::ZERO,
        idempotency_key: None,
        reply_to: None,
        traceparent: None,
        open_max: 100,
    }
}

pub(crate) fn submit(id: &str) -> Op {
    Op::Submit(submission(id))
}

pub(crate) fn keyed(id: &str, key: &str) -> Submission {
    Submission { idempotency_key: Some(IdempotencyKey::new(key).unwrap()), ..submission(id) }
}

pub(crate) fn decide(id: &str, verdict: Verdict) -> Op {
    Op::Decide { function: function(), call: call(id), verdict, attempts: 1 }
}

pub(crate) fn complete(id: &str, result: &str, entry: Option<EntryId>) -> Op {
    decide(id, Verdict::Complete { result: Payload::trusted(result), entry })
}

pub(crate) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "it \"failed\" / so\nit did: é")
}

pub(crate) fn fail(id: &str, lease: &Lease) -> Op {
    let failure = failure(FailureKind::Handler);
    decide(id, Verdict::Fail { failure, by: Authority::Lease(lease.clone()) })
}

pub(crate) fn dead_letter(id: &str, lease: &Lease) -> Op {
    let failure = failure(FailureKind::Timeout);
    decide(id, Verdict::DeadLetter { failure, by: Authority::Lease(lease.clone()) })
}

pub(crate) fn relocate(id: &str, lease: &Lease, to: Destination) -> Op {
    Op::Move { function: function(), call: call(id), lease: lease.clone(), to }
}

pub(crate) fn begin(id: &str, lease: &Lease) -> Op {
    Op::Begin { function: function(), call: call(id), lease: lease.clone(), attempts_max: 3 }
}

pub(crate) fn fetch(id: &str, count: u32) -> Op {
    Op::Fetch { function: function(), consumer: consumer(id), count }
}

pub(crate) fn inspect(id: &str) -> Op {
    Op::Inspect { function: function(), call: call(id) }
}

pub(crate) fn register(id: &str, session: SessionId) -> Op {
    Op::Register {
        definition: Definition::new(function()),
        consumer: consumer(id),
        node: node(&format!("node-{id}")),
        sessions: vec![session],
    }
}

pub(crate) fn pulse(id: &str, epoch: Epoch) -> Pulse {
    Pulse {
        function: function(),
        consumer: consumer(id),
        epoch,
        status: ConsumerStatus::Active,
        error_count: 0,
        last_error: None,
    }
}

pub(crate) fn beat(pulses: Vec<Pulse>, session: SessionId) -> Op {
    Op::Beat { node: node("node"), sessions: vec![session], pulses }
}

pub(crate) fn sweep(limit: u32, stateless_idle: Duration) -> Op {
    Op::Sweep { function: function(), attempts_max: 3, stateless_idle, limit }
}
