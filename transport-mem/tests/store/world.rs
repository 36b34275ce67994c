//! A store with one session and a clock, and short names for what tests do with it.

use std::time::Duration;

use steadfast_core::call::{
    CallState, CallerId, Delivered, Delivery, Failure, FailureKind, Lease, Payload,
};
use steadfast_core::definition::Definition;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{
    CallId, ConsumerId, EntryId, Epoch, FunctionId, IdempotencyKey, NodeId, SessionId,
};
use steadfast_core::op::{
    Authority, ConsumerStatus, Destination, Op, OpResult, Pulse, Reply, Submission, Swept, Verdict,
};
use steadfast_core::time::StoreTime;
use steadfast_transport_mem::{MemStore, StoreConfig};

pub(crate) const START: StoreTime = StoreTime::from_millis(1_700_000_000_000);

/// The store under test.
pub(crate) struct World {
    pub(crate) store: MemStore,
    pub(crate) now: StoreTime,
    pub(crate) session: SessionId,
}

pub(crate) fn function() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

pub(crate) fn call(id: &str) -> CallId {
    CallId::new(id).unwrap()
}

pub(crate) fn consumer(id: &str) -> ConsumerId {
    ConsumerId::new(id).unwrap()
}

pub(crate) fn caller(id: &str) -> CallerId {
    NodeId::new(id).unwrap()
}

pub(crate) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "it failed")
}

pub(crate) fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
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
        result_stream: false,
        open_max: 100,
    }
}

pub(crate) fn keyed(id: &str, key: &str) -> Submission {
    Submission { idempotency_key: Some(IdempotencyKey::new(key).unwrap()), ..submission(id) }
}

pub(crate) fn decide(id: &str, verdict: Verdict) -> Op {
    Op::Decide { function: function(), call: call(id), verdict, attempts: 1 }
}

pub(crate) fn complete(id: &str) -> Op {
    complete_entry(id, None)
}

pub(crate) fn complete_entry(id: &str, entry: Option<EntryId>) -> Op {
    let result = Payload::trusted("0");
    decide(id, Verdict::Complete { result, entry })
}

pub(crate) fn fail(id: &str, lease: &Lease) -> Op {
    let failure = failure(FailureKind::Handler);
    let by = Authority::Lease(lease.clone());
    decide(id, Verdict::Fail { failure, by })
}

pub(crate) fn dead_letter(id: &str, lease: &Lease) -> Op {
    let failure = failure(FailureKind::Timeout);
    let by = Authority::Lease(lease.clone());
    decide(id, Verdict::DeadLetter { failure, by })
}

pub(crate) fn relocate(id: &str, lease: &Lease, to: Destination) -> Op {
    Op::Move { function: function(), call: call(id), lease: lease.clone(), to }
}

pub(crate) fn retry(id: &str, lease: &Lease, delay: Duration) -> Op {
    relocate(id, lease, Destination::Retry { delay })
}

pub(crate) fn defer(id: &str, lease: &Lease, nonce: &str, hold: Duration) -> Op {
    let nonce = nonce.into();
    relocate(id, lease, Destination::Defer { nonce, lease: hold })
}

pub(crate) fn begin(id: &str, lease: &Lease) -> Op {
    Op::Begin { function: function(), call: call(id), lease: lease.clone(), attempts_max: 3 }
}

pub(crate) fn register(id: &str, session: SessionId) -> Op {
    Op::Register {
        definition: Definition::new(function()),
        consumer: consumer(id),
        node: NodeId::new(format!("node-{id}")).unwrap(),
        sessions: vec![session],
    }
}

pub(crate) fn beat(id: &str, epoch: Epoch, session: SessionId) -> Op {
    Op::Beat {
        node: NodeId::new(format!("node-{id}")).unwrap(),
        sessions: vec![session],
        pulses: vec![Pulse {
            function: function(),
            consumer: consumer(id),
            epoch,
            status: ConsumerStatus::Active,
            error_count: 0,
            last_error: None,
        }],
    }
}

