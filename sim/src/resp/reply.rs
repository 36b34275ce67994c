//! The store's results as the scripts' answers.

use std::time::Duration;

use steadfast_core::call::{CallState, Place};
use steadfast_core::definition::Definition;
use steadfast_core::name::{EntryId, FunctionId};
use steadfast_core::op::{
    Admission, Beginning, Loss, Op, OpResult, PulseAnswer, Reply, Settlement, Survey, Swept, Unread,
};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Interest, Wake};
use steadfast_core::wire::{Keys, encode_result};

use super::frame::{Frame, error, flag, list, number, okay, said, text};
use super::{delivery, record};

/// The answer to a call of `submit` or `decide`: the number of operations that ended as is ordinary, as far
/// as they lead, and one item for each of the others; that number alone where there is no other.
pub(crate) fn several(now: StoreTime, ops: &[Op], results: &[OpResult]) -> Frame {
    let ordinary = results.iter().take_while(|result| is_ordinary(result)).count();
    if ordinary == results.len() {
        return number(ordinary as u64);
    }
    let others = ops.iter().zip(results).skip(ordinary).map(|(op, result)| match result {
        Ok(reply) => one(now, op, reply),
        Err(error) => list([text("E"), text(said(error))]),
    });
    let lead = (ordinary > 0).then(|| number(ordinary as u64));
    list(lead.into_iter().chain(others))
}

fn is_ordinary(result: &OpResult) -> bool {
    matches!(result, Ok(Reply::Submitted(Admission::Accepted) | Reply::Settled(Settlement::Done)))
}

/// The answer to a call that is one operation.
pub(crate) fn single(now: StoreTime, op: &Op, result: &OpResult) -> Frame {
    match result {
        Ok(reply) => one(now, op, reply),
        Err(refused) => error(refused),
    }
}

fn micros(duration: Duration) -> Frame {
    text(duration.as_micros().to_string())
}

fn code(code: &str) -> Frame {
    list([text(code)])
}

fn one(now: StoreTime, op: &Op, reply: &Reply) -> Frame {
    match reply {
        Reply::Submitted(admission) => admitted(admission),
        Reply::Inspected(state) => inspected(state),
        Reply::Began(Beginning::Begun { attempt, remaining }) => {
            list([text("B"), number(u64::from(*attempt)), micros(*remaining)])
        }
        Reply::Began(Beginning::Decided(kind)) => list([text("D"), text(kind.as_str())]),
        Reply::Began(Beginning::Fenced) => code("F"),
        Reply::Settled(settlement) => settled(*settlement),
        Reply::Acknowledged { cleared } => list([text("C"), flag(*cleared)]),
        Reply::StillOpen => code("S"),
        Reply::Renewed { lost } => renewed(op, lost),
        Reply::Fetched { deliveries, last } => {
            let function = op.function().expect("a read is of a function");
            let entries = deliveries.iter().map(|it| delivery::entry(now, function, it));
            list([text(now.as_micros().to_string()), text(last.to_string()), list(entries)])
        }
        Reply::Registered { epoch } => text(epoch.0.to_string()),
        Reply::Beaten(answers) => list(answers.iter().map(pulse)),
        Reply::Deregistered { released } => number(u64::from(*released)),
        Reply::Removed { taken_over } => list([text("R"), number(u64::from(*taken_over))]),
        Reply::Kept => code("K"),
        Reply::Surveyed(survey) => list(
            std::iter::once(text(survey.now.as_micros().to_string())).chain(surveyed(op, survey)),
        ),
        Reply::Swept(swept) => self::swept(swept),
        Reply::Ensured { created } | Reply::RepliesKept { created } => flag(*created),
        Reply::RepliesForgotten { existed } => flag(*existed),
        Reply::Pong { now, .. } => clock(*now),
        Reply::Described(definition) => record::definition(definition.as_ref()),
        Reply::Discovered { definitions, unread } => discovered(definitions, unread),
        Reply::Letters(letters) => list(letters.iter().map(record::letter)),
        Reply::Added(entry) => text(entry.to_string()),
        _ => okay(),
    }
}

/// The answer to `TIME`.
pub(crate) fn clock(now: StoreTime) -> Frame {
    let micros = now.as_micros();
    list([text((micros / 1_000_000).to_string()), text((micros % 1_000_000).to_string())])
}

fn admitted(admission: &Admission) -> Frame {
    match admission {
        Admission::Accepted => code("A"),
        Admission::AlreadyOpen => code("O"),
        Admission::AlreadyDecided(record) => list([text("R"), text(encode_result(record))]),
        Admission::Joined { call, record } => {
            let record = record.as_ref().map_or(Frame::Null, |record| text(encode_result(record)));
            list([text("J"), text(call.as_str()), record])
        }
        Admission::Full { open } => list([text("F"), number(*open)]),
        Admission::NoSuchLetter => code("N"),
    }
}

