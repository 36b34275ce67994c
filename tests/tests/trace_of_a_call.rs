//! Whole traces of a node, as a reader can follow them.

use std::time::Duration;

use steadfast_core::attempt::{Attempt, AttemptEnd};
use steadfast_core::call::{Outcome, Payload};
use steadfast_core::command::{Command, FunctionOptions, Request, Ticket};
use steadfast_core::config::Config;
use steadfast_core::definition::Definition;
use steadfast_core::event::{Answer, Event};
use steadfast_core::name::{CallId, FunctionId};
use steadfast_tests::Tabletop;

const HANDLER_TIME: Duration = Duration::from_millis(10);

/// Looks around rarely, so that the trace holds the call and little else.
fn quiet() -> Config {
    let rarely = Duration::from_secs(1_000);
    Config {
        survey_interval: rarely,
        sweep_interval: rarely,
        renew_interval: rarely,
        heartbeat_interval: rarely,
        block: rarely,
        ..Config::default()
    }
}

fn greet() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

fn serve() -> Command {
    let definition = Box::new(Definition::new(greet()));
    Command::Serve { definition, options: FunctionOptions::default() }
}

fn call(ticket: u64) -> Command {
    let mut request = Request::new(greet(), Payload::parse("{\"who\":\"you\"}").unwrap());
    request.call = Some(CallId::new(format!("call-{ticket}")).unwrap());
    Command::Call { ticket: Ticket(ticket), request: Box::new(request) }
}

fn succeed(_: &Attempt) -> AttemptEnd {
    AttemptEnd::Success(Payload::parse("\"hello\"").unwrap())
}

fn panic_first(attempt: &Attempt) -> AttemptEnd {
    match attempt.attempt {
        1 => AttemptEnd::Panic("oh".into()),
        _ => succeed(attempt),
    }
}

fn outcomes(table: &Tabletop) -> Vec<(u64, Outcome)> {
    let answers = table.events.iter().filter_map(|event| match event {
        Event::Answer { ticket, answer: Ok(Answer::Outcome(record)) } => {
            Some((ticket.0, record.outcome.clone()))
        }
        _ => None,
    });
    answers.collect()
}

#[test]
fn a_call_from_its_submit_to_its_outcome() {
    let mut table = Tabletop::new(quiet(), HANDLER_TIME, succeed);
    table.command(serve());
    table.run_for(Duration::from_millis(20));
    table.note("the function is served; now a call");
    table.command(call(1));
    table.run_for(Duration::from_millis(50));
    assert_eq!(outcomes(&table), [(1, Outcome::Success(Payload::parse("\"hello\"").unwrap()))]);
    insta::assert_snapshot!(table.trace());
}

#[test]
fn a_panic_is_a_failed_attempt_and_another_one_succeeds() {
    let mut table = Tabletop::new(quiet(), HANDLER_TIME, panic_first);
    table.command(serve());
    table.run_for(Duration::from_millis(20));
    table.note("the function is served; now a call whose first attempt panics");
    table.command(call(1));
    table.run_for(Duration::from_secs(1));
    assert_eq!(outcomes(&table).len(), 1);
    insta::assert_snapshot!(table.trace());
}

#[test]
fn a_save_hands_over_what_was_not_begun() {
    let mut table = Tabletop::new(quiet(), HANDLER_TIME, succeed);
    let definition = Box::new(Definition::new(greet()));
    let options = FunctionOptions { concurrency: 1, ..FunctionOptions::default() };
    table.command(Command::Serve { definition, options });
    table.run_for(Duration::from_millis(20));
    table.command(call(1));
    table.command(call(2));
    table.run_for(Duration::from_millis(8));
    table.note("one call runs and one is buffered; now a save");
    table.command(serve());
    table.run_for(Duration::from_millis(100));
    assert_eq!(outcomes(&table).len(), 2);
    insta::assert_snapshot!(table.trace());
}

#[test]
fn a_shutdown_leaves_the_store_as_if_nobody_had_been_there() {
    let mut table = Tabletop::new(quiet(), HANDLER_TIME, succeed);
    table.command(serve());
    table.run_for(Duration::from_millis(20));
    table.command(call(1));
    table.run_for(Duration::from_millis(5));
    table.note("a handler runs; now the shutdown");
    table.command(Command::Shutdown { drain: Duration::from_secs(30) });
    table.run_for(Duration::from_millis(100));
    assert!(table.node.has_ended());
    assert_eq!(table.store.sessions(), []);
    assert_eq!(table.store.consumers(steadfast_core::time::StoreTime::ZERO, &greet()), []);
    insta::assert_snapshot!(table.trace());
}
