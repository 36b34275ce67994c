//! The housekeeping of one function.

use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind, Outcome};
use steadfast_core::name::{CallId, ConsumerId, EntryId};
use steadfast_core::op::Swept;

use super::stream::{Group, Stream};
use super::work::{Return, Standing, Work};

impl Work<'_> {
    /// [`Op::Sweep`](steadfast_core::op::Op::Sweep). First what older peers acknowledged, then what is
    /// overdue, so that an acknowledged call without outcome ends as that error; then what is due; then
    /// names without state.
    pub(super) fn sweep(
        &mut self,
        attempts_max: u32,
        stateless_idle: Duration,
        limit: u32,
    ) -> Swept {
        let mut swept = Swept::default();
        self.close_acknowledged(limit, &mut swept);
        self.expire(limit, &mut swept);
        self.promote(attempts_max, limit, &mut swept);
        self.rob_stateless(stateless_idle, limit, &mut swept);
        self.closed_any |= swept.closed > 0 || swept.names_removed > 0;
        swept.next_due = self.function.next_due(self.now);
        swept
    }

    /// Entries that were acknowledged and not deleted: with an outcome they are deleted, without one
    /// they end at their deadline. One that is no call has no outcome to wait for.
    fn close_acknowledged(&mut self, limit: u32, swept: &mut Swept) {
        let acked: Vec<EntryId> = self
            .stream()
            .and_then(Stream::group)
            .map(|group| group.acked().iter().copied().collect())
            .unwrap_or_default();
        for id in acked {
            let call = self.entry(id).and_then(|entry| entry.call());
            let call = call.map(|body| (body.call.clone(), body.deadline));
            let closable = call.as_ref().is_none_or(|(call, deadline)| {
                *deadline <= self.now || self.results.kind(self.now, call).is_some()
            });
            if !closable {
                continue;
            }
            if swept.closed == limit {
                swept.more = true;
                return;
            }
            swept.closed += 1;
            match call {
                None => {
                    self.remove_entry(id);
                }
                Some((call, _)) if self.results.kind(self.now, &call).is_some() => {
                    self.clear(&call, Some(id));
                }
                Some((call, _)) => {
                    let standing = self.standing(&call, Some(id));
                    let standing = standing.unwrap_or(Standing::Entry(id));
                    let attempts = self.attempts_begun(&call, standing).max(1);
                    let failure = Failure::new(
                        FailureKind::AckedWithoutOutcome,
                        "an older peer acknowledged the call and wrote no outcome",
                    );
                    let outcome = Outcome::Error(failure);
                    self.conclude(&call, standing, Some(id), outcome, attempts);
                }
            }
        }
    }

    fn expire(&mut self, limit: u32, swept: &mut Swept) {
        loop {
            let overdue = self.function.overdue(self.now).cloned();
            let found = overdue.map(|call| (call, Standing::Open)).or_else(|| {
                let id = self.stream()?.older_overdue(self.now)?;
                let call = self.entry(id)?.call()?.call.clone();
                Some((call, Standing::Entry(id)))
            });
            let Some((call, standing)) = found else {
                return;
            };
            if swept.expired == limit {
                swept.more = true;
                return;
            }
            swept.expired += 1;
            self.close_overdue(&call, standing);
        }
    }

    /// Expires an overdue call, or clears it where an older peer has decided it.
    fn close_overdue(&mut self, call: &CallId, standing: Standing) {
        let at_hand = match standing {
            Standing::Entry(id) => Some(id),
            Standing::Open | Standing::Parked => None,
        };
        if self.results.kind(self.now, call).is_some() {
            self.clear(call, at_hand);
        } else {
            let attempts = self.attempts_begun(call, standing);
            self.conclude(call, standing, at_hand, Outcome::Expired, attempts);
        }
    }

    /// What is due and not overdue: a not-before that has passed goes to the stream; a deferral whose lease
    /// ended has failed, and goes there as the next attempt or becomes a dead letter.
    fn promote(&mut self, attempts_max: u32, limit: u32, swept: &mut Swept) {
        while let Some((due, call)) = self.function.due().first().cloned()
            && due <= self.now
        {
            if swept.promoted == limit || swept.dead_lettered == limit {
                swept.more = true;
                return;
            }
            let Some(parked) = self.function.parked().get(&call) else {
                debug_assert!(false, "{call} is due and not parked");
                return;
            };
            let standing = if parked.ours { Standing::Open } else { Standing::Parked };
            if self.results.kind(self.now, &call).is_some() {
                if swept.closed == limit {
                    swept.more = true;
                    return;
                }
                self.clear(&call, None);
                swept.closed += 1;
                continue;
            }
            // Overdue beyond the limit above: it neither goes on nor fails, it waits to be expired.
            if self.deadline(&call, standing).is_some_and(|deadline| deadline <= self.now) {
                if swept.expired == limit {
                    swept.more = true;
                    return;
                }
                self.close_overdue(&call, standing);
                swept.expired += 1;
                continue;
            }
            let (attempt, deferred) = (parked.body.attempt, parked.nonce.is_some());
            if deferred && attempt >= attempts_max {
                let failure = Failure::new(
                    FailureKind::LeaseEnded,
                    "the deferral's lease ended without a completion",
                );
                self.conclude(&call, standing, None, Outcome::DeadLettered(failure), attempt);
                swept.dead_lettered += 1;
                continue;
            }
            let Some(mut parked) = self.function.unpark(&call) else {
                return;
            };
            if deferred {
                parked.body.attempt += 1;
                if let (true, Some(open)) = (parked.ours, self.function.open_mut(&call)) {
                    open.attempt = parked.body.attempt;
                }
            }
            self.append(parked.body, parked.ours);
            swept.promoted += 1;
        }
    }

    /// Robs names without state that have been idle for long enough, and removes them once they hold
    /// nothing.
    fn rob_stateless(&mut self, stateless_idle: Duration, limit: u32, swept: &mut Swept) {
        let names = |group: &Group| -> Vec<ConsumerId> {
            group
                .names()
                .iter()
                .filter(|(_, name)| self.now.since(name.seen_at) >= stateless_idle)
                .map(|(consumer, _)| consumer.clone())
                .filter(|consumer| self.function.consumer(self.now, consumer).is_none())
                .collect()
        };
        let idle = self.stream().and_then(Stream::group).map(names);
        for consumer in idle.unwrap_or_default() {
            let pending = self
                .stream()
                .and_then(Stream::group)
                .map(|group| group.pending_at(&consumer))
                .unwrap_or_default();
            for id in pending {
                if swept.robbed == limit {
                    swept.more = true;
                    return;
                }
                self.give_back(id, Return::TakenOver);
                swept.robbed += 1;
            }
            if let Some(stream) = &mut self.function.stream {
                stream.remove_name(&consumer);
            }
            swept.names_removed += 1;
        }
    }
}
