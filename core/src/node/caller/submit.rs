//! A call on its way to acceptance: checked, looked for a consumer if it asks so, submitted.

use std::time::Duration;

use crate::breaker::Verdict as Judgement;
use crate::command::{NoConsumer, Request, Ticket};
use crate::definition::Definition;
use crate::event::{Answer, CallError, MissingReason};
use crate::name::{CallId, FunctionId};
use crate::node::caller::{Caller, Goal, Step, Wait};
use crate::node::desk::Desk;
use crate::node::links::Links;
use crate::node::outbox::Route;
use crate::node::worker::Worker;
use crate::op::{Admission, ConsumerStatus, FunctionSurvey, Lane, Op, Submission, Survey};
use crate::reachable;
use crate::time::Time;
use crate::timer::Timer;

/// A definition that does not exist is looked for again after this.
const UNKNOWN_DEFINITION_TTL: Duration = Duration::from_secs(1);

/// The most definitions that are remembered.
const DEFINITIONS_MAX: usize = 10_000;

impl Caller {
    /// Submits a call, to answer with its acceptance.
    pub(crate) fn submit(
        &mut self,
        desk: &mut Desk,
        links: &mut Links,
        worker: &Worker,
        ticket: Ticket,
        request: Box<Request>,
    ) {
        self.start(desk, links, worker, ticket, request, Goal::Acceptance);
    }

    /// Submits a call, to answer with its outcome.
    pub(crate) fn call(
        &mut self,
        desk: &mut Desk,
        links: &mut Links,
        worker: &Worker,
        ticket: Ticket,
        request: Box<Request>,
    ) {
        self.start(desk, links, worker, ticket, request, Goal::Outcome);
    }

    fn start(
        &mut self,
        desk: &mut Desk,
        links: &mut Links,
        worker: &Worker,
        ticket: Ticket,
        request: Box<Request>,
        goal: Goal,
    ) {
        let (bytes, limit) = (request.input.bytes(), desk.config.payload_max_bytes);
        if bytes > limit {
            let answer = Err(CallError::TooLarge { bytes, limit });
            desk.tell(crate::event::Event::Answer { ticket, answer });
            return;
        }
        let Some(permit) = self.admit(desk, ticket, Some(&request.input)) else {
            return;
        };
        self.listen(desk, links);
        let mut request = request;
        let call = request.call.take().unwrap_or_else(|| {
            CallId::new(desk.streams.call_ids.hex_id()).expect("32 digits are a valid id")
        });
        self.list(&call, ticket);
        request.call = Some(call.clone());
        self.waits.insert(
            ticket,
            Wait {
                function: request.function.clone(),
                call: Some(call),
                goal,
                on_timeout: request.on_timeout,
                step: Step::Describing(request.clone()),
                permit: Some(permit),
                timeout: request.timeout,
                since: desk.now,
            },
        );
        let patience = request.timeout.unwrap_or(Duration::MAX).min(desk.config.submit_timeout);
        desk.timers.arm(Timer::Patience(ticket), desk.now + patience);
        if request.no_consumer == NoConsumer::FailFast && serves(worker, &request) {
            request.no_consumer = NoConsumer::Wait;
        }
        if let Some(serving) = worker.serving(&request.function) {
            self.learn(desk.now, &request.function, Some(serving.definition.as_ref().clone()));
        }
        if self.knows_definition(desk, &request) {
            self.check_input(desk, ticket, request);
        } else {
            let op = Op::Describe { function: request.function.clone() };
            self.advance(desk, ticket, Step::Describing(request), op);
        }
    }

    /// Remembers a definition for a while. A caller of ever new functions forgets them all at times.
    pub(super) fn learn(
        &mut self,
        now: Time,
        function: &FunctionId,
        definition: Option<Definition>,
    ) {
        if self.definitions.len() >= DEFINITIONS_MAX {
            self.definitions.clear();
        }
        self.definitions.insert(function.clone(), (definition, now));
    }

    fn knows_definition(&self, desk: &Desk, request: &Request) -> bool {
        self.definitions.get(&request.function).is_some_and(|(definition, at)| {
            let most = if definition.is_some() {
                desk.config.definition_ttl
            } else {
                UNKNOWN_DEFINITION_TTL
            };
            desk.now.since(*at) < most
        })
    }

    /// Takes the next step, which this operation's answer ends.
    pub(super) fn advance(&mut self, desk: &mut Desk, ticket: Ticket, step: Step, op: Op) {
        if let Some(wait) = self.waits.get_mut(&ticket) {
            wait.step = step;
            desk.outbox.push_on(desk.now, Lane::Submit, op, Route::Ticket(ticket));
        }
    }

    pub(super) fn check_input(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        mut request: Box<Request>,
    ) {
        if let Some((Some(definition), _)) = self.definitions.get(&request.function) {
            match definition.check(&request.input) {
                Ok(input) => request.input = input,
                Err(problems) => {
                    let function = request.function.clone();
                    let answer = Err(CallError::InvalidInput { function, problems });
                    return self.finish(desk, ticket, answer);
                }
            }
        }
        match request.no_consumer {
            NoConsumer::Wait => self.send(desk, ticket, *request),
            NoConsumer::FailFast => {
                let op = Op::Survey { functions: vec![request.function.clone()] };
                self.advance(desk, ticket, Step::Looking(request), op);
            }
        }
    }

