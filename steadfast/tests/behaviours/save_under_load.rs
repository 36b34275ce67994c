//! A save loses nothing and stalls nothing (P5), however often, and however late the stops come (P3).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use steadfast::{CallId, ConsumerStatus, Function, Host, Outcome, Record, Served, function};
use tokio::time::{Instant, sleep};

use crate::world::{SECOND, World, ids};

const SAVES: u32 = 20;
const CALLS: u32 = 400;

/// The function's code as of one save: every seventh call panics at its first attempt, others take a while.
fn version(save: u32, runs: &Arc<AtomicU32>) -> Function {
    let runs = runs.clone();
    function("work", "editor").concurrency(8).drain(5 * SECOND).handler(move |ctx, number: u32| {
        runs.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(Duration::from_millis(u64::from(number % 5) * 20)).await;
            assert!(!number.is_multiple_of(7) || ctx.attempt() > 1, "call {number} panics once");
            Ok((number, save))
        }
    })
}

/// Saves every 100 ms, and sends the stop of each incarnation once or twice, at once or far too late.
async fn save_often(host: &Host, runs: &Arc<AtomicU32>) -> Vec<Served> {
    let mut served: Vec<Served> = Vec::new();
    for save in 1..=SAVES {
        let next = host.reload(version(save, runs)).await.unwrap();
        if let Some(late) = served.iter().rev().nth(usize::try_from(save % 4).unwrap()) {
            for _ in 0..save % 3 {
                let (consumer, epoch) = ids(late);
                host.stop_consumer(consumer, epoch, 5 * SECOND).await.unwrap();
            }
        }
        if let Some(last) = served.last() {
            // Foreign: the id of one incarnation with the epoch of another.
            host.stop_consumer(&next.consumer, last.epoch, SECOND).await.unwrap();
            assert!(next.epoch > last.epoch, "epochs never go back");
        }
        served.push(next);
        sleep(Duration::from_millis(100)).await;
    }
    served
}

async fn call_often(client: Arc<Host>) -> Vec<(u32, Duration, Record)> {
    let calls = (0..CALLS).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(u64::from(number) * 5)).await;
            let id = CallId::new(format!("c{number}")).unwrap();
            let request = client.caller().request("work", "editor").call_id(id);
            let begun = Instant::now();
            let record = request.input(&number).unwrap().record().await.unwrap();
            (number, begun.elapsed(), record)
        })
    });
    let calls = join_all(calls.collect::<Vec<_>>()).await;
    calls.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(start_paused = true)]
async fn twenty_saves_in_two_seconds_lose_and_stall_nothing() {
    let world = World::new();
    let runs = Arc::new(AtomicU32::new(0));
    let host = world.serving(1, version(0, &runs)).await;
    let client = Arc::new(world.host(2).await);
    let (served, records) = tokio::join!(save_often(&host, &runs), call_often(client.clone()));

    for (number, took, record) in &records {
        let Outcome::Success(result) = &record.outcome else {
            panic!("call {number} was lost: {record}")
        };
        let (answered, _): (u32, u32) = serde_json::from_str(result.as_str()).unwrap();
        assert_eq!(answered, *number);
        assert!(*took < 5 * SECOND, "call {number} stalled for {took:?}");
    }
    assert_eq!(u32::try_from(records.len()), Ok(CALLS));
    assert!(runs.load(Ordering::Relaxed) >= CALLS);

    // Every awaiter sees the same outcome, and only the last incarnation is left.
    let function = "work:editor".parse().unwrap();
    for (_, _, record) in &records {
        let seen = client.caller().outcome(&function, &record.call, None).await.unwrap();
        assert_eq!(seen, *record);
    }
    sleep(10 * SECOND).await;
    let left = host.active_consumers("work", "editor").await.unwrap();
    let left: Vec<_> = left.iter().map(|it| (&it.consumer, it.epoch, it.status)).collect();
    let last = served.last().unwrap();
    assert_eq!(left, [(&last.consumer, last.epoch, ConsumerStatus::Active)]);
    host.shutdown(SECOND).await.unwrap();
    client.shutdown(SECOND).await.unwrap();
    world.check_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn saves_at_once_all_answer_with_what_became_active() {
    let world = World::new();
    let runs = Arc::new(AtomicU32::new(0));
    let host = world.host(1).await;
    let saves = join_all((0..10).map(|save| host.serve(version(save, &runs)))).await;
    let epochs: Vec<_> = saves.into_iter().map(|it| it.unwrap().epoch).collect();
    assert!(epochs.is_sorted(), "{epochs:?}");
    let result: (u32, u32) = host.caller().call("work", "editor", &1).await.unwrap();
    assert_eq!(result, (1, 9), "the last save wins");
}

#[tokio::test(start_paused = true)]
async fn a_save_leaves_what_runs_its_drain_time() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let host = World::new().host(1).await;
    let slow = |name: &'static str| {
        let log = log.clone();
        function("slow", "editor").drain(30 * SECOND).handler(move |_ctx, (): ()| {
            let log = log.clone();
            async move {
                log.lock().unwrap().push(name);
                sleep(10 * SECOND).await;
                Ok(name)
            }
        })
    };
    host.serve(slow("old")).await.unwrap();
    let caller = host.caller();
    let old = tokio::spawn(async move { caller.call::<String>("slow", "editor", &()).await });
    sleep(SECOND).await;
    host.reload(slow("new")).await.unwrap();
    let new: String = host.caller().call("slow", "editor", &()).await.unwrap();
    assert_eq!((new.as_str(), old.await.unwrap().as_deref()), ("new", Ok("old")));
    assert_eq!(*log.lock().unwrap(), ["old", "new"]);
}
