//! Stores whose settling goes wrong: what is acknowledged, retried, dead-lettered and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steadfast_core::call::Delivered;
use steadfast_core::name::{CallId, ConsumerId, EntryId, FunctionId, SessionId};
use steadfast_core::op::{
    Admission, Authority, Destination, Op, OpResult, Reply, Settlement, Submission, Verdict,
};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Interest, Wake};
use steadfast_core::wire::CallEntry;

use super::flawed::{At, Flaw, Woken};

/// What was submitted, for a script that adds a call once more.
#[derive(Clone, Debug, Default)]
struct Bodies(BTreeMap<CallId, (StoreTime, Submission)>);

impl Bodies {
    fn learn(&mut self, now: StoreTime, op: &Op, result: &OpResult) {
        if let (Op::Submit(submission), Ok(Reply::Submitted(Admission::Accepted))) = (op, result) {
            self.0.insert(submission.call.clone(), (now, submission.clone()));
        }
    }

    /// XADD of a call's fields, as if it were new.
    fn add_again(&self, at: &mut At<'_>, call: &CallId) {
        let Some((submitted_at, submission)) = self.0.get(call) else {
            return;
        };
        let body = CallEntry {
            call: call.clone(),
            input: submission.input.clone(),
            submitted_at: *submitted_at,
            deadline: *submitted_at + submission.deadline,
            attempt: 1,
            takeovers: 0,
            reply_to: submission.reply_to.clone(),
            traceparent: None,
            idempotency_key: None,
            result_stream: submission.result_stream,
        };
        let fields = body.encode(&submission.function);
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        // Nothing waits for this answer.
        let _ = at.apply(&Op::OlderPeerAdd { function: submission.function.clone(), fields });
    }
}

/// XACK when the entry is delivered, before anybody has worked on it.
#[derive(Clone, Debug, Default)]
pub struct AckBeforeWork {
    reads: BTreeMap<SessionId, FunctionId>,
}

impl AckBeforeWork {
    fn acknowledge(at: &mut At<'_>, function: &FunctionId, entries: &[Delivered]) {
        for delivered in entries {
            at.store.older_peer_acknowledge(at.now, function, delivered.entry());
        }
    }
}

impl Flaw for AckBeforeWork {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let result = at.apply(op);
        if let (Op::Fetch { function, .. }, Ok(Reply::Fetched { deliveries, .. })) = (op, &result) {
            Self::acknowledge(at, function, deliveries);
        }
        result
    }

    fn watch(&mut self, at: &mut At<'_>, interest: &Interest) -> Option<Woken> {
        if let Interest::Deliveries { function, .. } = interest {
            self.reads.insert(at.session, function.clone());
        }
        at.watch(interest)
    }

    fn woken(&mut self, at: &mut At<'_>, woken: &mut Woken) {
        if let (Ok(Wake::Deliveries(entries)), Some(function)) =
            (woken, self.reads.get(&at.session))
        {
            Self::acknowledge(at, function, entries);
        }
    }
}

/// A failure decides without proof: the entry and its present owner are looked up, not compared.
#[derive(Clone, Debug, Default)]
pub struct UnfencedFailure;

impl Flaw for UnfencedFailure {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let result = at.apply(op);
        let (Op::Decide { function, call, verdict, attempts }, Ok(Reply::Settled(settlement))) =
            (op, &result)
        else {
            return result;
        };
        let Verdict::Fail { failure, by: Authority::Lease(_) } = verdict else {
            return result;
        };
        let owner = owner_of(at, function, call);
        let (Settlement::Fenced, Some(lease)) = (settlement, owner) else {
            return result;
        };
        let verdict = Verdict::Fail { failure: failure.clone(), by: Authority::Lease(lease) };
        let (function, call) = (function.clone(), call.clone());
        at.apply(&Op::Decide { function, call, verdict, attempts: *attempts })
    }
}

/// The lease under which a call is held now.
fn owner_of(
    at: &mut At<'_>,
    function: &FunctionId,
    call: &CallId,
) -> Option<steadfast_core::call::Lease> {
    let entries = at.store.stream_entries(function);
    let entry = entries.iter().find(|entry| entry.call.as_ref() == Some(call))?.entry;
    lease_of(at, function, entry)
}

/// The lease under which an entry is held now.
pub(super) fn lease_of(
    at: &mut At<'_>,
    function: &FunctionId,
    entry: EntryId,
) -> Option<steadfast_core::call::Lease> {
    let pending = at.store.pending_entries(function);
    let consumer = pending.into_iter().find(|pending| pending.entry == entry)?.owner;
    let epoch = at
        .store
        .consumers(at.now, function)
        .into_iter()
        .find(|record| record.consumer == consumer)?
        .epoch;
    Some(steadfast_core::call::Lease { entry, consumer, epoch })
}

/// The dead-letter entry is written before anybody looks whether the call is decided.
#[derive(Clone, Debug, Default)]
pub struct LetterEachTime {
    letters: Vec<(FunctionId, CallId)>,
}

