//! Answers as replies.

use std::collections::BTreeSet;

use steadfast_core::call::{
    CallState, DeadLetter, Failure, FailureKind, Outcome, OutcomeKind, Payload, Place, Record,
};
use steadfast_core::definition::Definition;
use steadfast_core::name::{CallId, EntryId, Epoch, FunctionId, NodeId, RunId, SessionId};
use steadfast_core::op::{
    Admission, Beginning, ConsumerRecord, ConsumerStatus, FunctionSurvey, GroupName, Loss, Op,
    OpResult, Pulse, PulseAnswer, Reply, Settlement, Survey, Swept, Unread,
};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{ErrorKind, TransportError};
use steadfast_core::wire::decode_result;

use crate::answer::{
    Nonsense, Read, clock, delivered, entry, list, micros, number, pairs, parsed, small, text, time,
};
use crate::encode::{Cursor, beaten_together, surveyed_together};
use crate::error::{nonsense, of_server, of_text};
use crate::layout::Layout;
use crate::resp::Value;

/// What the decoding needs beside the answers.
pub(crate) struct Decoder<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) run_id: &'a RunId,
    /// Called with where a function's sweep is to go on.
    pub(crate) note_cursor: &'a dyn Fn(&FunctionId, Cursor),
}

impl Decoder<'_> {
    /// The result of one operation from the answers to its parts.
    pub(crate) fn result(&self, op: &Op, mut answers: Vec<Value>) -> OpResult {
        if let Op::Survey { functions } = op {
            return self.survey(op, functions, answers);
        }
        for answer in &answers {
            if let Value::ServerError(error) = answer {
                return Err(of_server(error, op));
            }
        }
        let read = match op {
            Op::Beat { pulses, .. } => self.beaten(pulses, answers),
            Op::Discover { .. } => discovered(answers),
            Op::KeepReplies { .. } => answers
                .iter()
                .try_fold(false, |created, answer| Ok(created || number(answer)? == 1))
                .map(|created| Ok(Reply::RepliesKept { created })),
            Op::ForgetReplies { .. } => answers
                .iter()
                .try_fold(false, |existed, answer| Ok(existed || number(answer)? == 1))
                .map(|existed| Ok(Reply::RepliesForgotten { existed })),
            _ => match answers.pop() {
                Some(answer) => self.one(op, answer),
                None => Err(Nonsense),
            },
        };
        match read {
            Ok(result) => result,
            Err(Nonsense) => Err(nonsense(op)),
        }
    }

    fn one(&self, op: &Op, answer: Value) -> Read<OpResult> {
        Ok(Ok(match op {
            Op::Submit(_) if answer == Value::Okay => Reply::Submitted(Admission::Accepted),
            Op::Decide { .. } if answer == Value::Okay => Reply::Settled(Settlement::Done),
            Op::Ping => Reply::Pong { run_id: self.run_id.clone(), now: clock(&answer)? },
            Op::Register { .. } => Reply::Registered { epoch: Epoch(number(&answer)?) },
            Op::Deregister { .. } => Reply::Deregistered { released: small(&answer)? },
            Op::Ensure { .. } => Reply::Ensured { created: number(&answer)? == 1 },
            Op::OlderPeerAdd { .. } => Reply::Added(parsed(&answer)?),
            Op::Describe { function } => Reply::Described(definition(function, &list(answer)?)?),
            Op::DeadLetters { .. } => Reply::Letters(
                list(answer)?
                    .into_iter()
                    .map(|value| entry(value).map(|(id, fields)| letter(id, &fields)))
                    .collect::<Read<_>>()?,
            ),
            Op::Renew { entries, .. } => {
                let lost = list(answer)?.into_iter().map(|item| {
                    let item = list(item)?;
                    let [place, outcome] = &item[..] else {
                        return Err(Nonsense);
                    };
                    let (entry, _) = entries.get(number(place)? as usize).ok_or(Nonsense)?;
                    let loss = match text(outcome)? {
                        "" => Loss::TakenOver,
                        word => Loss::Decided(kind(word)?),
                    };
                    Ok((*entry, loss))
                });
                Reply::Renewed { lost: lost.collect::<Read<_>>()? }
            }
            Op::Fetch { .. } | Op::Reread { .. } => fetched(list(answer)?)?,
            Op::Sweep { function, .. } => self.swept(function, &list(answer)?)?,
            _ => return coded(op, &list(answer)?),
        }))
    }

    fn survey(&self, op: &Op, functions: &[FunctionId], mut answers: Vec<Value>) -> OpResult {
        let clients = answers.pop();
        let mut survey = Survey {
            run_id: self.run_id.clone(),
            now: StoreTime::ZERO,
            sessions: clients.as_ref().and_then(|list| text(list).ok()).map(sessions),
            functions: Vec::with_capacity(functions.len()),
            unread: Vec::new(),
        };
        let calls = surveyed_together(self.layout, functions);
        let mut told = Vec::with_capacity(functions.len());
        for (answer, (_, places)) in answers.into_iter().zip(&calls) {
            if let Value::ServerError(error) = &answer {
                return Err(of_server(error, op));
            }
            let asked = places.iter().map(|place| &functions[*place]);
            let answered = surveyed(asked, answer).map_err(|Nonsense| nonsense(op))?;
            survey.now = answered.0;
            told.extend(answered.1);
        }
        let order: Vec<usize> = calls.into_iter().flat_map(|(_, places)| places).collect();
        for told in in_order(order, told) {
            match told {
                Ok(function) => survey.functions.push(function),
                Err(unread) => survey.unread.push(unread),
            }
        }
        Ok(Reply::Surveyed(survey))
    }

    fn beaten(&self, asked: &[Pulse], answers: Vec<Value>) -> Read<OpResult> {
        let mut pulses = Vec::with_capacity(asked.len());
        for answer in answers {
            pulses.extend(list(answer)?);
        }
        let order = beaten_together(self.layout, asked);
        let order: Vec<usize> = order.into_iter().flat_map(|(_, places)| places).collect();
        if order.len() != pulses.len() {
            return Err(Nonsense);
        }
        let pulses = in_order(order, pulses).into_iter().zip(asked);
        let answers = pulses.map(|(answer, asked)| beaten(asked, answer)).collect::<Read<_>>()?;
        Ok(Ok(Reply::Beaten(answers)))
    }

    fn swept(&self, function: &FunctionId, answer: &[Value]) -> Read<Reply> {
        let [promoted, expired, dead, closed, robbed, names, more, next_due, stream, open] = answer
        else {
            return Err(Nonsense);
        };
        let cursor = Cursor { stream: text(stream)?.to_owned(), open: text(open)?.to_owned() };
        (self.note_cursor)(function, cursor);
        Ok(Reply::Swept(Swept {
            promoted: small(promoted)?,
            expired: small(expired)?,
            dead_lettered: small(dead)?,
            closed: small(closed)?,
            robbed: small(robbed)?,
            names_removed: small(names)?,
            more: number(more)? == 1,
            next_due: match next_due {
                Value::Nil => None,
                due => Some(micros(due)?),
            },
        }))
    }
}

