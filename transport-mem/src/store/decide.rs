//! Deciding calls: the first decision wins.

use steadfast_core::call::{DeadLetter, Failure, FailureKind, Lease, Outcome, Payload, Record};
use steadfast_core::name::{CallId, EntryId};
use steadfast_core::op::{Authority, Reply, Settlement, Verdict};
use steadfast_core::wire::CallEntry;

use super::function::RESULT_TTL;
use super::stream::Content;
use super::watches::Ready;
use super::work::{Standing, Work, remaining};

impl Work<'_> {
    /// [`Op::Decide`](steadfast_core::op::Op::Decide). In this order: an outcome that stands overrules;
    /// a deadline that passed expires, whatever the verdict's authority; then the authority is checked.
    pub(super) fn decide(&mut self, call: &CallId, verdict: &Verdict, attempts: u32) -> Settlement {
        let at_hand = match verdict {
            Verdict::Complete { entry, .. } => *entry,
            Verdict::Fail { by, .. } | Verdict::DeadLetter { by, .. } => match by {
                Authority::Lease(lease) => Some(lease.entry),
                Authority::Token(_) => None,
            },
            Verdict::Cancel | Verdict::Expire => None,
        };
        if let Some(kind) = self.results.kind(self.now, call) {
            self.clear(call, at_hand);
            return Settlement::Overruled(kind);
        }
        let standing = self.standing(call, at_hand).or_else(|| match verdict {
            Verdict::Cancel | Verdict::Expire => self.older(call),
            _ => None,
        });
        let Some((standing, deadline)) =
            standing.and_then(|it| Some((it, self.deadline(call, it)?)))
        else {
            return Settlement::Absent;
        };
        let expires = matches!(verdict, Verdict::Expire);
        if deadline <= self.now && (expires || standing == Standing::Open) {
            let kind = Outcome::Expired.kind();
            self.conclude(call, standing, at_hand, Outcome::Expired, attempts);
            return if expires { Settlement::Done } else { Settlement::Overruled(kind) };
        }
        let outcome = match verdict {
            Verdict::Complete { result, .. } => Outcome::Success(result.clone()),
            Verdict::Cancel => Outcome::Cancelled,
            Verdict::Expire => {
                return Settlement::NotDue { remaining: remaining(self.now, deadline) };
            }
            Verdict::Fail { by, .. } | Verdict::DeadLetter { by, .. }
                if !self.authorised(call, by) =>
            {
                return Settlement::Fenced;
            }
            Verdict::Fail { failure, .. } => Outcome::Error(failure.clone()),
            Verdict::DeadLetter { failure, .. } => Outcome::DeadLettered(failure.clone()),
        };
        self.conclude(call, standing, at_hand, outcome, attempts);
        Settlement::Done
    }

    fn authorised(&self, call: &CallId, by: &Authority) -> bool {
        match by {
            Authority::Lease(lease) => self.proves(call, lease),
            Authority::Token(nonce) => self
                .function
                .parked()
                .get(call)
                .is_some_and(|parked| parked.nonce.as_ref() == Some(nonce)),
        }
    }

    /// Writes the outcome of an undecided call and removes the call from where it stands.
    pub(super) fn conclude(
        &mut self,
        call: &CallId,
        standing: Standing,
        at_hand: Option<EntryId>,
        outcome: Outcome,
        attempts: u32,
    ) {
        debug_assert!(self.results.kind(self.now, call).is_none(), "{call} is decided twice");
        self.closed_any = true;
        let recorded = self.function.open().get(call).is_some_and(|open| open.result_stream);
        let mut body = self.take(call, standing);
        // As the open record says, also where the entry was lost. An older peer's call has no record.
        let result_stream = match standing {
            Standing::Open => recorded,
            Standing::Parked | Standing::Entry(_) => {
                body.as_ref().is_some_and(|body| body.result_stream)
            }
        };
        // An older caller's duplicate of a call of ours goes with it.
        body = body.or_else(|| at_hand.and_then(|id| self.take_entry(call, id)));
        if let Some(id) = at_hand {
            self.take_entry(call, id);
        }
        let record = Record { call: call.clone(), outcome, attempts, decided_at: self.now };
        if let Some(caller) = body.as_ref().and_then(|body| body.reply_to.as_ref())
            && self.replies.add(self.now, caller, record.clone())
        {
            self.ready.push(Ready::Replies(caller.clone()));
        }
        if result_stream {
            self.result_streams.add(self.now, record.clone());
        }
        if let Outcome::DeadLettered(failure) = &record.outcome {
            let input = body.map(|body| body.input);
            self.bury(Some(call.clone()), input, failure.clone(), attempts);
        }
        self.results.keep(record, self.now + RESULT_TTL);
    }

    /// Adds a dead letter.
    fn bury(
        &mut self,
        call: Option<CallId>,
        input: Option<Payload>,
        failure: Failure,
        attempts: u32,
    ) {
        let letter = DeadLetter {
            entry: EntryId::ZERO,
            call,
            input,
            failure,
            attempts,
            failed_at: self.now,
        };
        self.function.add_letter(self.now, letter, self.config.dead_letters_max);
    }

    /// Removes a call from where it stands; answers its body, where that is not lost.
    fn take(&mut self, call: &CallId, standing: Standing) -> Option<CallEntry> {
        match standing {
            Standing::Entry(id) => self.take_entry(call, id),
            Standing::Parked => self.function.unpark(call).map(|parked| parked.body),
            Standing::Open => {
                let open = self.function.remove_open(call)?;
                let parked = self.function.unpark(call).map(|parked| parked.body);
                parked.or_else(|| self.take_entry(call, open.entry?))
            }
        }
    }

    /// Removes an entry, if it is this call's.
    fn take_entry(&mut self, call: &CallId, id: EntryId) -> Option<CallEntry> {
        if !self.entry(id)?.names(call) {
            return None;
        }
        match self.remove_entry(id)?.content {
            Content::Call(body) => Some(body),
            Content::Raw { .. } => None,
        }
    }

    /// Clears what a decided call left behind; answers whether anything was there.
    pub(super) fn clear(&mut self, call: &CallId, at_hand: Option<EntryId>) -> bool {
        self.closed_any = true;
        let mut cleared = self.function.unpark(call).is_some();
        if let Some(open) = self.function.remove_open(call) {
            cleared = true;
            if let Some(id) = open.entry {
                self.take_entry(call, id);
            }
        }
        if let Some(id) = at_hand {
            cleared |= self.take_entry(call, id).is_some();
        }
        cleared
    }

    /// [`Op::Acknowledge`](steadfast_core::op::Op::Acknowledge).
    pub(super) fn acknowledge(&mut self, call: &CallId) -> Reply {
        if self.results.kind(self.now, call).is_some() {
            let cleared = self.clear(call, None);
            Reply::Acknowledged { cleared }
        } else if self.standing(call, None).is_some() {
            Reply::StillOpen
        } else {
            Reply::Acknowledged { cleared: false }
        }
    }

    /// [`Op::Reject`](steadfast_core::op::Op::Reject). An entry that is a call of ours is never
    /// rejected; an older peer's call that is becomes a dead letter with its outcome.
    pub(super) fn reject(&mut self, lease: &Lease, reason: &str) -> Settlement {
        let Some(entry) = self.entry(lease.entry) else {
            return Settlement::Absent;
        };
        let (ours, call) = (entry.ours, entry.call().map(|body| body.call.clone()));
        if ours || !self.holds(lease) {
            return Settlement::Fenced;
        }
        let failure = Failure::new(FailureKind::Malformed, reason);
        if let Some(call) = call {
            let attempts = self.attempts_begun(&call, Standing::Entry(lease.entry));
            let by = Authority::Lease(lease.clone());
            return self.decide(&call, &Verdict::DeadLetter { failure, by }, attempts);
        }
        let removed = self.remove_entry(lease.entry).map(|entry| entry.content);
        if let Some(Content::Raw { fields, .. }) = removed {
            self.bury(fields.call(), fields.input(), failure, 0);
        }
        Settlement::Done
    }
}
