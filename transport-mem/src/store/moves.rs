//! Moving calls between stream, consumers and parking; renewing leases.

use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind, Lease, Outcome, Token};
use steadfast_core::name::{CallId, ConsumerId, EntryId};
use steadfast_core::op::{Beginning, Destination, Loss, OpResult, Reply, Settlement};

use super::function::Parked;
use super::stream::Content;
use super::watches::no_group;
use super::work::{Return, Standing, Work, delivered, effective_attempt, remaining};

impl Work<'_> {
    /// [`Op::Begin`](steadfast_core::op::Op::Begin). An older peer's call has no open record to count
    /// in: each of its takeovers counts as an attempt, which a repeat cannot count again.
    pub(super) fn begin(&mut self, call: &CallId, lease: &Lease, attempts_max: u32) -> Beginning {
        let at_hand = Some(lease.entry);
        if let Some(kind) = self.results.kind(self.now, call) {
            self.clear(call, at_hand);
            return Beginning::Decided(kind);
        }
        let Some((standing, deadline)) =
            self.standing(call, at_hand).and_then(|it| Some((it, self.deadline(call, it)?)))
        else {
            return Beginning::Fenced;
        };
        if deadline <= self.now {
            let attempts = self.attempts_begun(call, standing);
            let kind = Outcome::Expired.kind();
            self.conclude(call, standing, at_hand, Outcome::Expired, attempts);
            return Beginning::Decided(kind);
        }
        if !self.proves(call, lease) {
            return Beginning::Fenced;
        }
        let counted = match standing {
            Standing::Open => self.function.open_mut(call).map(|open| {
                if open.begun == at_hand {
                    Ok(open.attempt)
                } else if open.attempt >= attempts_max {
                    Err(open.attempt)
                } else {
                    open.attempt += 1;
                    open.begun = at_hand;
                    Ok(open.attempt)
                }
            }),
            Standing::Entry(id) => self.entry(id).and_then(|it| it.call()).map(|body| {
                let attempt = effective_attempt(body);
                if attempt > attempts_max { Err(attempt - 1) } else { Ok(attempt) }
            }),
            Standing::Parked => None,
        };
        match counted {
            Some(Ok(attempt)) => {
                Beginning::Begun { attempt, remaining: remaining(self.now, deadline) }
            }
            Some(Err(attempts)) => {
                let failure = Failure::new(
                    FailureKind::LostWorker,
                    "the worker that ran the last attempt died",
                );
                let outcome = Outcome::DeadLettered(failure);
                let kind = outcome.kind();
                self.conclude(call, standing, at_hand, outcome, attempts);
                Beginning::Decided(kind)
            }
            None => Beginning::Fenced,
        }
    }

    /// [`Op::Move`](steadfast_core::op::Op::Move). Past the deadline a call of ours is expired instead.
    pub(super) fn relocate(
        &mut self,
        call: &CallId,
        lease: &Lease,
        to: &Destination,
    ) -> Settlement {
        let at_hand = Some(lease.entry);
        if let Some(kind) = self.results.kind(self.now, call) {
            self.clear(call, at_hand);
            return Settlement::Overruled(kind);
        }
        let Some(standing) = self.standing(call, at_hand) else {
            return Settlement::Absent;
        };
        if let Some(kind) = self.expire_overdue(call, standing, at_hand) {
            return kind;
        }
        if !self.proves(call, lease) {
            return Settlement::Fenced;
        }
        match to {
            Destination::Release => {
                self.give_back(lease.entry, Return::Released);
            }
            Destination::Retry { delay } => self.retry(lease.entry, *delay),
            Destination::Defer { nonce, lease: hold } => {
                let Some((mut parked, attempt)) = self.withdraw(lease.entry) else {
                    return Settlement::Absent;
                };
                parked.body.attempt = attempt;
                parked.due = self.now + *hold;
                parked.nonce = Some(nonce.clone());
                self.park(parked);
            }
        }
        Settlement::Done
    }

    /// Expires a call of ours whose deadline has passed.
    fn expire_overdue(
        &mut self,
        call: &CallId,
        standing: Standing,
        at_hand: Option<EntryId>,
    ) -> Option<Settlement> {
        let overdue = standing == Standing::Open
            && self.deadline(call, standing).is_some_and(|deadline| deadline <= self.now);
        overdue.then(|| {
            let attempts = self.attempts_begun(call, standing);
            self.conclude(call, standing, at_hand, Outcome::Expired, attempts);
            Settlement::Overruled(Outcome::Expired.kind())
        })
    }

    /// Takes a pending call out of the stream, to be parked; answers the attempt it is at. Its
    /// takeovers are counted in that attempt, so none remain.
    fn withdraw(&mut self, id: EntryId) -> Option<(Parked, u32)> {
        let entry = self.remove_entry(id)?;
        let Content::Call(mut body) = entry.content else {
            return None;
        };
        let attempt = if entry.ours {
            self.function.open().get(&body.call)?.attempt
        } else {
            effective_attempt(&body)
        };
        body.takeovers = 0;
        let parked = Parked { body, due: self.now, nonce: None, ours: entry.ours };
        Some((parked, attempt))
    }

    fn retry(&mut self, id: EntryId, delay: Duration) {
        let Some((mut parked, attempt)) = self.withdraw(id) else {
            return;
        };
        parked.body.attempt = attempt.saturating_add(1);
        if let (true, Some(open)) = (parked.ours, self.function.open_mut(&parked.body.call)) {
            open.attempt = parked.body.attempt;
            open.begun = None;
        }
        if delay.is_zero() {
            self.append(parked.body, parked.ours);
        } else {
            parked.due = self.now + delay;
            self.park(parked);
        }
    }

    /// [`Op::Touch`](steadfast_core::op::Op::Touch). A deferral holds until a sweep ends it, so a touch
    /// that comes before the sweep renews even a lease that has run out.
    pub(super) fn touch(&mut self, token: &Token, lease: Duration) -> Settlement {
        let call = &token.call;
        if let Some(kind) = self.results.kind(self.now, call) {
            self.clear(call, None);
            return Settlement::Overruled(kind);
        }
        let Some(standing) = self.standing(call, None) else {
            return Settlement::Absent;
        };
        if let Some(settlement) = self.expire_overdue(call, standing, None) {
            return settlement;
        }
        let deferred = self.function.parked().get(call);
        if deferred.is_none_or(|parked| parked.nonce.as_ref() != Some(&token.nonce)) {
            return Settlement::Fenced;
        }
        self.function.hold_until(call, self.now + lease);
        Settlement::Done
    }

    /// [`Op::Renew`](steadfast_core::op::Op::Renew).
    pub(super) fn renew(&mut self, consumer: &ConsumerId, entries: &[(EntryId, CallId)]) -> Reply {
        let now = self.now;
        let mut lost = Vec::new();
        for (id, call) in entries {
            let held = self
                .function
                .stream
                .as_mut()
                .is_some_and(|stream| stream.renew(now, consumer, *id));
            if !held {
                let why = self.results.kind(now, call).map_or(Loss::TakenOver, Loss::Decided);
                lost.push((*id, why));
            }
        }
        if lost.len() < entries.len()
            && let Some(stream) = &mut self.function.stream
        {
            stream.see(now, consumer);
        }
        Reply::Renewed { lost }
    }

    /// [`Op::Fetch`](steadfast_core::op::Op::Fetch).
    pub(super) fn fetch(&mut self, consumer: &ConsumerId, count: u32) -> OpResult {
        let now = self.now;
        let stream = self.function.stream.as_mut();
        let Some(stream) = stream.filter(|stream| stream.group().is_some()) else {
            return Err(no_group("fetch", self.id));
        };
        let ids = stream.deliver(now, consumer, count as usize);
        Ok(Reply::Fetched {
            deliveries: ids.into_iter().filter_map(|id| delivered(now, stream, id)).collect(),
            last: stream.last(),
        })
    }

    /// [`Op::Reread`](steadfast_core::op::Op::Reread).
    pub(super) fn reread(&mut self, consumer: &ConsumerId, entries: &[EntryId]) -> OpResult {
        let now = self.now;
        let stream = self.function.stream.as_mut();
        let Some(stream) = stream.filter(|stream| stream.group().is_some()) else {
            return Err(no_group("reread", self.id));
        };
        let deliveries: Vec<_> = entries
            .iter()
            .filter(|id| stream.group().and_then(|group| group.owner(**id)) == Some(consumer))
            .filter_map(|id| delivered(now, stream, *id))
            .collect();
        if !deliveries.is_empty() {
            stream.see(now, consumer);
        }
        Ok(Reply::Fetched { deliveries, last: stream.last() })
    }
}