fn beaten(asked: &Pulse, answer: Value) -> Read<PulseAnswer> {
    let mut parts = list(answer)?.into_iter();
    let code = parts.next().ok_or(Nonsense)?;
    let mut told = || parts.next().ok_or(Nonsense);
    Ok(match text(&code)? {
        "A" => {
            let pending = list(told()?)?;
            PulseAnswer::Alive { pending: pending.iter().map(parsed).collect::<Read<_>>()? }
        }
        "E" => {
            let attempted = format!("heartbeat of {}", asked.consumer);
            PulseAnswer::Refused(of_text(text(&told()?)?, &attempted))
        }
        _ => PulseAnswer::Removed,
    })
}

/// The answers that begin with a code.
fn coded(op: &Op, answer: &[Value]) -> Read<OpResult> {
    let code = text(answer.first().ok_or(Nonsense)?)?;
    let at = |place: usize| answer.get(place).ok_or(Nonsense);
    if code == "E" {
        return Ok(Err(of_text(text(at(1)?)?, op)));
    }
    Ok(Ok(match op {
        Op::Submit(submission) => Reply::Submitted(match code {
            "A" => Admission::Accepted,
            "O" => Admission::AlreadyOpen,
            "R" => Admission::AlreadyDecided(record(&submission.call, at(1)?)),
            "F" => Admission::Full { open: number(at(1)?)? },
            "J" => {
                let call: CallId = parsed(at(1)?)?;
                let kept = answer.get(2).filter(|value| **value != Value::Nil);
                let record = kept.map(|kept| record(&call, kept));
                Admission::Joined { call, record }
            }
            _ => return Err(Nonsense),
        }),
        Op::Requeue { call, .. } => Reply::Submitted(match code {
            "A" => Admission::Accepted,
            "O" => Admission::AlreadyOpen,
            "R" => Admission::AlreadyDecided(record(call, at(1)?)),
            "N" => Admission::NoSuchLetter,
            _ => return Err(Nonsense),
        }),
        Op::Decide { .. } | Op::Move { .. } | Op::Reject { .. } | Op::Touch { .. } => {
            Reply::Settled(match code {
                "D" => Settlement::Done,
                "O" => Settlement::Overruled(kind(text(at(1)?)?)?),
                "F" => Settlement::Fenced,
                "N" => Settlement::NotDue { remaining: micros(at(1)?)? },
                "0" => Settlement::Absent,
                _ => return Err(Nonsense),
            })
        }
        Op::Begin { .. } => Reply::Began(match code {
            "B" => Beginning::Begun { attempt: small(at(1)?)?, remaining: micros(at(2)?)? },
            "D" => Beginning::Decided(kind(text(at(1)?)?)?),
            "F" => Beginning::Fenced,
            _ => return Err(Nonsense),
        }),
        Op::Acknowledge { .. } => match code {
            "C" => Reply::Acknowledged { cleared: number(at(1)?)? == 1 },
            "S" => Reply::StillOpen,
            _ => return Err(Nonsense),
        },
        Op::Inspect { call, .. } => Reply::Inspected(match code {
            "D" => CallState::Decided(record(call, at(1)?)),
            "0" => CallState::Absent,
            _ => CallState::Open {
                attempt: small(at(1)?)?,
                remaining: micros(at(2)?)?,
                place: match code {
                    "P" => {
                        Place::Parked { due_in: micros(at(3)?)?, deferred: number(at(4)?)? == 1 }
                    }
                    "C" => Place::Pending(parsed(at(3)?)?),
                    "Q" => Place::Queued,
                    "M" => Place::Missing,
                    _ => return Err(Nonsense),
                },
            },
        }),
        Op::Remove { .. } => match code {
            "R" => Reply::Removed { taken_over: small(at(1)?)? },
            "K" => Reply::Kept,
            _ => return Err(Nonsense),
        },
        other => {
            return Ok(Err(TransportError::not_applied(
                ErrorKind::Unsupported,
                format!("{other}: this adapter does not know the operation"),
            )));
        }
    }))
}

