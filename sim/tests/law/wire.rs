//! The adapter at one end, the front at the other, and a store between that answers what it is told to.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{RunId, SessionId};
use steadfast_core::op::{Op, OpResult, PulseAnswer, Reply, Survey};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Connected, Interest, Link, Transport, TransportError, Wake};
use steadfast_sim::resp::{Front, Witness, serve};
use steadfast_transport_redis::{ByteStream, Connector, RedisTransport};
use tokio::runtime::Runtime;

/// What the store's clock shows: whole milliseconds, as deadlines have them on the wire.
pub(crate) const NOW: StoreTime = StoreTime::from_millis(1_700_000_000_000);

/// The store's run id.
pub(crate) fn run_id() -> RunId {
    RunId::new("run-1").unwrap()
}

/// A store that notes what it is asked, and answers what it is told to.
#[derive(Clone, Debug, Default)]
struct Parrot {
    /// What it expects to be asked, as the wire carries it, and what it answers.
    expects: Arc<Mutex<Vec<(Op, OpResult)>>>,
    /// What it expects to be waited for, and how the wait ends.
    waits: Arc<Mutex<Option<(Interest, Wake)>>>,
}

impl StoreMachine for Parrot {
    fn connect(&mut self, now: StoreTime) -> Connected {
        Connected { session: SessionId(7), run_id: run_id(), now, sees_sessions: true }
    }

    fn disconnect(&mut self, _now: StoreTime, _session: SessionId) {}

    fn apply(&mut self, now: StoreTime, _session: SessionId, op: &Op) -> OpResult {
        match op {
            // What the adapter asks of its own, to introduce itself and beside a survey.
            Op::Survey { functions } if functions.is_empty() => Ok(Reply::Surveyed(Survey {
                run_id: run_id(),
                now,
                sessions: Some([SessionId(7), SessionId(9)].into()),
                functions: Vec::new(),
                unread: Vec::new(),
            })),
            Op::Ping => Ok(Reply::Pong { run_id: run_id(), now }),
            _ => {
                let mut expects = self.expects.lock().unwrap();
                let place = expects.iter().position(|(expected, _)| expected == op);
                expects.remove(place.unwrap_or_else(|| panic!("nobody sent {op:?}"))).1
            }
        }
    }

    fn watch(
        &mut self,
        _now: StoreTime,
        _session: SessionId,
        interest: &Interest,
    ) -> Option<Result<Wake, TransportError>> {
        let (expected, wake) = self.waits.lock().unwrap().take().expect("one wait");
        assert_eq!(*interest, expected);
        Some(Ok(wake))
    }

    fn unwatch(&mut self, _session: SessionId) {}

    fn poll_wake(&mut self) -> Option<(SessionId, Result<Wake, TransportError>)> {
        None
    }
}

struct Nobody;

impl Witness<Parrot> for Nobody {}

#[derive(Debug)]
struct Pipe(Front<Parrot>);

#[async_trait]
impl Connector for Pipe {
    async fn open(&self) -> io::Result<Box<dyn ByteStream>> {
        let (mine, theirs) = tokio::io::duplex(1 << 16);
        drop(tokio::spawn(serve(self.0.clone(), theirs, Duration::from_secs(60))));
        Ok(Box::new(mine))
    }
}

/// A connection of the adapter to the front.
pub(crate) struct Wire {
    parrot: Parrot,
    front: Front<Parrot>,
    transport: RedisTransport,
    runtime: Runtime,
    session: SessionId,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let parrot = Parrot::default();
        let front = Front::new(parrot.clone(), || NOW, Nobody);
        let builder = RedisTransport::builder("redis://front").unwrap();
        let transport = builder.connector(Pipe(front.clone())).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let session = runtime.block_on(transport.connect(Link::Command)).unwrap().session;
        Self { parrot, front, transport, runtime, session }
    }

    pub(crate) fn forget_scripts(&self) {
        self.front.forget_scripts();
    }

    /// Sends the operations as one batch, and compares both directions.
    pub(crate) fn check(&self, pairs: &[(Op, OpResult)]) {
        let ops: Vec<Op> = pairs.iter().map(|(op, _)| op.clone()).collect();
        *self.parrot.expects.lock().unwrap() =
            pairs.iter().map(|(op, result)| (op.clone(), result.clone())).collect();
        let sent = self.transport.execute(self.session, ops);
        let results = self.runtime.block_on(sent).unwrap();
        assert_eq!(*self.parrot.expects.lock().unwrap(), [], "each operation arrives");
        for ((op, expected), got) in pairs.iter().zip(&results) {
            assert_same(op, got, expected);
        }
    }
}

/// Checks a blocking read, on a wire of its own: a connection's first read asks for the server's time, and
/// what remains is exact; later ones reckon it.
pub(crate) fn check_watch(interest: &Interest, wake: &Wake) {
    let wire = Wire::new();
    let wake = &after_what_was_asked(interest, wake);
    *wire.parrot.waits.lock().unwrap() = Some((interest.clone(), wake.clone()));
    let watch = wire.transport.watch(wire.session, interest.clone(), Duration::from_millis(50));
    assert_eq!(wire.runtime.block_on(watch).as_ref(), Ok(wake));
}

/// What comes stands after what was asked for: a store says nothing else.
fn after_what_was_asked(interest: &Interest, wake: &Wake) -> Wake {
    match (interest, wake) {
        (Interest::Replies { after, .. }, Wake::Replies { records, last }) => {
            Wake::Replies { records: records.clone(), last: *last.max(after) }
        }
        _ => wake.clone(),
    }
}

fn with_wire(check: impl FnOnce(&Wire)) {
    thread_local! {
        static WIRE: Wire = Wire::new();
    }
    WIRE.with(check);
}

/// Checks on a wire of its own.
pub(crate) fn check(pairs: &[(Op, OpResult)]) {
    with_wire(|wire| wire.check(pairs));
}

/// A result without what the errors of single items say: the adapter's own words stand before the store's.
fn told(result: &OpResult) -> OpResult {
    let mut result = result.clone();
    let errors: Vec<&mut TransportError> = match &mut result {
        Ok(Reply::Beaten(answers)) => {
            fn refused(answer: &mut PulseAnswer) -> Option<&mut TransportError> {
                match answer {
                    PulseAnswer::Refused(error) => Some(error),
                    PulseAnswer::Alive { .. } | PulseAnswer::Removed => None,
                }
            }
            answers.iter_mut().filter_map(refused).collect()
        }
        Ok(Reply::Surveyed(Survey { unread, .. }) | Reply::Discovered { unread, .. }) => {
            unread.iter_mut().map(|it| &mut it.error).collect()
        }
        _ => Vec::new(),
    };
    for error in errors {
        error.detail.clear();
    }
    result
}

fn assert_same(op: &Op, got: &OpResult, expected: &OpResult) {
    match (got, expected) {
        (Err(got), Err(expected)) => {
            assert_eq!((got.kind, got.applied), (expected.kind, expected.applied), "{op:?}");
        }
        _ => assert_eq!(told(got), told(expected), "{op:?}"),
    }
}
