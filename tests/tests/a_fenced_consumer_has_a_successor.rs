//! A consumer that was removed registers anew, as another incarnation with a new epoch (P6), even where
//! it had nothing in hand and ended at once.

use std::time::Duration;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::Payload;
use steadfast_core::command::{Command, FunctionOptions};
use steadfast_core::config::Config;
use steadfast_core::definition::Definition;
use steadfast_core::event::{Event, StopCause};
use steadfast_core::name::{Epoch, FunctionId};
use steadfast_core::op::ConsumerStatus;
use steadfast_core::time::StoreTime;
use steadfast_tests::Tabletop;

fn active_epochs(table: &Tabletop) -> Vec<Epoch> {
    let active = table.events.iter().filter_map(|event| match event {
        Event::Consumer { status: ConsumerStatus::Active, epoch, .. } => *epoch,
        _ => None,
    });
    active.collect()
}

#[test]
fn after_the_store_lost_everything_the_function_is_served_again() {
    let succeed = |_: &_| AttemptEnd::Success(Payload::null());
    // The heartbeat comes while the consumer waits out the backoff of its failed read.
    let config = Config { heartbeat_interval: Duration::from_millis(20), ..Config::default() };
    let mut table = Tabletop::new(config, Duration::from_millis(1), succeed);
    let function = FunctionId::new("greet", "global").unwrap();
    let definition = Box::new(Definition::new(function));
    table.command(Command::Serve { definition, options: FunctionOptions::default() });
    table.run_for(Duration::from_secs(1));
    table.store.flush(StoreTime::from_millis(1_700_000_001_000));
    table.run_for(Duration::from_secs(20));
    let fenced = table
        .events
        .iter()
        .any(|event| matches!(event, Event::Consumer { cause: Some(StopCause::Fenced), .. }));
    assert!(fenced, "{}", table.trace());
    let mut epochs = active_epochs(&table);
    epochs.dedup();
    assert!(epochs.len() >= 2, "{}", table.trace());
    assert!(epochs.is_sorted(), "epochs went back: {epochs:?}");
    // The one that was removed signs off at its leisure.
    let latest = epochs.last().copied();
    let last = table.events.iter().rev().find_map(|event| match event {
        Event::Consumer { status, epoch, .. } if *epoch == latest => Some(*status),
        _ => None,
    });
    assert_eq!(last, Some(ConsumerStatus::Active), "{}", table.trace());
}
