//! What a store may answer to an operation.

use std::time::Duration;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use steadfast_core::call::{
    CallState, DeadLetter, Delivered, Delivery, Outcome, OutcomeKind, Place, Record,
};
use steadfast_core::name::{Epoch, FunctionId, SessionId};
use steadfast_core::op::{
    Admission, Beginning, ConsumerRecord, ConsumerStatus, FunctionSurvey, GroupName, Loss, Op,
    OpResult, PulseAnswer, Reply, Settlement, Survey, Swept, Unread,
};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{ErrorKind, TransportError};

use super::ops::{definition, entry, failure, id, micros, payload, sessions};
use super::wire::{NOW, run_id};

type Results = BoxedStrategy<OpResult>;

/// A submission is taken.
pub(crate) fn accepted() -> Reply {
    Reply::Submitted(Admission::Accepted)
}

/// Any answer that a store may give to this operation, errors included.
pub(crate) fn of(op: &Op) -> Results {
    let answer = match op {
        Op::Submit(_) => admission(),
        Op::Requeue { .. } => prop_oneof![
            Just(Admission::Accepted),
            Just(Admission::AlreadyOpen),
            Just(Admission::NoSuchLetter),
            record().prop_map(Admission::AlreadyDecided),
        ]
        .prop_map(|admission| Ok(Reply::Submitted(admission)))
        .boxed(),
        Op::Decide { .. } | Op::Move { .. } | Op::Reject { .. } | Op::Touch { .. } => settled(),
        Op::Begin { .. } => prop_oneof![
            (any::<u32>(), micros())
                .prop_map(|(attempt, remaining)| Beginning::Begun { attempt, remaining }),
            kind().prop_map(Beginning::Decided),
            Just(Beginning::Fenced),
        ]
        .prop_map(|began| Ok(Reply::Began(began)))
        .boxed(),
        Op::Acknowledge { .. } => prop_oneof![
            any::<bool>().prop_map(|cleared| Ok(Reply::Acknowledged { cleared })),
            Just(Ok(Reply::StillOpen)),
        ]
        .boxed(),
        Op::Inspect { .. } => state().prop_map(|state| Ok(Reply::Inspected(state))).boxed(),
        Op::Renew { entries, .. } => lost(entries.iter().map(|(entry, _)| *entry).collect()),
        Op::Fetch { .. } | Op::Reread { .. } => fetched(),
        _ => of_others(op),
    };
    prop_oneof![9 => answer, 1 => error()].boxed()
}

fn of_others(op: &Op) -> Results {
    match op {
        Op::Register { .. } => {
            any::<u64>().prop_map(|epoch| Ok(Reply::Registered { epoch: Epoch(epoch) })).boxed()
        }
        Op::Beat { pulses, .. } => {
            vec(pulse(), pulses.len()).prop_map(|answers| Ok(Reply::Beaten(answers))).boxed()
        }
        Op::Deregister { .. } => {
            any::<u32>().prop_map(|released| Ok(Reply::Deregistered { released })).boxed()
        }
        Op::Remove { .. } => prop_oneof![
            any::<u32>().prop_map(|taken_over| Ok(Reply::Removed { taken_over })),
            Just(Ok(Reply::Kept)),
        ]
        .boxed(),
        Op::Survey { functions } => {
            let functions = functions.clone();
            let told =
                prop_oneof![4 => function_survey().prop_map(Ok), 1 => refusal().prop_map(Err)];
            vec(told, functions.len()).prop_map(move |told| Ok(surveyed(&functions, told))).boxed()
        }
        Op::Sweep { .. } => swept(),
        Op::Ensure { .. } => {
            any::<bool>().prop_map(|created| Ok(Reply::Ensured { created })).boxed()
        }
        Op::KeepReplies { .. } => {
            any::<bool>().prop_map(|created| Ok(Reply::RepliesKept { created })).boxed()
        }
        Op::ForgetReplies { .. } => {
            any::<bool>().prop_map(|existed| Ok(Reply::RepliesForgotten { existed })).boxed()
        }
        Op::Describe { function } => {
            let function = function.clone();
            let described = move |it| steadfast_core::definition::Definition {
                function: function.clone(),
                ..it
            };
            option::of(definition().prop_map(described))
                .prop_map(|definition| Ok(Reply::Described(definition)))
                .boxed()
        }
        Op::Discover { .. } => (vec(definition(), 0..3), vec((definition(), refusal()), 0..2))
            .prop_map(|(mut definitions, unread)| {
                definitions.sort_by(|one, other| one.function.cmp(&other.function));
                let unread = unread.into_iter();
                let mut unread: Vec<_> =
                    unread.map(|(it, error)| Unread { function: it.function, error }).collect();
                unread.sort_by(|one, other| one.function.cmp(&other.function));
                Ok(Reply::Discovered { definitions, unread })
            })
            .boxed(),
        Op::DeadLetters { .. } => {
            vec(letter(), 0..3).prop_map(|letters| Ok(Reply::Letters(letters))).boxed()
        }
        Op::OlderPeerAdd { .. } => entry().prop_map(|entry| Ok(Reply::Added(entry))).boxed(),
        other => unreachable!("no answer to {other:?}"),
    }
}

