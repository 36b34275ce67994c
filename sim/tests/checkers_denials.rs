//! The outcome checker against forged histories of callers who are told that nothing was submitted.

use std::time::Duration;

use steadfast_core::command::Ticket;
use steadfast_core::config::Config;
use steadfast_core::event::CallError;
use steadfast_core::name::{CallId, FunctionId};
use steadfast_sim::checkers::{Promise, Terms, judge};
use steadfast_sim::history::{Fact, History, HostId};
use steadfast_sim::moment::Moment;

/// Judges facts that happen one after another, a millisecond apart. Then the world ends, which excuses that
/// nobody begins the call.
fn check(facts: Vec<Fact>, expect: &[Promise]) {
    let moments = (0..).map(Moment::from_millis);
    let end = [Fact::ShutdownSent { host: HostId(8) }];
    let history: History = moments.zip(facts.into_iter().chain(end)).collect();
    let found = judge(&history, &Terms::of(&Config::default()));
    let broken: Vec<Promise> = found.iter().map(|violation| violation.promise).collect();
    assert_eq!(broken, expect, "{found:#?}");
}

fn call() -> CallId {
    CallId::new("c1").unwrap()
}

fn asked(ticket: u64) -> Fact {
    Fact::Asked { host: HostId(9), ticket: Ticket(ticket), call: call(), makes: true }
}

fn told(ticket: u64, error: CallError) -> Fact {
    Fact::Answered { host: HostId(9), ticket: Ticket(ticket), error: Some(error) }
}

fn admitted() -> Fact {
    Fact::Admitted {
        function: FunctionId::new("greet", "global").unwrap(),
        call: call(),
        not_before: Moment::from_secs(20),
        overdue_at: Moment::from_secs(300),
    }
}

#[test]
fn a_caller_told_that_nothing_was_submitted_is_told_the_truth() {
    let denied = || told(1, CallError::NotSubmitted);
    check(vec![asked(1), denied()], &[]);
    check(vec![asked(1), admitted(), denied()], &[Promise::NoLostCall]);
    check(vec![asked(1), denied(), admitted()], &[Promise::NoLostCall]);
    let shed = CallError::Unavailable { retry_after: Duration::from_secs(1) };
    check(vec![asked(1), admitted(), told(1, shed)], &[Promise::NoLostCall]);
}

#[test]
fn a_caller_who_asks_again_may_have_the_call_taken_after_all() {
    let denied = || told(1, CallError::NotSubmitted);
    check(vec![asked(1), denied(), asked(2), admitted(), told(2, CallError::NoAnswer)], &[]);
    let unconfirmed = CallError::Unconfirmed { call: call() };
    check(vec![asked(1), admitted(), told(1, unconfirmed)], &[]);
}
