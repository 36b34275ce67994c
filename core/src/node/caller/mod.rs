//! The caller: what a node's users submit, await and ask.
//!
//! Each request is a ticket with a step that it waits for. `submit.rs` leads a call to its acceptance,
//! `waiting.rs` to its outcome, `asking.rs` answers everything else. Truth is polled; the reply stream
//! only hastens: register, then check, then wait, and check again at every wake and timeout.

mod asking;
mod submit;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::breaker::{Breaker, Permit, Verdict as Judgement};
use crate::call::{Payload, Record};
use crate::command::{OnTimeout, Query, Request, Ticket};
use crate::definition::Definition;
use crate::event::{Answer, CallError, Event};
use crate::name::{CallId, EntryId, FunctionId};
use crate::node::desk::{Desk, Flight};
use crate::node::links::Links;
use crate::node::outbox::Route;
use crate::op::{Lane, Op, OpResult, Reply};
use crate::pending::{Matter, Pending, WaitsFor};
use crate::time::Time;
use crate::timer::Timer;
use crate::transport::{Interest, Link, TransportError, Wake};

/// Which commands the caller serves: those with a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Goal {
    /// The acceptance.
    Acceptance,
    /// The outcome.
    Outcome,
}

/// What a ticket waits for.
#[derive(Clone, Debug, Hash)]
enum Step {
    /// The definition, to check the input against.
    Describing(Box<Request>),
    /// Whether anybody serves the function.
    Looking(Box<Request>),
    /// The submission to be confirmed.
    Submitting { deadline: Duration },
    /// The outcome. `poll` is the time until the next look.
    Waiting { poll: Duration, since: Time },
    /// The store to cancel or expire the call.
    Deciding,
    /// The answer to a question, or to a publication.
    Asking(Asked),
}

/// What kind of answer a question gets.
#[derive(Clone, Debug, Hash)]
enum Asked {
    Query(Query),
    Publication,
    Acknowledgement,
    Requeue,
    /// First the stream and the group, then the orphans.
    Ensure {
        attempts_max: u32,
    },
    Sweep {
        created: bool,
    },
}

/// One request of a user.
#[derive(Clone, Debug)]
struct Wait {
    function: FunctionId,
    call: Option<CallId>,
    goal: Goal,
    on_timeout: OnTimeout,
    step: Step,
    permit: Option<Permit>,
    timeout: Option<Duration>,
    since: Time,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) breaker: Breaker,
    waits: BTreeMap<Ticket, Wait>,
    /// Who awaits the outcome of each call.
    awaited: BTreeMap<CallId, BTreeSet<Ticket>>,
    /// Calls with an inspection under way, and since when.
    inspecting: BTreeMap<CallId, Time>,
    definitions: BTreeMap<FunctionId, (Option<Definition>, Time)>,
    /// The last reply seen.
    after: EntryId,
    listening: bool,
    watching: bool,
    keeping: bool,
    /// Decided calls whose leftovers are being cleared away.
    clearing: BTreeSet<CallId>,
    shutting_down: bool,
    /// The reply stream is being removed.
    signing_off: bool,
}

impl Caller {
    pub(crate) fn new(breaker: Breaker) -> Self {
        Self {
            breaker,
            waits: BTreeMap::new(),
            awaited: BTreeMap::new(),
            inspecting: BTreeMap::new(),
            definitions: BTreeMap::new(),
            after: EntryId::ZERO,
            listening: false,
            watching: false,
            keeping: false,
            clearing: BTreeSet::new(),
            shutting_down: false,
            signing_off: false,
        }
    }

    /// Requests that have no answer yet.
    pub(crate) fn len(&self) -> usize {
        self.waits.len()
    }

    /// Admits a request, or answers it with the reason why not. Gives a permit of the breaker.
    fn admit(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        input: Option<&Payload>,
    ) -> Option<Permit> {
        let queued = desk.outbox.len(Lane::Submit);
        let refusal = if self.shutting_down {
            CallError::ShuttingDown
        } else if queued >= desk.config.submit_queue_max
            || self.waits.len() >= desk.config.waits_max
        {
            CallError::Busy { queued: self.waits.len(), input: input.cloned() }
        } else {
            match self.breaker.admit(desk.now) {
                Ok(permit) => return Some(permit),
                Err(rejected) => CallError::Unavailable { retry_after: rejected.retry_after },
            }
        };
        desk.tell(Event::Answer { ticket, answer: Err(refusal) });
        None
    }

    fn judge(&mut self, now: Time, ticket: Ticket, judgement: Judgement) {
        if let Some(permit) = self.waits.get_mut(&ticket).and_then(|wait| wait.permit.take()) {
            self.breaker.settle(now, permit, judgement);
        }
    }