fn kind(word: &str) -> Read<OutcomeKind> {
    serde_json::from_value(word.into()).map_err(|_| Nonsense)
}

/// A kept outcome. What an older peer wrote and cannot be read is an error that says so.
pub(crate) fn record(call: &CallId, kept: &Value) -> Record {
    match text(kept).ok().and_then(|text| decode_result(text).ok()) {
        Some(record) => Record { call: call.clone(), ..record },
        None => Record {
            call: call.clone(),
            outcome: Outcome::Error(Failure::new(
                FailureKind::Malformed,
                "an older peer wrote a result that cannot be read",
            )),
            attempts: 1,
            decided_at: StoreTime::ZERO,
        },
    }
}

fn fetched(answer: Vec<Value>) -> Read<Reply> {
    let mut parts = answer.into_iter();
    let (Some(now), Some(last), Some(entries)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Nonsense);
    };
    let now = time(&now)?;
    let deliveries = list(entries)?
        .into_iter()
        .map(|value| entry(value).map(|(id, fields)| delivered(now, id, &fields)))
        .collect::<Read<_>>()?;
    Ok(Reply::Fetched { deliveries, last: parsed(&last)? })
}

/// Puts what was answered for these places in their order.
fn in_order<T>(places: Vec<usize>, items: Vec<T>) -> Vec<T> {
    let mut pairs: Vec<(usize, T)> = places.into_iter().zip(items).collect();
    pairs.sort_by_key(|(place, _)| *place);
    pairs.into_iter().map(|(_, item)| item).collect()
}

