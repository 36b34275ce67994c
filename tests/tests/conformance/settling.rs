//! An attempt that does not decide its call leaves it where it should be.

use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind, Lease, Token};
use steadfast_core::name::{EntryId, Epoch};
use steadfast_core::op::{Authority, Destination, Op, Reply, Verdict};
use steadfast_core::time::StoreTime;
use steadfast_tests::ops::{
    begin, call, cancel, complete, consumer, dead_letter, decide, fail, function, inspect, millis,
    relocate, seconds, submit, sweep,
};

use crate::stores::Store;
use crate::world::World;

pub(crate) async fn a_failure_needs_its_lease<S: Store>(world: &World<S>) {
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    world.register("other").await;
    let foreign = Lease { consumer: consumer("other"), ..lease.clone() };
    let stale = Lease { epoch: Epoch(lease.epoch.0 - 1), ..lease.clone() };
    for wrong in [&foreign, &stale] {
        world.check(fail("c1", wrong), "fenced").await;
        world.check(dead_letter("c1", wrong), "fenced").await;
        world.check(relocate("c1", wrong, Destination::Release), "fenced").await;
        world.check(begin("c1", wrong), "not begun: fenced").await;
    }
    world.check(inspect("c1"), "open, pending at w, attempt 1").await;
    world.check(fail("c1", &lease), "done").await;
    world.check(fail("c1", &lease), "overruled: error").await;
}

pub(crate) async fn a_release_counts_nothing_and_a_retry_counts<S: Store>(world: &World<S>) {
    world.check(submit("c1"), "accepted").await;
    let (_, mut lease) = world.lease("w").await;
    world.check(relocate("c1", &lease, Destination::Release), "done").await;
    world.check(relocate("c1", &lease, Destination::Release), "fenced").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!((delivery.attempt, delivery.takeovers), (1, 0));
    lease.entry = delivery.entry;
    let soon = Destination::Retry { delay: Duration::ZERO };
    world.check(relocate("c1", &lease, soon), "done").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!(delivery.attempt, 2);
    lease.entry = delivery.entry;
    let later = Destination::Retry { delay: millis(20) };
    world.check(relocate("c1", &lease, later), "done").await;
    world.check(inspect("c1"), "open, parked, attempt 3").await;
    tokio::time::sleep(millis(30)).await;
    world.check(sweep(100, seconds(60)), "swept: 1 promoted, 0 expired, 0 robbed").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!(delivery.attempt, 3);
    world.check(complete("c1", "1", Some(delivery.entry)), "done").await;
}

pub(crate) async fn a_deferral_ends_by_its_token<S: Store>(world: &World<S>) {
    let defer = |lease: u64| Destination::Defer { nonce: "n".into(), lease: millis(lease) };
    let touch = |id: &str, nonce: &str| Op::Touch {
        token: Token { function: function(), call: call(id), nonce: nonce.into() },
        lease: millis(1),
    };
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    world.check(relocate("c1", &lease, defer(60_000)), "done").await;
    world.check(inspect("c1"), "open, deferred, attempt 1").await;
    let failed = |nonce: &str| {
        let failure = Failure::new(FailureKind::Handler, "no");
        decide("c1", Verdict::Fail { failure, by: Authority::Token(nonce.into()) })
    };
    world.check(failed("other"), "fenced").await;
    world.check(touch("c1", "other"), "fenced").await;
    world.check(failed("n"), "done").await;
    world.check(touch("c1", "n"), "overruled: error").await;

    // A lease that ends is a failed attempt.
    world.check(submit("c2"), "accepted").await;
    let delivery = world.fetch_one("w").await;
    let lease = Lease { entry: delivery.entry, ..lease };
    world.check(relocate("c2", &lease, defer(60_000)), "done").await;
    world.check(touch("c2", "n"), "done").await;
    tokio::time::sleep(millis(20)).await;
    world.check(sweep(100, seconds(60)), "swept: 1 promoted, 0 expired, 0 robbed").await;
    let delivery = world.fetch_one("w").await;
    assert_eq!(delivery.attempt, 2);
    world.check(complete("c2", "1", Some(delivery.entry)), "done").await;
}