    /// Answers a ticket and forgets it.
    fn finish(&mut self, desk: &mut Desk, ticket: Ticket, answer: Result<Answer, CallError>) {
        self.judge(desk.now, ticket, Judgement::Ignored);
        if self.forget(desk, ticket) {
            desk.tell(Event::Answer { ticket, answer });
        }
    }

    fn forget(&mut self, desk: &mut Desk, ticket: Ticket) -> bool {
        let Some(wait) = self.waits.remove(&ticket) else {
            return false;
        };
        for timer in [Timer::Poll(ticket), Timer::Patience(ticket), Timer::Deadline(ticket)] {
            desk.timers.disarm(timer);
        }
        if let Some(call) = &wait.call {
            self.unlist(call, ticket);
        }
        true
    }

    fn list(&mut self, call: &CallId, ticket: Ticket) {
        self.awaited.entry(call.clone()).or_default().insert(ticket);
    }

    fn unlist(&mut self, call: &CallId, ticket: Ticket) {
        if let Some(tickets) = self.awaited.get_mut(call) {
            tickets.remove(&ticket);
            if tickets.is_empty() {
                self.awaited.remove(call);
            }
        }
    }

    /// Nobody waits for this ticket's answer any more.
    pub(crate) fn abandon(&mut self, desk: &mut Desk, ticket: Ticket) {
        self.judge(desk.now, ticket, Judgement::Ignored);
        if self.waits.get(&ticket).is_some_and(|it| matches!(it.step, Step::Asking(_))) {
            desk.outbox.withdraw(Lane::Submit, ticket);
        }
        if !self.forget(desk, ticket) {
            desk.ignored_inputs += 1;
        }
    }

    /// The store answered an operation of this ticket.
    pub(crate) fn answered(&mut self, desk: &mut Desk, ticket: Ticket, op: &Op, result: OpResult) {
        let Some(wait) = self.waits.get(&ticket) else {
            return;
        };
        let judgement = if result.is_ok() { Judgement::Success } else { Judgement::Failure };
        let step = wait.step.clone();
        self.judge(desk.now, ticket, judgement);
        match (step, result) {
            (Step::Deciding, result) => self.decided(desk, ticket, op, result),
            (Step::Describing(request), Ok(Reply::Described(definition))) => {
                self.learn(desk.now, &request.function, definition);
                self.check_input(desk, ticket, request);
            }
            (Step::Looking(request), Ok(Reply::Surveyed(survey))) => {
                self.looked(desk, ticket, *request, &survey);
            }
            (Step::Submitting { deadline }, Ok(Reply::Submitted(admission))) => {
                self.admitted(desk, ticket, deadline, admission);
            }
            (Step::Asking(asked), Ok(reply)) => self.asked(desk, ticket, asked, reply),
            (_, Err(error)) => self.finish(desk, ticket, Err(CallError::Refused(error))),
            (step, Ok(reply)) => {
                debug_assert!(false, "{ticket} in {step:?} was answered {reply}");
                desk.ignored_inputs += 1;
            }
        }
    }

    /// An operation of this ticket got no answer and is sent again: the breaker counts it once.
    pub(crate) fn unanswered(&mut self, now: Time, ticket: Ticket) {
        self.judge(now, ticket, Judgement::Failure);
    }

    /// The first user needs replies.
    fn listen(&mut self, desk: &mut Desk, links: &mut Links) {
        if !self.listening {
            self.listening = true;
            links.want(desk, Link::Replies);
            self.keep_replies(desk);
        }
    }

    pub(crate) fn keep_replies(&mut self, desk: &mut Desk) {
        if !self.listening {
            return;
        }
        desk.timers.arm(Timer::KeepReplies, desk.now + desk.config.replies_interval);
        if !self.keeping {
            self.keeping = true;
            let op = Op::KeepReplies { caller: desk.node.clone(), after: self.after };
            desk.outbox.push(desk.now, op, Route::Replies);
        }
    }

    /// The reply stream stands; where it had to be created, replies may have been lost.
    pub(crate) fn replies_kept(&mut self, desk: &mut Desk, result: &OpResult) {
        self.keeping = false;
        match result {
            Ok(Reply::RepliesKept { created: true }) => self.inspect_all(desk),
            Ok(_) => {}
            Err(_) => {
                desk.timers.arm_no_later(Timer::KeepReplies, desk.now + Duration::from_secs(1));
            }
        }
    }

    /// The node has nothing left to do: its reply stream goes now, rather than when its time to live is over.
    pub(crate) fn sign_off(&mut self, desk: &mut Desk) {
        if std::mem::take(&mut self.listening) {
            self.signing_off = true;
            desk.timers.disarm(Timer::KeepReplies);
            let op = Op::ForgetReplies { caller: desk.node.clone() };
            desk.outbox.push(desk.now, op, Route::SignOff);
        }
    }

