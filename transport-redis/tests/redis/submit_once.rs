//! A call id is admitted once, an idempotency key stands for one call, a bound holds.

use steadfast_core::op::{Admission, Op, Reply, Submission};

use crate::support::{World, call, complete, inspect, keyed, millis, seconds, submission, submit};

#[tokio::test]
async fn a_repeat_changes_nothing() {
    let mut world = World::new().await;
    world.check(submit("c1"), "accepted").await;
    world.check(submit("c1"), "already open").await;
    assert_eq!(world.raw::<u64>(&["XLEN", "function_calls:greet:global"]), 1);
    world.check(complete("c1", "7", None), "done").await;
    world.check(submit("c1"), "already decided: c1 success(1 B) after 1").await;
    assert_eq!(world.raw::<u64>(&["XLEN", "function_calls:greet:global"]), 0);
}

#[tokio::test]
async fn a_batch_is_one_command() {
    let mut world = World::new().await;
    world.server.leaves("calls that nobody is to run");
    let () = world.raw(&["CONFIG", "RESETSTAT"]);
    let ops = (0..20).map(|number| submit(&format!("c{number}"))).collect();
    let results = world.apply_all(ops).await;
    assert!(results.iter().all(|it| *it == Ok(Reply::Submitted(Admission::Accepted))));
    let stats: String = world.raw(&["INFO", "commandstats"]);
    assert!(stats.contains("cmdstat_evalsha:calls=1,"), "{stats}");
}

#[tokio::test]
async fn a_key_joins_calls() {
    let world = World::new().await;
    world.check(Op::Submit(keyed("c1", "k")), "accepted").await;
    world.check(Op::Submit(keyed("c2", "k")), "joined to c1").await;
    world.check(complete("c1", "7", None), "done").await;
    match world.ask(Op::Submit(keyed("c3", "k"))).await {
        Reply::Submitted(Admission::Joined { call: joined, record }) => {
            assert_eq!((joined, record.map(|it| it.attempts)), (call("c1"), Some(1)));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn one_more_than_the_bound_is_refused() {
    let world = World::new().await;
    world.server.leaves("a call that nobody is to run");
    let few = |id: &str| Op::Submit(Submission { open_max: 1, ..submission(id) });
    world.check(few("c1"), "accepted").await;
    world.check(few("c2"), "full: 1 open").await;
    world.check(inspect("c2"), "absent").await;
}

#[tokio::test]
async fn a_delayed_call_is_parked() {
    let mut world = World::new().await;
    world.server.leaves("a call that is parked");
    let delayed = Submission { delay: seconds(60), ..submission("c1") };
    world.check(Op::Submit(delayed.clone()), "accepted").await;
    world.check(Op::Submit(Submission { delay: millis(1), ..delayed }), "already open").await;
    world.check(inspect("c1"), "open, parked, attempt 1").await;
    assert_eq!(world.raw::<u64>(&["ZCARD", "function_due:greet:global"]), 1);
}
