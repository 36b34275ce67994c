//! The checkers against forged histories: each good one passes, and each planted lie is named.

use std::time::Duration;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::breaker::BreakerState::{self, Closed, HalfOpen, Open};
use steadfast_core::call::{CallState, Failure, FailureKind, Outcome, Payload, Record};
use steadfast_core::command::{FunctionOptions, Ticket};
use steadfast_core::config::Config;
use steadfast_core::event::{CallError, StopCause};
use steadfast_core::name::{CallId, ConsumerId, EntryId, Epoch, FunctionId, NodeId};
use steadfast_core::op::ConsumerStatus;
use steadfast_core::time::StoreTime;
use steadfast_sim::checkers::{Terms, judge};
use steadfast_sim::faults::FaultKind;
use steadfast_sim::history::{Fact, History, HostId};
use steadfast_sim::moment::Moment;

/// Judges facts that happen at these milliseconds; `expect` names the broken promises, in order.
fn check(facts: Vec<(u64, Fact)>, expect: &[&str]) {
    let history: History =
        facts.into_iter().map(|(millis, fact)| (Moment::from_millis(millis), fact)).collect();
    let found = judge(&history, &Terms::of(&Config::default()));
    let broken: Vec<String> = found
        .iter()
        .map(|violation| violation.promise.to_string())
        .map(|promise| promise.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(broken, expect, "{found:#?}");
}

fn function() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

fn call() -> CallId {
    CallId::new("c1").unwrap()
}

fn consumer(name: &str) -> ConsumerId {
    ConsumerId::new(name).unwrap()
}

fn success(text: &str) -> Record {
    let outcome = Outcome::Success(Payload::parse(text).unwrap());
    Record { call: call(), outcome, attempts: 1, decided_at: StoreTime::ZERO }
}

fn served(host: u32) -> Fact {
    let options = FunctionOptions { concurrency: 1, ..FunctionOptions::default() };
    Fact::Served { host: HostId(host), function: function(), options }
}

fn started(host: u32) -> Fact {
    Fact::Started { host: HostId(host), node: NodeId::new(format!("n{host}")).unwrap() }
}

fn registered(name: &str, epoch: u64) -> Fact {
    Fact::Registered { function: function(), consumer: consumer(name), epoch: Epoch(epoch) }
}

fn admitted() -> Fact {
    Fact::Admitted {
        function: function(),
        call: call(),
        not_before: Moment::from_millis(20_000),
        overdue_at: Moment::from_secs(300),
    }
}

fn begun(host: u32, name: &str, epoch: u64, id: &str, attempt: u32) -> Fact {
    Fact::Begun {
        host: HostId(host),
        function: function(),
        consumer: consumer(name),
        epoch: Epoch(epoch),
        call: CallId::new(id).unwrap(),
        attempt,
    }
}

fn ended(host: u32, name: &str, text: &str) -> Fact {
    let end = AttemptEnd::Success(Payload::parse(text).unwrap());
    Fact::Ended { host: HostId(host), consumer: consumer(name), call: call(), end }
}

fn decided(record: Record) -> Fact {
    Fact::Decided { call: call(), state: CallState::Decided(record) }
}

fn observed(record: Record) -> Fact {
    Fact::Observed { host: HostId(9), record }
}

fn last(state: CallState) -> Fact {
    Fact::Final { call: call(), state }
}

fn status(status: ConsumerStatus, cause: StopCause) -> Fact {
    Fact::Status {
        host: HostId(0),
        function: function(),
        consumer: consumer("a"),
        epoch: Some(Epoch(1)),
        status,
        cause: Some(cause),
    }
}

fn stop(host: u32, name: &str, epoch: u64) -> Fact {
    Fact::StopSent { host: HostId(host), consumer: consumer(name), epoch: Epoch(epoch) }
}

/// A worker's start, a call, its execution and its outcome, and then what is added.
fn life(text: &str, more: Vec<(u64, Fact)>) -> Vec<(u64, Fact)> {
    let mut facts = vec![
        (0, started(0)),
        (0, served(0)),
        (1, registered("a", 1)),
        (20_000, admitted()),
        (20_001, begun(0, "a", 1, "c1", 1)),
        (20_010, ended(0, "a", text)),
        (20_011, decided(success(text))),
    ];
    facts.extend(more);
    facts
}

#[test]
fn an_honest_life_passes_whatever_the_value() {
    for text in ["0", "false", "\"\"", "null", "[1]"] {
        let state = CallState::Decided(success(text));
        check(life(text, vec![(20_012, observed(success(text))), (30_000, last(state))]), &[]);
    }
}

#[test]
fn a_lost_call_and_a_forgotten_outcome_are_named() {
    let open = vec![(0, served(0)), (20_000, admitted()), (21_000, last(CallState::Absent))];
    check(open, &["P1", "P5"]);
    check(life("0", vec![(30_000, last(CallState::Absent))]), &["P1"]);
    check(life("0", vec![(320_012, last(CallState::Absent))]), &[]);
    check(vec![(5, Fact::Acknowledged { call: call() })], &["P1"]);
}

#[test]
fn forgetting_too_early_is_named_and_only_if_the_call_was_there_when_asked() {
    let (host, ticket) = (HostId(9), Ticket(1));
    let asked = Fact::Asked { host, ticket, call: call(), makes: false };
    let error = Some(CallError::OutcomeForgotten { call: call() });
    let answered = Fact::Answered { host, ticket, error };
    check(life("0", vec![(21_000, asked.clone()), (21_001, answered.clone())]), &["P1"]);
    let mut early = life("0", vec![(21_001, answered)]);
    early.insert(0, (0, asked));
    check(early, &[]);
}

#[test]
fn a_second_decision_and_a_changed_value_are_named() {
    check(life("0", vec![(20_020, decided(success("0")))]), &["P2"]);
    check(life("0", vec![(20_020, observed(success("null")))]), &["P2"]);
    check(life("0", vec![(20_020, last(CallState::Decided(success("null"))))]), &["P1"]);
    check(vec![(5, observed(success("0")))], &["P2"]);
}

#[test]
fn an_outcome_that_nobody_made_is_named() {
    let record = |outcome| Record { outcome, ..success("0") };
    let facts = |outcome| vec![(20_000, admitted()), (20_005, decided(record(outcome)))];
    check(facts(Outcome::Success(Payload::null())), &["P2"]);
    check(facts(Outcome::Cancelled), &["P2"]);
    check(facts(Outcome::Expired), &["P2"]);
    let mut asked = facts(Outcome::Cancelled);
    asked.insert(1, (20_001, Fact::CancelAsked { call: call() }));
    check(asked, &[]);
}

#[test]
fn an_awaiter_is_told_once_and_not_never() {
    let (host, ticket) = (HostId(9), Ticket(1));
    let asked = (10, Fact::Asked { host, ticket, call: call(), makes: false });
    let answered = (20, Fact::Answered { host, ticket, error: None });
    let killed = (30, Fact::Killed { host, sessions_end: true });
    check(vec![asked.clone(), answered.clone()], &[]);
    check(vec![asked.clone()], &["P9"]);
    check(vec![asked.clone(), killed], &[]);
    check(vec![asked, answered.clone(), answered], &["P2"]);
}

#[test]
fn a_stop_must_name_the_consumer_its_epoch_and_reach_its_host() {
    let stopped = |sent: Fact| {
        let stopping = status(ConsumerStatus::Stopping, StopCause::Asked);
        vec![(0, served(0)), (1, registered("a", 1)), (2, sent), (3, stopping)]
    };
    check(stopped(stop(0, "a", 1)), &[]);
    check(stopped(stop(0, "a", 7)), &["P3"]);
    check(stopped(stop(0, "b", 1)), &["P3"]);
    check(stopped(stop(4, "a", 1)), &["P3"]);
    check(stopped(Fact::ShutdownSent { host: HostId(0) }), &[]);
}

#[test]
fn a_consumer_leaves_only_when_saved_or_fenced_in_truth() {
    let leaves = |cause, more: Vec<(u64, Fact)>| {
        let mut facts = vec![(0, served(0)), (1, registered("a", 1))];
        facts.extend(more);
        facts.push((9, status(ConsumerStatus::Stopped, cause)));
        facts
    };
    check(leaves(StopCause::Saved, vec![]), &["P4"]);
    check(leaves(StopCause::Saved, vec![(2, served(0))]), &[]);
    check(leaves(StopCause::Fenced, vec![]), &["P4"]);
    let removed = removal(Duration::ZERO, Duration::from_secs(31));
    check(leaves(StopCause::Fenced, vec![(2, removed)]), &[]);
}

fn removal(connected_for: Duration, beat_ago: Duration) -> Fact {
    Fact::Removed { function: function(), consumer: consumer("a"), connected_for, beat_ago }
}

#[test]
fn the_living_are_left_alone() {
    let (none, long, recent) = (Duration::ZERO, Duration::from_secs(60), Duration::from_secs(4));
    check(vec![(1, removal(long, recent))], &["P6"]);
    check(vec![(1, removal(none, recent))], &[]);
    check(vec![(1, removal(long, long))], &[]);
}

/// Two workers; the first runs the call and is killed at 20.1 s.
fn kill(more: Vec<(u64, Fact)>) -> Vec<(u64, Fact)> {
    let mut facts = vec![
        (0, served(0)),
        (0, served(1)),
        (1, registered("a", 1)),
        (2, registered("b", 2)),
        (20_000, admitted()),
        (20_001, begun(0, "a", 1, "c1", 1)),
        (20_100, Fact::Killed { host: HostId(0), sessions_end: true }),
    ];
    facts.extend(more);
    facts.push((60_000, Fact::Healed));
    facts
}

#[test]
fn a_killed_workers_calls_run_elsewhere_within_three_seconds() {
    check(kill(vec![]), &["P6"]);
    check(kill(vec![(23_000, begun(1, "b", 2, "c1", 2))]), &[]);
    check(kill(vec![(23_200, begun(1, "b", 2, "c1", 2))]), &["P6"]);
    let until = Moment::from_secs(40);
    let excuse = Fact::Disturbed { host: None, kind: FaultKind::StoreRestart, until };
    check(kill(vec![(20_200, excuse)]), &[]);
    check(kill(vec![(20_200, Fact::Killed { host: HostId(1), sessions_end: true })]), &[]);
}

#[test]
fn a_call_may_not_wait_where_only_saves_happen() {
    let facts = |begins: u64| {
        vec![
            (0, served(0)),
            (1, registered("a", 1)),
            (20_000, admitted()),
            (20_500, served(0)),
            (begins, begun(0, "a", 1, "c1", 1)),
        ]
    };
    check(facts(21_900), &[]);
    check(facts(22_100), &["P5"]);
}

#[test]
fn attempts_concurrency_and_epochs_are_bounded() {
    let serve = || vec![(0, served(0)), (1, registered("a", 5))];
    let with = |more: Vec<(u64, Fact)>| [serve(), more].concat();
    check(with(vec![(2, begun(0, "a", 5, "c1", 4))]), &["bounded"]);
    check(with(vec![(2, begun(0, "a", 5, "c1", 0))]), &["bounded"]);
    let two =
        |second: &str| with(vec![(2, begun(0, "a", 5, "c1", 1)), (3, begun(0, "a", 5, second, 1))]);
    check(two("c2"), &["bounded"]);
    check(two("c1"), &["bounded"]);
    check(with(vec![(2, begun(0, "a", 4, "c1", 1))]), &["epochs"]);
    check(with(vec![(2, registered("b", 5))]), &["epochs"]);
    check(with(vec![(2, registered("a", 6))]), &["epochs"]);
    check(with(vec![(2, registered("b", 6)), (3, registered("a", 5))]), &[]);
}

#[test]
fn what_is_left_over_or_stuck_is_named() {
    check(vec![(1, Fact::LeftOver { what: "a name".into() })], &["P7"]);
    let stuck = Fact::Stuck { call: call(), why: "open, queued".into() };
    check(vec![(1, stuck), (2, Fact::Runaway { events: 9 })], &["P9", "P9"]);
}

fn lost(calls: &[&str], decisions: &[&str], consumers: &[&str]) -> Fact {
    let ids = |names: &[&str]| names.iter().map(|name| CallId::new(*name).unwrap()).collect();
    Fact::Lost {
        calls: ids(calls),
        decisions: ids(decisions),
        consumers: consumers.iter().map(|name| consumer(name)).collect(),
        entries: vec![],
    }
}

#[test]
fn what_the_store_lost_is_excused_and_nothing_else() {
    let gone = |fact| vec![(25_000, fact), (30_000, last(CallState::Absent))];
    check(life("0", gone(lost(&["c1"], &[], &[]))), &[]);
    check(life("0", gone(lost(&["c2"], &[], &[]))), &["P1"]);
    check(life("0", gone(lost(&[], &["c1"], &[]))), &["P1"]);
    // Accepted once more, it is owed once more.
    let again = vec![
        (25_000, lost(&["c1"], &[], &[])),
        (26_000, admitted()),
        (26_001, begun(0, "a", 1, "c1", 1)),
    ];
    let owed = [again, vec![(30_000, last(CallState::Absent))]].concat();
    check(life("0", owed), &["P1"]);
}

#[test]
fn a_decision_that_was_lost_is_made_again_once() {
    let other = || Record { attempts: 2, ..success("null") };
    let facts = |more: Vec<(u64, Fact)>| {
        let made = vec![
            (25_000, lost(&[], &["c1"], &[])),
            (25_500, begun(0, "a", 1, "c1", 2)),
            (25_600, ended(0, "a", "null")),
            (26_000, decided(other())),
        ];
        life("0", [made, more].concat())
    };
    let ends = CallState::Decided(other());
    check(facts(vec![(27_000, observed(other())), (28_000, last(ends.clone()))]), &[]);
    // Who was told before the loss may hear of the first one late; a third is nobody's.
    check(facts(vec![(27_000, observed(success("0")))]), &[]);
    check(facts(vec![(27_000, observed(success("false")))]), &["P2"]);
    check(facts(vec![(27_000, decided(other()))]), &["P2"]);
    check(facts(vec![(28_000, last(CallState::Decided(success("0"))))]), &["P1"]);
}

#[test]
fn the_stores_clock_rules_over_deadlines_and_forgetting() {
    let expired = || Record { outcome: Outcome::Expired, ..success("0") };
    let jump = |secs: i64| Fact::StoreClock { ahead_micros: secs * 1_000_000 };
    let facts =
        |secs| vec![(20_000, admitted()), (20_001, jump(secs)), (20_005, decided(expired()))];
    check(facts(290), &[]);
    check(facts(200), &["P2"]);
    let forgotten = |secs| vec![(21_000, jump(secs)), (30_000, last(CallState::Absent))];
    check(life("0", forgotten(295)), &[]);
    check(life("0", forgotten(200)), &["P1"]);
    // It showed that time once: what expired then is gone, wherever the clock went since.
    let back = vec![(21_000, jump(301)), (22_000, jump(10)), (30_000, last(CallState::Absent))];
    check(life("0", back), &[]);
    // Decided as anything else after its deadline.
    let late = vec![
        (0, served(0)),
        (1, registered("a", 1)),
        (20_000, admitted()),
        (20_001, begun(0, "a", 1, "c1", 1)),
        (20_002, jump(290)),
        (20_010, ended(0, "a", "0")),
        (20_011, decided(success("0"))),
    ];
    check(late, &["P9"]);
}

#[test]
fn a_call_id_is_taken_anew_only_when_its_outcome_is_forgotten() {
    let again = |millis| vec![(millis, admitted()), (millis + 1, begun(0, "a", 1, "c1", 1))];
    check(life("0", again(25_000)), &["P2"]);
    check(life("0", again(330_000)), &[]);
}

#[test]
fn an_abandoned_request_is_not_answered_and_need_not_be() {
    let (host, ticket) = (HostId(9), Ticket(1));
    let asked = (10, Fact::Asked { host, ticket, call: call(), makes: false });
    let abandoned = (20, Fact::Abandoned { ticket });
    let answered = (30, Fact::Answered { host, ticket, error: None });
    check(vec![asked.clone(), abandoned.clone()], &[]);
    check(vec![asked, abandoned, answered], &["P2"]);
}

#[test]
fn a_consumer_whose_registration_was_lost_may_be_fenced_and_given_another_epoch() {
    let start = || vec![(0, served(0)), (1, registered("a", 5))];
    let with = |more: Vec<(u64, Fact)>| [start(), more].concat();
    check(with(vec![(2, lost(&[], &[], &["a"])), (3, registered("a", 6))]), &[]);
    check(with(vec![(2, lost(&[], &[], &["b"])), (3, registered("a", 6))]), &["epochs"]);
    check(with(vec![(2, lost(&[], &[], &["a"])), (3, registered("a", 4))]), &["epochs"]);
    let fenced = (4, status(ConsumerStatus::Stopped, StopCause::Fenced));
    check(with(vec![(2, lost(&[], &[], &["a"])), fenced.clone()]), &[]);
    check(with(vec![(2, lost(&[], &[], &["b"])), fenced]), &["P4"]);
}

#[test]
fn a_function_that_a_host_is_to_serve_has_an_active_consumer_at_the_end() {
    let active = |name: &str| Fact::Status {
        host: HostId(0),
        function: function(),
        consumer: consumer(name),
        epoch: Some(Epoch(1)),
        status: ConsumerStatus::Active,
        cause: None,
    };
    let ends = |more: Vec<(u64, Fact)>| {
        let start = vec![(0, served(0)), (1, registered("a", 1)), (2, active("a"))];
        let end = vec![(50_000, Fact::Healed), (90_000, Fact::ShutdownSent { host: HostId(0) })];
        [start, more, end].concat()
    };
    check(ends(vec![]), &[]);
    let fenced = || {
        let gone = status(ConsumerStatus::Stopped, StopCause::Fenced);
        vec![(4, removal(Duration::ZERO, Duration::from_secs(31))), (5, gone)]
    };
    check(ends(fenced()), &["P4"]);
    check(ends([fenced(), vec![(6, registered("b", 2)), (7, active("b"))]].concat()), &[]);
    let retired = (6, Fact::Retired { host: HostId(0), function: function() });
    check(ends([fenced(), vec![retired]].concat()), &[]);
}

fn breaker(from: BreakerState, to: BreakerState) -> Fact {
    Fact::Breaker { host: HostId(9), from, to }
}

#[test]
fn a_breaker_changes_only_as_it_may_and_is_not_open_for_ever() {
    let round = || vec![(1, breaker(Closed, Open)), (2, breaker(Open, HalfOpen))];
    let then = |fact| [round(), vec![(3, fact)]].concat();
    check(then(breaker(HalfOpen, Closed)), &[]);
    check(then(breaker(HalfOpen, Open)), &[]);
    check(then(breaker(Open, HalfOpen)), &["P8"]);
    check(vec![(1, breaker(Closed, HalfOpen))], &["P8"]);
    check(vec![(1, breaker(Closed, Open)), (2, breaker(Open, Closed))], &["P8"]);
    let ends = (70_000, Fact::ShutdownSent { host: HostId(9) });
    check(vec![(1, breaker(Closed, Open)), ends.clone()], &["P8"]);
    check([round(), vec![ends]].concat(), &[]);
}

#[test]
fn what_is_no_call_is_rejected_once_and_calls_never() {
    let entry = EntryId { ms: 7, seq: 0 };
    let added = (1, Fact::Malformed { function: function(), entry });
    let rejected = |millis| (millis, Fact::Rejected { function: function(), entry });
    check(vec![added.clone(), rejected(2)], &[]);
    check(vec![added.clone()], &["P10"]);
    check(vec![rejected(2)], &["P10"]);
    check(vec![added.clone(), rejected(2), rejected(3)], &["P10"]);
    let gone = Fact::BodiesLost { calls: vec![], entries: vec![(function(), entry)] };
    check(vec![added, (2, gone)], &[]);
    let failure = Failure::new(FailureKind::Malformed, "no input");
    let record = Record { outcome: Outcome::DeadLettered(failure), ..success("0") };
    check(vec![(20_000, admitted()), (20_005, decided(record))], &["P10"]);
}

#[test]
fn a_call_that_kills_is_begun_no_more_often_than_it_may() {
    let options = FunctionOptions { attempts_max: 2, ..FunctionOptions::default() };
    let serve =
        |host| Fact::Served { host: HostId(host), function: function(), options: options.clone() };
    let deaths = |times: u64| {
        let mut facts = vec![];
        for number in 0..times {
            let (at, host, name) = (number * 100, number as u32, format!("w{number}"));
            facts.push((at, serve(host)));
            facts.push((at + 1, registered(&name, number + 1)));
            facts.push((at + 2, Fact::Poisonous { call: call() }));
            facts.push((at + 2, begun(host, &name, number + 1, "c1", (number as u32 + 1).min(2))));
            facts.push((at + 3, Fact::Killed { host: HostId(host), sessions_end: true }));
        }
        facts
    };
    check(deaths(2), &[]);
    check(deaths(3), &["P10"]);
    let mut counted_anew = deaths(3);
    counted_anew.insert(10, (200, lost(&[], &[], &[])));
    check(counted_anew, &[]);
}

#[test]
fn a_removed_consumer_is_known_for_five_minutes_of_the_stores_clock() {
    let removed = Fact::Removed {
        function: function(),
        consumer: consumer("b"),
        connected_for: Duration::ZERO,
        beat_ago: Duration::MAX,
    };
    let clock = |ahead_secs: i64| Fact::StoreClock { ahead_micros: ahead_secs * 1_000_000 };
    let again = |clocks: Vec<(u64, Fact)>| {
        let before = vec![(20_020, registered("b", 2)), (20_030, clock(-20))];
        let after = vec![(20_040, removed.clone())];
        let anew = vec![(21_000, registered("b", 3))];
        life("1", [before, after, clocks, anew].concat())
    };
    check(again(vec![(20_050, clock(275))]), &["epochs"]);
    check(again(vec![(20_050, clock(285))]), &[]);
    check(again(vec![(20_050, clock(285)), (20_060, clock(0))]), &[]);
    check(again(vec![]), &["epochs"]);
}