/// The ids in the text of `CLIENT LIST`: each line begins `id=NUMBER `.
fn sessions(text: &str) -> BTreeSet<SessionId> {
    let id = |line: &str| line.strip_prefix("id=")?.split(' ').next()?.parse().ok();
    text.lines().filter_map(id).map(SessionId).collect()
}

/// The time of a survey, and what it tells of each function.
fn surveyed<'f>(
    functions: impl Iterator<Item = &'f FunctionId>,
    answer: Value,
) -> Read<(StoreTime, Vec<Result<FunctionSurvey, Unread>>)> {
    let mut parts = list(answer)?.into_iter();
    let now = time(&parts.next().ok_or(Nonsense)?)?;
    let each = functions.map(|function| {
        let told = list(parts.next().ok_or(Nonsense)?)?;
        let unread = |error| Err(Unread { function: function.clone(), error });
        let attempted = format!("survey of {function}");
        if let [code, error] = &told[..]
            && text(code)? == "E"
        {
            return Ok(unread(of_text(text(error)?, &attempted)));
        }
        // What cannot be read of one function says nothing of the others.
        Ok(function_survey(now, function, told).or_else(|Nonsense| unread(nonsense(&attempted))))
    });
    Ok((now, each.collect::<Read<_>>()?))
}

fn function_survey(
    now: StoreTime,
    function: &FunctionId,
    told: Vec<Value>,
) -> Read<FunctionSurvey> {
    let told: [Value; 8] = told.try_into().map_err(|_| Nonsense)?;
    let [has_stream, has_group, entries, open, parked, first_due, states, names] = told;
    let mut consumers = list(states)?.into_iter().map(consumer).collect::<Read<Vec<_>>>()?;
    consumers.sort_by(|one, other| one.consumer.cmp(&other.consumer));
    let mut names = list(names)?.into_iter().map(group_name).collect::<Read<Vec<_>>>()?;
    names.sort_by(|one, other| one.consumer.cmp(&other.consumer));
    Ok(FunctionSurvey {
        function: function.clone(),
        has_stream: number(&has_stream)? == 1,
        has_group: number(&has_group)? == 1,
        entries: number(&entries)?,
        open: number(&open)?,
        parked: number(&parked)?,
        next_due: match first_due {
            Value::Nil => None,
            due => Some(time(&due)?.since(now)),
        },
        consumers,
        names,
    })
}

fn group_name(name: Value) -> Read<GroupName> {
    let name = list(name)?;
    let [consumer, pending, idle_ms] = &name[..] else {
        return Err(Nonsense);
    };
    Ok(GroupName {
        consumer: parsed(consumer)?,
        pending: number(pending)?,
        idle: std::time::Duration::from_millis(number(idle_ms)?),
    })
}

/// To the microsecond, where the finer field is of the same heartbeat: older peers write only the other.
fn heartbeat(coarse: StoreTime, fine: Option<(&Value, &Value)>) -> StoreTime {
    fine.and_then(|(_, value)| time(value).ok())
        .filter(|fine| fine.as_millis() == coarse.as_millis())
        .unwrap_or(coarse)
}

