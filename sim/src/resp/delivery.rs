//! Deliveries as the fields of stream entries.

use steadfast_core::call::{Delivered, Delivery};
use steadfast_core::name::FunctionId;
use steadfast_core::time::StoreTime;
use steadfast_core::wire::CallEntry;

use super::frame::{Frame, list, text};

/// An entry as a read answers it at this time.
pub(crate) fn entry(now: StoreTime, function: &FunctionId, delivered: &Delivered) -> Frame {
    let fields = match delivered {
        Delivered::Call(delivery) => fields(now, function, delivery),
        // Why it is no call is found again by whoever reads that it names none.
        Delivered::Malformed { .. } => Vec::new(),
    };
    list([text(delivered.entry().to_string()), list(fields)])
}

fn fields(now: StoreTime, function: &FunctionId, delivery: &Delivery) -> Vec<Frame> {
    let entry = CallEntry {
        call: delivery.call.clone(),
        input: delivery.input.clone(),
        submitted_at: StoreTime::from_millis(delivery.entry.ms),
        deadline: now + delivery.remaining,
        attempt: delivery.attempt,
        takeovers: delivery.takeovers,
        reply_to: None,
        traceparent: delivery.traceparent.clone(),
        idempotency_key: None,
        result_stream: false,
    };
    let written = entry.encode(function);
    let mark = delivery.older_peer.then(|| ("olderPeer", "1".to_owned()));
    written.into_iter().chain(mark).flat_map(|(field, value)| [text(field), text(value)]).collect()
}
