//! The counter of epochs has a time to live, which registrations and heartbeats renew; its loss takes no epoch back.

use crate::support::{World, beat, deregister, function, pulse};

const HOUR_MS: std::ops::RangeInclusive<i64> = 3_590_000..=3_600_000;

impl World {
    fn epoch_key() -> String {
        steadfast_core::wire::Keys::default().epoch(&function())
    }

    fn check_epoch_lives_an_hour(&mut self) {
        let left_ms: i64 = self.raw(&["PTTL", &Self::epoch_key()]);
        assert!(HOUR_MS.contains(&left_ms), "the counter lives for {left_ms} ms");
    }
}

#[tokio::test]
async fn a_heartbeat_renews_the_counter() {
    let mut world = World::new().await;
    let epoch = world.register("w").await;
    world.check_epoch_lives_an_hour();
    let _: u64 = world.raw(&["PEXPIRE", &World::epoch_key(), "60000"]);
    world.ask(beat(vec![pulse("w", epoch)], world.session)).await;
    world.check_epoch_lives_an_hour();
    world.check(deregister("w", epoch), "deregistered, 0 released").await;
}

#[tokio::test]
async fn a_counter_that_is_lost_takes_no_epoch_back() {
    let mut world = World::new().await;
    let first = world.register("w1").await;
    world.check(deregister("w1", first), "deregistered, 0 released").await;
    let _: u64 = world.raw(&["DEL", &World::epoch_key()]);
    let second = world.register("w2").await;
    assert!(second > first, "{second} after {first}");
    world.check(deregister("w2", second), "deregistered, 0 released").await;
}

/// An index that names who is gone must not make the function pass for served.
#[tokio::test]
async fn a_name_without_state_keeps_no_stream() {
    let mut world = World::new().await;
    let epoch = world.register("w").await;
    let keys = steadfast_core::wire::Keys::default();
    let _: u64 = world.raw(&["SADD", &keys.active(&function()), "gone"]);
    world.check(deregister("w", epoch), "deregistered, 0 released").await;
    let left: u64 = world.raw(&["EXISTS", &keys.calls(&function()), &keys.active(&function())]);
    assert_eq!(left, 0);
}