/// A record is kept under the call that is asked for.
pub(crate) fn fit((op, result): (Op, OpResult)) -> (Op, OpResult) {
    let of = |call: &steadfast_core::name::CallId, record| Record { call: call.clone(), ..record };
    let result = match (&op, result) {
        (Op::Submit(asked), Ok(Reply::Submitted(Admission::AlreadyDecided(record)))) => {
            Ok(Reply::Submitted(Admission::AlreadyDecided(of(&asked.call, record))))
        }
        (Op::Requeue { call, .. }, Ok(Reply::Submitted(Admission::AlreadyDecided(record)))) => {
            Ok(Reply::Submitted(Admission::AlreadyDecided(of(call, record))))
        }
        (Op::Inspect { call, .. }, Ok(Reply::Inspected(CallState::Decided(record)))) => {
            Ok(Reply::Inspected(CallState::Decided(of(call, record))))
        }
        (_, result) => result,
    };
    (op, result)
}

fn error() -> Results {
    refusal().prop_map(Err).boxed()
}

/// Errors that the server has words for.
fn refusal() -> impl Strategy<Value = TransportError> {
    let kinds = [
        ErrorKind::Loading,
        ErrorKind::OutOfMemory,
        ErrorKind::ReadOnly,
        ErrorKind::NoGroup,
        ErrorKind::Denied,
        ErrorKind::Busy,
        ErrorKind::WrongType,
        ErrorKind::Unsupported,
    ];
    select(kinds.to_vec()).prop_map(|kind| TransportError::not_applied(kind, "said the store"))
}

fn kind() -> impl Strategy<Value = OutcomeKind> {
    select(vec![
        OutcomeKind::Success,
        OutcomeKind::Error,
        OutcomeKind::Expired,
        OutcomeKind::Cancelled,
        OutcomeKind::DeadLettered,
    ])
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let outcome = prop_oneof![
        payload().prop_map(Outcome::Success),
        failure().prop_map(Outcome::Error),
        failure().prop_map(Outcome::DeadLettered),
        Just(Outcome::Expired),
        Just(Outcome::Cancelled),
    ];
    (id(), outcome, any::<u32>(), 0..2_000_000_000_000_u64).prop_map(
        |(call, outcome, attempts, ms)| Record {
            call: call.parse().unwrap(),
            outcome,
            attempts,
            decided_at: StoreTime::from_millis(ms),
        },
    )
}

/// What a store may answer to a submission.
pub(crate) fn admission() -> Results {
    let joined = (id(), option::of(record())).prop_map(|(call, record)| {
        let call: steadfast_core::name::CallId = call.parse().unwrap();
        let record = record.map(|record| Record { call: call.clone(), ..record });
        Admission::Joined { call, record }
    });
    prop_oneof![
        Just(Admission::Accepted),
        Just(Admission::AlreadyOpen),
        record().prop_map(Admission::AlreadyDecided),
        joined,
        any::<u64>().prop_map(|open| Admission::Full { open }),
    ]
    .prop_map(|admission| Ok(Reply::Submitted(admission)))
    .boxed()
}

fn settled() -> Results {
    prop_oneof![
        Just(Settlement::Done),
        kind().prop_map(Settlement::Overruled),
        Just(Settlement::Fenced),
        micros().prop_map(|remaining| Settlement::NotDue { remaining }),
        Just(Settlement::Absent),
    ]
    .prop_map(|settlement| Ok(Reply::Settled(settlement)))
    .boxed()
}

fn state() -> impl Strategy<Value = CallState> {
    let place = prop_oneof![
        Just(Place::Queued),
        id().prop_map(|consumer| Place::Pending(consumer.parse().unwrap())),
        (micros(), any::<bool>()).prop_map(|(due_in, deferred)| Place::Parked { due_in, deferred }),
        Just(Place::Missing),
    ];
    prop_oneof![
        (place, any::<u32>(), micros()).prop_map(|(place, attempt, remaining)| CallState::Open {
            place,
            attempt,
            remaining
        }),
        record().prop_map(CallState::Decided),
        Just(CallState::Absent),
    ]
}

fn lost(entries: Vec<steadfast_core::name::EntryId>) -> Results {
    let count = entries.len();
    let losses = prop_oneof![Just(Loss::TakenOver), kind().prop_map(Loss::Decided)];
    vec(option::of(losses), count)
        .prop_map(move |losses| {
            let lost = entries.iter().zip(losses).filter_map(|(entry, loss)| Some((*entry, loss?)));
            Ok(Reply::Renewed { lost: lost.collect() })
        })
        .boxed()
}