impl Flaw for LetterEachTime {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let result = at.apply(op);
        if let (Op::Decide { function, call, verdict: Verdict::DeadLetter { .. }, .. }, Ok(reply)) =
            (op, &result)
            && *reply != Reply::Settled(Settlement::Done)
        {
            self.letters.push((function.clone(), call.clone()));
        }
        result
    }

    fn letters(&self) -> Vec<(FunctionId, CallId)> {
        self.letters.clone()
    }
}

/// A retry whose delay is longer than the lease leaves the entry pending until the copy is due: the
/// entry's lease ends, it is reclaimed, and the copy comes all the same.
#[derive(Clone, Debug, Default)]
pub struct DelayPastLease {
    bodies: Bodies,
    /// Copies to come: when, and of which call.
    copies: BTreeSet<(StoreTime, CallId)>,
}

impl DelayPastLease {
    /// How long an entry may be idle before it is reclaimed.
    const LEASE: Duration = Duration::from_millis(200);
}

impl Flaw for DelayPastLease {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        while let Some((due, call)) = self.copies.first().cloned()
            && due <= at.now
        {
            self.copies.pop_first();
            self.bodies.add_again(at, &call);
        }
        let result = match op {
            Op::Move { function, call, lease, to: Destination::Retry { delay } }
                if *delay > Self::LEASE =>
            {
                // The entry is reclaimed when its lease ends; that it is so at once shortens the world.
                let to = Destination::Release;
                let (function, lease) = (function.clone(), lease.clone());
                let moved = Op::Move { function, call: call.clone(), lease, to };
                let result = at.apply(&moved);
                if matches!(result, Ok(Reply::Settled(Settlement::Done))) {
                    self.copies.insert((at.now + *delay, call.clone()));
                }
                result
            }
            op => at.apply(op),
        };
        self.bodies.learn(at.now, op, &result);
        result
    }
}

/// Recovery adds what is pending at a dead consumer as new calls, beside those that are pending.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReAdds {
    bodies: Bodies,
}

impl Flaw for RecoveryReAdds {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let mut again = Vec::new();
        if let Op::Remove { function, consumer, .. } = op {
            let entries = at.store.stream_entries(function);
            let pending = at.store.pending_entries(function);
            let pending = pending.iter().filter(|pending| pending.owner == *consumer);
            again.extend(pending.filter_map(|pending| {
                entries.iter().find(|entry| entry.entry == pending.entry)?.call.clone()
            }));
        }
        let result = at.apply(op);
        if matches!(result, Ok(Reply::Removed { .. })) {
            for call in again {
                self.bodies.add_again(at, &call);
            }
        }
        self.bodies.learn(at.now, op, &result);
        result
    }
}

/// Whoever moves a call writes it as open, whether or not it is still his and undecided.
#[derive(Clone, Debug, Default)]
pub struct Resurrects {
    bodies: Bodies,
}

impl Flaw for Resurrects {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let result = at.apply(op);
        if let (Op::Move { call, .. }, Ok(Reply::Settled(Settlement::Overruled(_)))) = (op, &result)
        {
            at.store.older_peer_take_result(at.now, call);
            self.bodies.add_again(at, call);
            return Ok(Reply::Settled(Settlement::Done));
        }
        self.bodies.learn(at.now, op, &result);
        result
    }
}

/// Whoever reads a result first deletes it.
#[derive(Clone, Debug, Default)]
pub struct FirstReaderDeletes;

impl Flaw for FirstReaderDeletes {
    fn woken(&mut self, at: &mut At<'_>, woken: &mut Woken) {
        if let Ok(Wake::Replies { records, .. }) = woken {
            for record in records {
                at.store.older_peer_take_result(at.now, &record.call);
            }
        }
    }
}

/// Entries that were not renewed for the lease are taken from whoever has them. No mistake by itself:
/// who renews keeps what he has.
#[derive(Clone, Debug, Default)]
pub struct LeaseByIdle;

impl LeaseByIdle {
    /// How long an entry may be idle.
    pub const LEASE: Duration = Duration::from_millis(500);
}

impl Flaw for LeaseByIdle {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        if let Op::Survey { functions } = op {
            for function in functions {
                reclaim(at, function);
            }
        }
        at.apply(op)
    }
}

fn reclaim(at: &mut At<'_>, function: &FunctionId) {
    let entries = at.store.stream_entries(function);
    let calls: BTreeMap<EntryId, CallId> =
        entries.into_iter().filter_map(|entry| Some((entry.entry, entry.call?))).collect();
    for pending in at.store.pending_entries(function) {
        if at.now.since(pending.delivered_at) < LeaseByIdle::LEASE {
            continue;
        }
        let (Some(lease), Some(call)) =
            (lease_of(at, function, pending.entry), calls.get(&pending.entry).cloned())
        else {
            continue;
        };
        let (function, to) = (function.clone(), Destination::Release);
        // It was looked up a moment ago, so that it cannot be refused.
        let _ = at.apply(&Op::Move { function, call, lease, to });
    }
}

/// A name that no consumer has.
pub(super) fn nobody() -> ConsumerId {
    ConsumerId::new("nobody").expect("a literal id is valid")
}