    pub(super) fn looked(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        request: Request,
        survey: &Survey,
    ) {
        if let Some(unread) = survey.unread.first() {
            return self.finish(desk, ticket, Err(CallError::Refused(unread.error.clone())));
        }
        match survey.functions.first().and_then(|it| missing(survey, it, desk)) {
            Some(reason) => {
                let function = request.function.clone();
                self.finish(desk, ticket, Err(CallError::NoConsumer { function, reason }));
            }
            None => self.send(desk, ticket, request),
        }
    }

    fn send(&mut self, desk: &mut Desk, ticket: Ticket, request: Request) {
        let Some(call) = self.waits.get(&ticket).and_then(|wait| wait.call.clone()) else {
            return;
        };
        let deadline = request.deadline.unwrap_or(desk.config.deadline);
        let op = Op::Submit(Submission {
            function: request.function,
            call,
            input: request.input,
            deadline,
            delay: request.delay,
            idempotency_key: request.idempotency_key,
            reply_to: Some(desk.node.clone()),
            traceparent: request.traceparent,
            result_stream: request.result_stream,
            open_max: desk.config.open_calls_max,
        });
        self.advance(desk, ticket, Step::Submitting { deadline }, op);
    }

    pub(super) fn admitted(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        deadline: Duration,
        admission: Admission,
    ) {
        let Some(wait) = self.waits.get_mut(&ticket) else {
            return;
        };
        let (goal, function, own) = (wait.goal, wait.function.clone(), wait.call.clone());
        let record = match admission {
            Admission::Accepted | Admission::AlreadyOpen => None,
            Admission::AlreadyDecided(record) => Some(record),
            Admission::Joined { call, record } => {
                reachable!(desk.probes, "a call joined an earlier one by its idempotency key");
                wait.call = Some(call.clone());
                if let Some(own) = own.filter(|own| *own != call) {
                    self.unlist(&own, ticket);
                }
                self.list(&call, ticket);
                record
            }
            Admission::Full { open } => {
                let answer = Err(CallError::FunctionFull { function, open });
                return self.finish(desk, ticket, answer);
            }
            Admission::NoSuchLetter => {
                return self.finish(desk, ticket, Err(CallError::NoSuchLetter { function }));
            }
        };
        let Some(call) = self.waits.get(&ticket).and_then(|wait| wait.call.clone()) else {
            return;
        };
        if record.is_some() {
            self.clear_away(desk, &function, &call);
        }
        match (goal, record) {
            (Goal::Acceptance, _) => self.finish(desk, ticket, Ok(Answer::Submitted(call))),
            (Goal::Outcome, Some(record)) => {
                self.finish(desk, ticket, Ok(Answer::Outcome(record)));
            }
            (Goal::Outcome, None) => self.begin_waiting(desk, ticket, Some(deadline)),
        }
    }

    /// The user's patience for a submission or a question is over.
    pub(super) fn unconfirmed(&mut self, desk: &mut Desk, ticket: Ticket) {
        let maybe_applied = desk.outbox.withdraw(Lane::Submit, ticket);
        self.judge(desk.now, ticket, Judgement::Failure);
        let Some(wait) = self.waits.get(&ticket) else {
            return;
        };
        let error = match (&wait.step, &wait.call) {
            (Step::Submitting { .. }, Some(call)) if maybe_applied => {
                CallError::Unconfirmed { call: call.clone() }
            }
            (Step::Describing(_) | Step::Looking(_) | Step::Submitting { .. }, _) => {
                CallError::NotSubmitted
            }
            (Step::Waiting { .. } | Step::Deciding | Step::Asking(_), _) => CallError::NoAnswer,
        };
        self.finish(desk, ticket, Err(error));
    }
}

fn serves(worker: &Worker, request: &Request) -> bool {
    worker.serving(&request.function).is_some_and(|consumer| consumer.epoch.is_some())
}

/// Why nobody serves a function, if nobody does, as one look at the store shows.
pub(super) fn missing(
    survey: &Survey,
    function: &FunctionSurvey,
    desk: &Desk,
) -> Option<MissingReason> {
    if !function.has_stream {
        return Some(MissingReason::NoStream);
    }
    if !function.has_group {
        return Some(MissingReason::NoGroup);
    }
    let mut beating = function
        .consumers
        .iter()
        .filter(|it| survey.now.since(it.heartbeat) < desk.config.consumer_timeout)
        .peekable();
    if beating.peek().is_none() {
        return Some(MissingReason::NoLiveConsumer);
    }
    let reads = |status| matches!(status, ConsumerStatus::Starting | ConsumerStatus::Active);
    if beating.any(|consumer| reads(consumer.status)) {
        None
    } else {
        Some(MissingReason::ConsumersNotReading)
    }
}
