//! Many functions are waited for by several reads, which go on when one of them has told of an arrival.

use std::time::Duration;

use steadfast_core::name::{EntryId, FunctionId, SessionId};
use steadfast_core::op::Op;
use steadfast_core::transport::{ErrorKind, Interest, Link, Transport, TransportError, Wake};
use steadfast_core::wire::Keys;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{World, consumer, function, millis};

/// Far longer than any wait that works takes, and shorter than the block.
const PATIENCE: Duration = Duration::from_secs(20);
const BLOCK: Duration = Duration::from_secs(60);
/// More than two reads name.
const MANY: usize = 1_000;
const READS: u64 = 3;

type Watch = JoinHandle<Result<Wake, TransportError>>;

fn named(number: usize) -> FunctionId {
    FunctionId::new(&format!("many-{number}"), "global").unwrap()
}

fn many() -> Vec<(FunctionId, EntryId)> {
    (0..MANY).map(|number| (named(number), EntryId::ZERO)).collect()
}

struct Arrivals {
    world: World,
    session: SessionId,
}

impl Arrivals {
    async fn new() -> Self {
        let world = World::new().await;
        world.server.leaves("streams that an older caller made, and that nobody serves");
        let session = world.transport.connect(Link::Arrivals).await.unwrap().session;
        Self { world, session }
    }

    fn watch(&self, interest: Interest, block: Duration) -> Watch {
        let (transport, session) = (self.world.transport.clone(), self.session);
        tokio::spawn(async move { transport.watch(session, interest, block).await })
    }

    fn watch_many(&self, after: &[(FunctionId, EntryId)]) -> Watch {
        self.watch(Interest::Arrivals { after: after.to_vec() }, BLOCK)
    }

    /// The connections that are blocked, once there are so many; they are known by their numbers.
    async fn blocked(&mut self, reads: u64) -> Vec<String> {
        let blocked = async {
            loop {
                let clients: String = self.world.raw(&["CLIENT", "LIST"]);
                let is_blocked = |line: &&str| {
                    line.split(' ').any(|field| field.starts_with("flags=") && field.contains('b'))
                };
                let field = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
                let blocked: Vec<_> = clients.lines().filter(is_blocked).map(field).collect();
                if blocked.len() as u64 == reads {
                    return blocked;
                }
                tokio::time::sleep(millis(1)).await;
            }
        };
        timeout(PATIENCE, blocked).await.expect("so many reads are blocked")
    }

    /// An older caller's entry: nobody else is told of it.
    fn arrive(&mut self, number: usize) -> EntryId {
        let key = format!("function_calls:{}", named(number));
        self.world.raw::<String>(&["XADD", &key, "*", "callId", "o1"]).parse().unwrap()
    }
}

async fn woken(watch: Watch) -> Wake {
    timeout(PATIENCE, watch).await.expect("it ends").unwrap().unwrap()
}

async fn woken_error(watch: Watch) -> TransportError {
    timeout(PATIENCE, watch).await.expect("it ends").unwrap().unwrap_err()
}

#[tokio::test]
async fn the_others_go_on_where_one_tells_of_an_arrival() {
    let mut arrivals = Arrivals::new().await;
    let mut after = many();
    let watch = arrivals.watch_many(&after);
    let before = arrivals.blocked(READS).await;
    after[7].1 = arrivals.arrive(7);
    assert_eq!(woken(watch).await, Wake::Arrivals(vec![named(7)]));
    let left = arrivals.blocked(READS - 1).await;
    assert!(left.iter().all(|id| before.contains(id)), "{left:?} of {before:?}");
    // What arrives between two watches is told by the next.
    let read = |number| u64::from(Keys::tag_number(&named(number))) % READS;
    let other = (0..MANY).find(|number| read(*number) != read(7)).unwrap();
    let last = arrivals.arrive(other);
    arrivals.blocked(READS - 2).await;
    assert_eq!(woken(arrivals.watch_many(&after)).await, Wake::Arrivals(vec![named(other)]));
    after[other].1 = last;
    // No connection more than before.
    let watch = arrivals.watch_many(&after);
    assert_eq!(arrivals.blocked(READS).await, before);
    arrivals.arrive(11);
    assert_eq!(woken(watch).await, Wake::Arrivals(vec![named(11)]));
}

#[tokio::test]
async fn a_read_whose_functions_changed_is_made_anew() {
    let mut arrivals = Arrivals::new().await;
    let mut after = many();
    let watch = arrivals.watch_many(&after);
    arrivals.blocked(READS).await;
    timeout(PATIENCE, arrivals.world.transport.abort(arrivals.session)).await.expect("it ends");
    assert_eq!(woken(watch).await, Wake::Nothing);
    after.retain(|(function, _)| *function != named(7));
    let watch = arrivals.watch_many(&after);
    arrivals.blocked(READS).await;
    arrivals.arrive(7);
    arrivals.arrive(8);
    assert_eq!(woken(watch).await, Wake::Arrivals(vec![named(8)]));
}

#[tokio::test]
async fn a_watch_ends_at_its_own_time_whatever_goes_on() {
    let mut arrivals = Arrivals::new().await;
    let watch = arrivals.watch_many(&many());
    arrivals.blocked(READS).await;
    arrivals.world.transport.abort(arrivals.session).await;
    assert_eq!(woken(watch).await, Wake::Nothing);
    let short = arrivals.watch(Interest::Arrivals { after: many() }, millis(1));
    assert_eq!(woken(short).await, Wake::Nothing);
    arrivals.blocked(READS).await;
}

#[tokio::test]
async fn a_watch_of_something_else_has_the_connection() {
    let mut arrivals = Arrivals::new().await;
    arrivals.world.ask(Op::Ensure { function: function() }).await;
    let watch = arrivals.watch_many(&many());
    arrivals.blocked(READS).await;
    let busy = woken_error(arrivals.watch_many(&many())).await;
    assert_eq!(busy.kind, ErrorKind::Busy, "{busy}");
    arrivals.world.transport.abort(arrivals.session).await;
    assert_eq!(woken(watch).await, Wake::Nothing);
    let deliveries =
        Interest::Deliveries { function: function(), consumer: consumer("w"), count: 1 };
    let watch = arrivals.watch(deliveries, millis(1));
    assert_eq!(woken(watch).await, Wake::Nothing);
    arrivals.blocked(0).await;
}

/// The server refuses the whole read; its own fetch tells that function why.
#[tokio::test]
async fn a_stream_of_another_type_is_told_of_and_keeps_nobody_waiting() {
    let mut arrivals = Arrivals::new().await;
    let mut after = many();
    let poison = format!("function_calls:{}", named(7));
    let () = arrivals.world.raw(&["SET", &poison, "no stream"]);
    assert_eq!(woken(arrivals.watch_many(&after)).await, Wake::Arrivals(vec![named(7)]));
    after.remove(7);
    let watch = arrivals.watch_many(&after);
    arrivals.blocked(READS).await;
    arrivals.arrive(8);
    assert_eq!(woken(watch).await, Wake::Arrivals(vec![named(8)]));
}

#[tokio::test]
async fn a_closed_session_ends_them_all() {
    let mut arrivals = Arrivals::new().await;
    let watch = arrivals.watch_many(&many());
    arrivals.blocked(READS).await;
    arrivals.world.transport.close(arrivals.session).await;
    let error = woken_error(watch).await;
    assert_eq!(error.kind, ErrorKind::Disconnected, "{error}");
    arrivals.blocked(0).await;
}
