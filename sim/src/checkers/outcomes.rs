//! P1, P2 and the awaiters' part of P9: what became of calls, and who was told what.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::{CallState, FailureKind, Outcome, Payload, Record};
use steadfast_core::command::Ticket;
use steadfast_core::event::CallError;
use steadfast_core::name::CallId;

use super::store_clock::StoreClock;
use super::{Promise, Terms, Violation};
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

/// What is known of one call so far.
#[derive(Default)]
struct Seen<'a> {
    /// When it was accepted, and when it is overdue, in microseconds of the store's clock.
    accepted: Option<(Moment, i128)>,
    /// The store lost it: nothing is owed, unless it is accepted again.
    lost: bool,
    /// It lost the call or its decision at some time.
    was_lost: bool,
    /// Decisions that the store made and lost.
    undone: Vec<&'a Record>,
    results: Vec<&'a Payload>,
    has_error: bool,
    cancel_asked: bool,
    /// How often somebody asked for it to be made.
    asked_for: u32,
    /// Who asked first was told that nothing was submitted.
    denied: bool,
    /// When by the store's clock, and how.
    decided: Option<(i128, Moment, &'a Record)>,
}

/// A request that is to be answered.
#[derive(Clone, Copy)]
struct Request<'a> {
    at: Moment,
    host: HostId,
    call: &'a CallId,
    makes: bool,
}

/// Everything known so far.
#[derive(Default)]
struct Judge<'a> {
    calls: BTreeMap<&'a CallId, Seen<'a>>,
    asked: BTreeMap<Ticket, Request<'a>>,
    /// Answered, or forgotten by who asked.
    answered: BTreeSet<Ticket>,
    dead: BTreeSet<HostId>,
    clock: StoreClock,
}

/// Checks the history of every call.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut judge = Judge::default();
    for (at, fact) in history.facts() {
        if let Some((promise, what)) = judge.broken_by(*at, fact, terms) {
            found.push(Violation { promise, at: *at, what });
        }
    }
    let end = history.facts().last().map_or(Moment::ZERO, |(at, _)| *at);
    for (ticket, Request { host, call, .. }) in judge.asked {
        if !judge.answered.contains(&ticket) && !judge.dead.contains(&host) {
            found.push(Violation {
                promise: Promise::Liveness,
                at: end,
                what: format!("{host} never answered {ticket} about {call}"),
            });
        }
    }
}

