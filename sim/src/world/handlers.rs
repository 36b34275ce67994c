//! Handlers as the policy has them, and tokens used by whoever holds them.

use std::time::Duration;

use steadfast_core::attempt::{Attempt, AttemptEnd, AttemptId, Interruption};
use steadfast_core::call::Token;
use steadfast_core::command::{Command, Publication};
use steadfast_core::event::{Answer, CallError};
use steadfast_core::machine::{Done, EffectId, Input};
use steadfast_core::name::{CallId, ConsumerId};
use steadfast_core::{reachable, sometimes};

use super::World;
use super::calls::Purpose;
use super::event::What;
use crate::faults::FaultKind;
use crate::history::{Fact, HostId};
use crate::policy::{Act, Follow, offered};
use crate::subject::{SimStore, Subject};

/// The holder of a token tries so often.
const PUBLISH_TRIES: u32 = 6;

/// A handler that runs.
#[derive(Debug)]
pub(super) struct Running {
    effect: EffectId,
    call: CallId,
    consumer: ConsumerId,
}

/// A use of a token that is to come, or under way.
#[derive(Clone, Debug)]
pub(super) struct Publishing {
    token: Token,
    steps: Vec<(Duration, Publication)>,
    tries: u32,
}

impl<M: Subject, S: SimStore> World<M, S> {
    pub(super) fn run_handler(&mut self, host: HostId, effect: EffectId, attempt: &Attempt) {
        let is_deadly = self.deadly.contains(&attempt.call);
        if is_deadly {
            let call = attempt.call.clone();
            self.fact(Fact::Poisonous { call });
        }
        self.fact(Fact::Begun {
            host,
            function: attempt.function.clone(),
            consumer: attempt.consumer.clone(),
            epoch: attempt.epoch,
            call: attempt.call.clone(),
            attempt: attempt.attempt,
        });
        self.last_begun.insert(attempt.call.clone(), host);
        if is_deadly {
            self.injected.count(FaultKind::PoisonCall);
            self.queue.push(self.now, What::Die(host));
            return;
        }
        let faulty = self.mask.has(FaultKind::Handler) && !self.healed;
        let act = self.scenario.policy.act(self.entropy, attempt, faulty);
        let running =
            Running { effect, call: attempt.call.clone(), consumer: attempt.consumer.clone() };
        self.host_mut(host).running.insert(attempt.id, running);
        match act {
            Act::Hang => self.injected.count(FaultKind::Handler),
            Act::End(after, end) => {
                if matches!(end, AttemptEnd::Panic(_)) {
                    self.injected.count(FaultKind::Handler);
                }
                self.end_later(host, attempt.id, after, end);
            }
            Act::Defer(after, follow) => {
                let lease = self.scenario.policy.lease;
                self.end_later(host, attempt.id, after, AttemptEnd::Deferred { lease });
                self.plan_publication(attempt, after, follow);
            }
        }
    }

    fn end_later(&mut self, host: HostId, id: AttemptId, after: Duration, end: AttemptEnd) {
        self.queue.push(self.now + after, What::HandlerEnd(host, id, Box::new(end)));
    }

    pub(super) fn handler_ends(&mut self, host: HostId, id: AttemptId, end: AttemptEnd) {
        let what = What::HandlerEnd(host, id, Box::new(end));
        let Some(What::HandlerEnd(_, _, end)) = self.unless_paused(host, what) else {
            return;
        };
        let Some(running) = self.host_mut(host).running.remove(&id) else {
            return;
        };
        self.fact(Fact::Ended {
            host,
            consumer: running.consumer,
            call: running.call,
            end: (*end).clone(),
        });
        let done = Done::Ran(*end);
        let id = running.effect;
        self.deliver_later(host, Input::Done { id, done });
        if self.mask.has(FaultKind::Handler) && !self.healed && self.faults.below(16) == 0 {
            self.injected.count(FaultKind::Handler);
            reachable!(self.probes, "a handler answered twice");
            let done = Done::Ran(AttemptEnd::Error("the handler's second answer".into()));
            self.deliver_later(host, Input::Done { id, done });
        }
    }

    /// Tells a machine something as an event of its own: never from within its own outputs.
    pub(super) fn deliver_later(&mut self, host: HostId, input: Input) {
        self.queue.push(self.now, What::Input(host, Box::new(input)));
    }

    /// The handler is dropped soon, unless it ends by itself before that.
    pub(super) fn interrupt(&mut self, host: HostId, id: AttemptId, why: Interruption) {
        let is = |what| why == what;
        sometimes!(self.probes, is(Interruption::Drained), "a drain was over while a handler ran");
        sometimes!(self.probes, is(Interruption::Decided), "a cancelled call was running");
        sometimes!(self.probes, is(Interruption::Timeout), "a processing timeout was over");
        if let Some(running) = self.host(host).running.get(&id) {
            let (consumer, call) = (running.consumer.clone(), running.call.clone());
            self.fact(Fact::Interrupted { host, consumer, call });
        }
        let after = self.latency.up_to(Duration::from_millis(30));
        self.end_later(host, id, after, AttemptEnd::Interrupted);
    }

    fn plan_publication(&mut self, attempt: &Attempt, after: Duration, follow: Follow) {
        let steps = follow.steps(self.scenario.policy.lease);
        let Some((wait, _)) = steps.first() else {
            return;
        };
        let first = self.now + after + *wait;
        let number = self.publications.len() as u32;
        self.publications.push(Publishing { token: attempt.token(), steps, tries: 0 });
        self.queue.push(first, What::Publish(number));
    }

    /// Whoever lives uses the token.
    pub(super) fn publish(&mut self, number: u32) {
        let Some(host) = self.anybody() else {
            self.publish_again(number);
            return;
        };
        let publishing = &self.publications[number as usize];
        let Some((_, publication)) = publishing.steps.first().cloned() else {
            return;
        };
        let token = publishing.token.clone();
        let call = token.call.clone();
        if let Some(outcome) = offered(&publication) {
            let call = call.clone();
            self.fact(Fact::Offered { call, outcome });
        }
        let ticket = self.ticket(host, Purpose::Publish(number), call);
        let command = Command::Publish { ticket, token, publication };
        self.deliver(host, Input::Command(command));
    }

    pub(super) fn publish_answered(&mut self, number: u32, answer: &Result<Answer, CallError>) {
        if let Err(
            CallError::TokenNotValid { .. }
            | CallError::NoAnswer
            | CallError::NotSubmitted
            | CallError::Unavailable { .. }
            | CallError::Unconfirmed { .. }
            | CallError::Busy { .. }
            | CallError::ShuttingDown,
        ) = answer
        {
            self.publish_again(number);
            return;
        }
        let steps = &mut self.publications[number as usize].steps;
        steps.remove(0);
        if let Some((wait, _)) = steps.first() {
            let at = self.now + *wait;
            self.queue.push(at, What::Publish(number));
        }
    }

    fn publish_again(&mut self, number: u32) {
        let publishing = &mut self.publications[number as usize];
        publishing.tries += 1;
        if publishing.tries < PUBLISH_TRIES {
            let at = self.now + Duration::from_millis(300);
            self.queue.push(at, What::Publish(number));
        }
    }
}
