//! Stores whose streams and groups go wrong.

use std::collections::BTreeSet;

use steadfast_core::entropy::Entropy;
use steadfast_core::name::{EntryId, FunctionId};
use steadfast_core::op::{Admission, Op, OpResult, Reply};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::Interest;

use super::flawed::{At, Flaw, Woken};
use super::registry::EverServed;
use super::scripts::nobody;

/// Lets the group pass over undelivered entries: they are delivered to nobody, ever.
fn pass_over(at: &mut At<'_>, function: &FunctionId, count: u32) {
    let consumer = nobody();
    let fetch = Op::Fetch { function: function.clone(), consumer: consumer.clone(), count };
    // The group is there: somebody was about to read.
    let _ = at.apply(&fetch);
    at.store.delete_name(at.now, function, &consumer);
}

/// The first consumer creates the group at `$`: it never sees what was called before.
#[derive(Clone, Debug, Default)]
pub struct GroupAtEnd {
    served: EverServed,
}

impl Flaw for GroupAtEnd {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let first = self.served.is_first(op);
        let result = at.apply(op);
        if let Some(function) = first {
            pass_over(at, &function, u32::MAX);
        }
        result
    }
}

/// XADD with MAXLEN: the oldest entry goes, whether or not anybody has seen it.
#[derive(Clone, Debug, Default)]
pub struct TrimsUndelivered;

impl TrimsUndelivered {
    /// The bound.
    const MAXLEN: usize = 4;
}

impl Flaw for TrimsUndelivered {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let result = at.apply(op);
        if let (Op::Submit(submission), Ok(Reply::Submitted(Admission::Accepted))) = (op, &result) {
            let entries = at.store.stream_entries(&submission.function);
            let pending: BTreeSet<EntryId> = at
                .store
                .pending_entries(&submission.function)
                .into_iter()
                .map(|pending| pending.entry)
                .collect();
            let oldest_is_unseen =
                entries.first().is_some_and(|oldest| !pending.contains(&oldest.entry));
            if entries.len() > Self::MAXLEN && oldest_is_unseen {
                pass_over(at, &submission.function, 1);
            }
        }
        result
    }
}

/// The wait for arrivals begins at `$`: what came between the look and the wait wakes nobody.
#[derive(Clone, Debug, Default)]
pub struct WaitsFromNow;

impl Flaw for WaitsFromNow {
    fn watch(&mut self, at: &mut At<'_>, interest: &Interest) -> Option<Woken> {
        let Interest::Arrivals { after } = interest else {
            return at.watch(interest);
        };
        let from_now = after.iter().map(|(function, after)| {
            let last = at.store.stream_entries(function).last().map(|entry| entry.entry);
            (function.clone(), last.unwrap_or(*after).max(*after))
        });
        let interest = Interest::Arrivals { after: from_now.collect() };
        at.watch(&interest)
    }
}

/// Somebody deletes each function's group once, while its stream is empty. No mistake of the store's:
/// it befalls one.
#[derive(Clone, Debug, Default)]
pub struct GroupDeleted {
    /// After so long, in microseconds.
    after: u64,
    began: Option<StoreTime>,
    served: EverServed,
    standing: BTreeSet<FunctionId>,
}

impl Flaw for GroupDeleted {
    fn of(seed: u64) -> Self {
        let after = 3_000_000 + Entropy::new(seed).stream("group deleted").below(8_000_000);
        Self { after, ..Self::default() }
    }

    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        self.standing.extend(self.served.is_first(op));
        let began = *self.began.get_or_insert(at.now);
        if u64::try_from(at.now.since(began).as_micros()).is_ok_and(|passed| passed > self.after) {
            let empty: Vec<FunctionId> = self
                .standing
                .iter()
                .filter(|function| at.store.stream_entries(function).is_empty())
                .cloned()
                .collect();
            for function in empty {
                self.standing.remove(&function);
                at.store.delete_group(at.now, &function);
            }
        }
        at.apply(op)
    }
}
