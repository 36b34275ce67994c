//! Steps of a sequence: what is done, in numbers that each side resolves among what it has.

use proptest::prelude::*;

/// One step. Of a call that is submitted, what is `told` goes to the caller's replies, and to the call's own
/// stream.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Submit { call: u8, delay: Wait, deadline: Wait, keyed: bool, told: [bool; 2], few: bool },
    OlderAdd { call: u8, form: Form, streams: bool },
    OlderAck(u8),
    OlderAnswer(u8),
    OlderTake(u8),
    DeleteName(u8),
    DeleteGroup,
    DeleteStream,
    OutOfMemory,
    Register(u8),
    Beat { consumers: [u8; 2], wrong_epoch: bool, error: bool },
    Deregister { consumer: u8, wrong_epoch: bool },
    Remove { consumer: u8, as_observed: bool },
    Fetch { consumer: u8, count: u32 },
    Reread { consumer: u8, leases: [u8; 2] },
    Begin { lease: u8, most: u32 },
    Complete { lease: u8, result: u8, name_entry: bool },
    CompleteCall(u8),
    Fail(u8),
    DeadLetter(u8),
    Release(u8),
    Retry { lease: u8, delay: Wait },
    Defer { lease: u8, hold: Wait },
    Touch { lease: u8, hold: Wait },
    FailByToken { lease: u8, letter: bool },
    Reject(u8),
    Renew { consumer: u8, leases: [u8; 2] },
    Cancel { older: bool, call: u8 },
    Expire { older: bool, call: u8 },
    Acknowledge(u8),
    Inspect(u8),
    Requeue { letter: u8, call: u8 },
    Sweep { rob: bool, limit: u32 },
    KeepReplies,
    ForgetReplies,
    Ensure,
    Describe,
    Discover(bool),
    Letters(u32),
    Survey,
    Ping,
    Pass,
}

impl Step {
    /// It is no operation of the store: somebody does it by other means, or nothing is done.
    pub(crate) fn is_done_beside_the_store(&self) -> bool {
        matches!(
            self,
            Self::OlderAck(_)
                | Self::OlderAnswer(_)
                | Self::OlderTake(_)
                | Self::DeleteName(_)
                | Self::DeleteGroup
                | Self::DeleteStream
                | Self::OutOfMemory
                | Self::Pass
        )
    }
}

/// A duration: none, one that a pass waits out, one that no sequence sees the end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    None,
    Short,
    Long,
}

/// What an older caller writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Good,
    BadInput,
    NoCall,
    Overdue,
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![3 => Just(Wait::None), 1 => Just(Wait::Short), 2 => Just(Wait::Long)]
}

fn hold() -> impl Strategy<Value = Wait> {
    prop_oneof![1 => Just(Wait::Short), 2 => Just(Wait::Long)]
}

fn deadline() -> impl Strategy<Value = Wait> {
    prop_oneof![1 => Just(Wait::Short), 6 => Just(Wait::Long)]
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        4 => Just(Form::Good),
        2 => Just(Form::BadInput),
        1 => Just(Form::NoCall),
        1 => Just(Form::Overdue),
    ]
}

fn coming_and_going() -> impl Strategy<Value = Step> {
    let call = 0..5_u8;
    let who = 0..3_u8;
    let flag = any::<bool>;
    prop_oneof![
        10 => (call.clone(), wait(), deadline(), flag(), [flag(), flag()], prop::bool::weighted(0.1))
            .prop_map(|(call, delay, deadline, keyed, told, few)| {
                Step::Submit { call, delay, deadline, keyed, told, few }
            }),
        6 => (call.clone(), form(), flag())
            .prop_map(|(call, form, streams)| Step::OlderAdd { call, form, streams }),
        5 => who.clone().prop_map(Step::Register),
        10 => (who.clone(), 0..4_u32)
            .prop_map(|(consumer, count)| Step::Fetch { consumer, count }),
        2 => (who.clone(), who.clone(), prop::bool::weighted(0.2), flag()).prop_map(
            |(one, other, wrong_epoch, error)| {
                Step::Beat { consumers: [one, other], wrong_epoch, error }
            }),
        2 => (who.clone(), prop::bool::weighted(0.2))
            .prop_map(|(consumer, wrong_epoch)| Step::Deregister { consumer, wrong_epoch }),
        2 => (who, prop::bool::weighted(0.7))
            .prop_map(|(consumer, as_observed)| Step::Remove { consumer, as_observed }),
        4 => (flag(), prop_oneof![1 => Just(1_u32), 9 => Just(100)])
            .prop_map(|(rob, limit)| Step::Sweep { rob, limit }),
        1 => Just(Step::Pass),
    ]
}

