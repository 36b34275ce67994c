//! A call on its way to its outcome: replies, polls, patience, deadline, cancellation.

use std::time::Duration;

use crate::breaker::Verdict as Judgement;
use crate::call::CallState;
use crate::command::{OnTimeout, Ticket};
use crate::event::{Answer, CallError};
use crate::name::{CallId, FunctionId};
use crate::node::caller::{Caller, Goal, Step, Wait};
use crate::node::desk::Desk;
use crate::node::links::Links;
use crate::node::outbox::Route;
use crate::op::{Op, OpResult, Reply, Settlement, Verdict};
use crate::reachable;
use crate::time::Time;
use crate::timer::Timer;

/// The deadline passes at the store; by the node's clock it is looked at a little later.
const DEADLINE_MARGIN: Duration = Duration::from_millis(10);

impl Caller {
    /// Awaits a call that anybody submitted.
    pub(crate) fn await_call(
        &mut self,
        desk: &mut Desk,
        links: &mut Links,
        ticket: Ticket,
        (function, call): (FunctionId, CallId),
        timeout: Option<Duration>,
        on_timeout: OnTimeout,
    ) {
        let Some(permit) = self.admit(desk, ticket, None) else {
            return;
        };
        self.listen(desk, links);
        self.list(&call, ticket);
        self.waits.insert(
            ticket,
            Wait {
                function,
                call: Some(call.clone()),
                goal: Goal::Outcome,
                on_timeout,
                step: Step::Waiting { poll: desk.config.poll_first, since: desk.now },
                permit: Some(permit),
                timeout,
                since: desk.now,
            },
        );
        self.begin_waiting(desk, ticket, None);
        self.inspect(desk, &call);
    }

    /// Cancels a call, to answer with the outcome that stands then.
    pub(crate) fn cancel(
        &mut self,
        desk: &mut Desk,
        links: &mut Links,
        ticket: Ticket,
        function: FunctionId,
        call: CallId,
    ) {
        let Some(permit) = self.admit(desk, ticket, None) else {
            return;
        };
        self.listen(desk, links);
        self.list(&call, ticket);
        self.waits.insert(
            ticket,
            Wait {
                function,
                call: Some(call),
                goal: Goal::Outcome,
                on_timeout: OnTimeout::Abandon,
                step: Step::Deciding,
                permit: Some(permit),
                timeout: Some(desk.config.submit_timeout),
                since: desk.now,
            },
        );
        desk.timers.arm(Timer::Patience(ticket), desk.now + desk.config.submit_timeout);
        self.decide(desk, ticket, Verdict::Cancel);
    }

    pub(super) fn begin_waiting(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        deadline: Option<Duration>,
    ) {
        let Some(wait) = self.waits.get_mut(&ticket) else {
            return;
        };
        let poll = desk.config.poll_first;
        wait.step = Step::Waiting { poll, since: desk.now };
        desk.timers.arm(Timer::Poll(ticket), desk.now + poll);
        match wait.timeout {
            Some(timeout) => desk.timers.arm(Timer::Patience(ticket), wait.since + timeout),
            None => desk.timers.disarm(Timer::Patience(ticket)),
        }
        if let Some(deadline) = deadline {
            desk.timers.arm(Timer::Deadline(ticket), desk.now + deadline + DEADLINE_MARGIN);
        }
    }

    /// Asks where a call stands, unless that is being asked.
    fn inspect(&mut self, desk: &mut Desk, call: &CallId) {
        let ticket = self.awaited.get(call).and_then(|tickets| tickets.first());
        let Some(wait) = ticket.and_then(|ticket| self.waits.get(ticket)) else { return };
        if !self.inspecting.contains_key(call) {
            self.inspecting.insert(call.clone(), desk.now);
            let op = Op::Inspect { function: wait.function.clone(), call: call.clone() };
            desk.outbox.push(desk.now, op, Route::Awaited(call.clone()));
        }
    }

    pub(super) fn inspect_all(&mut self, desk: &mut Desk) {
        for call in self.awaited.keys().cloned().collect::<Vec<_>>() {
            if !self.waiting_for(&call).is_empty() {
                self.inspect(desk, &call);
            }
        }
    }

