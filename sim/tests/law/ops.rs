//! Operations, each with an answer that a store may give to it.

use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use steadfast_core::call::{Failure, FailureKind, Lease, Payload, Token};
use steadfast_core::definition::Definition;
use steadfast_core::name::{EntryId, Epoch, FunctionId, SessionId};
use steadfast_core::op::{
    Authority, ConsumerStatus, Destination, Op, OpResult, Pulse, Submission, Verdict,
};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Interest, Wake};

use super::results;

/// Times that the scripts can count.
pub(crate) fn micros() -> impl Strategy<Value = Duration> {
    (0..4_000_000_000_000_000_u64).prop_map(Duration::from_micros)
}

pub(crate) fn id() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9:é -]{1,12}"
}

pub(crate) fn entry() -> impl Strategy<Value = EntryId> {
    (0..2_000_000_000_000_u64, 0..1_000_u64).prop_map(|(ms, seq)| EntryId { ms, seq })
}

pub(crate) fn function() -> impl Strategy<Value = FunctionId> {
    ("[a-z: ]{1,8}", "[a-z -]{1,6}")
        .prop_map(|(name, scope)| FunctionId::new(&name, &scope).unwrap())
}

pub(crate) fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        Just(Payload::null()),
        any::<i32>().prop_map(|number| Payload::from_value(&number.into())),
        ".{0,20}".prop_map(|text| Payload::from_value(&text.into())),
    ]
}

pub(crate) fn failure() -> impl Strategy<Value = Failure> {
    let kinds = [FailureKind::Handler, FailureKind::Timeout, FailureKind::LostWorker];
    (prop::sample::select(kinds.to_vec()), ".{0,20}")
        .prop_map(|(kind, message)| Failure::new(kind, message))
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (1..u64::MAX).prop_map(Epoch)
}

pub(crate) fn sessions() -> impl Strategy<Value = Vec<SessionId>> {
    vec((1..u64::MAX).prop_map(SessionId), 0..4)
}

fn lease() -> impl Strategy<Value = Lease> {
    (entry(), id(), epoch()).prop_map(|(entry, consumer, epoch)| Lease {
        entry,
        consumer: consumer.parse().unwrap(),
        epoch,
    })
}

prop_compose! {
    /// One that has a script of its own where it comes alone.
    fn ordinary_submission()(
        submission in any_submission(),
        (deadline_ms, open_max) in prop_oneof![
            (0..4_000_000_000_000_u64, 1..u32::MAX),
            // The usual ones, which the script is not told.
            (Just(300_000), Just(100_000)),
        ],
        reply_to in id(),
    ) -> Submission {
        Submission {
            deadline: Duration::from_millis(deadline_ms),
            delay: Duration::ZERO,
            idempotency_key: None,
            reply_to: Some(reply_to.parse().unwrap()),
            traceparent: None,
            result_stream: false,
            open_max,
            ..submission
        }
    }
}

fn submission() -> impl Strategy<Value = Submission> {
    prop_oneof![ordinary_submission(), any_submission()]
}

prop_compose! {
    fn any_submission()(
        function in function(),
        call in id(),
        input in payload(),
        deadline in micros(),
        delay in micros(),
        key in option::of(id()),
        reply_to in option::of(id()),
        traceparent in option::of("[0-9a-f-]{1,20}"),
        result_stream in any::<bool>(),
        open_max in any::<u32>(),
    ) -> Submission {
        Submission {
            function,
            call: call.parse().unwrap(),
            input,
            deadline,
            delay,
            idempotency_key: key.map(|key| key.parse().unwrap()),
            reply_to: reply_to.map(|caller| caller.parse().unwrap()),
            traceparent: traceparent.map(Into::into),
            result_stream,
            open_max,
        }
    }
}

/// One submission that is accepted.
pub(crate) fn plain_submission() -> (Op, OpResult) {
    let submission = Submission {
        function: "greet:global".parse().unwrap(),
        call: "c1".parse().unwrap(),
        input: Payload::null(),
        deadline: Duration::from_secs(300),
        delay: Duration::ZERO,
        idempotency_key: None,
        reply_to: None,
        traceparent: None,
        result_stream: false,
        open_max: 10,
    };
    (Op::Submit(submission), Ok(results::accepted()))
}

