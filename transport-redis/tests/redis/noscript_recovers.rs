//! A server that forgot its scripts is told them again, and nothing is done twice.

use steadfast_core::op::Op;

use crate::support::{World, complete, fetch, function, inspect, submit};

#[tokio::test]
async fn a_pipelined_batch_survives_a_flush() {
    let mut world = World::new().await;
    world.server.leaves("calls that are open, some in hand");
    world.check(submit("c0"), "accepted").await;
    let () = world.raw(&["SCRIPT", "FLUSH"]);
    // Known again to the server: some of the batch is done at the first try, the rest at the second.
    world.check(inspect("c0"), "open, queued, attempt 1").await;
    let other = |id: &str| match submit(id) {
        Op::Submit(mut submission) => {
            submission.function = "other:global".parse().unwrap();
            Op::Submit(submission)
        }
        op => op,
    };
    let results = world
        .apply_all(vec![
            submit("c1"),
            inspect("c0"),
            other("o1"),
            submit("c2"),
            Op::Ping,
            complete("c0", "0", None),
            fetch("w", 10),
            Op::Survey { functions: vec![function()] },
        ])
        .await;
    let lines: Vec<String> = results
        .iter()
        .map(|it| it.as_ref().map(ToString::to_string).unwrap())
        .map(|line| line.split(['(', ',']).next().unwrap().trim().to_owned())
        .collect();
    assert_eq!(lines[0], "accepted");
    assert_eq!(lines[1], "open");
    assert_eq!(lines[2], "accepted");
    assert_eq!(lines[3], "accepted");
    assert!(lines[4].starts_with("pong"));
    assert_eq!(lines[5], "done");
    assert_eq!(lines[6], "fetched 2");
    assert_eq!(lines[7], "surveyed 1 functions");
}
