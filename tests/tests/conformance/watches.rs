//! A wait ends when what it is for comes, when it is told to, and with its session.

use std::time::Duration;

use steadfast_core::name::{EntryId, SessionId};
use steadfast_core::op::{Op, Submission};
use steadfast_core::transport::{ErrorKind, Interest, Link, Transport, Wake};
use steadfast_tests::ops::{
    cancel, complete, consumer, ensure, fetch, function, millis, named, node, submission, submit,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::stores::Store;
use crate::world::{PATIENCE, World};

/// Longer than the patience: nothing here ends by its block time.
const BLOCK: Duration = Duration::from_secs(300);

type Watching = JoinHandle<Result<Wake, steadfast_core::transport::TransportError>>;

impl<S: Store> World<S> {
    async fn connect(&self, link: Link) -> SessionId {
        self.transport.connect(link).await.unwrap().session
    }

    fn watch(&self, session: SessionId, interest: Interest) -> Watching {
        let transport = self.transport.clone();
        tokio::spawn(async move { transport.watch(session, interest, BLOCK).await })
    }

    /// Waits for what is most likely no longer needed: the watch to have begun.
    async fn settle(&self) {
        tokio::time::sleep(millis(30)).await;
    }
}

async fn woken(watching: Watching) -> Wake {
    timeout(PATIENCE, watching).await.expect("it is woken").unwrap().unwrap()
}

fn deliveries() -> Interest {
    Interest::Deliveries { function: function(), consumer: consumer("w"), count: 10 }
}

pub(crate) async fn deliveries_wake<S: Store>(world: &World<S>) {
    world.register("w").await;
    let session = world.connect(Link::Fetch(0)).await;
    let nothing = world.transport.watch(session, deliveries(), millis(5)).await.unwrap();
    assert_eq!(nothing, Wake::Nothing);
    // What comes while it waits, and what was there before.
    let read = world.watch(session, deliveries());
    world.settle().await;
    world.check(submit("c1"), "accepted").await;
    let Wake::Deliveries(first) = woken(read).await else { panic!("not delivered") };
    world.check(submit("c2"), "accepted").await;
    let Wake::Deliveries(second) = woken(world.watch(session, deliveries())).await else {
        panic!("not delivered")
    };
    for (id, delivered) in [("c1", first), ("c2", second)] {
        assert_eq!(delivered.len(), 1);
        world.check(complete(id, "1", Some(delivered[0].entry())), "done").await;
    }
    world.transport.close(session).await;
}

pub(crate) async fn arrivals_wake<S: Store>(world: &World<S>) {
    world.register("w").await;
    let session = world.connect(Link::Arrivals).await;
    let quiet: Vec<_> =
        (0..40).map(|n| (named(&format!("quiet {n}"), "x"), EntryId::ZERO)).collect();
    let mut after = quiet.clone();
    after.push((function(), EntryId::ZERO));
    let nothing = Interest::Arrivals { after: Vec::new() };
    let nothing = world.transport.watch(session, nothing, millis(5)).await.unwrap();
    assert_eq!(nothing, Wake::Nothing);
    let read = world.watch(session, Interest::Arrivals { after: after.clone() });
    world.settle().await;
    world.check(submit("c1"), "accepted").await;
    assert_eq!(woken(read).await, Wake::Arrivals(vec![function()]));
    // It delivers nothing, and does not wake again for what was seen.
    let steadfast_core::op::Reply::Fetched { deliveries, last } = world.ask(fetch("w", 10)).await
    else {
        panic!("not fetched");
    };
    assert_eq!(deliveries.len(), 1);
    after.pop();
    after.push((function(), last));
    let seen = Interest::Arrivals { after };
    let nothing = world.transport.watch(session, seen, millis(20)).await.unwrap();
    assert_eq!(nothing, Wake::Nothing);
    world.check(cancel("c1"), "done").await;
    world.transport.close(session).await;
}

pub(crate) async fn replies_wake<S: Store>(world: &World<S>) {
    world.register("w").await;
    let keep = |after| Op::KeepReplies { caller: node("me"), after };
    world.check(keep(EntryId::ZERO), "replies kept, created: true").await;
    world.check(keep(EntryId::ZERO), "replies kept, created: false").await;
    let to_me = |id: &str| Op::Submit(Submission { reply_to: Some(node("me")), ..submission(id) });
    let session = world.connect(Link::Replies).await;
    let interest = |after| Interest::Replies { caller: node("me"), after };
    let mut after = EntryId::ZERO;
    for id in ["c1", "c2", "c3"] {
        world.check(to_me(id), "accepted").await;
        let read = world.watch(session, interest(after));
        world.settle().await;
        world.check(complete(id, "null", None), "done").await;
        let Wake::Replies { records, last } = woken(read).await else { panic!("no reply") };
        let calls: Vec<&str> = records.iter().map(|record| record.call.as_str()).collect();
        assert_eq!(calls, [id]);
        after = last;
        world.check(keep(after), "replies kept, created: false").await;
    }
    let more = world.transport.watch(session, interest(after), millis(20)).await.unwrap();
    assert_eq!(more, Wake::Nothing);
    world.transport.close(session).await;
}

pub(crate) async fn an_abort_ends_a_watch<S: Store>(world: &World<S>) {
    world.register("w").await;
    let session = world.connect(Link::Arrivals).await;
    let after = (0..40).map(|n| (named(&format!("f{n}"), "x"), EntryId::ZERO)).collect();
    let interests = [Interest::Arrivals { after }, deliveries()];
    for interest in interests {
        for _ in 0..5 {
            let mut read = world.watch(session, interest.clone());
            world.settle().await;
            // An abort that came before the watch began found none: it is told again.
            let ended = timeout(PATIENCE, async {
                loop {
                    world.transport.abort(session).await;
                    if let Ok(ended) = timeout(millis(50), &mut read).await {
                        return ended.unwrap();
                    }
                }
            });
            assert_eq!(ended.await.expect("it ends").unwrap(), Wake::Nothing);
        }
    }
    // The session stands, and is woken as before.
    let read = world.watch(session, deliveries());
    world.settle().await;
    world.check(submit("c1"), "accepted").await;
    assert!(matches!(woken(read).await, Wake::Deliveries(_)));
    world.check(cancel("c1"), "done").await;
    world.transport.close(session).await;
}

pub(crate) async fn a_closed_session_is_disconnected<S: Store>(world: &World<S>) {
    world.check(ensure(), "ensured, created: true").await;
    world.check(ensure(), "ensured, created: false").await;
    world.register("w").await;
    let session = world.connect(Link::Fetch(3)).await;
    let read = world.watch(session, deliveries());
    world.settle().await;
    world.transport.close(session).await;
    let error = timeout(PATIENCE, read).await.expect("it ends").unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    let error = world.transport.execute(session, vec![Op::Ping]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    let never = SessionId(u64::MAX);
    let error = world.transport.execute(never, vec![Op::Ping]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    world.transport.close(session).await;
    world.transport.abort(session).await;
}

pub(crate) async fn a_missing_stream_has_no_group<S: Store>(world: &World<S>) {
    world.check(fetch("w", 10), "error: stream or group missing").await;
    let session = world.connect(Link::Fetch(0)).await;
    let error = world.transport.watch(session, deliveries(), BLOCK).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoGroup);
    world.register("w").await;
    let nothing = world.transport.watch(session, deliveries(), millis(5)).await.unwrap();
    assert_eq!(nothing, Wake::Nothing);
    world.transport.close(session).await;
}