fn consumer(state: Value) -> Read<ConsumerRecord> {
    let state = list(state)?;
    let find = |wanted: &str| {
        pairs(&state).find(|(field, _)| text(field).is_ok_and(|field| field == wanted))
    };
    let get = |wanted: &str| find(wanted).map(|(_, value)| value).ok_or(Nonsense);
    let millis = |wanted: &str| Ok(StoreTime::from_millis(number(get(wanted)?)?));
    let status = text(get("status")?)?;
    let ids = text(get("clientIds")?)?;
    Ok(ConsumerRecord {
        consumer: parsed(get("id")?)?,
        epoch: Epoch(number(get("epoch")?)?),
        node: NodeId::new(text(get("workerId")?)?).map_err(|_| Nonsense)?,
        status: ConsumerStatus::ALL
            .into_iter()
            .find(|known| known.as_str() == status)
            .unwrap_or_default(),
        started_at: millis("startTime")?,
        heartbeat: heartbeat(millis("lastHeartbeat")?, find("heartbeatMicros")),
        run_id: parsed(get("runId")?)?,
        sessions: ids
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| id.parse().map(SessionId).map_err(|_| Nonsense))
            .collect::<Read<_>>()?,
        error_count: number(get("errorCount")?)?,
        last_error: match find("hasError") {
            Some(_) => Some(text(get("lastError")?)?.into()),
            None => None,
        },
    })
}

/// A definition from its hash; none where there is none. An older peer's parameters that cannot be read
/// count as none: such a function takes any input.
fn definition(function: &FunctionId, fields: &[Value]) -> Read<Option<Definition>> {
    if fields.is_empty() {
        return Ok(None);
    }
    let mut definition = Definition::new(function.clone());
    for (field, value) in pairs(fields) {
        let value = text(value)?;
        match text(field)? {
            "parameters" => definition.parameters = serde_json::from_str(value).unwrap_or_default(),
            "description" => value.clone_into(&mut definition.description),
            "code" => value.clone_into(&mut definition.code),
            "workflowId" => value.clone_into(&mut definition.workflow_id),
            "nodeId" => value.clone_into(&mut definition.node_id),
            _ => {}
        }
    }
    Ok(Some(definition))
}

fn discovered(answers: Vec<Value>) -> Read<OpResult> {
    let (mut definitions, mut unread) = (Vec::<Definition>::new(), Vec::<Unread>::new());
    for item in answers.into_iter().map(list).collect::<Read<Vec<_>>>()?.into_iter().flatten() {
        let mut parts = list(item)?.into_iter();
        let (Some(id), Some(told)) = (parts.next(), parts.next()) else {
            return Err(Nonsense);
        };
        // A name that an older peer wrote and that is none of ours is passed over.
        let Ok(function) = parsed::<FunctionId>(&id) else {
            continue;
        };
        let attempted = format!("definition of {function}");
        let error = match told {
            told @ (Value::Text(_) | Value::Status(_)) => of_text(text(&told)?, &attempted),
            fields => match definition(&function, &list(fields)?) {
                Ok(found) => {
                    definitions.extend(found);
                    continue;
                }
                Err(Nonsense) => nonsense(&attempted),
            },
        };
        unread.push(Unread { function, error });
    }
    definitions.sort_by(|one, other| one.function.cmp(&other.function));
    unread.sort_by(|one, other| one.function.cmp(&other.function));
    Ok(Ok(Reply::Discovered { definitions, unread }))
}

fn letter(id: EntryId, fields: &[Value]) -> DeadLetter {
    // Of a field that stands twice the last one counts: ours stand behind the call's own.
    let last = |wanted: &str| {
        pairs(fields)
            .filter(|(field, _)| text(field).is_ok_and(|field| field == wanted))
            .filter_map(|(_, value)| text(value).ok())
            .last()
    };
    let kind = last("failure")
        .and_then(|word| serde_json::from_value(word.into()).ok())
        .unwrap_or(FailureKind::Handler);
    DeadLetter {
        entry: id,
        call: last("callId").and_then(|text| CallId::new(text).ok()),
        input: last("input").and_then(|text| Payload::parse(text).ok()),
        failure: Failure::new(kind, last("error").unwrap_or_default()),
        attempts: last("attempts").and_then(|text| text.parse().ok()).unwrap_or(0),
        failed_at: last("failedAt")
            .and_then(|text| text.parse().ok())
            .map_or(StoreTime::from_millis(id.ms), StoreTime::from_millis),
    }
}
