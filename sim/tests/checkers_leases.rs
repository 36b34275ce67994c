//! The lease checker against forged histories: an honest one passes, and each lie is named.

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::{CallState, Failure, FailureKind, Outcome, Record};
use steadfast_core::command::FunctionOptions;
use steadfast_core::config::Config;
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId};
use steadfast_core::time::StoreTime;
use steadfast_sim::checkers::{Promise, Terms, judge};
use steadfast_sim::faults::FaultKind;
use steadfast_sim::history::{Fact, History, HostId};
use steadfast_sim::moment::Moment;

/// Judges facts that happen at these seconds, after two workers registered and a call was taken.
fn check(facts: Vec<(u64, Fact)>, expect: &[Promise]) {
    let before = vec![
        (0, served(0)),
        (0, served(1)),
        (0, registered(0)),
        (0, registered(1)),
        (0, admitted()),
        (0, begun(0, "c1", 1)),
    ];
    let history: History = before
        .into_iter()
        .chain(facts)
        .map(|(secs, fact)| (Moment::from_secs(secs), fact))
        .collect();
    let found = judge(&history, &Terms::of(&Config::default()));
    let broken: Vec<Promise> = found.iter().map(|violation| violation.promise).collect();
    assert_eq!(broken, expect, "{found:#?}");
}

fn function() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

fn consumer(host: u32) -> ConsumerId {
    ConsumerId::new(format!("consumer{host}")).unwrap()
}

fn call(id: &str) -> CallId {
    CallId::new(id).unwrap()
}

fn served(host: u32) -> Fact {
    let options = FunctionOptions::default();
    Fact::Served { host: HostId(host), function: function(), options }
}

fn registered(host: u32) -> Fact {
    let epoch = Epoch(u64::from(host) + 1);
    Fact::Registered { function: function(), consumer: consumer(host), epoch }
}

fn admitted() -> Fact {
    Fact::Admitted {
        function: function(),
        call: call("c1"),
        not_before: Moment::ZERO,
        overdue_at: Moment::from_secs(300),
    }
}

fn begun(host: u32, id: &str, attempt: u32) -> Fact {
    Fact::Begun {
        host: HostId(host),
        function: function(),
        consumer: consumer(host),
        epoch: Epoch(u64::from(host) + 1),
        call: call(id),
        attempt,
    }
}

fn failed(host: u32) -> Fact {
    let end = AttemptEnd::Error("no".into());
    Fact::Ended { host: HostId(host), consumer: consumer(host), call: call("c1"), end }
}

fn decided() -> Fact {
    let outcome = Outcome::Error(Failure::new(FailureKind::Handler, "no"));
    let record = Record { call: call("c1"), outcome, attempts: 1, decided_at: StoreTime::ZERO };
    Fact::Decided { call: call("c1"), state: CallState::Decided(record) }
}

fn removed(host: u32) -> Fact {
    let (connected_for, beat_ago) = (std::time::Duration::ZERO, std::time::Duration::MAX);
    Fact::Removed { function: function(), consumer: consumer(host), connected_for, beat_ago }
}

fn paused(host: u32, until: u64) -> Fact {
    let until = Moment::from_secs(until);
    Fact::Disturbed { host: Some(HostId(host)), kind: FaultKind::Pause, until }
}

#[test]
fn who_holds_a_call_runs_it_alone() {
    check(vec![(3, begun(1, "c1", 2))], &[Promise::DeadNoticed]);
    check(vec![(2, failed(0)), (3, begun(1, "c1", 2))], &[]);
    check(vec![(1, paused(0, 9)), (3, begun(1, "c1", 2))], &[]);
    check(vec![(2, removed(0)), (3, begun(1, "c1", 2))], &[]);
}

#[test]
fn a_removed_consumer_works_no_more_once_it_could_learn_so() {
    check(vec![(2, removed(0)), (30, begun(0, "c2", 1))], &[Promise::DeadNoticed]);
    check(vec![(2, removed(0)), (12, begun(0, "c2", 1))], &[]);
    check(vec![(2, removed(0)), (3, paused(0, 25)), (30, begun(0, "c2", 1))], &[]);
}

fn handed(host: u32) -> Fact {
    Fact::Delivered { host: HostId(host), consumer: consumer(host), call: call("c1") }
}

#[test]
fn who_begins_late_what_was_handed_on_does_not_hold_it() {
    let robbed = |last: u32| {
        let taken = vec![(1, paused(0, 3)), (1, failed(0)), (1, handed(0)), (2, handed(last))];
        let run =
            vec![(2, begun(1, "c1", 1)), (3, begun(0, "c1", 1)), (4, failed(1)), (5, decided())];
        [taken, run].concat()
    };
    check(robbed(1), &[]);
    check(robbed(0), &[Promise::DecidedOnce]);
}

#[test]
fn who_held_a_call_before_the_store_went_back_holds_it_again() {
    let lost = || {
        let (calls, decisions, consumers, entries) = (vec![], vec![], vec![], vec![]);
        Fact::Lost { calls, decisions, consumers, entries }
    };
    let robbed = |more: Vec<(u64, Fact)>| {
        let taken = vec![(1, paused(0, 3)), (2, handed(1)), (2, begun(1, "c1", 2))];
        [taken, more, vec![(4, failed(0)), (5, decided())]].concat()
    };
    check(robbed(vec![]), &[Promise::DecidedOnce]);
    check(robbed(vec![(3, lost())]), &[]);
}

#[test]
fn a_killed_workers_call_runs_elsewhere_unless_its_taker_falls_too() {
    let killed = |host: u32| Fact::Killed { host: HostId(host), sessions_end: true };
    let end = (90, Fact::Healed);
    let taken = (41, handed(1));
    let orphaned = |more: Vec<(u64, Fact)>| {
        [vec![(0, served(2)), (30, failed(0)), (30, begun(0, "c1", 1)), (40, killed(0))], more]
            .concat()
    };
    check(orphaned(vec![taken.clone(), end.clone()]), &[Promise::DeadNoticed]);
    check(orphaned(vec![taken.clone(), (42, begun(1, "c1", 2)), end.clone()]), &[]);
    check(orphaned(vec![taken.clone(), (42, killed(1)), end.clone()]), &[]);
    check(orphaned(vec![(41, killed(1)), end.clone()]), &[Promise::DeadNoticed]);
    check(orphaned(vec![taken, (42, paused(1, 44)), end]), &[]);
}

#[test]
fn a_failure_is_decided_by_who_holds_the_call() {
    let robbed = |more: Vec<(u64, Fact)>| {
        let taken = vec![(1, removed(0)), (2, begun(1, "c1", 2)), (3, failed(0))];
        [taken, more].concat()
    };
    check(robbed(vec![(4, decided())]), &[Promise::DecidedOnce]);
    check(robbed(vec![(4, failed(1)), (5, decided())]), &[]);
}
