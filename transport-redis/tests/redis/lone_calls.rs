//! An ordinary call that comes alone is one command each way, and so is one among many; what is not ordinary is
//! asked once more, of the script for all.

use std::time::Duration;

use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, Reply, Submission};
use steadfast_core::wire::{Keys, decode_result};

use crate::support::{
    World, complete, fetch, function, millis, node, register, seconds, submission,
};

fn ordinary(id: &str) -> Op {
    Op::Submit(Submission { reply_to: Some(node("me")), ..submission(id) })
}

/// An operation's answer, and how many scripts' calls it took.
async fn check(world: &mut World, op: Op, expect: (&str, u64)) {
    let () = world.raw(&["CONFIG", "RESETSTAT"]);
    world.check(op, expect.0).await;
    let stats: String = world.raw(&["INFO", "commandstats"]);
    let calls = stats.lines().find_map(|line| {
        line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse::<u64>().ok()
    });
    assert_eq!(calls, Some(expect.1), "{}", expect.0);
}

async fn fetched(world: &World) -> EntryId {
    match world.ask(fetch("w", 1)).await {
        Reply::Fetched { deliveries, .. } => deliveries[0].entry(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn one_script_takes_what_is_ordinary_and_two_the_rest() {
    let mut world = World::new().await;
    check(&mut world, ordinary("c0"), ("accepted", 2)).await;
    world.check(complete("c0", "7", None), "done").await;
    world.ask(register("w", world.session)).await;

    check(&mut world, ordinary("c1"), ("accepted", 1)).await;
    check(&mut world, ordinary("c1"), ("already open", 2)).await;
    let entry = fetched(&world).await;
    check(&mut world, complete("c1", "7", Some(entry)), ("done", 1)).await;
    check(&mut world, complete("c1", "8", Some(entry)), ("overruled: success", 2)).await;
    check(&mut world, ordinary("c1"), ("already decided: c1 success(1 B) after 1", 2)).await;

    // However many are open.
    for number in 2..40 {
        check(&mut world, ordinary(&format!("c{number}")), ("accepted", 1)).await;
    }
    let entry = fetched(&world).await;
    check(&mut world, complete("c2", "7", Some(entry)), ("done", 1)).await;
    world.server.leaves("calls that nobody is to run");
}

/// A call's deadline, as the open hash has it, lies so long after it was submitted, or up to `over` longer.
async fn check_deadline(world: &mut World, id: &str, deadline: Duration, over: Duration) {
    let time = |world: &mut World| {
        let (seconds, micros): (u64, u32) = world.raw(&["TIME"]);
        Duration::new(seconds, micros * 1_000)
    };
    let reply_to = Some(node("me"));
    let submission = Submission { deadline, reply_to, open_max: 100_000, ..submission(id) };
    let begun = time(world);
    world.check(Op::Submit(submission), "accepted").await;
    let ended = time(world);
    let open = Keys::default().open(&function());
    let record: String = world.raw(&["HGET", &open, id]);
    let micros = record.split(' ').next().unwrap();
    let stands = Duration::from_micros(micros.parse().unwrap());
    assert!(stands >= begun + deadline, "{deadline:?}: {stands:?} is too early");
    assert!(stands <= ended + deadline + over, "{deadline:?}: {stands:?} is too late");
}

#[tokio::test]
async fn a_deadline_is_rounded_up_to_a_millisecond_and_never_down() {
    let mut world = World::new().await;
    world.server.leaves("calls that nobody is to run");
    world.check(ordinary("c0"), "accepted").await;
    for number in 1..20 {
        check_deadline(&mut world, &format!("c{number}"), millis(20_000), millis(1)).await;
    }
    // The usual one, which the script is not told.
    check_deadline(&mut world, "c21", seconds(300), millis(1)).await;
    // What is no whole number of milliseconds is counted in microseconds.
    check_deadline(&mut world, "c20", Duration::from_micros(20_000_001), Duration::ZERO).await;
}

#[tokio::test]
async fn a_record_tells_the_attempts_where_they_are_one_and_where_they_are_more() {
    let mut world = World::new().await;
    world.ask(register("w", world.session)).await;
    for made in [1, 3] {
        let id = format!("c{made}");
        world.check(ordinary(&id), "accepted").await;
        let mut complete = complete(&id, "7", Some(fetched(&world).await));
        if let Op::Decide { attempts, .. } = &mut complete {
            *attempts = made;
        }
        check(&mut world, complete, ("done", 1)).await;
        let record: String = world.raw(&["GET", &format!("result:{id}")]);
        assert_eq!(decode_result(&record).unwrap().attempts, made, "{record}");
    }
}