    /// The store answered the removal of the reply stream; where it refused, the time to live remains.
    pub(crate) fn signed_off(&mut self) {
        self.signing_off = false;
    }

    pub(crate) fn is_signing_off(&self) -> bool {
        self.signing_off
    }

    /// Clears away what a decided call may have left behind, once at a time. Its outcome came by no reply, so
    /// an older consumer may have written it, which knows nothing of what we keep of an open call.
    fn clear_away(&mut self, desk: &mut Desk, function: &FunctionId, call: &CallId) {
        if self.clearing.len() < desk.config.waits_max && self.clearing.insert(call.clone()) {
            let op = Op::Acknowledge { function: function.clone(), call: call.clone() };
            desk.outbox.push(desk.now, op, Route::Leftovers(call.clone()));
        }
    }

    pub(crate) fn cleared(&mut self, call: &CallId) {
        self.clearing.remove(call);
    }

    /// Waits for replies wherever it can.
    pub(crate) fn pump(&mut self, desk: &mut Desk, links: &mut Links) {
        if !self.listening || self.watching {
            return;
        }
        let Some(session) = links.session(Link::Replies) else {
            return;
        };
        self.watching = true;
        links.count_request(Link::Replies);
        let interest = Interest::Replies { caller: desk.node.clone(), after: self.after };
        let block = desk.config.block;
        let effect = crate::machine::Effect::Watch { session, interest, block };
        let id = desk.launch(effect, Flight::Watch(Link::Replies));
        desk.timers.arm(Timer::ResponseTimeout(id), desk.now + block + desk.config.watch_margin);
    }

    pub(crate) fn watch_ended(&mut self, desk: &mut Desk, result: Result<Wake, TransportError>) {
        self.watching = false;
        if let Ok(Wake::Replies { records, last }) = result {
            self.after = self.after.max(last);
            for record in records {
                self.outcome(desk, &record);
            }
        }
    }

    /// A connection stands anew: replies may have passed meanwhile.
    pub(crate) fn link_up(&mut self, desk: &mut Desk, link: Link) {
        match link {
            Link::Command => {
                self.breaker.link_regained(desk.now);
                if self.listening {
                    self.keep_replies(desk);
                    self.inspect_all(desk);
                }
            }
            Link::Replies => self.inspect_all(desk),
            Link::Arrivals | Link::Fetch(_) => {}
        }
    }

    /// A call is decided: everyone who awaits it is told.
    fn outcome(&mut self, desk: &mut Desk, record: &Record) {
        let Some(tickets) = self.awaited.get(&record.call).cloned() else {
            return;
        };
        for ticket in tickets {
            let Some(wait) = self.waits.get(&ticket) else {
                continue;
            };
            let answer = match wait.goal {
                Goal::Acceptance => Answer::Submitted(record.call.clone()),
                Goal::Outcome => Answer::Outcome(record.clone()),
            };
            // Its submission is confirmed by its outcome, even where the answer is still on its way.
            self.judge(desk.now, ticket, Judgement::Success);
            self.finish(desk, ticket, Ok(answer));
        }
    }

    /// No more requests; those that wait are answered when the node ends.
    pub(crate) fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// The node ends: everyone who still waits is told so.
    pub(crate) fn end(&mut self, desk: &mut Desk) {
        for ticket in self.waits.keys().copied().collect::<Vec<_>>() {
            self.finish(desk, ticket, Err(CallError::ShuttingDown));
        }
    }

    pub(crate) fn pending(&self, into: &mut Vec<Pending>) {
        for wait in self.waits.values() {
            let Some(call) = wait.call.clone() else {
                continue;
            };
            let waits_for = match wait.step {
                Step::Describing(_) => WaitsFor::Definition,
                Step::Waiting { .. } => WaitsFor::Outcome,
                Step::Looking(_) | Step::Submitting { .. } | Step::Deciding | Step::Asking(_) => {
                    WaitsFor::Answer
                }
            };
            into.push(Pending { matter: Matter::Call(call), waits_for, since: wait.since });
        }
    }

    pub(crate) fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        self.breaker.fingerprint(now, into);
        for (ticket, wait) in &self.waits {
            (ticket, &wait.call, wait.goal, &wait.step).hash(&mut into);
            (&wait.function, wait.on_timeout, wait.timeout, now.since(wait.since)).hash(&mut into);
        }
        (self.inspecting.keys().collect::<Vec<_>>(), self.after, self.listening).hash(&mut into);
        (self.watching, self.keeping, self.shutting_down).hash(&mut into);
        (&self.clearing, self.signing_off).hash(&mut into);
    }
}
