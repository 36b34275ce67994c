//! Outcomes go to a caller's reply stream where it exists.

use steadfast_core::machine::StoreMachine;
use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, Submission};
use steadfast_core::transport::{Interest, Wake};

use crate::world::{World, caller, complete, seconds, submission};

fn keep(after: EntryId) -> Op {
    Op::KeepReplies { caller: caller("me"), after }
}

impl World {
    fn submit_for_me(&mut self, id: &str) -> &mut Self {
        let reply_to = Some(caller("me"));
        let submission = Submission { reply_to, ..submission(id) };
        self.check(&Op::Submit(submission), "accepted")
    }

    /// The calls replied to after an entry, and the last entry read.
    fn replies(&mut self, after: EntryId) -> (Vec<String>, EntryId) {
        let interest = Interest::Replies { caller: caller("me"), after };
        let answer = self.store.watch(self.now, self.session, &interest);
        self.store.unwatch(self.session);
        match answer {
            Some(Ok(Wake::Replies { records, last })) => {
                let calls = records.iter().map(|record| record.call.to_string());
                (calls.collect(), last)
            }
            None => (Vec::new(), after),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_decision_creates_no_reply_stream() {
    let mut world = World::new();
    world.submit_for_me("c1").check(&complete("c1"), "done");
    world.check(&keep(EntryId::ZERO), "replies kept, created: true");
    assert_eq!(world.replies(EntryId::ZERO), (vec![], EntryId::ZERO));
    assert_eq!(world.state("c1"), "decided: c1 success(1 B) after 1");
}

#[test]
fn replies_are_read_on_from_the_last_one_seen() {
    let mut world = World::new();
    world.check(&keep(EntryId::ZERO), "replies kept, created: true");
    for id in ["c1", "c2"] {
        world.submit_for_me(id).check(&complete(id), "done");
    }
    let (calls, last) = world.replies(EntryId::ZERO);
    assert_eq!(calls, ["c1", "c2"]);
    world.check_twice(&keep(last), "replies kept, created: false", "replies kept, created: false");
    assert_eq!(world.replies(last), (vec![], last));
    // What is older than the last one seen is trimmed.
    assert_eq!(world.replies(EntryId::ZERO).0, ["c2"]);
}

#[test]
fn a_reply_stream_lives_for_a_minute_unless_it_is_kept() {
    let mut world = World::new();
    world.check(&keep(EntryId::ZERO), "replies kept, created: true");
    world.pass(seconds(59));
    world.check(&keep(EntryId::ZERO), "replies kept, created: false");
    world.pass(seconds(60));
    world.submit_for_me("c1").check(&complete("c1"), "done");
    world.check(&keep(EntryId::ZERO), "replies kept, created: true");
}

#[test]
fn a_stream_made_anew_hides_no_reply_when_the_clock_went_back() {
    let mut world = World::new();
    world.pass(seconds(1_000));
    world.check(&keep(EntryId::ZERO), "replies kept, created: true");
    world.submit_for_me("c1").check(&complete("c1"), "done");
    let (_, last) = world.replies(EntryId::ZERO);
    world.store.flush(world.now);
    world.now = crate::world::START;
    world.check(&keep(last), "replies kept, created: true");
    world.submit_for_me("c2").check(&complete("c2"), "done");
    assert_eq!(world.replies(last).0, ["c2"]);
}
