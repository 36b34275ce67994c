//! The callers' side: calls are made, made again, awaited by others and cancelled.

use std::time::Duration;

use steadfast_core::command::{Command, OnTimeout, Ticket};
use steadfast_core::event::{Answer, CallError};
use steadfast_core::machine::Input;
use steadfast_core::name::{CallId, FunctionId};
use steadfast_core::reachable;

use super::World;
use super::event::What;
use crate::faults::SlotId;
use crate::history::{Fact, HostId};
use crate::subject::{SimStore, Subject};
use crate::workload::Manner;

/// An admitted call.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) function: FunctionId,
    pub(super) decided: bool,
}

/// What a request was for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// To make this call.
    Make(u32),
    /// To hear how a call ended.
    Await,
    /// To cancel a call.
    Cancel,
    /// To use a token.
    Publish(u32),
}

impl<M: Subject, S: SimStore> World<M, S> {
    /// A ticket for a request of this host about this call.
    pub(super) fn ticket(&mut self, host: HostId, purpose: Purpose, call: CallId) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let makes = matches!(purpose, Purpose::Make(_));
        self.tickets.insert(ticket, (host, purpose));
        self.fact(Fact::Asked { host, ticket, call, makes });
        ticket
    }

    /// Any live host that is not paused, callers and workers alike.
    pub(super) fn anybody(&mut self) -> Option<HostId> {
        let first = self.wandering.below(self.slots.len() as u64) as u16;
        let count = self.slots.len() as u16;
        (0..count)
            .map(|step| SlotId((first + step) % count))
            .find_map(|slot| self.live_host(slot).filter(|host| self.host(*host).paused.is_none()))
    }

    /// A caller makes its call, if it lives.
    pub(super) fn make(&mut self, number: u32) {
        let slot = self.intents[number as usize].slot;
        self.make_from(number, slot);
    }

    /// The same call once more, by whom it was planned for.
    pub(super) fn make_again(&mut self, number: u32) {
        if let Some((_, slot)) = self.intents[number as usize].again {
            self.make_from(number, slot);
        }
    }

    fn make_from(&mut self, number: u32, slot: SlotId) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        let intent = &self.intents[number as usize];
        let request = Box::new(intent.request.clone());
        let manner = intent.manner;
        let Some(call) = request.call.clone() else {
            return;
        };
        if request.on_timeout == OnTimeout::Cancel {
            let call = call.clone();
            self.fact(Fact::CancelAsked { call });
        }
        let ticket = self.ticket(host, Purpose::Make(number), call);
        let command = match manner {
            Manner::Submit => Command::Submit { ticket, request },
            Manner::Call => Command::Call { ticket, request },
        };
        self.deliver(host, Input::Command(command));
    }

    pub(super) fn cancel(&mut self, number: u32) {
        let intent = &self.intents[number as usize];
        let (function, call) = (intent.request.function.clone(), intent.request.call.clone());
        let (Some(host), Some(call)) = (self.live_host(intent.slot), call) else {
            return;
        };
        self.fact(Fact::CancelAsked { call: call.clone() });
        let ticket = self.ticket(host, Purpose::Cancel, call.clone());
        let command = Command::Cancel { ticket, function, call };
        self.deliver(host, Input::Command(command));
    }

    /// A host wants to hear how a call ended.
    pub(super) fn observe_call(&mut self, host: HostId, call: &CallId) {
        let Some(standing) = self.admitted.get(call) else {
            return;
        };
        let function = standing.function.clone();
        let ticket = self.ticket(host, Purpose::Await, call.clone());
        let command = Command::Await {
            ticket,
            function,
            call: call.clone(),
            timeout: None,
            on_timeout: OnTimeout::Abandon,
        };
        self.deliver_later(host, Input::Command(command));
    }

    /// A host answers a request.
    pub(super) fn hear_answer(
        &mut self,
        host: HostId,
        ticket: Ticket,
        answer: &Result<Answer, CallError>,
    ) {
        let error = answer.as_ref().err().cloned();
        self.probe_answer(error.as_ref());
        self.fact(Fact::Answered { host, ticket, error });
        if let Ok(Answer::Outcome(record)) = answer {
            let record = record.clone();
            self.fact(Fact::Observed { host, record });
        }
        match self.tickets.remove(&ticket) {
            Some((_, Purpose::Make(number))) => self.made(host, number, answer),
            Some((_, Purpose::Publish(number))) => self.publish_answered(number, answer),
            Some((_, Purpose::Await | Purpose::Cancel)) | None => {}
        }
    }

    fn probe_answer(&self, error: Option<&CallError>) {
        let Some(error) = error else { return };
        let sink = &self.probes;
        match error {
            CallError::Busy { .. } => reachable!(*sink, "a busy node gave a request back"),
            CallError::StillOpen { .. } => reachable!(*sink, "an awaiter's patience ended"),
            CallError::OutcomeForgotten { .. } => {
                reachable!(*sink, "an awaiter was told that the outcome is forgotten");
            }
            CallError::Unconfirmed { .. } => {
                reachable!(*sink, "a submission was not confirmed in time");
            }
            CallError::Unavailable { .. } => reachable!(*sink, "the breaker refused a request"),
            _ => {}
        }
    }

    fn made(&mut self, host: HostId, number: u32, answer: &Result<Answer, CallError>) {
        match answer {
            Ok(Answer::Submitted(call)) => {
                self.fact(Fact::Acknowledged { call: call.clone() });
                self.observe_call(host, call);
            }
            Ok(Answer::Outcome(record)) => {
                let call = record.call.clone();
                self.fact(Fact::Acknowledged { call });
            }
            Err(
                CallError::Unconfirmed { .. }
                | CallError::NotSubmitted
                | CallError::Busy { .. }
                | CallError::FunctionFull { .. }
                | CallError::Unavailable { .. },
            ) if !self.healed => {
                let at = self.now + Duration::from_millis(700);
                self.queue.push(at, What::Make(number));
            }
            _ => {}
        }
    }
}
