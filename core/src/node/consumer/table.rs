//! Every (state × input) cell of the consumer machine, made by driving it.
//!
//! Each state is reached by inputs alone. The `match` in [`name`] has no wildcard, so that a new input
//! does not compile until it stands in the table.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::attempt::{AttemptEnd, AttemptId};
use crate::call::{Delivered, Delivery, Payload};
use crate::command::FunctionOptions;
use crate::config::Config;
use crate::definition::Definition;
use crate::event::StopCause;
use crate::metrics::FunctionMetrics;
use crate::name::{CallId, EntryId, Epoch, FunctionId, NodeId, SessionId};
use crate::node::consumer::{Consumer, ConsumerInput, Disposition, Phase, Reading, Registration};
use crate::node::desk::Desk;
use crate::op::{Beginning, Lane, Op, Settlement};
use crate::time::Time;
use crate::transport::{ErrorKind, TransportError};

/// Runs when a state is said to hold calls.
const RUNNING: EntryId = EntryId { ms: 1, seq: 0 };
/// Is being decided.
const SETTLING: EntryId = EntryId { ms: 2, seq: 0 };
/// Was taken over, and is being counted.
const BEGINNING: EntryId = EntryId { ms: 3, seq: 0 };
const STRANGE: EntryId = EntryId { ms: 9, seq: 9 };
const OWN: Epoch = Epoch(7);
const OTHER: Epoch = Epoch(6);

struct Driven {
    desk: Desk,
    metrics: FunctionMetrics,
    consumer: Consumer,
}

impl Driven {
    fn starting() -> Self {
        let node = NodeId::new("node").unwrap();
        let mut desk = Desk::new(node, Config::default(), 1);
        let function = FunctionId::new("greet", "global").unwrap();
        let definition = Arc::new(Definition::new(function));
        let consumer = Consumer::start(&mut desk, definition, FunctionOptions::default());
        Self { desk, metrics: FunctionMetrics::default(), consumer }
    }

    fn tell(&mut self, input: ConsumerInput) -> Disposition {
        self.consumer.handle(&mut self.desk, &mut self.metrics, input)
    }

    fn read(&mut self, deliveries: Vec<Delivered>) {
        self.consumer.reading = Reading::Fetching;
        self.tell(ConsumerInput::Delivered(deliveries));
    }

    /// Active, with a call in each stage, a renewal and a read under way.
    fn active() -> Self {
        let mut driven = Self::starting();
        driven.tell(ConsumerInput::Registered { epoch: OWN });
        driven.read(vec![delivery(SETTLING, 0)]);
        let end = AttemptEnd::Success(Payload::null());
        driven.tell(ConsumerInput::Ran { attempt: AttemptId(0), end });
        driven.read(vec![delivery(RUNNING, 0), delivery(BEGINNING, 1)]);
        driven.consumer.renew(&mut driven.desk);
        driven.consumer.reading = Reading::Watching { session: SessionId(4), aborted: false };
        driven
    }

    fn error() -> Self {
        let mut driven = Self::active();
        driven.tell(ConsumerInput::ReadFailed(error()));
        driven
    }

    fn stopping() -> Self {
        let mut driven = Self::active();
        driven.tell(stop(Some(OWN), 30));
        driven
    }

    fn stopped() -> Self {
        let mut driven = Self::starting();
        driven.tell(ConsumerInput::Registered { epoch: OWN });
        driven.tell(stop(Some(OWN), 30));
        driven.tell(ConsumerInput::Deregistered);
        driven
    }
}

fn delivery(entry: EntryId, takeovers: u32) -> Delivered {
    Delivered::Call(Delivery {
        entry,
        call: CallId::new(format!("call-{entry}")).unwrap(),
        input: Payload::null(),
        attempt: 1,
        takeovers,
        remaining: Duration::from_secs(300),
        traceparent: None,
        older_peer: false,
    })
}

fn error() -> TransportError {
    TransportError::not_applied(ErrorKind::NoGroup, "")
}

fn stop(epoch: Option<Epoch>, drain_s: u64) -> ConsumerInput {
    let (drain, cause) = (Duration::from_secs(drain_s), StopCause::Asked);
    ConsumerInput::Stop { epoch, drain, cause }
}