/// Submissions to one function: the adapter joins them into one script's call.
pub(crate) fn several_submissions() -> impl Strategy<Value = Vec<(Op, OpResult)>> {
    (function(), vec((submission(), results::admission()), 1..8)).prop_map(|(function, given)| {
        let one = |(submission, result)| {
            (Op::Submit(Submission { function: function.clone(), ..submission }), result)
        };
        given.into_iter().map(one).map(results::fit).collect()
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let by = prop_oneof![
        lease().prop_map(Authority::Lease),
        "[0-9a-f]{1,16}".prop_map(|nonce| Authority::Token(nonce.into())),
    ];
    prop_oneof![
        (payload(), option::of(entry()))
            .prop_map(|(result, entry)| Verdict::Complete { result, entry }),
        (failure(), by.clone()).prop_map(|(failure, by)| Verdict::Fail { failure, by }),
        (failure(), by).prop_map(|(failure, by)| Verdict::DeadLetter { failure, by }),
        Just(Verdict::Cancel),
        Just(Verdict::Expire),
    ]
}

fn destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        Just(Destination::Release),
        micros().prop_map(|delay| Destination::Retry { delay }),
        ("[0-9a-f]{1,16}", micros())
            .prop_map(|(nonce, lease)| Destination::Defer { nonce: nonce.into(), lease }),
    ]
}

/// A definition as registries keep it.
pub(crate) fn definition() -> impl Strategy<Value = Definition> {
    (function(), ".{0,20}", ".{0,20}").prop_map(|(function, description, code)| Definition {
        description,
        code,
        ..Definition::new(function)
    })
}

prop_compose! {
    fn pulse()(
        function in function(),
        consumer in id(),
        epoch in epoch(),
        status in prop::sample::select(ConsumerStatus::ALL.to_vec()),
        error_count in any::<u64>(),
        last_error in option::of(".{0,20}"),
    ) -> Pulse {
        Pulse {
            function,
            consumer: consumer.parse().unwrap(),
            epoch,
            status,
            error_count,
            last_error: last_error.map(Into::into),
        }
    }
}

/// Operations on calls.
fn settling() -> impl Strategy<Value = Op> {
    prop_oneof![
        submission().prop_map(Op::Submit),
        (function(), id(), verdict(), prop_oneof![Just(1), any::<u32>()]).prop_map(
            |(function, call, verdict, attempts)| {
                Op::Decide { function, call: call.parse().unwrap(), verdict, attempts }
            }
        ),
        (function(), id(), lease(), any::<u32>()).prop_map(|(function, call, lease, most)| {
            Op::Begin { function, call: call.parse().unwrap(), lease, attempts_max: most }
        }),
        (function(), id(), lease(), destination()).prop_map(|(function, call, lease, to)| {
            Op::Move { function, call: call.parse().unwrap(), lease, to }
        }),
        (function(), lease(), ".{0,20}").prop_map(|(function, lease, reason)| Op::Reject {
            function,
            lease,
            reason: reason.into(),
        }),
        (function(), id(), "[0-9a-f]{1,16}", micros()).prop_map(
            |(function, call, nonce, lease)| {
                let token = Token { function, call: call.parse().unwrap(), nonce: nonce.into() };
                Op::Touch { token, lease }
            }
        ),
        (function(), id())
            .prop_map(|(function, call)| Op::Acknowledge { function, call: call.parse().unwrap() }),
        (function(), id())
            .prop_map(|(function, call)| Op::Inspect { function, call: call.parse().unwrap() }),
        (function(), entry(), id(), micros()).prop_map(|(function, letter, call, deadline)| {
            Op::Requeue { function, letter, call: call.parse().unwrap(), deadline }
        }),
    ]
}

