//! Answers without what differs by nature: ids become numbers, times are compared apart.

use std::time::Duration;

use steadfast_core::call::{CallState, Delivered, Place, Record};
use steadfast_core::op::{
    Admission, Beginning, FunctionSurvey, OpResult, PulseAnswer, Reply, Settlement, Swept,
};

use super::side::Side;

/// An answer to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Normal {
    pub(crate) text: String,
    pub(crate) durations: Vec<Duration>,
}

impl Normal {
    /// The texts are the same, and each duration is, within the tolerance.
    pub(crate) fn agrees(&self, other: &Self, tolerance: Duration) -> bool {
        self.text == other.text
            && self.durations.len() == other.durations.len()
            && self
                .durations
                .iter()
                .zip(&other.durations)
                .all(|(one, another)| one.abs_diff(*another) <= tolerance)
    }

    fn time(&mut self, duration: Duration) -> &'static str {
        self.durations.push(duration);
        "TIME"
    }
}

/// The answer as it can be compared.
pub(crate) fn normal(side: &mut Side, result: &OpResult) -> Normal {
    let mut normal = Normal::default();
    normal.text = match result {
        Err(error) => format!("error {:?} {:?}", error.kind, error.applied),
        Ok(reply) => text(side, reply, &mut normal),
    };
    normal
}

/// A record with its content.
pub(crate) fn shown(record: &Record) -> String {
    use steadfast_core::call::Outcome;
    let content = match &record.outcome {
        Outcome::Success(result) => result.as_str().to_owned(),
        Outcome::Error(failure) | Outcome::DeadLettered(failure) => failure.to_string(),
        _ => String::new(),
    };
    format!("{} {:?} {content:?}", record, record.outcome.kind())
}

fn text(side: &mut Side, reply: &Reply, normal: &mut Normal) -> String {
    match reply {
        Reply::Submitted(Admission::AlreadyDecided(record)) => {
            format!("already decided {}", shown(record))
        }
        Reply::Submitted(Admission::Joined { call, record }) => {
            format!("joined {call} {:?}", record.as_ref().map(shown))
        }
        Reply::Inspected(CallState::Decided(record)) => format!("decided {}", shown(record)),
        Reply::Inspected(CallState::Open { place, attempt, remaining }) => {
            let place = match place {
                Place::Parked { due_in, deferred } => {
                    format!("parked {deferred} {}", normal.time(*due_in))
                }
                other => format!("{other:?}"),
            };
            format!("open {place} attempt {attempt} {}", normal.time(*remaining))
        }
        Reply::Began(Beginning::Begun { attempt, remaining }) => {
            format!("begun {attempt} {}", normal.time(*remaining))
        }
        Reply::Settled(Settlement::NotDue { remaining }) => {
            format!("not due {}", normal.time(*remaining))
        }
        Reply::Renewed { lost } => {
            let lost: Vec<_> = lost.iter().map(|(id, why)| (side.number(*id), *why)).collect();
            format!("renewed {lost:?}")
        }
        Reply::Fetched { deliveries, last } => {
            let shown: Vec<_> =
                deliveries.iter().map(|delivered| delivery(side, delivered, normal)).collect();
            format!("fetched {shown:?} last {}", side.number(*last))
        }
        Reply::Registered { epoch } => format!("registered {}", side.owner_of(*epoch)),
        Reply::Beaten(answers) => {
            let shown: Vec<_> = answers
                .iter()
                .map(|answer| match answer {
                    PulseAnswer::Removed => "removed".to_owned(),
                    PulseAnswer::Refused(error) => format!("refused {:?}", error.kind),
                    PulseAnswer::Alive { pending } => {
                        let ids: Vec<_> = pending.iter().map(|id| side.number(*id)).collect();
                        format!("alive {ids:?}")
                    }
                })
                .collect();
            format!("beaten {shown:?}")
        }
        Reply::Surveyed(survey) => {
            let mine = survey.sessions.as_ref().map(|all| all.contains(&side.session));
            let shown: Vec<_> =
                survey.functions.iter().map(|it| function(side, it, normal)).collect();
            format!("surveyed {mine:?} {shown:?} {:?}", survey.unread)
        }
        Reply::Swept(swept) => {
            let due = swept.next_due.map(|due| normal.time(due));
            format!("{:?} {due:?}", Swept { next_due: None, ..*swept })
        }
        Reply::Pong { .. } => "pong".to_owned(),
        Reply::Letters(letters) => {
            let shown: Vec<_> = letters
                .iter()
                .map(|letter| {
                    let input = letter.input.as_ref().map(|input| input.as_str().to_owned());
                    let (call, failure) = (&letter.call, &letter.failure);
                    format!("{call:?} {input:?} {failure} after {}", letter.attempts)
                })
                .collect();
            format!("letters {shown:?}")
        }
        Reply::Added(entry) => format!("added {}", side.number(*entry)),
        other => format!("{other:?}"),
    }
}

fn delivery(side: &mut Side, delivered: &Delivered, normal: &mut Normal) -> String {
    let number = side.number(delivered.entry());
    match delivered {
        Delivered::Malformed { reason, .. } => format!("{number} malformed {reason}"),
        Delivered::Call(it) => format!(
            "{number} {} {:?} attempt {} takeovers {} {} {:?} older {}",
            it.call,
            it.input.as_str(),
            it.attempt,
            it.takeovers,
            normal.time(it.remaining),
            it.traceparent,
            it.older_peer
        ),
    }
}

fn function(side: &Side, survey: &FunctionSurvey, normal: &mut Normal) -> String {
    let due = survey.next_due.map(|due| normal.time(due));
    let consumers: Vec<_> = survey
        .consumers
        .iter()
        .map(|it| {
            format!(
                "{} {} {} {:?} mine {} {} {:?}",
                it.consumer,
                side.owner_of(it.epoch),
                it.node,
                it.status,
                *it.sessions == [side.session],
                it.error_count,
                it.last_error
            )
        })
        .collect();
    let names: Vec<_> = survey
        .names
        .iter()
        .map(|it| format!("{} {} {}", it.consumer, it.pending, normal.time(it.idle)))
        .collect();
    format!(
        "stream {} group {} entries {} open {} parked {} {due:?} {consumers:?} {names:?}",
        survey.has_stream, survey.has_group, survey.entries, survey.open, survey.parked
    )
}
