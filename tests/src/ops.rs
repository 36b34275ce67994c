//! Short names for ids and operations: of the function `greet` in `global` where nothing else is said.

use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind, Lease, Payload};
use steadfast_core::definition::Definition;
use steadfast_core::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey, NodeId, SessionId,
};
use steadfast_core::op::{Authority, ConsumerStatus, Destination, Op, Pulse, Submission, Verdict};

/// The function `greet` in `global`.
pub fn function() -> FunctionId {
    named("greet", "global")
}

/// Another function.
pub fn named(name: &str, scope: &str) -> FunctionId {
    FunctionId::new(name, scope).unwrap()
}

/// A call id.
pub fn call(id: &str) -> CallId {
    CallId::new(id).unwrap()
}

/// A consumer id.
pub fn consumer(id: &str) -> ConsumerId {
    ConsumerId::new(id).unwrap()
}

/// A node id.
pub fn node(id: &str) -> NodeId {
    NodeId::new(id).unwrap()
}

/// So many seconds.
pub fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// So many milliseconds.
pub fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A submission of a call with a small input and a deadline of 300 s.
pub fn submission(id: &str) -> Submission {
    Submission {
        function: function(),
        call: call(id),
        input: Payload::trusted(r#"{"n":1}"#),
        deadline: seconds(300),
        delay: Duration::ZERO,
        idempotency_key: None,
        reply_to: None,
        traceparent: None,
        result_stream: false,
        open_max: 100,
    }
}

/// Submits a call.
pub fn submit(id: &str) -> Op {
    Op::Submit(submission(id))
}

/// A submission with an idempotency key.
pub fn keyed(id: &str, key: &str) -> Submission {
    Submission { idempotency_key: Some(IdempotencyKey::new(key).unwrap()), ..submission(id) }
}

/// Decides a call at its first attempt.
pub fn decide(id: &str, verdict: Verdict) -> Op {
    Op::Decide { function: function(), call: call(id), verdict, attempts: 1 }
}

/// Completes a call, with the entry at hand if there is one.
pub fn complete(id: &str, result: &str, entry: Option<EntryId>) -> Op {
    decide(id, Verdict::Complete { result: Payload::trusted(result), entry })
}

/// Cancels a call.
pub fn cancel(id: &str) -> Op {
    decide(id, Verdict::Cancel)
}

/// A failure whose message has what an encoding may stumble over.
pub fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "it \"failed\" / so\nit did: é")
}

/// Fails a call by its lease.
pub fn fail(id: &str, lease: &Lease) -> Op {
    let failure = failure(FailureKind::Handler);
    decide(id, Verdict::Fail { failure, by: Authority::Lease(lease.clone()) })
}

/// Makes a call a dead letter by its lease.
pub fn dead_letter(id: &str, lease: &Lease) -> Op {
    let failure = failure(FailureKind::Timeout);
    decide(id, Verdict::DeadLetter { failure, by: Authority::Lease(lease.clone()) })
}

/// Moves a call by its lease.
pub fn relocate(id: &str, lease: &Lease, to: Destination) -> Op {
    Op::Move { function: function(), call: call(id), lease: lease.clone(), to }
}

/// Begins a call that was taken over.
pub fn begin(id: &str, lease: &Lease) -> Op {
    Op::Begin { function: function(), call: call(id), lease: lease.clone(), attempts_max: 3 }
}

/// Fetches for a consumer.
pub fn fetch(id: &str, count: u32) -> Op {
    Op::Fetch { function: function(), consumer: consumer(id), count }
}

/// Asks where a call stands.
pub fn inspect(id: &str) -> Op {
    Op::Inspect { function: function(), call: call(id) }
}

/// Settles the delivery of a decided call.
pub fn acknowledge(id: &str) -> Op {
    Op::Acknowledge { function: function(), call: call(id) }
}

/// Registers a consumer of a node of its own.
pub fn register(id: &str, session: SessionId) -> Op {
    Op::Register {
        definition: Definition::new(function()),
        consumer: consumer(id),
        node: node(&format!("node-{id}")),
        sessions: vec![session],
    }
}

/// Signs a consumer off.
pub fn deregister(id: &str, epoch: Epoch) -> Op {
    Op::Deregister { function: function(), consumer: consumer(id), epoch }
}

/// A heartbeat of an active consumer.
pub fn pulse(id: &str, epoch: Epoch) -> Pulse {
    Pulse {
        function: function(),
        consumer: consumer(id),
        epoch,
        status: ConsumerStatus::Active,
        error_count: 0,
        last_error: None,
    }
}

/// Sends heartbeats.
pub fn beat(pulses: Vec<Pulse>, session: SessionId) -> Op {
    Op::Beat { node: node("node"), sessions: vec![session], pulses }
}

/// Sweeps.
pub fn sweep(limit: u32, stateless_idle: Duration) -> Op {
    Op::Sweep { function: function(), attempts_max: 3, stateless_idle, limit }
}

/// Makes sure of stream and group.
pub fn ensure() -> Op {
    Op::Ensure { function: function() }
}