fn settled(settlement: Settlement) -> Frame {
    match settlement {
        Settlement::Done => code("D"),
        Settlement::Overruled(kind) => list([text("O"), text(kind.as_str())]),
        Settlement::Fenced => code("F"),
        Settlement::NotDue { remaining } => list([text("N"), micros(remaining)]),
        Settlement::Absent => code("0"),
    }
}

fn inspected(state: &CallState) -> Frame {
    let CallState::Open { place, attempt, remaining } = state else {
        return match state {
            CallState::Decided(record) => list([text("D"), text(encode_result(record))]),
            _ => code("0"),
        };
    };
    let (word, more) = match place {
        Place::Parked { due_in, deferred } => ("P", vec![micros(*due_in), flag(*deferred)]),
        Place::Pending(consumer) => ("C", vec![text(consumer.as_str())]),
        Place::Queued => ("Q", Vec::new()),
        _ => ("M", Vec::new()),
    };
    let standing = [text(word), number(u64::from(*attempt)), micros(*remaining)];
    list(standing.into_iter().chain(more))
}

fn renewed(op: &Op, lost: &[(EntryId, Loss)]) -> Frame {
    let Op::Renew { entries, .. } = op else {
        unreachable!("only a renewal is answered so");
    };
    list(lost.iter().filter_map(|(entry, loss)| {
        let place = entries.iter().position(|(renewed, _)| renewed == entry)?;
        let word = match loss {
            Loss::TakenOver => "",
            Loss::Decided(kind) => kind.as_str(),
        };
        Some(list([number(place as u64), text(word)]))
    }))
}

/// What a survey says of each function, in the order in which they were asked for.
fn surveyed(op: &Op, survey: &Survey) -> Vec<Frame> {
    let Op::Survey { functions } = op else {
        unreachable!("only a survey is answered so");
    };
    let of = |function: &FunctionId| {
        if let Some(seen) = survey.functions.iter().find(|it| it.function == *function) {
            return Some(record::survey(survey.now, seen));
        }
        let unread = survey.unread.iter().find(|it| it.function == *function)?;
        Some(list([text("E"), text(said(&unread.error))]))
    };
    functions.iter().filter_map(of).collect()
}

fn discovered(definitions: &[Definition], unread: &[Unread]) -> Frame {
    let found = definitions.iter().map(|definition| {
        list([text(definition.function.as_str()), record::definition(Some(definition))])
    });
    let unread = unread.iter().map(|it| list([text(it.function.as_str()), text(said(&it.error))]));
    list(found.chain(unread))
}

fn pulse(answer: &PulseAnswer) -> Frame {
    match answer {
        PulseAnswer::Alive { pending } => {
            list([text("A"), list(pending.iter().map(|entry| text(entry.to_string())))])
        }
        PulseAnswer::Removed => code("R"),
        PulseAnswer::Refused(error) => list([text("E"), text(said(error))]),
    }
}

fn swept(swept: &Swept) -> Frame {
    let counts = [
        swept.promoted,
        swept.expired,
        swept.dead_lettered,
        swept.closed,
        swept.robbed,
        swept.names_removed,
    ];
    let counts = counts.into_iter().map(|count| number(u64::from(count)));
    let due = swept.next_due.map_or(Frame::Null, micros);
    // The store goes on by itself: from the beginning each time.
    list(counts.chain([flag(swept.more), due, text("-"), text("0")]))
}

/// A blocking read's answer.
pub(crate) fn wake(now: StoreTime, interest: &Interest, wake: &Wake) -> Frame {
    let keys = Keys::default();
    let stream = |key: String, entries: Vec<Frame>| list([text(key), list(entries)]);
    match (interest, wake) {
        (Interest::Deliveries { function, .. }, Wake::Deliveries(deliveries)) => {
            let entries = deliveries.iter().map(|it| delivery::entry(now, function, it)).collect();
            list([stream(keys.calls(function), entries)])
        }
        (_, Wake::Arrivals(functions)) => {
            list(functions.iter().map(|it| stream(keys.calls(it), vec![arrival()])))
        }
        (Interest::Replies { caller, .. }, Wake::Replies { records, last }) => {
            let fields = records
                .iter()
                .flat_map(|record| [text(record.call.as_str()), text(encode_result(record))]);
            let entry = list([text(last.to_string()), list(fields)]);
            let shard = keys.shards().next().expect("a layout has a shard");
            list([stream(keys.replies(shard, caller), vec![entry])])
        }
        _ => Frame::Null,
    }
}

/// Some entry: who waits for arrivals looks only at which streams are named.
fn arrival() -> Frame {
    list([text("0-1"), list([])])
}
