//! Saves, cut lines, crashes of hosts, restarts of the store and a deleted group, drawn by seed, under
//! load: each call ends in one outcome that all see (P1, P2), in time (P9), and nothing is left behind (P7).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use steadfast::{CallError, CallFailed, CallId, Caller, Function, Host, Record, function};
use steadfast_core::entropy::{Entropy, Stream};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::world::{Line, SECOND, World, host_over};

const SEEDS: u64 = 12;
const CALLS: u32 = 120;

fn work(version: u64) -> Function {
    function("work", "global")
        .concurrency(4)
        .timeout(2 * SECOND)
        .attempts(50)
        .drain(SECOND)
        .handler(move |ctx, number: u32| async move {
            sleep(Duration::from_millis(u64::from(number % 7) * 40)).await;
            assert!(!number.is_multiple_of(11) || ctx.attempt() > 2, "call {number} panics twice");
            if number.is_multiple_of(29) && ctx.attempt() < 2 {
                std::future::pending::<()>().await;
            }
            Ok((number, version))
        })
}

/// One worker process: its line, and its present host.
struct Worker {
    line: Line,
    host: Mutex<Arc<Host>>,
}

impl Worker {
    async fn start(world: &World, seed: u64) -> Self {
        let line = Line::to(world);
        let host = Arc::new(host_over(line.clone(), seed).await);
        host.serve(work(seed)).await.unwrap();
        Self { line, host: Mutex::new(host) }
    }

    /// The process crashes, and another one takes its place.
    async fn replace(&self, seed: u64) {
        let mut place = self.host.lock().await;
        let host = Arc::new(host_over(self.line.clone(), seed).await);
        *place = host.clone();
        drop(place);
        host.serve(work(seed)).await.unwrap();
    }
}

async fn suffer(world: &World, workers: &[Worker; 2], client: &Line, mut chance: Stream) {
    let mut served = Vec::new();
    for step in 0..30_u64 {
        let worker = &workers[usize::try_from(chance.below(2)).unwrap()];
        let host = worker.host.lock().await.clone();
        match chance.below(9) {
            0..=2 => {
                served.push(host.reload(work(1_000 + step)).await.unwrap());
            }
            3 => {
                let line = if chance.below(3) == 0 { client } else { &worker.line };
                line.cut();
                sleep(chance.up_to(3 * SECOND)).await;
                line.mend();
            }
            4 => world.store.sever_all(),
            5 => world.store.restart(),
            6 => {
                drop(host);
                worker.replace(10_000 + step).await;
            }
            7 => {
                let function = "work:global".parse().unwrap();
                world.store.with_store(|store, now| store.delete_group(now, &function));
            }
            _ => {
                for old in &served {
                    let drain = chance.up_to(SECOND);
                    host.stop_consumer(&old.consumer, old.epoch, drain).await.unwrap();
                }
                // Late stops may have hit the present incarnation: somebody serves again.
                served.push(host.serve(work(2_000 + step)).await.unwrap());
            }
        }
        sleep(chance.up_to(Duration::from_millis(300))).await;
    }
}

async fn insist(caller: Caller, number: u32) -> Record {
    sleep(Duration::from_millis(u64::from(number) * 50)).await;
    let id = CallId::new(format!("c{number}")).unwrap();
    loop {
        let request = caller.request("work", "global").call_id(id.clone());
        match request.input(&number).unwrap().record().await {
            Ok(record) => return record,
            Err(CallFailed::Refused(
                CallError::Unavailable { .. }
                | CallError::NoAnswer
                | CallError::NotSubmitted
                | CallError::Unconfirmed { .. }
                | CallError::StillOpen { .. },
            )) => sleep(Duration::from_millis(200)).await,
            Err(error) => panic!("call {number}: {error}"),
        }
    }
}

async fn check(seed: u64) {
    let world = World::new();
    let chance = Entropy::new(seed).stream("faults");
    let workers = [Worker::start(&world, 1).await, Worker::start(&world, 2).await];
    let line = Line::to(&world);
    let client = host_over(line.clone(), 3).await;
    let calls = (0..CALLS).map(|number| tokio::spawn(insist(client.caller(), number)));
    let calls: Vec<_> = calls.collect();
    suffer(&world, &workers, &line, chance).await;
    let calm = Instant::now();
    let records = timeout(60 * SECOND, join_all(calls)).await;
    let records = records.unwrap_or_else(|_| panic!("seed {seed}: a call is not decided"));
    let took = calm.elapsed();
    assert!(took < 40 * SECOND, "seed {seed}: took {took:?} after the faults ended");

    let function = "work:global".parse().unwrap();
    for (number, record) in (0_u32..).zip(records) {
        let record = record.unwrap();
        let steadfast::Outcome::Success(result) = &record.outcome else {
            panic!("seed {seed}: call {number}: {record}")
        };
        let (answered, _): (u32, u64) = serde_json::from_str(result.as_str()).unwrap();
        assert_eq!(answered, number, "seed {seed}");
        let told = client.caller().outcome(&function, &record.call, None).await;
        assert_eq!(told, Ok(record), "seed {seed}");
    }
    world.check_quiet().await;
    for worker in workers {
        let host = worker.host.into_inner();
        host.shutdown(SECOND).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_in_one_outcome_whatever_befalls() {
    for seed in 0..SEEDS {
        check(seed).await;
    }
}
