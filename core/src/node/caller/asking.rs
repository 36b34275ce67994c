//! Everything a user asks that is no call: publications by token, acknowledgements, questions.

use crate::call::{Failure, FailureKind, Token};
use crate::command::{OnTimeout, Publication, Query, Ticket};
use crate::event::{Answer, CallError};
use crate::name::{CallId, EntryId, FunctionId};
use crate::node::caller::submit::missing;
use crate::node::caller::{Asked, Caller, Goal, Step, Wait};
use crate::node::desk::Desk;
use crate::node::worker::Worker;
use crate::op::{Admission, Authority, Op, Reply, Settlement, Survey, Verdict};
use crate::timer::Timer;

impl Caller {
    fn ask(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        (function, call): (FunctionId, Option<CallId>),
        asked: Asked,
        op: Op,
    ) {
        let Some(permit) = self.admit(desk, ticket, None) else {
            return;
        };
        let step = Step::Asking(asked);
        self.waits.insert(
            ticket,
            Wait {
                function,
                call,
                goal: Goal::Acceptance,
                on_timeout: OnTimeout::Abandon,
                step: step.clone(),
                permit: Some(permit),
                timeout: None,
                since: desk.now,
            },
        );
        desk.timers.arm(Timer::Patience(ticket), desk.now + desk.config.submit_timeout);
        self.advance(desk, ticket, step, op);
    }

    /// Completes, fails or touches a deferred call.
    pub(crate) fn publish(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        token: Token,
        publication: Publication,
    ) {
        let (function, call) = (token.function.clone(), token.call.clone());
        let by = Authority::Token(token.nonce.clone());
        let verdict = match publication {
            Publication::Complete(result) => Verdict::Complete { result, entry: None },
            Publication::Fail(message) => {
                Verdict::Fail { failure: Failure::new(FailureKind::Handler, message), by }
            }
            Publication::Touch(lease) => {
                let op = Op::Touch { token, lease };
                return self.ask(desk, ticket, (function, Some(call)), Asked::Publication, op);
            }
        };
        if let Verdict::Complete { result, .. } = &verdict {
            let (bytes, limit) = (result.bytes(), desk.config.payload_max_bytes);
            if bytes > limit {
                let answer = Err(CallError::TooLarge { bytes, limit });
                return desk.tell(crate::event::Event::Answer { ticket, answer });
            }
        }
        let op =
            Op::Decide { function: function.clone(), call: call.clone(), verdict, attempts: 0 };
        self.ask(desk, ticket, (function, Some(call)), Asked::Publication, op);
    }

    /// Settles what a decided call may have left behind.
    pub(crate) fn acknowledge(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        function: FunctionId,
        call: CallId,
    ) {
        let op = Op::Acknowledge { function: function.clone(), call: call.clone() };
        self.ask(desk, ticket, (function, Some(call)), Asked::Acknowledgement, op);
    }

    /// Re-creates a function's stream and group, then sweeps its orphans.
    pub(crate) fn recover(
        &mut self,
        desk: &mut Desk,
        worker: &Worker,
        ticket: Ticket,
        function: FunctionId,
    ) {
        let attempts_max = worker.serving(&function).map_or_else(
            || crate::command::FunctionOptions::default().attempts_max,
            |consumer| consumer.options.attempts_max,
        );
        let op = Op::Ensure { function: function.clone() };
        self.ask(desk, ticket, (function, None), Asked::Ensure { attempts_max }, op);
    }

    /// Makes a new call of a dead letter.
    pub(crate) fn requeue(
        &mut self,
        desk: &mut Desk,
        ticket: Ticket,
        function: FunctionId,
        letter: EntryId,
    ) {
        let call = CallId::new(desk.streams.call_ids.hex_id()).expect("32 digits are a valid id");
        let op = Op::Requeue {
            function: function.clone(),
            letter,
            call: call.clone(),
            deadline: desk.config.deadline,
        };
        self.ask(desk, ticket, (function, Some(call)), Asked::Requeue, op);
    }

