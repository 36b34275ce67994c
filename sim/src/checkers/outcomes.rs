//! P1, P2 and the awaiters' part of P9: what became of calls, and who was told what.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::{CallState, FailureKind, Outcome, Payload, Record};
use steadfast_core::command::Ticket;
use steadfast_core::event::CallError;
use steadfast_core::name::CallId;

use super::{Promise, Terms, Violation};
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

/// What is known of one call so far.
#[derive(Default)]
struct Seen<'a> {
    /// When it was accepted, and when it is overdue.
    accepted: Option<(Moment, Moment)>,
    results: Vec<&'a Payload>,
    has_error: bool,
    cancel_asked: bool,
    decided: Option<(Moment, &'a Record)>,
}

/// Checks the history of every call.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut calls: BTreeMap<&CallId, Seen<'_>> = BTreeMap::new();
    let mut asked: BTreeMap<Ticket, (Moment, HostId, &CallId)> = BTreeMap::new();
    let mut answered = BTreeSet::new();
    let mut dead = BTreeSet::new();
    for (at, fact) in history.facts() {
        let mut broken = |promise, what| {
            found.push(Violation { promise, at: *at, what });
        };
        match fact {
            Fact::Admitted { call, overdue_at, .. } => {
                calls.entry(call).or_default().accepted = Some((*at, *overdue_at));
            }
            Fact::Joined { call, to } => {
                // Who gives up on the one, and meant to cancel it then, cancels the other.
                let asked = calls.get(call).is_some_and(|seen| seen.cancel_asked);
                calls.entry(to).or_default().cancel_asked |= asked;
            }
            Fact::CancelAsked { call } => calls.entry(call).or_default().cancel_asked = true,
            Fact::Acknowledged { call }
                if calls.get(call).is_none_or(|seen| seen.accepted.is_none()) =>
            {
                let what = format!("{call} was acknowledged, and the store never took it");
                broken(Promise::NoLostCall, what);
            }
            Fact::Ended { call, end, .. } => match end {
                AttemptEnd::Success(result) => calls.entry(call).or_default().results.push(result),
                AttemptEnd::Error(_) => calls.entry(call).or_default().has_error = true,
                _ => {}
            },
            Fact::Offered { call, outcome } => match outcome {
                Outcome::Success(result) => calls.entry(call).or_default().results.push(result),
                _ => calls.entry(call).or_default().has_error = true,
            },
            Fact::Decided { call, state } => {
                let seen = calls.entry(call).or_default();
                match (state, seen.decided) {
                    (_, Some((before, _))) => broken(
                        Promise::DecidedOnce,
                        format!("{call} was decided at {before} already"),
                    ),
                    (CallState::Decided(record), None) => {
                        if let Some(what) = unfounded(seen, record, *at) {
                            broken(Promise::DecidedOnce, what);
                        }
                        seen.decided = Some((*at, record));
                    }
                    (other, None) => broken(
                        Promise::DecidedOnce,
                        format!("{call} is said to be decided, and is {other}"),
                    ),
                }
            }
            Fact::Observed { host, record } => {
                let known = calls.get(&record.call).and_then(|seen| seen.decided);
                match known {
                    Some((_, decided)) if decided == record => {}
                    Some((_, decided)) => broken(
                        Promise::DecidedOnce,
                        format!("{host} was told {record}, and the store decided {decided}"),
                    ),
                    None => broken(
                        Promise::DecidedOnce,
                        format!("{host} was told {record}, which nobody decided"),
                    ),
                }
            }
            Fact::Final { call, state } => {
                let known = calls.get(call).and_then(|seen| seen.decided);
                let what = match (state, known) {
                    (CallState::Decided(record), Some((_, decided))) if record == decided => None,
                    (CallState::Absent, Some((when, _))) if at.since(when) >= terms.kept => None,
                    (_, Some((_, decided))) => {
                        Some(format!("decided as {decided}, at the end {state}"))
                    }
                    (_, None) => Some(format!("{call} was accepted, at the end {state}")),
                };
                if let Some(what) = what {
                    broken(Promise::NoLostCall, what);
                }
            }
            Fact::Killed { host, .. } => {
                dead.insert(*host);
            }
            Fact::Asked { host, ticket, call } => {
                asked.insert(*ticket, (*at, *host, call));
            }
            Fact::Answered { host, ticket, error } => {
                if !answered.insert(*ticket) {
                    let what = format!("{host} answered {ticket} twice");
                    broken(Promise::DecidedOnce, what);
                }
                let Some((when, _, call)) = asked.get(ticket) else {
                    broken(Promise::DecidedOnce, format!("{host} answered {ticket} unasked"));
                    continue;
                };
                if let (Some(CallError::OutcomeForgotten { .. }), Some(seen)) =
                    (error, calls.get(call))
                    && seen.accepted.is_some_and(|(accepted, _)| accepted < *when)
                    && seen.decided.is_none_or(|(when, _)| at.since(when) < terms.kept)
                {
                    let what = format!("{host} was told that {call} is forgotten");
                    broken(Promise::NoLostCall, what);
                }
            }
            _ => {}
        }
    }
    let end = history.facts().last().map_or(Moment::ZERO, |(at, _)| *at);
    for (ticket, (_, host, call)) in asked {
        if !answered.contains(&ticket) && !dead.contains(&host) {
            found.push(Violation {
                promise: Promise::Liveness,
                at: end,
                what: format!("{host} never answered {ticket} about {call}"),
            });
        }
    }
}

/// Why an outcome cannot be: nobody made such a result, or nobody asked for such an end.
fn unfounded(seen: &Seen<'_>, record: &Record, at: Moment) -> Option<String> {
    let founded = match &record.outcome {
        Outcome::Success(result) => seen.results.contains(&result),
        Outcome::Error(failure) => failure.kind != FailureKind::Handler || seen.has_error,
        Outcome::Expired => seen.accepted.is_some_and(|(_, overdue)| at >= overdue),
        Outcome::Cancelled => seen.cancel_asked,
        Outcome::DeadLettered(_) => record.attempts > 0,
        _ => true,
    };
    (!founded).then(|| format!("{record}: no handler, caller or clock is behind this outcome"))
}
