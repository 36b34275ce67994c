//! A call that is not decided goes back, is parked until it is due, or waits for its token.

use steadfast_core::call::Token;
use steadfast_core::op::{Destination, Op};

use crate::support::{
    World, call, consumer, function, inspect, millis, relocate, seconds, submit, sweep,
};

#[tokio::test]
async fn a_release_counts_nothing_and_a_retry_counts() {
    let world = World::new().await;
    world.server.leaves("a call that is in hand");
    world.check(submit("c1"), "accepted").await;
    let (_, mut lease) = world.lease("w").await;
    world.check(relocate("c1", &lease, Destination::Release), "done").await;
    world.check(relocate("c1", &lease, Destination::Release), "fenced").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!((delivery.attempt, delivery.older_peer), (1, false));
    lease.entry = delivery.entry;
    world.check(relocate("c1", &lease, Destination::Retry { delay: millis(0) }), "done").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!(delivery.attempt, 2);
    lease.entry = delivery.entry;
    world.check(relocate("c1", &lease, Destination::Retry { delay: millis(1) }), "done").await;
    world.check(inspect("c1"), "open, parked, attempt 3").await;
    tokio::time::sleep(millis(5)).await;
    world.check(sweep(100, seconds(60)), "swept: 1 promoted, 0 expired, 0 robbed").await;
    assert_eq!(world.fetch_one("w").await.attempt, 3);
}

#[tokio::test]
async fn a_deferred_call_is_touched_and_failed_by_its_token() {
    let world = World::new().await;
    world.server.leaves("a call that is in hand");
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    let to = Destination::Defer { nonce: "n".into(), lease: seconds(60) };
    world.check(relocate("c1", &lease, to), "done").await;
    world.check(inspect("c1"), "open, deferred, attempt 1").await;
    let touch = |nonce: &str| Op::Touch {
        token: Token { function: function(), call: call("c1"), nonce: nonce.into() },
        lease: millis(1),
    };
    world.check(touch("other"), "fenced").await;
    world.check(touch("n"), "done").await;
    tokio::time::sleep(millis(5)).await;
    // The lease has run out: the deferral has failed, and the next attempt is due.
    world.check(sweep(100, seconds(60)), "swept: 1 promoted, 0 expired, 0 robbed").await;
    assert_eq!(world.fetch_one("w").await.attempt, 2);
    world.check(touch("n"), "fenced").await;
    let renew = Op::Renew { function: function(), consumer: consumer("w"), entries: vec![] };
    world.check(renew, "renewed, 0 lost").await;
}