fn inputs() -> Vec<ConsumerInput> {
    use ConsumerInput as In;
    let begun = Beginning::Begun { attempt: 2, remaining: Duration::from_secs(9) };
    let success = || AttemptEnd::Success(Payload::null());
    vec![
        In::Registered { epoch: OWN },
        In::RegisterRefused(error()),
        In::Deregistered,
        In::Delivered(vec![delivery(STRANGE, 0)]),
        In::ReadEmpty { last: None },
        In::ReadFailed(error()),
        In::Adopted(vec![delivery(STRANGE, 0)]),
        In::Began { entry: BEGINNING, beginning: begun },
        In::Began { entry: STRANGE, beginning: begun },
        In::Ran { attempt: AttemptId(1), end: success() },
        In::Ran { attempt: AttemptId(99), end: success() },
        In::AttemptDue { attempt: AttemptId(1) },
        In::AttemptDue { attempt: AttemptId(99) },
        In::Settled { entry: SETTLING, settlement: Settlement::Done },
        In::Settled { entry: STRANGE, settlement: Settlement::Done },
        In::SettleRefused { entry: SETTLING, error: error() },
        In::SettleRefused { entry: STRANGE, error: error() },
        In::Renewed { lost: vec![] },
        In::Pulsed { pending: vec![] },
        In::PulseRefused(error()),
        In::Removed,
        stop(None, 1),
        stop(Some(OWN), 1),
        stop(Some(OWN), 60),
        stop(Some(OTHER), 1),
        In::DrainOver,
        In::BackoffOver,
    ]
}

/// How the table names an input. No wildcard: a new input has to be added here and to [`inputs`].
fn name(input: &ConsumerInput) -> String {
    let held = |entry: EntryId| {
        if entry == STRANGE { "a strange entry" } else { "a held entry" }
    };
    let known = |attempt: AttemptId| {
        if attempt.0 == 99 { "a strange one" } else { "its own" }
    };
    match input {
        ConsumerInput::Registered { .. } => "registered".into(),
        ConsumerInput::RegisterRefused(_) => "register refused".into(),
        ConsumerInput::Deregistered => "deregistered".into(),
        ConsumerInput::Delivered(_) => "delivered".into(),
        ConsumerInput::ReadEmpty { .. } => "read empty".into(),
        ConsumerInput::ReadFailed(_) => "read failed".into(),
        ConsumerInput::Adopted(_) => "adopted".into(),
        ConsumerInput::Began { entry, .. } => format!("began {}", held(*entry)),
        ConsumerInput::Ran { attempt, .. } => format!("ran {}", known(*attempt)),
        ConsumerInput::AttemptDue { attempt } => format!("attempt due, {}", known(*attempt)),
        ConsumerInput::Settled { entry, .. } => format!("settled {}", held(*entry)),
        ConsumerInput::SettleRefused { entry, .. } => format!("settle refused, {}", held(*entry)),
        ConsumerInput::Renewed { .. } => "renewed".into(),
        ConsumerInput::Pulsed { .. } => "pulsed".into(),
        ConsumerInput::PulseRefused(_) => "pulse refused".into(),
        ConsumerInput::Removed => "removed".into(),
        ConsumerInput::Stop { epoch: None, .. } => "stop, whatever its epoch".into(),
        ConsumerInput::Stop { epoch: Some(OTHER), .. } => "stop, another epoch".into(),
        ConsumerInput::Stop { drain, .. } => format!("stop, its epoch, drain {drain:?}"),
        ConsumerInput::DrainOver => "drain over".into(),
        ConsumerInput::BackoffOver => "backoff over".into(),
    }
}

