//! The housekeeping is bounded and goes on where it stopped.

use steadfast_core::op::{Op, Reply, Submission, Swept};

use crate::support::{World, millis, seconds, submission, sweep};

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