prop_compose! {
    fn delivery()(
        entry in entry(),
        call in id(),
        input in payload(),
        attempt in 1..u32::MAX,
        takeovers in any::<u32>(),
        // The wire has whole milliseconds.
        remaining_ms in 0..1_000_000_000_u64,
        traceparent in option::of("[0-9a-f-]{1,20}"),
        older_peer in any::<bool>(),
    ) -> Delivered {
        Delivered::Call(Delivery {
            entry,
            call: call.parse().unwrap(),
            input,
            attempt,
            takeovers,
            remaining: Duration::from_millis(remaining_ms),
            traceparent: traceparent.map(Into::into),
            older_peer,
        })
    }
}

/// An entry as a read returns it.
pub(crate) fn delivered() -> impl Strategy<Value = Delivered> {
    let malformed = entry().prop_map(|entry| Delivered::Malformed {
        entry,
        // The only reason that the front knows to give.
        reason: "field `callId` is missing".into(),
    });
    prop_oneof![4 => delivery(), 1 => malformed]
}

fn fetched() -> Results {
    (vec(delivered(), 0..4), entry())
        .prop_map(|(deliveries, last)| Ok(Reply::Fetched { deliveries, last }))
        .boxed()
}

fn pulse() -> impl Strategy<Value = PulseAnswer> {
    prop_oneof![
        vec(entry(), 0..4).prop_map(|pending| PulseAnswer::Alive { pending }),
        Just(PulseAnswer::Removed),
        refusal().prop_map(PulseAnswer::Refused),
    ]
}

prop_compose! {
    fn consumer()(
        (consumer, node, run_id) in (id(), id(), id()),
        epoch in any::<u64>(),
        status in select(ConsumerStatus::ALL.to_vec()),
        started_ms in 0..2_000_000_000_000_u64,
        heartbeat in 0..2_000_000_000_000_000_u64,
        sessions in sessions(),
        error_count in any::<u64>(),
        last_error in option::of(".{0,20}"),
    ) -> ConsumerRecord {
        ConsumerRecord {
            consumer: consumer.parse().unwrap(),
            epoch: Epoch(epoch),
            node: node.parse().unwrap(),
            status,
            started_at: StoreTime::from_millis(started_ms),
            heartbeat: StoreTime::from_micros(heartbeat),
            run_id: run_id.parse().unwrap(),
            sessions: sessions.into(),
            error_count,
            last_error: last_error.map(Into::into),
        }
    }
}

prop_compose! {
    fn function_survey()(
        (has_stream, has_group) in (any::<bool>(), any::<bool>()),
        (entries, open, parked) in (any::<u64>(), any::<u64>(), any::<u64>()),
        next_due in option::of(micros()),
        mut consumers in vec(consumer(), 0..3),
        names in btree_set(id(), 0..3),
        (pending, idle_ms) in (any::<u64>(), 0..1_000_000_000_u64),
    ) -> FunctionSurvey {
        consumers.sort_by(|one, other| one.consumer.cmp(&other.consumer));
        FunctionSurvey {
            function: "set:later".parse().unwrap(),
            has_stream,
            has_group,
            entries,
            open,
            parked,
            next_due,
            consumers,
            names: names
                .into_iter()
                .map(|name| GroupName {
                    consumer: name.parse().unwrap(),
                    pending,
                    idle: Duration::from_millis(idle_ms),
                })
                .collect(),
        }
    }
}

fn surveyed(asked: &[FunctionId], told: Vec<Result<FunctionSurvey, TransportError>>) -> Reply {
    let (mut functions, mut unread) = (Vec::new(), Vec::new());
    for (function, told) in asked.iter().cloned().zip(told) {
        match told {
            Ok(survey) => functions.push(FunctionSurvey { function, ..survey }),
            Err(error) => unread.push(Unread { function, error }),
        }
    }
    Reply::Surveyed(Survey {
        run_id: run_id(),
        now: NOW,
        sessions: Some([SessionId(7), SessionId(9)].into()),
        functions,
        unread,
    })
}

fn swept() -> Results {
    (any::<[u32; 6]>(), any::<bool>(), option::of(micros()))
        .prop_map(|(counts, more, next_due)| {
            let [promoted, expired, dead_lettered, closed, robbed, names_removed] = counts;
            Ok(Reply::Swept(Swept {
                promoted,
                expired,
                dead_lettered,
                closed,
                robbed,
                names_removed,
                more,
                next_due,
            }))
        })
        .boxed()
}

fn letter() -> impl Strategy<Value = DeadLetter> {
    let of = (option::of(id()), option::of(payload()));
    (entry(), of, failure(), any::<u32>(), 0..2_000_000_000_000_u64).prop_map(
        |(entry, (call, input), failure, attempts, ms)| DeadLetter {
            entry,
            call: call.map(|call| call.parse().unwrap()),
            input,
            failure,
            attempts,
            failed_at: StoreTime::from_millis(ms),
        },
    )
}