type State = (&'static str, fn() -> Driven);

fn states() -> [State; 5] {
    [
        ("starting", Driven::starting),
        ("active", Driven::active),
        ("error", Driven::error),
        ("stopping", Driven::stopping),
        ("stopped", Driven::stopped),
    ]
}

#[test]
fn every_cell_is_handled_or_ignored_with_a_reason() {
    let mut table = String::new();
    for (state, reach) in states() {
        table.push_str(state);
        table.push('\n');
        for input in inputs() {
            let mut driven = reach();
            assert_eq!(driven.consumer.phase.status().as_str(), state);
            let disposition = driven.tell(input.clone());
            let after = driven.consumer.phase.status().as_str();
            let change = if after == state { String::new() } else { format!(" → {after}") };
            _ = writeln!(table, "    {:34} {disposition}{change}", name(&input));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn only_a_stop_or_a_fence_leads_out_of_the_loop() {
    for (state, reach) in states().into_iter().take(3) {
        for input in inputs() {
            let ends = matches!(
                &input,
                ConsumerInput::Removed | ConsumerInput::Stop { epoch: None | Some(OWN), .. }
            );
            let mut driven = reach();
            driven.tell(input.clone());
            let left = matches!(driven.consumer.phase, Phase::Stopping(_) | Phase::Stopped(_));
            assert!(!left || ends, "{} led {state} out of the loop", name(&input));
        }
    }
}

#[test]
fn an_adopted_entry_is_not_run_again_by_the_late_answer_of_its_read() {
    let mut driven = Driven::starting();
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    driven.consumer.reading = Reading::Watching { session: SessionId(4), aborted: false };
    driven.tell(ConsumerInput::Adopted(vec![delivery(RUNNING, 0)]));
    let end = AttemptEnd::Success(Payload::null());
    driven.tell(ConsumerInput::Ran { attempt: AttemptId(0), end });
    driven.tell(ConsumerInput::Settled { entry: RUNNING, settlement: Settlement::Done });
    driven.tell(ConsumerInput::Delivered(vec![delivery(RUNNING, 0)]));
    assert_eq!(driven.metrics.started, 1);
}

fn rereads(driven: &Driven) -> usize {
    driven.desk.outbox.len(crate::op::Lane::Fetch)
}

#[test]
fn what_a_cut_read_left_is_adopted_at_the_first_look() {
    let mut driven = Driven::starting();
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    driven.consumer.reading = Reading::Watching { session: SessionId(4), aborted: false };
    driven.tell(ConsumerInput::Pulsed { pending: vec![RUNNING] });
    assert_eq!(rereads(&driven), 0, "it may be an answer on its way");
    let cut = TransportError::unknown(ErrorKind::Disconnected, "");
    driven.tell(ConsumerInput::ReadFailed(cut));
    let now = driven.desk.now;
    assert_eq!(driven.desk.timers.at(crate::timer::Timer::Beat), Some(now), "a heartbeat is due");
    assert!(driven.consumer.pulse().is_some());
    driven.tell(ConsumerInput::Pulsed { pending: vec![STRANGE] });
    assert_eq!(rereads(&driven), 1);
    driven.tell(ConsumerInput::Pulsed { pending: vec![STRANGE] });
    assert_eq!(rereads(&driven), 1, "it is being read again already");
    driven.tell(ConsumerInput::Adopted(vec![delivery(STRANGE, 0)]));
    assert!(driven.consumer.holdings.contains(STRANGE));
    driven.tell(ConsumerInput::Pulsed { pending: vec![STRANGE, SETTLING] });
    assert_eq!(rereads(&driven), 1, "the next is looked at twice again");
}

#[test]
fn a_read_that_was_refused_left_nothing_to_look_for() {
    let mut driven = Driven::starting();
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    driven.consumer.reading = Reading::Watching { session: SessionId(4), aborted: false };
    driven.tell(ConsumerInput::ReadFailed(error()));
    driven.tell(ConsumerInput::Pulsed { pending: vec![STRANGE] });
    assert_eq!(rereads(&driven), 0);
}

#[test]
fn what_a_read_named_meanwhile_is_not_run_again_by_the_answer_that_was_to_adopt_it() {
    let mut driven = Driven::starting();
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    driven.consumer.look_once();
    driven.consumer.reading = Reading::Watching { session: SessionId(4), aborted: false };
    driven.tell(ConsumerInput::Pulsed { pending: vec![RUNNING] });
    assert_eq!(rereads(&driven), 1);
    driven.tell(ConsumerInput::Delivered(vec![delivery(RUNNING, 0)]));
    let end = AttemptEnd::Success(Payload::null());
    driven.tell(ConsumerInput::Ran { attempt: AttemptId(0), end });
    driven.tell(ConsumerInput::Settled { entry: RUNNING, settlement: Settlement::Done });
    driven.tell(ConsumerInput::Adopted(vec![delivery(RUNNING, 0)]));
    assert_eq!(driven.metrics.started, 1);
}

#[test]
fn a_call_adopted_while_the_consumer_signs_off_goes_back_and_delays_nothing() {
    let mut driven = Driven::starting();
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    driven.consumer.reading = Reading::Idle;
    driven.tell(stop(Some(OWN), 60));
    assert_eq!(driven.consumer.registration, Registration::Deregistering);
    driven.tell(ConsumerInput::Adopted(vec![delivery(RUNNING, 0)]));
    driven.tell(ConsumerInput::Deregistered);
    assert_eq!(driven.consumer.phase.status().as_str(), "stopped");
    assert_eq!(driven.metrics.started, 0);
    assert_eq!(driven.consumer.holdings.len(), 0);
}

/// A consumer whose read is under way when it is stopped, and what becomes of three calls that it brings.
fn check_read_under_way_at_a_stop(begun_before: bool, cause: StopCause, expect: (u64, u64)) {
    let mut driven = Driven::starting();
    driven.consumer.options.concurrency = 2;
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    if begun_before {
        driven.read(vec![delivery(SETTLING, 0)]);
        let end = AttemptEnd::Success(Payload::null());
        driven.tell(ConsumerInput::Ran { attempt: AttemptId(0), end });
    }
    let before = driven.metrics.started;
    driven.consumer.reading = Reading::Watching { session: SessionId(4), aborted: false };
    driven.tell(ConsumerInput::Stop { epoch: None, drain: Duration::from_secs(30), cause });
    let three = [RUNNING, BEGINNING, STRANGE].map(|entry| delivery(entry, 0));
    driven.tell(ConsumerInput::Delivered(three.to_vec()));
    let (begun, given_back) = expect;
    assert_eq!(driven.metrics.started - before, begun, "{cause}, {begun_before}");
    assert_eq!(driven.metrics.released, given_back, "{cause}, {begun_before}");
}

#[test]
fn a_consumer_saved_before_it_began_anything_begins_what_its_read_brings() {
    check_read_under_way_at_a_stop(false, StopCause::Saved, (2, 1));
    check_read_under_way_at_a_stop(true, StopCause::Saved, (0, 3));
    check_read_under_way_at_a_stop(false, StopCause::Asked, (0, 3));
}

#[test]
fn a_saved_consumer_that_signs_off_begins_nothing() {
    let mut driven = Driven::starting();
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    driven.consumer.reading = Reading::Idle;
    let (drain, cause) = (Duration::from_secs(30), StopCause::Saved);
    driven.tell(ConsumerInput::Stop { epoch: None, drain, cause });
    assert_eq!(driven.consumer.registration, Registration::Deregistering);
    driven.tell(ConsumerInput::Adopted(vec![delivery(RUNNING, 0)]));
    assert_eq!(driven.metrics.started, 0);
}

#[test]
fn an_older_callers_input_over_the_limit_is_rejected_and_its_neighbours_run() {
    let mut driven = Driven::starting();
    driven.desk.config.payload_max_bytes = 8;
    driven.tell(ConsumerInput::Registered { epoch: OWN });
    let sized = |entry, bytes: usize, older| match delivery(entry, 0) {
        Delivered::Call(it) => Delivered::Call(Delivery {
            input: Payload::from_value(&"x".repeat(bytes - 2).into()),
            older_peer: older,
            ..it
        }),
        other @ Delivered::Malformed { .. } => other,
    };
    let [fits, ours, over] = [RUNNING, BEGINNING, STRANGE];
    driven.read(vec![sized(over, 9, true), sized(fits, 8, true), sized(ours, 9, false)]);
    assert_eq!(driven.metrics.started, 2);
    assert_eq!(driven.consumer.rejecting, BTreeSet::from([over]));
    let config = Config::default();
    let settles = driven.desk.outbox.next_batch(Lane::Settle, &config).unwrap();
    let [Op::Reject { lease, reason, .. }] = &settles[..] else { panic!("{settles:?}") };
    assert_eq!(lease.entry, over);
    assert_eq!(reason.as_ref(), "field `input` is 9 bytes long, over the limit of 8");
}

#[test]
fn a_repeated_stop_may_only_hasten_the_end() {
    let mut driven = Driven::stopping();
    assert_ne!(driven.tell(stop(Some(OWN), 60)), Disposition::Handled);
    assert_eq!(driven.tell(stop(Some(OWN), 5)), Disposition::Handled);
    let drain = driven.desk.timers.at(crate::timer::Timer::Drain(driven.consumer.key));
    assert_eq!(drain, Some(Time::from_millis(5_000)));
}
