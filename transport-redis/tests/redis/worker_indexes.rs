//! The indexes of workers: written by whoever serves, repaired by a heartbeat, gone with the last consumer.

use steadfast_core::op::{ConsumerStatus, Op, Pulse};

use crate::support::{World, consumer, function, node};

const HOUR_MS: std::ops::RangeInclusive<i64> = 3_590_000..=3_600_000;

impl World {
    async fn enlist(&self, id: &str, worker: &str) -> Op {
        let register = Op::Register {
            definition: steadfast_core::definition::Definition::new(function()),
            consumer: consumer(id),
            node: node(worker),
            sessions: vec![self.session],
        };
        let steadfast_core::op::Reply::Registered { epoch } = self.ask(register).await else {
            panic!("not registered");
        };
        Op::Deregister { function: function(), consumer: consumer(id), epoch }
    }

    /// The set of workers, and the time to live of each worker's own key.
    fn check_workers(&mut self, expect: &[&str]) {
        let name = function().name().to_owned();
        let mut workers: Vec<String> = self.raw(&["SMEMBERS", &format!("workers:{name}")]);
        workers.sort();
        assert_eq!(workers, expect);
        let own: Vec<String> = self.raw(&["KEYS", "worker:*"]);
        assert_eq!(own.len(), expect.len(), "{own:?}");
        for worker in expect {
            let key = format!("worker:{worker}:{name}");
            let left_ms: i64 = self.raw(&["PTTL", &key]);
            assert!(HOUR_MS.contains(&left_ms), "{key} lives for {left_ms} ms");
            let beat_ms: u64 = self.raw::<String>(&["GET", &key]).parse().unwrap();
            assert!(beat_ms > 1_600_000_000_000, "{key} tells {beat_ms}");
        }
    }
}

#[tokio::test]
async fn a_worker_is_listed_while_a_consumer_of_it_serves() {
    let mut world = World::new().await;
    let old = world.enlist("old", "w 1").await;
    let other = world.enlist("other", "w 2").await;
    world.check_workers(&["w 1", "w 2"]);
    // A save: the new incarnation serves before the old one is gone.
    let new = world.enlist("new", "w 1").await;
    world.check(old, "deregistered, 0 released").await;
    world.check_workers(&["w 1", "w 2"]);
    world.check(new, "deregistered, 0 released").await;
    world.check_workers(&["w 2"]);
    world.check(other, "deregistered, 0 released").await;
    world.check_workers(&[]);
}

#[tokio::test]
async fn a_heartbeat_repairs_what_was_lost() {
    let mut world = World::new().await;
    let Op::Deregister { epoch, .. } = world.enlist("c", "w").await else { unreachable!() };
    let name = function().name().to_owned();
    let _: u64 = world.raw(&["DEL", &format!("workers:{name}"), &format!("worker:w:{name}")]);
    world.check_workers(&[]);
    let pulse = Pulse {
        function: function(),
        consumer: consumer("c"),
        epoch,
        status: ConsumerStatus::Active,
        error_count: 0,
        last_error: None,
    };
    let beat = Op::Beat { node: node("w"), sessions: vec![world.session], pulses: vec![pulse] };
    world.ask(beat).await;
    world.check_workers(&["w"]);
}
