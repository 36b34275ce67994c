//! What a node is told at once leaves at once; who tells it one by one gets the same answers.

use std::time::Duration;

use steadfast_core::attempt::{Attempt, AttemptEnd};
use steadfast_core::call::Payload;
use steadfast_core::command::{Command, FunctionOptions, Request, Ticket};
use steadfast_core::config::Config;
use steadfast_core::definition::Definition;
use steadfast_core::event::{Answer, Event};
use steadfast_core::name::{CallId, FunctionId};
use steadfast_tests::Tabletop;

const HANDLER_TIME: Duration = Duration::from_millis(10);

fn function() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

fn call(number: u64) -> Command {
    let mut request = Request::new(function(), Payload::parse(&number.to_string()).unwrap());
    request.call = Some(CallId::new(format!("call-{number}")).unwrap());
    Command::Call { ticket: Ticket(number), request: Box::new(request) }
}

fn echo(attempt: &Attempt) -> AttemptEnd {
    AttemptEnd::Success(attempt.input.clone())
}

/// Results by ticket, and how many batches of the lane were sent.
fn run(tell: impl FnOnce(&mut Tabletop), lane: &str) -> (Vec<(u64, String)>, usize) {
    let mut table = Tabletop::new(Config::default(), HANDLER_TIME, echo);
    let definition = Box::new(Definition::new(function()));
    table.command(Command::Serve { definition, options: FunctionOptions::default() });
    table.run_for(Duration::from_millis(20));
    tell(&mut table);
    table.run_for(Duration::from_millis(200));
    let mut results: Vec<_> = table
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Answer { ticket, answer: Ok(Answer::Outcome(record)) } => {
                Some((ticket.0, record.outcome.to_string()))
            }
            _ => None,
        })
        .collect();
    results.sort();
    let batches = table.trace().lines().filter(|line| line.contains(&format!("({lane}): [")));
    (results, batches.count())
}

#[test]
fn calls_that_come_together_are_one_batch() {
    let (together, one_batch) = run(|table| table.commands((1..=5).map(call)), "submit");
    let (one_by_one, batches) =
        run(|table| (1..=5).for_each(|it| table.command(call(it))), "submit");
    assert_eq!(together.len(), 5);
    assert_eq!(together, one_by_one);
    assert_eq!((one_batch, batches), (1, 2), "one by one the first leaves alone");
}

#[test]
fn a_shutdown_among_them_ends_what_follows() {
    let drain = Duration::ZERO;
    let commands = [call(1), Command::Shutdown { drain }, call(2)];
    let mut table = Tabletop::new(Config::default(), HANDLER_TIME, echo);
    table.commands(commands);
    table.run_for(Duration::from_secs(20));
    assert!(table.node.has_ended());
    let answered = |wanted| {
        let mut answers = table.events.iter().filter_map(|event| match event {
            Event::Answer { ticket: Ticket(ticket), answer } if *ticket == wanted => Some(answer),
            _ => None,
        });
        answers.next().expect("everyone is answered").clone()
    };
    assert_eq!(answered(2), Err(steadfast_core::event::CallError::ShuttingDown));
    assert!(answered(1).is_err(), "nobody served it");
}
