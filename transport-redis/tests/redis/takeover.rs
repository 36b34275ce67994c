//! What a dead consumer held is taken over, and its takeovers are counted.

use steadfast_core::call::Lease;
use steadfast_core::op::{Op, Reply};
use steadfast_core::time::StoreTime;

use crate::support::{World, begin, consumer, function, inspect, millis, seconds, submit, sweep};

impl World {
    async fn remove_as_observed(&self, id: &str, later: bool) -> Reply {
        let survey = self.ask(Op::Survey { functions: vec![function()] }).await;
        let Reply::Surveyed(survey) = survey else {
            panic!("{survey}");
        };
        let records = &survey.functions[0].consumers;
        let record = records.iter().find(|it| it.consumer == consumer(id)).expect("registered");
        let heartbeat = if later { StoreTime::ZERO } else { record.heartbeat };
        self.ask(Op::Remove {
            function: function(),
            consumer: record.consumer.clone(),
            epoch: record.epoch,
            heartbeat,
            sessions: record.sessions.clone(),
        })
        .await
    }
}

#[tokio::test]
async fn a_removed_consumers_calls_run_elsewhere() {
    let world = World::new().await;
    world.check(submit("c1"), "accepted").await;
    let (_, first) = world.lease("w1").await;
    assert_eq!(world.remove_as_observed("w1", true).await, Reply::Kept);
    assert_eq!(world.remove_as_observed("w1", false).await, Reply::Removed { taken_over: 1 });
    let (delivery, second) = world.lease("w2").await;
    assert_eq!((delivery.attempt, delivery.takeovers), (1, 1));
    world.check(begin("c1", &first), "not begun: fenced").await;
    world.check(begin("c1", &second), "begun, attempt 2").await;
    world.check(begin("c1", &second), "begun, attempt 2").await;
    world.remove_as_observed("w2", false).await;
    let (_, third) = world.lease("w3").await;
    world.check(begin("c1", &third), "begun, attempt 3").await;
    world.remove_as_observed("w3", false).await;
    let (_, fourth) = world.lease("w4").await;
    // A call that kills its workers is seen to.
    world.check(begin("c1", &fourth), "not begun: dead_lettered").await;
    world.check(inspect("c1"), "decided: c1 dead_lettered(lost worker) after 3").await;
}

#[tokio::test]
async fn a_stop_gives_back_uncounted() {
    let world = World::new().await;
    world.server.leaves("the call that was given back, in another's hand");
    world.check(submit("c1"), "accepted").await;
    let (_, Lease { epoch, .. }) = world.lease("w1").await;
    let deregister = Op::Deregister { function: function(), consumer: consumer("w1"), epoch };
    world.check(deregister, "deregistered, 1 released").await;
    let delivery = world.fetch_one("w2").await;
    assert_eq!((delivery.attempt, delivery.takeovers), (1, 0));
}

#[tokio::test]
async fn a_name_without_state_is_robbed_once_idle() {
    let mut world = World::new().await;
    world.server.leaves("the call that was taken over, in hand");
    world.check(submit("c1"), "accepted").await;
    world.fetch_one("stranger").await;
    world.check(sweep(100, seconds(60)), "swept: 0 promoted, 0 expired, 0 robbed").await;
    tokio::time::sleep(millis(5)).await;
    world.check(sweep(100, millis(1)), "swept: 0 promoted, 0 expired, 1 robbed").await;
    let names: Vec<redis::Value> = world.raw(&[
        "XINFO",
        "CONSUMERS",
        "function_calls:greet:global",
        "function_group:greet:global",
    ]);
    assert_eq!(names.len(), 0);
    assert_eq!(world.fetch_one("w").await.takeovers, 1);
}