impl<'a> Judge<'a> {
    fn seen(&mut self, call: &'a CallId) -> &mut Seen<'a> {
        self.calls.entry(call).or_default()
    }

    fn broken_by(
        &mut self,
        at: Moment,
        fact: &'a Fact,
        terms: &Terms,
    ) -> Option<(Promise, String)> {
        match fact {
            Fact::Admitted { call, overdue_at, .. } => {
                let overdue = self.clock.at(*overdue_at).micros;
                let before = self.calls.get(call).and_then(|seen| seen.decided);
                if let Some((when, decided_at, record)) = before {
                    if !self.is_forgotten(at, when, terms) {
                        let what = format!("{call} was decided at {decided_at}, and is taken anew");
                        return Some((Promise::DecidedOnce, what));
                    }
                    // Nobody knows it any more: it is another call.
                    let seen = self.seen(call);
                    seen.undone.push(record);
                    seen.decided = None;
                }
                let seen = self.seen(call);
                seen.accepted = Some((at, overdue));
                seen.lost = false;
                if seen.denied && seen.asked_for == 1 {
                    return Some(denied(call));
                }
            }
            Fact::Joined { call, to } => {
                // Who gives up on the one, and meant to cancel it then, cancels the other.
                let asked = self.calls.get(call).is_some_and(|seen| seen.cancel_asked);
                self.seen(to).cancel_asked |= asked;
            }
            Fact::CancelAsked { call } => self.seen(call).cancel_asked = true,
            Fact::Acknowledged { call }
                if self.calls.get(call).is_none_or(|seen| seen.accepted.is_none()) =>
            {
                let what = format!("{call} was acknowledged, and the store never took it");
                return Some((Promise::NoLostCall, what));
            }
            Fact::Ended { call, end, .. } => match end {
                AttemptEnd::Success(result) => self.seen(call).results.push(result),
                AttemptEnd::Error(_) => self.seen(call).has_error = true,
                _ => {}
            },
            Fact::Offered { call, outcome } => match outcome {
                Outcome::Success(result) => self.seen(call).results.push(result),
                _ => self.seen(call).has_error = true,
            },
            Fact::Lost { calls, decisions, .. } => self.lost(calls, decisions),
            Fact::StoreClock { ahead_micros } => self.clock.jump(at, *ahead_micros),
            Fact::Decided { call, state } => return self.decided(at, call, state),
            Fact::Observed { host, record } => return self.observed(*host, record),
            Fact::Final { call, state } => return self.ends(at, call, state, terms),
            Fact::Killed { host, .. } => {
                self.dead.insert(*host);
            }
            Fact::Asked { host, ticket, call, makes } => {
                let request = Request { at, host: *host, call, makes: *makes };
                self.asked.insert(*ticket, request);
                self.seen(call).asked_for += u32::from(*makes);
            }
            Fact::Abandoned { ticket } => {
                self.answered.insert(*ticket);
            }
            Fact::Answered { host, ticket, error } => {
                return self.told(at, (*host, *ticket), error.as_ref(), terms);
            }
            _ => {}
        }
        None
    }

    fn lost(&mut self, calls: &'a [CallId], decisions: &'a [CallId]) {
        for call in calls.iter().chain(decisions) {
            let seen = self.seen(call);
            seen.undone.extend(seen.decided.take().map(|(.., record)| record));
            seen.was_lost = true;
        }
        for call in calls {
            self.seen(call).lost = true;
        }
    }

    fn decided(
        &mut self,
        at: Moment,
        call: &'a CallId,
        state: &'a CallState,
    ) -> Option<(Promise, String)> {
        let now = self.clock.at(at).micros;
        let seen = self.seen(call);
        match (state, seen.decided) {
            (_, Some((_, before, _))) => {
                Some((Promise::DecidedOnce, format!("{call} was decided at {before} already")))
            }
            (CallState::Decided(record), None) => {
                let unfounded = unfounded(seen, record, now);
                let late = is_late(seen, record, now);
                seen.decided = Some((now, at, record));
                unfounded.map(|what| (Promise::DecidedOnce, what)).or_else(|| {
                    late.then(|| (Promise::Liveness, format!("{record}: its deadline has passed")))
                })
            }
            (other, None) => {
                let what = format!("{call} is said to be decided, and is {other}");
                Some((Promise::DecidedOnce, what))
            }
        }
    }

    fn observed(&self, host: HostId, record: &Record) -> Option<(Promise, String)> {
        let seen = self.calls.get(&record.call);
        let what = match seen.and_then(|seen| seen.decided) {
            Some((.., decided)) if decided == record => return None,
            _ if seen.is_some_and(|seen| seen.undone.contains(&record)) => return None,
            Some((.., decided)) => {
                format!("{host} was told {record}, and the store decided {decided}")
            }
            None => format!("{host} was told {record}, which nobody decided"),
        };
        Some((Promise::DecidedOnce, what))
    }

    fn ends(
        &self,
        at: Moment,
        call: &CallId,
        state: &CallState,
        terms: &Terms,
    ) -> Option<(Promise, String)> {
        let seen = self.calls.get(call);
        let what = match (state, seen.and_then(|seen| seen.decided)) {
            _ if seen.is_some_and(|seen| seen.lost) => return None,
            (CallState::Decided(record), Some((.., decided))) if record == decided => return None,
            (CallState::Absent, Some((when, ..))) if self.is_forgotten(at, when, terms) => {
                return None;
            }
            (_, Some((.., decided))) => format!("decided as {decided}, at the end {state}"),
            (_, None) => format!("{call} was accepted, at the end {state}"),
        };
        Some((Promise::NoLostCall, what))
    }

    /// An outcome decided then need not be kept any more.
    fn is_forgotten(&self, at: Moment, decided_micros: i128, terms: &Terms) -> bool {
        self.clock.highest(at) - decided_micros >= terms.kept.as_micros().cast_signed()
    }

    fn told(
        &mut self,
        at: Moment,
        (host, ticket): (HostId, Ticket),
        error: Option<&CallError>,
        terms: &Terms,
    ) -> Option<(Promise, String)> {
        if !self.answered.insert(ticket) {
            let what = format!("{host} answered {ticket} twice, or though it was abandoned");
            return Some((Promise::DecidedOnce, what));
        }
        let Some(Request { at: asked_at, call, makes, .. }) = self.asked.get(&ticket).copied()
        else {
            return Some((Promise::DecidedOnce, format!("{host} answered {ticket} unasked")));
        };
        if let (Some(CallError::OutcomeForgotten { .. }), Some(seen)) =
            (error, self.calls.get(call))
            && !seen.was_lost
            && seen.accepted.is_some_and(|(accepted, _)| accepted < asked_at)
            && seen.decided.is_none_or(|(when, ..)| !self.is_forgotten(at, when, terms))
        {
            let what = format!("{host} was told that {call} is forgotten");
            return Some((Promise::NoLostCall, what));
        }
        if makes && error.is_some_and(denies) {
            let seen = self.seen(call);
            seen.denied = true;
            return (seen.accepted.is_some() && seen.asked_for == 1).then(|| denied(call));
        }
        None
    }
}

/// By this error a node says on its own that the store never saw the call. What the store refused is not
/// among them: of a request that the network doubled, one copy may be refused and the other taken.
const fn denies(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Busy { .. }
            | CallError::InvalidInput { .. }
            | CallError::TooLarge { .. }
            | CallError::Unavailable { .. }
            | CallError::NotSubmitted
    )
}

fn denied(call: &CallId) -> (Promise, String) {
    let what = format!("{call} was taken, and its caller told that nothing was submitted");
    (Promise::NoLostCall, what)
}

/// An overdue call that was not expired.
fn is_late(seen: &Seen<'_>, record: &Record, now: i128) -> bool {
    let is_overdue = seen.accepted.is_some_and(|(_, overdue)| now > overdue);
    is_overdue && !matches!(record.outcome, Outcome::Expired)
}

/// Why an outcome cannot be: nobody made such a result, or nobody asked for such an end.
fn unfounded(seen: &Seen<'_>, record: &Record, now: i128) -> Option<String> {
    let founded = match &record.outcome {
        Outcome::Success(result) => seen.results.contains(&result),
        Outcome::Error(failure) => failure.kind != FailureKind::Handler || seen.has_error,
        Outcome::Expired => seen.accepted.is_some_and(|(_, overdue)| now >= overdue),
        Outcome::Cancelled => seen.cancel_asked,
        Outcome::DeadLettered(_) => record.attempts > 0,
        _ => true,
    };
    (!founded).then(|| format!("{record}: no handler, caller or clock is behind this outcome"))
}