    /// The store said where a call stood after it was asked. That is an answer to those who waited
    /// then; for those who came later it is asked again, since the call may have been admitted between.
    pub(crate) fn inspected(&mut self, desk: &mut Desk, call: &CallId, op: &Op, result: OpResult) {
        let Some(asked_at) = self.inspecting.remove(call) else { return };
        let (waited, late): (Vec<_>, Vec<_>) =
            self.waiting_for(call).into_iter().partition(|(_, since)| *since <= asked_at);
        let judgement = if result.is_ok() { Judgement::Success } else { Judgement::Failure };
        for (ticket, _) in &waited {
            self.judge(desk.now, *ticket, judgement);
        }
        match result {
            Ok(Reply::Inspected(CallState::Decided(record))) => {
                if let Some(function) = op.function() {
                    self.clear_away(desk, function, call);
                }
                self.outcome(desk, &record);
            }
            Ok(Reply::Inspected(CallState::Absent)) => {
                for (ticket, _) in waited {
                    let answer = Err(CallError::OutcomeForgotten { call: call.clone() });
                    self.finish(desk, ticket, answer);
                }
            }
            Ok(Reply::Inspected(CallState::Open { remaining, .. })) => {
                for (ticket, _) in waited {
                    let at = desk.now + remaining + DEADLINE_MARGIN;
                    desk.timers.arm(Timer::Deadline(ticket), at);
                }
            }
            Ok(_) | Err(_) => {}
        }
        if !late.is_empty() {
            reachable!(desk.probes, "a call was inspected again for those who came later");
            self.inspect(desk, call);
        }
    }

    /// Tickets that wait for the outcome of a call that was accepted, and since when.
    fn waiting_for(&self, call: &CallId) -> Vec<(Ticket, Time)> {
        let tickets = self.awaited.get(call).into_iter().flatten();
        let waits = |ticket: &Ticket| match self.waits.get(ticket)?.step {
            Step::Waiting { since, .. } => Some((*ticket, since)),
            _ => None,
        };
        tickets.filter_map(waits).collect()
    }

    pub(crate) fn poll_due(&mut self, desk: &mut Desk, ticket: Ticket) {
        let Some(wait) = self.waits.get_mut(&ticket) else {
            return;
        };
        let Step::Waiting { poll, .. } = &mut wait.step else {
            return;
        };
        *poll = (*poll * 2).min(desk.config.poll_max);
        desk.timers.arm(Timer::Poll(ticket), desk.now + *poll);
        if let Some(call) = wait.call.clone() {
            self.inspect(desk, &call);
        }
    }

    pub(crate) fn patience_over(&mut self, desk: &mut Desk, ticket: Ticket) {
        let Some(wait) = self.waits.get(&ticket) else {
            return;
        };
        let call = wait.call.clone();
        match (&wait.step, call) {
            (Step::Waiting { .. }, Some(call)) => match wait.on_timeout {
                OnTimeout::Abandon => self.finish(desk, ticket, Err(CallError::StillOpen { call })),
                OnTimeout::Cancel => self.decide(desk, ticket, Verdict::Cancel),
            },
            (Step::Deciding, Some(call)) => {
                self.finish(desk, ticket, Err(CallError::StillOpen { call }));
            }
            _ => self.unconfirmed(desk, ticket),
        }
    }

    /// The deadline passed: whoever sees a call overdue expires it.
    pub(crate) fn deadline_passed(&mut self, desk: &mut Desk, ticket: Ticket) {
        if self.waits.get(&ticket).is_some_and(|it| matches!(it.step, Step::Waiting { .. })) {
            self.decide(desk, ticket, Verdict::Expire);
        }
    }

    fn decide(&mut self, desk: &mut Desk, ticket: Ticket, verdict: Verdict) {
        let Some(wait) = self.waits.get_mut(&ticket) else {
            return;
        };
        let Some(call) = wait.call.clone() else {
            return;
        };
        wait.step = Step::Deciding;
        desk.timers.disarm(Timer::Poll(ticket));
        let op = Op::Decide { function: wait.function.clone(), call, verdict, attempts: 0 };
        desk.outbox.push(desk.now, op, Route::Ticket(ticket));
    }

    /// The store cancelled or expired the call, or says what stands instead: the record tells.
    pub(super) fn decided(&mut self, desk: &mut Desk, ticket: Ticket, op: &Op, result: OpResult) {
        let Some(wait) = self.waits.get_mut(&ticket) else {
            return;
        };
        let Some(call) = wait.call.clone() else {
            return;
        };
        match result {
            Ok(Reply::Settled(Settlement::NotDue { remaining })) => {
                wait.step = Step::Waiting { poll: desk.config.poll_first, since: desk.now };
                desk.timers.arm(Timer::Deadline(ticket), desk.now + remaining + DEADLINE_MARGIN);
                desk.timers.arm(Timer::Poll(ticket), desk.now + desk.config.poll_first);
            }
            Ok(_) => {
                wait.step = Step::Waiting { poll: desk.config.poll_first, since: desk.now };
                desk.timers.arm(Timer::Poll(ticket), desk.now + desk.config.poll_first);
                self.inspect(desk, &call);
            }
            Err(error) => {
                debug_assert!(matches!(op, Op::Decide { .. }), "{op} answered a decision");
                self.finish(desk, ticket, Err(CallError::Refused(error)));
            }
        }
    }

    /// Somebody else's answer to a ticket that waits only for its outcome.
    pub(super) fn still_open(call: CallId) -> Result<Answer, CallError> {
        Err(CallError::StillOpen { call })
    }
}
