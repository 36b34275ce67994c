//! The housekeeping of a function, bounded by its limit.

use steadfast_core::op::{Op, Reply, Submission, Swept};

use crate::world::{World, function, seconds, submission, sweep_op};

#[test]
fn what_is_overdue_is_expired_wherever_it_stands() {
    let mut world = World::new();
    world.submit("pending");
    world.lease("w");
    world.submit("queued");
    let parked = Submission { delay: seconds(900), ..submission("parked") };
    world.check(&Op::Submit(parked), "accepted");
    world.pass(seconds(300));
    assert_eq!(world.sweep().expired, 3);
    for (id, attempts) in [("pending", 1), ("queued", 0), ("parked", 0)] {
        let expect = format!("decided: {id} expired after {attempts}");
        assert_eq!(world.state(id), expect);
    }
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_call_whose_stream_was_deleted_is_expired_at_its_deadline() {
    let mut world = World::new();
    world.submit("c1");
    world.store.delete_stream(world.now, &function());
    assert_eq!(world.sweep(), Swept::default());
    world.pass(seconds(300));
    assert_eq!(world.sweep().expired, 1);
}

#[test]
fn a_sweep_stops_at_its_limit_and_says_so() {
    let mut world = World::new();
    for number in 0..5 {
        world.submit(&format!("c{number}"));
    }
    world.pass(seconds(300));
    let mut rounds = Vec::new();
    loop {
        let Reply::Swept(swept) = world.ask(&sweep_op(2)) else {
            panic!("not swept");
        };
        rounds.push(swept.expired);
        if !swept.more {
            break;
        }
    }
    assert_eq!(rounds, [2, 2, 1]);
}

#[test]
fn what_is_overdue_beyond_the_limit_neither_goes_on_nor_fails() {
    let mut world = World::new();
    for (id, deadline) in [("c1", 10), ("c2", 20)] {
        let parked =
            Submission { deadline: seconds(deadline), delay: seconds(5), ..submission(id) };
        world.check(&Op::Submit(parked), "accepted");
    }
    world.pass(seconds(20));
    for id in ["c1", "c2"] {
        let Reply::Swept(swept) = world.ask(&sweep_op(1)) else {
            panic!("not swept");
        };
        assert_eq!((swept.expired, swept.promoted), (1, 0));
        assert_eq!(world.state(id), format!("decided: {id} expired after 0"));
    }
}

#[test]
fn a_consumer_without_state_is_robbed_once_it_is_idle() {
    let mut world = World::new();
    world.submit("c1");
    assert_eq!(world.fetch("stranger").attempt, 1);
    world.pass(seconds(59));
    assert_eq!(world.sweep().robbed, 0);
    world.pass(seconds(1));
    let swept = world.sweep();
    assert_eq!((swept.robbed, swept.names_removed), (1, 1));
    assert!(world.store.group_names(&function()).is_empty());
    world.register("w");
    assert_eq!(world.fetch("w").takeovers, 1);
}

#[test]
fn a_registered_consumer_is_never_robbed_by_a_sweep() {
    let mut world = World::new();
    world.submit("c1");
    world.lease("w");
    world.pass(seconds(120));
    assert_eq!(world.sweep(), Swept::default());
    assert_eq!(world.state("c1"), "open, pending at w, attempt 1");
}

#[test]
fn a_clock_that_goes_back_robs_and_expires_nobody() {
    let mut world = World::new();
    world.pass(seconds(1_000)).submit("c1");
    world.fetch("stranger");
    world.now = crate::world::START;
    assert_eq!(world.sweep(), Swept::default());
    world.submit("c2");
    let entries = world.store.stream_entries(&function());
    assert!(entries[0].entry < entries[1].entry, "{entries:?}");
}