    /// Answers a question.
    pub(crate) fn query(&mut self, desk: &mut Desk, ticket: Ticket, query: Query) {
        let nowhere = || FunctionId::new("*", "*").expect("a valid name");
        let (function, call, op) = match query.clone() {
            Query::Inspect { function, call } => {
                let op = Op::Inspect { function: function.clone(), call: call.clone() };
                (function, Some(call), op)
            }
            Query::ActiveConsumers(function) | Query::DetectMissingConsumer(function) => {
                let op = Op::Survey { functions: vec![function.clone()] };
                (function, None, op)
            }
            Query::Describe(function) => (function.clone(), None, Op::Describe { function }),
            Query::Discover(scope) => (nowhere(), None, Op::Discover { scope }),
            Query::DeadLetters { function, after, count } => {
                (function.clone(), None, Op::DeadLetters { function, after, count })
            }
        };
        self.ask(desk, ticket, (function, call), Asked::Query(query), op);
    }

    pub(super) fn asked(&mut self, desk: &mut Desk, ticket: Ticket, asked: Asked, reply: Reply) {
        let Some(wait) = self.waits.get(&ticket) else {
            return;
        };
        let (function, call) = (wait.function.clone(), wait.call.clone());
        let answer = match (asked, reply, call) {
            (Asked::Ensure { attempts_max }, Reply::Ensured { created }, _) => {
                let op = Op::Sweep {
                    function,
                    attempts_max,
                    stateless_idle: desk.config.stateless_idle,
                    limit: desk.config.sweep_limit,
                };
                return self.advance(desk, ticket, Step::Asking(Asked::Sweep { created }), op);
            }
            (Asked::Sweep { created }, Reply::Swept(swept), _) => {
                Ok(Answer::Recovered { created, taken_over: swept.robbed })
            }
            (Asked::Publication, Reply::Settled(settlement), Some(call)) => {
                published(settlement, call)
            }
            (Asked::Acknowledgement, Reply::Acknowledged { .. }, _) => Ok(Answer::Settled),
            (Asked::Acknowledgement, Reply::StillOpen, Some(call)) => Self::still_open(call),
            (Asked::Requeue, Reply::Submitted(admission), Some(call)) => match admission {
                Admission::NoSuchLetter => Err(CallError::NoSuchLetter { function }),
                Admission::Full { open } => Err(CallError::FunctionFull { function, open }),
                _ => Ok(Answer::Submitted(call)),
            },
            (Asked::Query(_), Reply::Surveyed(Survey { unread, .. }), _) if !unread.is_empty() => {
                Err(CallError::Refused(unread[0].error.clone()))
            }
            (Asked::Query(query), reply, _) => {
                let Some(answer) = answer_to(&query, reply, desk) else {
                    desk.ignored_inputs += 1;
                    return;
                };
                Ok(answer)
            }
            (asked, reply, _) => {
                debug_assert!(false, "{asked:?} was answered {reply}");
                desk.ignored_inputs += 1;
                return;
            }
        };
        self.finish(desk, ticket, answer);
    }
}

fn published(settlement: Settlement, call: CallId) -> Result<Answer, CallError> {
    match settlement {
        Settlement::Done => Ok(Answer::Settled),
        Settlement::Overruled(kind) => Err(CallError::AlreadyDecided { call, kind }),
        Settlement::Fenced | Settlement::NotDue { .. } => Err(CallError::TokenNotValid { call }),
        Settlement::Absent => Err(CallError::OutcomeForgotten { call }),
    }
}

fn answer_to(query: &Query, reply: Reply, desk: &Desk) -> Option<Answer> {
    Some(match (query, reply) {
        (Query::Inspect { .. }, Reply::Inspected(state)) => Answer::State(state),
        (Query::ActiveConsumers(_), Reply::Surveyed(survey)) => {
            Answer::Consumers(survey.functions.into_iter().next()?.consumers)
        }
        (Query::DetectMissingConsumer(_), Reply::Surveyed(survey)) => {
            Answer::Missing(missing(&survey, survey.functions.first()?, desk))
        }
        (Query::Describe(_), Reply::Described(definition)) => {
            Answer::Definition(definition.map(Box::new))
        }
        (Query::Discover(_), Reply::Discovered { definitions, .. }) => {
            Answer::Definitions(definitions)
        }
        (Query::DeadLetters { .. }, Reply::Letters(letters)) => Answer::Letters(letters),
        _ => return None,
    })
}
