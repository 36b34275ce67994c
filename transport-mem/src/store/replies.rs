//! Outcomes as they are kept: by call, and in the reply streams of callers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use steadfast_core::call::{CallerId, Outcome, OutcomeKind, Record};
use steadfast_core::name::{CallId, EntryId};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::Wake;

use super::FRAME_BYTES;
use super::stream::next_id;

/// How long a reply stream lives unless its caller renews it.
pub(super) const REPLIES_TTL: Duration = Duration::from_secs(60);
/// The most records that one read of a reply stream answers.
const READ_MAX: usize = 1_000;

/// About how many bytes a record takes.
pub(super) fn record_bytes(record: &Record) -> usize {
    FRAME_BYTES
        + match &record.outcome {
            Outcome::Success(result) => result.bytes(),
            Outcome::Error(failure) | Outcome::DeadLettered(failure) => failure.message.len(),
            _ => 0,
        }
}

/// A kept outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) record: Record,
    pub(super) expires: StoreTime,
}

/// `result:CALLID` of every function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Results {
    kept: BTreeMap<CallId, Kept>,
    by_expiry: BTreeSet<(StoreTime, CallId)>,
    pub(super) bytes: usize,
}

impl Results {
    pub(super) fn all(&self) -> &BTreeMap<CallId, Kept> {
        &self.kept
    }

    pub(super) fn record(&self, now: StoreTime, call: &CallId) -> Option<&Record> {
        self.kept.get(call).filter(|kept| kept.expires > now).map(|kept| &kept.record)
    }

    pub(super) fn kind(&self, now: StoreTime, call: &CallId) -> Option<OutcomeKind> {
        self.record(now, call).map(|record| record.outcome.kind())
    }

    /// Keeps a record; one that stands for the call is overwritten, as only older peers do.
    pub(super) fn keep(&mut self, record: Record, expires: StoreTime) {
        self.remove(&record.call.clone());
        self.bytes += record_bytes(&record);
        self.by_expiry.insert((expires, record.call.clone()));
        self.kept.insert(record.call.clone(), Kept { record, expires });
    }

    pub(super) fn remove(&mut self, call: &CallId) -> bool {
        let Some(kept) = self.kept.remove(call) else {
            return false;
        };
        self.bytes -= record_bytes(&kept.record);
        self.by_expiry.remove(&(kept.expires, call.clone()));
        true
    }

    pub(super) fn purge(&mut self, now: StoreTime) {
        while let Some((at, call)) = self.by_expiry.first()
            && *at <= now
        {
            let call = call.clone();
            self.remove(&call);
        }
    }
}

/// One caller's reply stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReplyStream {
    pub(super) entries: BTreeMap<EntryId, Record>,
    pub(super) last: EntryId,
    pub(super) expires: StoreTime,
}

/// `replies:CALLER` of every caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replies {
    streams: BTreeMap<CallerId, ReplyStream>,
    by_expiry: BTreeSet<(StoreTime, CallerId)>,
    pub(super) bytes: usize,
}

impl Replies {
    pub(super) fn all(&self) -> &BTreeMap<CallerId, ReplyStream> {
        &self.streams
    }

    /// Adds a record where the stream exists; answers whether it does.
    pub(super) fn add(&mut self, now: StoreTime, caller: &CallerId, record: Record) -> bool {
        let Some(stream) = self.streams.get_mut(caller).filter(|stream| stream.expires > now)
        else {
            return false;
        };
        let id = next_id(stream.last, now);
        stream.last = id;
        self.bytes += record_bytes(&record);
        stream.entries.insert(id, record);
        true
    }

    /// Creates or renews a stream and trims what is older than `after`; answers whether it was created.
    /// A new stream's ids come after `after`, so that a clock that went back hides no reply.
    pub(super) fn keep(&mut self, now: StoreTime, caller: &CallerId, after: EntryId) -> bool {
        let expires = now + REPLIES_TTL;
        let created = !self.streams.contains_key(caller);
        let stream = self.streams.entry(caller.clone()).or_insert_with(|| ReplyStream {
            entries: BTreeMap::new(),
            last: after,
            expires,
        });
        self.by_expiry.remove(&(stream.expires, caller.clone()));
        stream.expires = expires;
        self.by_expiry.insert((expires, caller.clone()));
        let kept = stream.entries.split_off(&after);
        let trimmed = std::mem::replace(&mut stream.entries, kept);
        self.bytes -= trimmed.values().map(record_bytes).sum::<usize>();
        created
    }

    /// Removes a stream; answers whether it was there.
    pub(super) fn forget(&mut self, caller: &CallerId) -> bool {
        let Some(stream) = self.streams.remove(caller) else {
            return false;
        };
        self.by_expiry.remove(&(stream.expires, caller.clone()));
        self.bytes -= stream.entries.values().map(record_bytes).sum::<usize>();
        true
    }

    /// What stands after `after`, if anything does.
    pub(super) fn read(&self, now: StoreTime, caller: &CallerId, after: EntryId) -> Option<Wake> {
        let stream = self.streams.get(caller).filter(|stream| stream.expires > now)?;
        let mut last = None;
        let records: Vec<Record> = stream
            .entries
            .range((Bound::Excluded(after), Bound::Unbounded))
            .take(READ_MAX)
            .map(|(id, record)| {
                last = Some(*id);
                record.clone()
            })
            .collect();
        Some(Wake::Replies { records, last: last? })
    }

    pub(super) fn purge(&mut self, now: StoreTime) {
        while let Some((at, _)) = self.by_expiry.first()
            && *at <= now
        {
            if let Some((_, caller)) = self.by_expiry.pop_first()
                && let Some(stream) = self.streams.remove(&caller)
            {
                self.bytes -= stream.entries.values().map(record_bytes).sum::<usize>();
            }
        }
    }
}
