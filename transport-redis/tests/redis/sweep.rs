//! The housekeeping is bounded and goes on where it stopped.

use steadfast_core::call::CallState;
use steadfast_core::op::{Destination, Op, Reply, Submission, Swept};

use crate::support::{World, inspect, millis, relocate, seconds, submission, sweep};

async fn swept(world: &World, limit: u32) -> Swept {
    match world.ask(sweep(limit, seconds(60))).await {
        Reply::Swept(swept) => swept,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_is_overdue_is_expired_at_most_so_many_at_once() {
    let world = World::new().await;
    let short = |number: u32| {
        Op::Submit(Submission { deadline: millis(1), ..submission(&format!("c{number}")) })
    };
    world.apply_all((0..25).map(short).collect()).await;
    tokio::time::sleep(millis(5)).await;
    let mut expired = Vec::new();
    loop {
        let swept = swept(&world, 10).await;
        expired.push(swept.expired);
        if !swept.more {
            break;
        }
    }
    assert_eq!(expired, [10, 10, 5]);
}

#[tokio::test]
async fn a_large_open_hash_is_swept_in_parts() {
    let world = World::new().await;
    world.server.leaves("calls that are not overdue");
    // More than one sweep looks at; those that are overdue are spread among them.
    for batch in 0..60 {
        let ops = (0..100).map(|number| {
            let deadline = if number == 7 { millis(1) } else { seconds(600) };
            let id = format!("c{batch}-{number}");
            Op::Submit(Submission { deadline, open_max: 10_000, ..submission(&id) })
        });
        world.apply_all(ops.collect()).await;
    }
    tokio::time::sleep(millis(5)).await;
    let mut expired = 0;
    for _ in 0..20 {
        expired += swept(&world, 100).await.expired;
    }
    assert_eq!(expired, 60);
}

/// What is overdue beyond the limit is left to the next sweep: a parked call is neither promoted then nor
/// expired in excess of the limit.
#[tokio::test]
async fn a_parked_call_that_is_overdue_counts_against_the_limit() {
    let world = World::new().await;
    let parked = Submission { deadline: millis(2), delay: millis(2), ..submission("c2") };
    let first = Submission { deadline: millis(1), ..submission("c1") };
    world.apply_all(vec![Op::Submit(first), Op::Submit(parked)]).await;
    tokio::time::sleep(millis(8)).await;
    let one = swept(&world, 1).await;
    assert_eq!((one.expired, one.promoted, one.more), (1, 0, true));
    let two = swept(&world, 1).await;
    assert_eq!((two.expired, two.promoted, two.more), (1, 0, false));
}

/// Older peers decided what was parked: it is closed when it is due, no more at once than the limit.
#[tokio::test]
async fn what_is_due_and_decided_counts_against_the_limit() {
    let mut world = World::new().await;
    let parked = |id: &str| Op::Submit(Submission { delay: millis(2), ..submission(id) });
    let ids = ["c1", "c2", "c3", "c4", "c5"];
    world.apply_all(ids.into_iter().map(parked).collect()).await;
    for id in &ids[..4] {
        let text = format!(
            r#"{{"callId":"{id}","result":"7","error":null,"timestamp":1,"status":"success"}}"#
        );
        let () = world.raw(&["SETEX", &format!("result:{id}"), "300", &text]);
    }
    tokio::time::sleep(millis(8)).await;
    let mut rounds = Vec::new();
    while rounds.last().is_none_or(|(_, _, more)| *more) {
        let swept = swept(&world, 1).await;
        rounds.push((swept.closed, swept.promoted, swept.more));
    }
    assert_eq!(rounds, [(1, 0, true), (1, 0, true), (1, 0, true), (1, 1, false)]);
    world.server.leaves("the call that went on");
}

/// An older caller added its call twice: the attempt of the one counts that is parked, also where the
/// other is expired.
#[tokio::test]
async fn an_overdue_duplicate_of_a_parked_call_counts_its_attempts() {
    let mut world = World::new().await;
    world.server.leaves("what is parked, until it is due and found to be decided");
    let older = |world: &mut World, more: &[&str]| {
        let words = ["XADD", "function_calls:greet:global", "*", "callId", "o1", "input", "1"];
        let _: String = world.raw(&[&words[..], more].concat());
    };
    older(&mut world, &[]);
    let (_, lease) = world.lease("w").await;
    world.check(relocate("o1", &lease, Destination::Retry { delay: seconds(60) }), "done").await;
    older(&mut world, &["deadline", "1"]);
    assert_eq!(swept(&world, 10).await.expired, 1);
    match world.ask(inspect("o1")).await {
        Reply::Inspected(CallState::Decided(record)) => assert_eq!(record.attempts, 1),
        other => panic!("{other}"),
    }
}
