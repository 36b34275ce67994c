//! `function_results:CALLID`: the outcomes of calls that ask for a stream of their own.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::call::Record;
use steadfast_core::name::CallId;
use steadfast_core::time::StoreTime;

use super::function::RESULT_TTL;
use super::replies::record_bytes;

/// One call's stream. It has one record, or more where an older peer deleted the result and the id was
/// used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResultStream {
    pub(super) records: Vec<Record>,
    pub(super) expires: StoreTime,
}

impl ResultStream {
    fn bytes(&self) -> usize {
        self.records.iter().map(record_bytes).sum()
    }
}

/// The result streams of every function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResultStreams {
    streams: BTreeMap<CallId, ResultStream>,
    by_expiry: BTreeSet<(StoreTime, CallId)>,
    pub(super) bytes: usize,
}

impl ResultStreams {
    pub(super) fn all(&self) -> &BTreeMap<CallId, ResultStream> {
        &self.streams
    }

    /// Adds a record; the stream lives as long as an outcome is kept.
    pub(super) fn add(&mut self, now: StoreTime, record: Record) {
        let (call, expires) = (record.call.clone(), now + RESULT_TTL);
        self.bytes += record_bytes(&record);
        let stream = self
            .streams
            .entry(call.clone())
            .or_insert_with(|| ResultStream { records: Vec::new(), expires });
        self.by_expiry.remove(&(stream.expires, call.clone()));
        stream.records.push(record);
        stream.expires = expires;
        self.by_expiry.insert((expires, call));
    }

    pub(super) fn purge(&mut self, now: StoreTime) {
        while let Some((at, _)) = self.by_expiry.first()
            && *at <= now
        {
            if let Some((_, call)) = self.by_expiry.pop_first()
                && let Some(stream) = self.streams.remove(&call)
            {
                self.bytes -= stream.bytes();
            }
        }
    }
}
