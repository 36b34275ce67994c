//! Blocking reads: answered at once or in the order in which they blocked.

use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{EntryId, SessionId};
use steadfast_core::op::Op;
use steadfast_core::transport::{Interest, Wake};

use crate::world::{World, caller, complete, consumer, function, seconds, submission};

fn deliveries(to: &str, count: u32) -> Interest {
    Interest::Deliveries { function: function(), consumer: consumer(to), count }
}

fn arrivals(after: EntryId) -> Interest {
    let after = vec![(function(), after)];
    Interest::Arrivals { after }
}

impl World {
    fn connect(&mut self) -> SessionId {
        self.store.connect(self.now).session
    }

    /// Blocks a new session, which must find nothing.
    fn block(&mut self, interest: &Interest) -> SessionId {
        let session = self.connect();
        let answer = self.store.watch(self.now, session, interest);
        assert_eq!(answer, None, "{interest}");
        session
    }

    fn watch(&mut self, interest: &Interest) -> String {
        let session = self.connect();
        match self.store.watch(self.now, session, interest) {
            None => "blocked".to_owned(),
            Some(Ok(wake)) => wake.to_string(),
            Some(Err(error)) => format!("error: {error}"),
        }
    }

    fn wakes(&mut self) -> Vec<(SessionId, String)> {
        let mut wakes = Vec::new();
        while let Some((session, answer)) = self.store.poll_wake() {
            let text = match answer {
                Ok(Wake::Deliveries(deliveries)) => format!("{} delivered", deliveries.len()),
                Ok(wake) => wake.to_string(),
                Err(error) => format!("error: {}", error.kind),
            };
            wakes.push((session, text));
        }
        wakes
    }
}

#[test]
fn what_is_there_is_answered_at_once() {
    let mut world = World::new();
    world.submit("c1");
    assert_eq!(world.watch(&arrivals(EntryId::ZERO)), "arrivals at greet:global");
    assert!(world.watch(&deliveries("w", 5)).starts_with("1 delivered"));
    // A delivered entry is an arrival still, and is no delivery any more.
    assert_eq!(world.watch(&arrivals(EntryId::ZERO)), "arrivals at greet:global");
    assert_eq!(world.watch(&deliveries("w", 5)), "blocked");
}

#[test]
fn a_missing_group_is_an_error_for_readers_and_none_for_watchers() {
    let mut world = World::new();
    let error = "error: stream or group missing: read of greet:global: its stream or group is \
                 missing; ensure or register first";
    assert_eq!(world.watch(&deliveries("w", 1)), error);
    let watcher = world.block(&arrivals(EntryId::ZERO));
    world.submit("c1");
    let expect = [(watcher, "arrivals at greet:global".to_owned())];
    assert_eq!(world.wakes(), expect);
}

#[test]
fn blocked_readers_are_served_in_the_order_in_which_they_blocked() {
    let mut world = World::new();
    world.check(&Op::Ensure { function: function() }, "ensured, created: true");
    let first = world.block(&deliveries("w1", 1));
    let second = world.block(&deliveries("w2", 1));
    let watcher = world.block(&arrivals(EntryId::ZERO));
    world.submit("c1");
    let expect =
        [(first, "1 delivered".to_owned()), (watcher, "arrivals at greet:global".to_owned())];
    assert_eq!(world.wakes(), expect);
    assert_eq!(world.state("c1"), "open, pending at w1, attempt 1");
    world.submit("c2");
    assert_eq!(world.wakes(), [(second, "1 delivered".to_owned())]);
    assert_eq!(world.state("c2"), "open, pending at w2, attempt 1");
    assert_eq!(world.wakes(), []);
}

#[test]
fn an_unwatched_or_disconnected_session_takes_nothing() {
    let mut world = World::new();
    world.check(&Op::Ensure { function: function() }, "ensured, created: true");
    let aborted = world.block(&deliveries("w1", 1));
    let cut = world.block(&deliveries("w2", 1));
    world.store.unwatch(aborted);
    world.store.disconnect(world.now, cut);
    world.submit("c1");
    assert_eq!(world.wakes(), []);
    assert_eq!(world.state("c1"), "open, queued, attempt 1");
    assert!(world.store.blocked().is_empty());
}

#[test]
fn a_late_read_creates_its_consumers_name_again_once_it_is_served() {
    let mut world = World::new();
    world.check(&Op::Ensure { function: function() }, "ensured, created: true");
    for name in ["w1", "w2"] {
        world.block(&deliveries(name, 1));
        world.store.delete_name(world.now, &function(), &consumer(name));
    }
    world.submit("c1");
    assert_eq!(world.wakes().len(), 1);
    assert_eq!(world.store.group_names(&function()), [consumer("w1")]);
}

#[test]
fn a_session_waits_for_one_thing_at_a_time() {
    let mut world = World::new();
    let session = world.block(&arrivals(EntryId::ZERO));
    let answer = world.store.watch(world.now, session, &arrivals(EntryId::ZERO));
    let error = answer.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the store is busy: {session} waits already; it can watch one thing at a time")
    );
}

#[test]
fn deleting_stream_or_group_ends_blocked_reads() {
    let ends: [fn(&mut World); 3] = [
        |world| assert!(world.store.delete_stream(world.now, &function())),
        |world| assert!(world.store.delete_group(world.now, &function())),
        |world| world.store.flush(world.now),
    ];
    for end in ends {
        let mut world = World::new();
        world.check(&Op::Ensure { function: function() }, "ensured, created: true");
        let reader = world.block(&deliveries("w", 1));
        end(&mut world);
        let expect = [(reader, "error: stream or group missing".to_owned())];
        assert_eq!(world.wakes(), expect);
    }
}

#[test]
fn a_release_a_promotion_and_a_reply_wake_too() {
    let mut world = World::new();
    let me = caller("me");
    let keep = Op::KeepReplies { caller: me.clone(), after: EntryId::ZERO };
    world.check(&keep, "replies kept, created: true");
    let parked = steadfast_core::op::Submission {
        delay: seconds(5),
        reply_to: Some(me.clone()),
        ..submission("c1")
    };
    world.check(&Op::Submit(parked), "accepted");
    let replies = world.block(&Interest::Replies { caller: me, after: EntryId::ZERO });
    let reader = world.block(&deliveries("w", 1));
    world.pass(seconds(5));
    world.sweep();
    assert_eq!(world.wakes(), [(reader, "1 delivered".to_owned())]);
    world.check(&complete("c1"), "done");
    let expect = [(replies, "1 replies: [c1 success(1 B) after 1]".to_owned())];
    assert_eq!(world.wakes(), expect);
}