/// Operations of consumers.
fn consuming() -> impl Strategy<Value = Op> {
    prop_oneof![
        (function(), id(), vec((entry(), id()), 0..4)).prop_map(|(function, consumer, held)| {
            let held: std::collections::BTreeMap<_, _> = held.into_iter().collect();
            let entries = held.into_iter().map(|(entry, call)| (entry, call.parse().unwrap()));
            Op::Renew { function, consumer: consumer.parse().unwrap(), entries: entries.collect() }
        }),
        (function(), id(), any::<u32>()).prop_map(|(function, consumer, count)| Op::Fetch {
            function,
            consumer: consumer.parse().unwrap(),
            count,
        }),
        (function(), id(), vec(entry(), 0..4)).prop_map(|(function, consumer, entries)| {
            Op::Reread { function, consumer: consumer.parse().unwrap(), entries }
        }),
        (definition(), id(), id(), sessions()).prop_map(
            |(definition, consumer, node, sessions)| Op::Register {
                definition,
                consumer: consumer.parse().unwrap(),
                node: node.parse().unwrap(),
                sessions,
            }
        ),
        (id(), sessions(), vec(pulse(), 0..4)).prop_map(|(node, sessions, pulses)| Op::Beat {
            node: node.parse().unwrap(),
            sessions,
            pulses,
        }),
        (function(), id(), epoch()).prop_map(|(function, consumer, epoch)| Op::Deregister {
            function,
            consumer: consumer.parse().unwrap(),
            epoch,
        }),
        (function(), id(), epoch(), any::<u64>(), sessions()).prop_map(
            |(function, consumer, epoch, heartbeat, sessions)| Op::Remove {
                function,
                consumer: consumer.parse().unwrap(),
                epoch,
                heartbeat: StoreTime::from_micros(heartbeat),
                sessions: sessions.into(),
            }
        ),
    ]
}

/// Operations that look at functions, or keep house.
fn keeping() -> impl Strategy<Value = Op> {
    prop_oneof![
        vec(function(), 1..4).prop_map(|functions| Op::Survey { functions }),
        (function(), any::<u32>(), 0..1_000_000_u64, 1..1_000_u32).prop_map(
            |(function, attempts_max, idle_ms, limit)| Op::Sweep {
                function,
                attempts_max,
                stateless_idle: Duration::from_millis(idle_ms),
                limit,
            }
        ),
        function().prop_map(|function| Op::Ensure { function }),
        (id(), entry())
            .prop_map(|(caller, after)| Op::KeepReplies { caller: caller.parse().unwrap(), after }),
        id().prop_map(|caller| Op::ForgetReplies { caller: caller.parse().unwrap() }),
        function().prop_map(|function| Op::Describe { function }),
        option::of("[a-z]{1,6}").prop_map(|scope| Op::Discover { scope: scope.map(Into::into) }),
        (function(), entry(), any::<u32>()).prop_map(|(function, after, count)| Op::DeadLetters {
            function,
            after,
            count
        }),
        (function(), vec((id(), ".{0,12}"), 1..4))
            .prop_map(|(function, fields)| Op::OlderPeerAdd { function, fields }),
    ]
}

/// A blocking read, and how it may end.
pub(crate) fn watch() -> impl Strategy<Value = (Interest, Wake)> {
    prop_oneof![
        (function(), id(), 1..100_u32, vec(results::delivered(), 1..4)).prop_map(
            |(function, consumer, count, deliveries)| {
                let consumer = consumer.parse().unwrap();
                let interest = Interest::Deliveries { function, consumer, count };
                (interest, Wake::Deliveries(deliveries))
            }
        ),
        btree_map(function(), (entry(), any::<bool>()), 1..4).prop_map(|after| {
            let arrived: Vec<FunctionId> =
                after.iter().filter(|(_, it)| it.1).map(|(function, _)| function.clone()).collect();
            let after = after.into_iter().map(|(function, (entry, _))| (function, entry));
            let wake = if arrived.is_empty() { Wake::Nothing } else { Wake::Arrivals(arrived) };
            (Interest::Arrivals { after: after.collect() }, wake)
        }),
        (id(), entry(), vec(results::record(), 1..4), entry()).prop_map(
            |(caller, after, records, last)| {
                let caller = caller.parse().unwrap();
                (Interest::Replies { caller, after }, Wake::Replies { records, last })
            }
        ),
    ]
}

/// An operation, and what a store may answer to it.
pub(crate) fn pair() -> impl Strategy<Value = (Op, OpResult)> {
    let op = prop_oneof![settling(), consuming(), keeping()];
    op.prop_flat_map(|op| {
        let results = results::of(&op);
        (Just(op), results)
    })
    .prop_map(results::fit)
}
