//! A connection of its own is for a busy function; quiet ones share one wait for arrivals.

use std::time::Duration;

use steadfast_core::attempt::{Attempt, AttemptEnd};
use steadfast_core::call::Payload;
use steadfast_core::command::{Command, FunctionOptions, Request, Ticket};
use steadfast_core::config::Config;
use steadfast_core::definition::Definition;
use steadfast_core::event::{Answer, Event};
use steadfast_core::name::FunctionId;
use steadfast_tests::Tabletop;

fn function(name: &str) -> FunctionId {
    FunctionId::new(name, "global").unwrap()
}

fn serve(name: &str) -> Command {
    let definition = Box::new(Definition::new(function(name)));
    Command::Serve { definition, options: FunctionOptions::default() }
}

fn call(ticket: u64, name: &str) -> Command {
    let request = Box::new(Request::new(function(name), Payload::null()));
    Command::Call { ticket: Ticket(ticket), request }
}

fn succeed(_: &Attempt) -> AttemptEnd {
    AttemptEnd::Success(Payload::null())
}

fn outcomes(table: &Tabletop) -> usize {
    let is_outcome =
        |event: &&Event| matches!(event, Event::Answer { answer: Ok(Answer::Outcome(_)), .. });
    table.events.iter().filter(is_outcome).count()
}

/// Where each function's reads go, by the lines of the trace.
fn own_reads(table: &Tabletop, name: &str) -> usize {
    let own = format!("for deliveries to {name}-");
    table.trace().lines().filter(|line| line.contains(&own)).count()
}

#[test]
fn many_functions_share_a_connection_and_each_is_called() {
    let config = Config { fetch_links_max: 1, ..Config::default() };
    let mut table = Tabletop::new(config, Duration::from_millis(1), succeed);
    for index in 0..20 {
        table.command(serve(&format!("f{index}")));
    }
    table.run_for(Duration::from_secs(1));
    for index in 0..20 {
        table.command(call(index, &format!("f{index}")));
    }
    table.run_for(Duration::from_secs(1));
    assert_eq!(outcomes(&table), 20);
    assert_eq!(own_reads(&table, "f7"), 0, "f7 was called once while f0 was not quiet for long");
}

#[test]
fn a_busy_function_gets_the_connection_of_a_quiet_one() {
    let config = Config { fetch_links_max: 1, ..Config::default() };
    let mut table = Tabletop::new(config, Duration::from_millis(1), succeed);
    table.command(serve("quiet"));
    table.command(serve("busy"));
    table.run_for(Duration::from_secs(10));
    assert!(own_reads(&table, "quiet") > 0);
    assert_eq!(own_reads(&table, "busy"), 0);
    for ticket in 0..3 {
        table.command(call(ticket, "busy"));
        table.run_for(Duration::from_millis(100));
    }
    assert!(own_reads(&table, "busy") > 0);
    table.command(call(3, "quiet"));
    table.run_for(Duration::from_millis(100));
    assert_eq!(outcomes(&table), 4, "the quiet one is served by the shared wait");
}

/// What arrived is fetched before the next wait begins, and the answer says where that is to begin: no
/// second fetch, and no wait that is broken off.
#[test]
fn a_lone_call_to_an_idle_function_costs_one_fetch() {
    let config = Config { fetch_links_max: 1, ..Config::default() };
    let mut table = Tabletop::new(config, Duration::from_millis(1), succeed);
    for index in 0..20 {
        table.command(serve(&format!("f{index}")));
    }
    table.run_for(Duration::from_secs(10));
    let lines = |table: &Tabletop, part: &str| {
        table.trace().lines().filter(|line| line.contains(part)).count()
    };
    let before = (lines(&table, "fetch f7-"), lines(&table, "abort"));
    table.command(call(1, "f7"));
    table.run_for(Duration::from_secs(1));
    assert_eq!(outcomes(&table), 1);
    let after = (lines(&table, "fetch f7-"), lines(&table, "abort"));
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 0));
    table.command(call(2, "f7"));
    table.run_for(Duration::from_secs(1));
    assert_eq!(outcomes(&table), 2);
}