pub(crate) fn sweep_op(limit: u32) -> Op {
    Op::Sweep { function: function(), attempts_max: 3, stateless_idle: seconds(60), limit }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(StoreConfig::default())
    }

    pub(crate) fn with(config: StoreConfig) -> Self {
        let mut store = MemStore::new(config);
        store.start_journal();
        let session = store.connect(START).session;
        Self { store, now: START, session }
    }

    pub(crate) fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    pub(crate) fn apply(&mut self, op: &Op) -> OpResult {
        let result = self.store.apply(self.now, self.session, op);
        assert_eq!(self.store.audit(), Vec::<String>::new(), "after {op}");
        result
    }

    /// The reply, which must be one.
    pub(crate) fn ask(&mut self, op: &Op) -> Reply {
        let result = self.apply(op);
        result.unwrap_or_else(|error| panic!("{op}: {error}"))
    }

    /// Applies and compares with the reply's one line; errors start with `error: `.
    pub(crate) fn check(&mut self, op: &Op, expect: &str) -> &mut Self {
        let got = match self.apply(op) {
            Ok(reply) => reply.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expect, "{op}");
        self
    }

    /// Applies twice; the second time must leave the store as it was.
    pub(crate) fn check_twice(&mut self, op: &Op, first: &str, second: &str) -> &mut Self {
        self.check(op, first);
        let before = self.store.snapshot();
        self.check(op, second);
        assert_eq!(self.store.snapshot(), before, "{op} is not safe to send twice");
        self
    }

    pub(crate) fn submit(&mut self, id: &str) -> &mut Self {
        self.check(&Op::Submit(submission(id)), "accepted")
    }

    pub(crate) fn register(&mut self, id: &str) -> Epoch {
        match self.ask(&register(id, self.session)) {
            Reply::Registered { epoch } => epoch,
            other => panic!("{other}"),
        }
    }

    pub(crate) fn fetch_all(&mut self, id: &str) -> Vec<Delivered> {
        let op = Op::Fetch { function: function(), consumer: consumer(id), count: 100 };
        match self.ask(&op) {
            Reply::Fetched { deliveries, .. } => deliveries,
            other => panic!("{other}"),
        }
    }

    /// Fetches the one call that must be there.
    pub(crate) fn fetch(&mut self, id: &str) -> Delivery {
        match self.fetch_all(id).as_slice() {
            [Delivered::Call(delivery)] => delivery.clone(),
            other => panic!("not one call: {other:?}"),
        }
    }

    /// Registers, fetches the one call that must be there, and answers it with its lease.
    pub(crate) fn lease(&mut self, id: &str) -> (Delivery, Lease) {
        let epoch = self.register(id);
        let delivery = self.fetch(id);
        let lease = Lease { entry: delivery.entry, consumer: consumer(id), epoch };
        (delivery, lease)
    }

    pub(crate) fn inspect(&mut self, id: &str) -> CallState {
        let op = Op::Inspect { function: function(), call: call(id) };
        match self.ask(&op) {
            Reply::Inspected(state) => state,
            other => panic!("{other}"),
        }
    }

    pub(crate) fn state(&mut self, id: &str) -> String {
        self.inspect(id).to_string()
    }

    pub(crate) fn sweep(&mut self) -> Swept {
        match self.ask(&sweep_op(100)) {
            Reply::Swept(swept) => swept,
            other => panic!("{other}"),
        }
    }

    /// Removes a consumer as an observer that saw it last at `heartbeat` would.
    pub(crate) fn remove(&mut self, id: &str) -> Reply {
        let record = self
            .store
            .consumers(self.now, &function())
            .into_iter()
            .find(|record| record.consumer == consumer(id))
            .expect("the consumer to remove is registered");
        self.ask(&Op::Remove {
            function: function(),
            consumer: consumer(id),
            epoch: record.epoch,
            heartbeat: record.heartbeat,
            sessions: record.sessions,
        })
    }

    pub(crate) fn leftovers(&self) -> Vec<String> {
        let leftovers = self.store.leftovers(self.now);
        leftovers.iter().map(ToString::to_string).collect()
    }
}