fn settling() -> impl Strategy<Value = Step> {
    let lease = 0..4_u8;
    let call = 0..5_u8;
    let flag = any::<bool>;
    prop_oneof![
        2 => (lease.clone(), 1..4_u32).prop_map(|(lease, most)| Step::Begin { lease, most }),
        3 => (lease.clone(), 0..6_u8, flag()).prop_map(
            |(lease, result, name_entry)| Step::Complete { lease, result, name_entry }),
        1 => call.clone().prop_map(Step::CompleteCall),
        3 => lease.clone().prop_map(Step::Fail),
        4 => lease.clone().prop_map(Step::DeadLetter),
        3 => lease.clone().prop_map(Step::Release),
        3 => (lease.clone(), wait()).prop_map(|(lease, delay)| Step::Retry { lease, delay }),
        3 => (lease.clone(), hold()).prop_map(|(lease, hold)| Step::Defer { lease, hold }),
        1 => (lease.clone(), hold()).prop_map(|(lease, hold)| Step::Touch { lease, hold }),
        1 => (lease.clone(), flag())
            .prop_map(|(lease, letter)| Step::FailByToken { lease, letter }),
        6 => lease.prop_map(Step::Reject),
        2 => (flag(), call.clone()).prop_map(|(older, call)| Step::Cancel { older, call }),
        2 => (flag(), call.clone()).prop_map(|(older, call)| Step::Expire { older, call }),
        5 => call.prop_map(Step::Acknowledge),
    ]
}

fn looking() -> impl Strategy<Value = Step> {
    let lease = 0..4_u8;
    let call = 0..5_u8;
    let who = 0..3_u8;
    prop_oneof![
        2 => (who.clone(), lease.clone(), lease.clone()).prop_map(
            |(consumer, one, other)| Step::Renew { consumer, leases: [one, other] }),
        2 => (who.clone(), lease.clone(), lease).prop_map(
            |(consumer, one, other)| Step::Reread { consumer, leases: [one, other] }),
        3 => call.clone().prop_map(Step::Inspect),
        6 => (0..2_u8, call.clone()).prop_map(|(letter, call)| Step::Requeue { letter, call }),
        2 => Just(Step::KeepReplies),
        1 => Just(Step::ForgetReplies),
        1 => Just(Step::Ensure),
        1 => Just(Step::Describe),
        1 => any::<bool>().prop_map(Step::Discover),
        1 => (0..3_u32).prop_map(Step::Letters),
        2 => Just(Step::Survey),
        1 => Just(Step::Ping),
        1 => call.clone().prop_map(Step::OlderAck),
        6 => call.clone().prop_map(Step::OlderAnswer),
        1 => call.prop_map(Step::OlderTake),
        1 => who.prop_map(Step::DeleteName),
    ]
}

fn tampering() -> impl Strategy<Value = Step> {
    prop_oneof![Just(Step::DeleteGroup), Just(Step::DeleteStream), Just(Step::OutOfMemory)]
}

/// Sequences of batches.
pub(crate) fn sequences() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        100 => coming_and_going(),
        80 => settling(),
        50 => looking(),
        1 => tampering(),
    ];
    // A token is of use to who deferred just now.
    let deferring = (0..4_u8, hold(), hold()).prop_map(|(lease, hold, anew)| {
        vec![Step::Defer { lease, hold }, Step::Touch { lease, hold: anew }]
    });
    let batch = prop_oneof![
        36 => prop::collection::vec(step.clone(), 1..2),
        12 => prop::collection::vec(step, 2..5),
        1 => deferring,
    ];
    prop::collection::vec(batch, 1..40)
}