impl<S: Store> World<S> {
    /// Removes a consumer as a look at it saw it, or as it was long ago.
    async fn remove(&self, id: &str, as_seen: bool) -> Reply {
        let survey = self.ask(Op::Survey { functions: vec![function()] }).await;
        let Reply::Surveyed(survey) = survey else { panic!("{survey}") };
        let records = &survey.functions[0].consumers;
        let record = records.iter().find(|it| it.consumer == consumer(id)).expect("registered");
        self.ask(Op::Remove {
            function: function(),
            consumer: record.consumer.clone(),
            epoch: record.epoch,
            heartbeat: if as_seen { record.heartbeat } else { StoreTime::ZERO },
            sessions: record.sessions.clone(),
        })
        .await
    }
}

pub(crate) async fn a_takeover_is_counted<S: Store>(world: &World<S>) {
    world.check(submit("c1"), "accepted").await;
    let (_, first) = world.lease("w1").await;
    assert_eq!(world.remove("w1", false).await, Reply::Kept);
    assert_eq!(world.remove("w1", true).await, Reply::Removed { taken_over: 1 });
    let (delivery, second) = world.lease("w2").await;
    assert_eq!((delivery.attempt, delivery.takeovers), (1, 1));
    world.check(begin("c1", &first), "not begun: fenced").await;
    world.check(begin("c1", &second), "begun, attempt 2").await;
    world.check(begin("c1", &second), "begun, attempt 2").await;
    world.remove("w2", true).await;
    let (_, third) = world.lease("w3").await;
    world.check(begin("c1", &third), "begun, attempt 3").await;
    world.remove("w3", true).await;
    let (_, fourth) = world.lease("w4").await;
    // A call that kills its workers is seen to.
    world.check(begin("c1", &fourth), "not begun: dead_lettered").await;
    world.check(inspect("c1"), "decided: c1 dead_lettered(lost worker) after 3").await;
}

pub(crate) async fn a_dead_letter_is_requeued<S: Store>(world: &World<S>) {
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    world.check(dead_letter("c1", &lease), "done").await;
    let page = || Op::DeadLetters { function: function(), after: EntryId::ZERO, count: 10 };
    let Reply::Letters(letters) = world.ask(page()).await else { panic!("no letters") };
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((&letter.call, letter.attempts), (&Some(call("c1")), 1));
    assert_eq!(letter.failure.kind, FailureKind::Timeout);
    let requeue = |id: &str| Op::Requeue {
        function: function(),
        letter: letter.entry,
        call: call(id),
        deadline: seconds(60),
    };
    world.check(requeue("c2"), "accepted").await;
    world.check(requeue("c2"), "already open").await;
    world.check(requeue("c3"), "no such letter").await;
    assert_eq!(world.ask(page()).await, Reply::Letters(Vec::new()));
    let delivery = world.fetch_one("w").await;
    assert_eq!((delivery.call.as_str(), delivery.input.as_str()), ("c2", r#"{"n":1}"#));
    world.check(complete("c2", "1", Some(delivery.entry)), "done").await;
}

pub(crate) async fn a_cancel_decides_wherever_the_call_stands<S: Store>(world: &World<S>) {
    world.check(submit("queued"), "accepted").await;
    world.check(cancel("queued"), "done").await;
    world.check(submit("pending"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    world.check(cancel("pending"), "done").await;
    world.check(complete("pending", "1", Some(lease.entry)), "overruled: cancelled").await;
    world.check(submit("parked"), "accepted").await;
    let delivery = world.fetch_one("w").await;
    let lease = Lease { entry: delivery.entry, ..lease };
    world
        .check(relocate("parked", &lease, Destination::Retry { delay: seconds(60) }), "done")
        .await;
    world.check(cancel("parked"), "done").await;
    world.check(cancel("parked"), "overruled: cancelled").await;
    world.check(cancel("nobody"), "absent").await;
}
