//! Short names for ids and operations.

use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind, Lease, Payload};
use steadfast_core::definition::Definition;
use steadfast_core::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey, NodeId, SessionId,
};
use steadfast_core::op::{Authority, ConsumerStatus, Destination, Op, Pulse, Submission, Verdict};

pub(crate) fn function() -> FunctionId {
    named("greet", "global")
}

pub(crate) fn named(name: &str, scope: &str) -> FunctionId {
    FunctionId::new(name, scope).unwrap()
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

pub(crate) fn keyed(id: &str, key: &str) -> Op {
    let key = Some(IdempotencyKey::new(key).unwrap());
    Op::Submit(Submission { idempotency_key: key, ..submission(id) })
}

pub(crate) fn decide(id: &str, verdict: Verdict) -> Op {
    Op::Decide { function: function(), call: call(id), verdict, attempts: 1 }
}

pub(crate) fn complete(id: &str, result: &str, entry: Option<EntryId>) -> Op {
    decide(id, Verdict::Complete { result: Payload::trusted(result), entry })
}

pub(crate) fn cancel(id: &str) -> Op {
    decide(id, Verdict::Cancel)
}

pub(crate) fn fail(id: &str, lease: &Lease) -> Op {
    let failure = Failure::new(FailureKind::Handler, "it \"failed\" / so\nit did: é");
    decide(id, Verdict::Fail { failure, by: Authority::Lease(lease.clone()) })
}

pub(crate) fn dead_letter(id: &str, lease: &Lease) -> Op {
    let failure = Failure::new(FailureKind::Timeout, "too slow");
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

pub(crate) fn acknowledge(id: &str) -> Op {
    Op::Acknowledge { function: function(), call: call(id) }
}

pub(crate) fn register(id: &str, session: SessionId) -> Op {
    Op::Register {
        definition: Definition::new(function()),
        consumer: consumer(id),
        node: node(&format!("node-{id}")),
        sessions: vec![session],
    }
}

pub(crate) fn deregister(id: &str, epoch: Epoch) -> Op {
    Op::Deregister { function: function(), consumer: consumer(id), epoch }
}

pub(crate) fn beat(id: &str, epoch: Epoch, session: SessionId) -> Op {
    let pulse = Pulse {
        function: function(),
        consumer: consumer(id),
        epoch,
        status: ConsumerStatus::Active,
        error_count: 0,
        last_error: None,
    };
    Op::Beat { node: node("node"), sessions: vec![session], pulses: vec![pulse] }
}

pub(crate) fn sweep() -> Op {
    let stateless_idle = seconds(60);
    Op::Sweep { function: function(), attempts_max: 3, stateless_idle, limit: 100 }
}

pub(crate) fn ensure() -> Op {
    Op::Ensure { function: function() }
}
