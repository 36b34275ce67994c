//! A call that asks for a result stream has its outcome written there too, once, by whatever decides it.

use steadfast_core::call::OutcomeKind;
use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, Reply, Submission, Verdict};
use steadfast_transport_mem::MemStore;

use crate::world::{
    World, begin, call, complete, complete_entry, dead_letter, decide, defer, fail, function,
    keyed, seconds, submission, sweep_op,
};

fn streamed(id: &str) -> Submission {
    Submission { result_stream: true, ..submission(id) }
}

impl World {
    fn submit_streamed(&mut self, id: &str) -> &mut Self {
        self.check(&Op::Submit(streamed(id)), "accepted")
    }

    fn streamed(&self, id: &str) -> Vec<OutcomeKind> {
        let records = self.store.result_stream(self.now, &call(id));
        records.iter().map(|record| record.outcome.kind()).collect()
    }

    /// The stream holds what is kept, and nothing else.
    fn check_stream(&mut self, id: &str, expect: OutcomeKind) {
        assert_eq!(self.streamed(id), [expect]);
        let kept = self.store.records(self.now);
        let kept: Vec<_> = kept.into_iter().filter(|it| it.call == call(id)).collect();
        assert_eq!(self.store.result_stream(self.now, &call(id)), kept);
    }
}

#[test]
fn every_decision_is_written_once() {
    let mut world = World::new();
    world.submit_streamed("success").check_twice(
        &complete("success"),
        "done",
        "overruled: success",
    );
    world.check_stream("success", OutcomeKind::Success);

    world.submit_streamed("cancelled");
    let cancel = decide("cancelled", Verdict::Cancel);
    world.check_twice(&cancel, "done", "overruled: cancelled");
    world.check_stream("cancelled", OutcomeKind::Cancelled);

    world.submit_streamed("error");
    let (_, lease) = world.lease("w");
    world.check_twice(&fail("error", &lease), "done", "overruled: error");
    world.check_stream("error", OutcomeKind::Error);

    world.submit_streamed("dead");
    let entry = world.fetch("w").entry;
    let lease = steadfast_core::call::Lease { entry, ..lease };
    world.check_twice(&dead_letter("dead", &lease), "done", "overruled: dead_lettered");
    world.check_stream("dead", OutcomeKind::DeadLettered);
}

#[test]
fn a_call_that_does_not_ask_has_none() {
    let mut world = World::new();
    world.submit("c1").check(&complete("c1"), "done");
    assert_eq!(world.streamed("c1"), []);
}

#[test]
fn what_the_store_decides_itself_is_written_too() {
    let mut world = World::new();
    for id in ["swept", "late"] {
        let short = Submission { deadline: seconds(1), ..streamed(id) };
        world.check(&Op::Submit(short), "accepted");
    }
    world.pass(seconds(1));
    world.check(&complete("late"), "overruled: expired");
    world.check_stream("late", OutcomeKind::Expired);
    assert_eq!(world.sweep().expired, 1);
    world.check_stream("swept", OutcomeKind::Expired);

    world.submit_streamed("deferred");
    let (_, lease) = world.lease("w");
    world.check(&defer("deferred", &lease, "n", seconds(1)), "done");
    world.pass(seconds(1));
    let Op::Sweep { function, stateless_idle, limit, .. } = sweep_op(100) else { unreachable!() };
    world.ask(&Op::Sweep { function, attempts_max: 1, stateless_idle, limit });
    world.check_stream("deferred", OutcomeKind::DeadLettered);

    world.submit_streamed("lost");
    world.fetch("w");
    world.remove("w");
    let (_, lease) = world.lease("v");
    let Op::Begin { function, call, .. } = begin("lost", &lease) else { unreachable!() };
    world.ask(&Op::Begin { function, call, lease, attempts_max: 1 });
    world.check_stream("lost", OutcomeKind::DeadLettered);
}

#[test]
fn a_delay_a_retry_and_a_lost_stream_change_nothing() {
    let mut world = World::new();
    let delayed = Submission { delay: seconds(5), ..streamed("c1") };
    world.check(&Op::Submit(delayed), "accepted");
    world.pass(seconds(5));
    world.sweep();
    let (_, lease) = world.lease("w");
    world.check(&crate::world::retry("c1", &lease, seconds(0)), "done");
    world.store.delete_stream(world.now, &function());
    world.check(&complete("c1"), "done");
    world.check_stream("c1", OutcomeKind::Success);
}

#[test]
fn a_stream_lives_as_long_as_its_outcome() {
    let mut world = World::new();
    world.submit_streamed("c1");
    let before = world.store.used().bytes;
    world.check(&complete("c1"), "done");
    world.pass(seconds(299));
    world.check_stream("c1", OutcomeKind::Success);
    assert_eq!(world.leftovers(), Vec::<String>::new());
    world.pass(seconds(1));
    assert_eq!(world.streamed("c1"), []);
    world.ask(&Op::Ensure { function: function() });
    assert!(world.store.used().bytes < before, "an expired stream is still counted");
}

#[test]
fn who_joins_by_a_key_and_who_is_requeued_asks_for_none() {
    let mut world = World::new();
    world.check(&Op::Submit(keyed("c1", "k")), "accepted");
    let joining = Submission { result_stream: true, ..keyed("c2", "k") };
    world.check(&Op::Submit(joining), "joined to c1").check(&complete("c1"), "done");
    assert_eq!((world.streamed("c1"), world.streamed("c2")), (vec![], vec![]));

    world.submit_streamed("c3");
    let (_, lease) = world.lease("w");
    world.check(&dead_letter("c3", &lease), "done");
    let letters = Op::DeadLetters { function: function(), after: EntryId::ZERO, count: 1 };
    let Reply::Letters(letters) = world.ask(&letters) else { panic!("no letters") };
    let (letter, deadline) = (letters[0].entry, seconds(60));
    let requeue = Op::Requeue { function: function(), letter, call: call("c4"), deadline };
    world.check(&requeue, "accepted").check(&complete("c4"), "done");
    assert_eq!(world.streamed("c4"), []);
}

/// Who writes our field asks for what it says, without an open record.
#[test]
fn an_older_callers_entry_may_ask_too() {
    let mut world = World::new();
    for (id, asked) in [("asks", "1"), ("asks not", "0")] {
        let fields = [("callId", id), ("input", "{}"), ("resultStream", asked)];
        let fields = fields.map(|(field, value)| (field.to_owned(), value.to_owned())).into();
        world.ask(&Op::OlderPeerAdd { function: function(), fields });
        let entry = world.store.stream_entries(&function())[0].entry;
        world.check(&complete_entry(id, Some(entry)), "done");
    }
    world.check_stream("asks", OutcomeKind::Success);
    assert_eq!(world.streamed("asks not"), []);
}

#[test]
fn a_replay_has_the_streams() {
    let mut world = World::new();
    world.submit_streamed("c1").check(&complete("c1"), "done");
    let replayed = MemStore::replay(world.store.config().clone(), world.store.journal());
    assert_eq!(replayed.snapshot(), world.store.snapshot());
    assert_eq!(replayed.result_stream(world.now, &call("c1")).len(), 1);
    world.store.flush(world.now);
    assert_eq!(world.streamed("c1"), []);
}
