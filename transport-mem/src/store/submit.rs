//! How calls come in, and what is known of them.

use steadfast_core::call::{CallState, Place};
use steadfast_core::name::{CallId, EntryId};
use steadfast_core::op::{Admission, OpResult, Reply, Submission};
use steadfast_core::transport::{ErrorKind, TransportError};
use steadfast_core::wire::CallEntry;

use super::function::{Function, Open, Parked, RESULT_TTL};
use super::replies::Results;
use super::stream::{Content, Entry, RawFields, Stream};
use super::work::{Work, remaining};
use super::{FRAME_BYTES, StoreConfig, Use};
use steadfast_core::time::StoreTime;

impl Work<'_> {
    /// [`Op::Submit`](steadfast_core::op::Op::Submit). Everything is checked before the first write.
    pub(super) fn submit(&mut self, submission: &Submission, used: Use) -> OpResult {
        if let Some(admission) = self.known(&submission.call) {
            return Ok(Reply::Submitted(admission));
        }
        if let Some(admission) = self.joined(submission) {
            return Ok(Reply::Submitted(admission));
        }
        let streamed = self.stream().map_or(0, Stream::len);
        let open = self.function.open().len().max(streamed) as u64;
        if open >= u64::from(submission.open_max) {
            return Ok(Reply::Submitted(Admission::Full { open }));
        }
        self.room(submission, used)?;

        let body = CallEntry {
            call: submission.call.clone(),
            input: submission.input.clone(),
            submitted_at: self.now,
            deadline: self.now + submission.deadline,
            attempt: 1,
            takeovers: 0,
            reply_to: submission.reply_to.clone(),
            traceparent: submission.traceparent.clone(),
            idempotency_key: submission.idempotency_key.clone(),
            result_stream: submission.result_stream,
        };
        if let Some(key) = &submission.idempotency_key {
            let expires = body.deadline + RESULT_TTL;
            self.function.set_key(key.clone(), submission.call.clone(), expires);
        }
        self.admit(&body);
        self.ensure();
        if submission.delay.is_zero() {
            self.append(body, true);
        } else {
            self.park(Parked { due: self.now + submission.delay, body, nonce: None, ours: true });
        }
        Ok(Reply::Submitted(Admission::Accepted))
    }

    fn known(&self, call: &CallId) -> Option<Admission> {
        if let Some(record) = self.results.record(self.now, call) {
            return Some(Admission::AlreadyDecided(record.clone()));
        }
        self.standing(call, None).map(|_| Admission::AlreadyOpen)
    }

    fn joined(&self, submission: &Submission) -> Option<Admission> {
        let key = submission.idempotency_key.as_ref()?;
        let call = self.function.key(self.now, key)?;
        (*call != submission.call).then(|| Admission::Joined {
            call: call.clone(),
            record: self.results.record(self.now, call).cloned(),
        })
    }

    /// Refuses a submission for which the store has no room.
    fn room(&self, submission: &Submission, used: Use) -> Result<(), TransportError> {
        let StoreConfig { calls_max, bytes_max, .. } = self.config;
        let what = format!("submit of {} to {}", submission.call, self.id);
        if used.calls >= *calls_max {
            return Err(TransportError::not_applied(
                ErrorKind::Full,
                format!(
                    "{what}: the store holds {} calls, the most it may; submit again once some \
                     are decided",
                    used.calls
                ),
            ));
        }
        let bytes = FRAME_BYTES + submission.input.bytes();
        if used.bytes + bytes > *bytes_max {
            return Err(TransportError::not_applied(
                ErrorKind::OutOfMemory,
                format!(
                    "{what}: the store holds {} B of at most {bytes_max} B, and this call takes \
                     {bytes} B; submit again once calls are decided and outcomes have expired",
                    used.bytes
                ),
            ));
        }
        Ok(())
    }

    fn admit(&mut self, body: &CallEntry) {
        self.function.insert_open(
            body.call.clone(),
            Open {
                deadline: body.deadline,
                attempt: body.attempt,
                entry: None,
                begun: None,
                result_stream: body.result_stream,
            },
        );
    }

    /// [`Op::Requeue`](steadfast_core::op::Op::Requeue). A letter whose input could not be read cannot
    /// be called again: it counts as no letter, and stays.
    pub(super) fn requeue(
        &mut self,
        letter: EntryId,
        call: &CallId,
        deadline: std::time::Duration,
    ) -> Admission {
        if let Some(admission) = self.known(call) {
            return admission;
        }
        let input = self.function.letters().get(&letter).and_then(|letter| letter.input.clone());
        let Some(input) = input else {
            return Admission::NoSuchLetter;
        };
        self.function.remove_letter(letter);
        let body = CallEntry {
            call: call.clone(),
            input,
            submitted_at: self.now,
            deadline: self.now + deadline,
            attempt: 1,
            takeovers: 0,
            reply_to: None,
            traceparent: None,
            idempotency_key: None,
            result_stream: false,
        };
        self.admit(&body);
        self.append(body, true);
        Admission::Accepted
    }

    /// [`Op::OlderPeerAdd`](steadfast_core::op::Op::OlderPeerAdd): a plain XADD. It creates the stream,
    /// with ids from the millisecond's first, and no group.
    pub(super) fn older_peer_add(&mut self, fields: &[(String, String)]) -> EntryId {
        let raw = RawFields::new(fields);
        self.put(|id| {
            let content = match CallEntry::decode(id, raw.iter()) {
                Ok(body) => Content::Call(body),
                Err(error) => Content::Raw { reason: error.to_string().into(), fields: raw },
            };
            Entry { content, ours: false }
        })
    }
}

/// [`Op::Inspect`](steadfast_core::op::Op::Inspect). An older peer's call in the stream is in no open
/// hash, so it is absent until it is decided.
pub(super) fn inspect(
    now: StoreTime,
    function: Option<&Function>,
    results: &Results,
    call: &CallId,
) -> CallState {
    if let Some(record) = results.record(now, call) {
        return CallState::Decided(record.clone());
    }
    let Some(function) = function else {
        return CallState::Absent;
    };
    let open = function.open().get(call);
    if let Some(parked) = function.parked().get(call) {
        return CallState::Open {
            place: Place::Parked {
                due_in: parked.due.since(now),
                deferred: parked.nonce.is_some(),
            },
            attempt: open.map_or(parked.body.attempt, |open| open.attempt),
            remaining: remaining(now, parked.body.deadline),
        };
    }
    let Some(open) = open else {
        return CallState::Absent;
    };
    let stream = function.stream.as_ref();
    let place = match (stream, open.entry) {
        (Some(stream), Some(id)) if stream.entry(id).is_some_and(|it| it.names(call)) => stream
            .group()
            .and_then(|group| group.owner(id))
            .map_or(Place::Queued, |owner| Place::Pending(owner.clone())),
        _ => Place::Missing,
    };
    CallState::Open { place, attempt: open.attempt, remaining: remaining(now, open.deadline) }
}
