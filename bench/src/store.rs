//! The reference store: the operations of a call's life, one at a time.

use steadfast_core::call::{Delivered, Payload};
use steadfast_core::definition::Definition;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{CallId, ConsumerId, FunctionId, NodeId, SessionId};
use steadfast_core::op::{Op, Reply, Submission, Verdict};
use steadfast_core::time::StoreTime;
use steadfast_transport_mem::MemStore;

use std::time::Duration;

use crate::measure::Figure;

/// Between two calls at the store: with outcomes kept for 5 min, some 3,000 of them stand at any time.
const STEP: Duration = Duration::from_millis(100);

struct Bench {
    store: MemStore,
    session: SessionId,
    now: StoreTime,
    function: FunctionId,
    consumer: ConsumerId,
    submitted: u64,
}

impl Bench {
    fn new() -> Self {
        let now = StoreTime::from_millis(1_000_000);
        let mut store = MemStore::default();
        let session = store.connect(now).session;
        let function = FunctionId::new("bench", "global").expect("a good name");
        let consumer = ConsumerId::new("bench-global-1").expect("a good id");
        let mut bench = Self { store, session, now, function, consumer, submitted: 0 };
        let node = NodeId::new("node").expect("a good id");
        bench.apply(&Op::Register {
            definition: Definition::new(bench.function.clone()),
            consumer: bench.consumer.clone(),
            node,
            sessions: vec![bench.session],
        });
        bench
    }

    fn apply(&mut self, op: &Op) -> Reply {
        let reply = self.store.apply(self.now, self.session, op);
        while self.store.poll_wake().is_some() {}
        reply.unwrap_or_else(|error| panic!("the store refused {op}: {error}"))
    }

    fn submit(&mut self) {
        self.submitted += 1;
        self.now += STEP;
        let call = CallId::new(format!("call-{}", self.submitted)).expect("a good id");
        self.apply(&Op::Submit(Submission {
            function: self.function.clone(),
            call,
            input: Payload::trusted(r#"{"name":"Ada"}"#),
            deadline: Duration::from_secs(300),
            delay: Duration::ZERO,
            idempotency_key: None,
            reply_to: None,
            traceparent: None,
            result_stream: false,
            open_max: 100_000,
        }));
    }

    fn fetch(&mut self) -> Vec<Delivered> {
        let reply = self.apply(&Op::Fetch {
            function: self.function.clone(),
            consumer: self.consumer.clone(),
            count: 1,
        });
        match reply {
            Reply::Fetched { deliveries, .. } => deliveries,
            other => panic!("a fetch was answered with {other}"),
        }
    }

    fn complete(&mut self, delivered: Delivered) {
        let Delivered::Call(delivery) = delivered else {
            panic!("a call of ours was called malformed");
        };
        self.apply(&Op::Decide {
            function: self.function.clone(),
            call: delivery.call,
            verdict: Verdict::Complete {
                result: Payload::trusted(r#""hello""#),
                entry: Some(delivery.entry),
            },
            attempts: 1,
        });
    }
}

pub(crate) fn figures() -> Vec<Figure> {
    let mut bench = Bench::new();
    let ping = Figure::of("reference store: ping", || {
        bench.apply(&Op::Ping);
    });
    let whole = Figure::of("reference store: submit, fetch and complete (3 ops)", || {
        bench.submit();
        for delivered in bench.fetch() {
            bench.complete(delivered);
        }
    });
    let per_operation = Figure {
        name: "reference store: one of these operations",
        median_ns: whole.median_ns / 3.0,
        best_ns: whole.best_ns / 3.0,
        limit_ns: None,
    };
    vec![ping, whole, per_operation]
}
