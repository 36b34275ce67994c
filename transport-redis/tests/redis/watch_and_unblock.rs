//! Blocking reads are served, end when told to, and take nobody's connection along.

use std::time::Duration;

use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, Submission};
use steadfast_core::transport::{ErrorKind, Interest, Link, Transport, Wake};
use tokio::time::timeout;

use crate::support::{World, complete, consumer, function, millis, node, submission, submit};

/// Far longer than any wait that works takes, and shorter than the block.
const PATIENCE: Duration = Duration::from_secs(20);
const BLOCK: Duration = Duration::from_secs(60);

fn deliveries() -> Interest {
    Interest::Deliveries { function: function(), consumer: consumer("w"), count: 10 }
}

/// Waits until so many clients are blocked.
async fn until_blocked(world: &mut World, clients: u64) {
    let line = format!("blocked_clients:{clients}\r");
    while !world.raw::<String>(&["INFO", "clients"]).contains(&line) {
        tokio::time::sleep(millis(1)).await;
    }
}

#[tokio::test]
async fn deliveries_wake_a_read() {
    let mut world = World::new().await;
    world.server.leaves("the call that was delivered");
    let session = world.transport.connect(Link::Fetch(0)).await.unwrap().session;
    let error = world.transport.watch(session, deliveries(), BLOCK).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoGroup);
    world.ask(Op::Ensure { function: function() }).await;
    let transport = world.transport.clone();
    let read = tokio::spawn(async move { transport.watch(session, deliveries(), BLOCK).await });
    until_blocked(&mut world, 1).await;
    world.check(submit("c1"), "accepted").await;
    match timeout(PATIENCE, read).await.unwrap().unwrap().unwrap() {
        Wake::Deliveries(delivered) => assert_eq!(delivered.len(), 1),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_abort_ends_a_read_and_keeps_the_session() {
    let mut world = World::new().await;
    world.server.leaves("a group that was made sure of, and that nobody registers at");
    world.ask(Op::Ensure { function: function() }).await;
    let session = world.transport.connect(Link::Fetch(0)).await.unwrap().session;
    for _ in 0..20 {
        let transport = world.transport.clone();
        let read = tokio::spawn(async move { transport.watch(session, deliveries(), BLOCK).await });
        // Now and then before it is blocked.
        tokio::task::yield_now().await;
        timeout(PATIENCE, world.transport.abort(session)).await.expect("an abort ends");
        // An abort that came before the watch began found none: it is told again.
        let ended = timeout(PATIENCE, async {
            let mut read = read;
            loop {
                match timeout(millis(50), &mut read).await {
                    Ok(ended) => return ended.unwrap(),
                    Err(_elapsed) => world.transport.abort(session).await,
                }
            }
        });
        assert_eq!(ended.await.expect("long before its block").unwrap(), Wake::Nothing);
    }
    until_blocked(&mut world, 0).await;
    world.transport.abort(session).await;
}

#[tokio::test]
async fn a_dropped_watch_is_unblocked() {
    let mut world = World::new().await;
    world.server.leaves("a group that was made sure of, and that nobody registers at");
    world.ask(Op::Ensure { function: function() }).await;
    let session = world.transport.connect(Link::Fetch(0)).await.unwrap().session;
    let watch = world.transport.watch(session, deliveries(), BLOCK);
    assert!(timeout(millis(50), watch).await.is_err(), "nothing came");
    timeout(PATIENCE, until_blocked(&mut world, 0)).await.expect("unblocked");
    // The session stands.
    let busy = |error: &steadfast_core::transport::TransportError| error.kind == ErrorKind::Busy;
    loop {
        let again = world.transport.watch(session, deliveries(), millis(1)).await;
        if !again.as_ref().is_err_and(busy) {
            assert_eq!(again.unwrap(), Wake::Nothing);
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_closed_session_ends_its_read() {
    let mut world = World::new().await;
    let session = world.transport.connect(Link::Replies).await.unwrap().session;
    let transport = world.transport.clone();
    let interest = Interest::Replies { caller: node("me"), after: EntryId::ZERO };
    let read = tokio::spawn(async move { transport.watch(session, interest, BLOCK).await });
    until_blocked(&mut world, 1).await;
    world.transport.close(session).await;
    let error = timeout(PATIENCE, read).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    timeout(PATIENCE, until_blocked(&mut world, 0)).await.expect("the server noticed");
}

#[tokio::test]
async fn arrivals_tell_which_function() {
    let world = World::new().await;
    world.server.leaves("the call that arrived");
    let session = world.transport.connect(Link::Arrivals).await.unwrap().session;
    let quiet: steadfast_core::name::FunctionId = "quiet:global".parse().unwrap();
    let after = vec![(quiet, EntryId::ZERO), (function(), EntryId::ZERO)];
    let interest = Interest::Arrivals { after };
    let nothing = world.transport.watch(session, interest.clone(), millis(1)).await.unwrap();
    assert_eq!(nothing, Wake::Nothing);
    world.check(submit("c1"), "accepted").await;
    let wake = timeout(PATIENCE, world.transport.watch(session, interest, BLOCK));
    assert_eq!(wake.await.unwrap().unwrap(), Wake::Arrivals(vec![function()]));
    let nobody = Interest::Arrivals { after: Vec::new() };
    let nothing = world.transport.watch(session, nobody, millis(1)).await.unwrap();
    assert_eq!(nothing, Wake::Nothing);
}

#[tokio::test]
async fn a_batch_of_outcomes_is_one_reply_entry() {
    let mut world = World::new().await;
    let keep = |after| Op::KeepReplies { caller: node("me"), after };
    world.check(keep(EntryId::ZERO), "replies kept, created: true").await;
    world.check(keep(EntryId::ZERO), "replies kept, created: false").await;
    let submit = |id: &str| Op::Submit(Submission { reply_to: Some(node("me")), ..submission(id) });
    world.apply_all(vec![submit("c1"), submit("c2")]).await;
    world.apply_all(vec![complete("c1", "1", None), complete("c2", "null", None)]).await;
    assert_eq!(world.raw::<u64>(&["XLEN", "replies:me"]), 1);
    let session = world.transport.connect(Link::Replies).await.unwrap().session;
    let interest = |after| Interest::Replies { caller: node("me"), after };
    let wake = timeout(PATIENCE, world.transport.watch(session, interest(EntryId::ZERO), BLOCK));
    let (records, last) = match wake.await.unwrap().unwrap() {
        Wake::Replies { records, last } => (records, last),
        other => panic!("{other}"),
    };
    let calls: Vec<&str> = records.iter().map(|record| record.call.as_str()).collect();
    assert_eq!(calls, ["c1", "c2"]);
    let more = world.transport.watch(session, interest(last), millis(1)).await.unwrap();
    assert_eq!(more, Wake::Nothing);
    let ttl_s = world.raw::<i64>(&["TTL", "replies:me"]);
    assert!((1..=60).contains(&ttl_s), "{ttl_s}");
}
