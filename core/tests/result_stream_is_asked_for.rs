//! Who asks for a result stream says so; who does not is written as before there were any, so that recorded
//! traces and cases are read as they stand.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::call::Payload;
use steadfast_core::command::Request;
use steadfast_core::name::{CallId, FunctionId};
use steadfast_core::op::Submission;

fn function() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

fn submission(result_stream: bool) -> Submission {
    Submission {
        function: function(),
        call: CallId::new("c1").unwrap(),
        input: Payload::null(),
        deadline: Duration::from_secs(1),
        delay: Duration::ZERO,
        idempotency_key: None,
        reply_to: None,
        traceparent: None,
        result_stream,
        open_max: 1,
    }
}

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(given: &T, written: bool) {
    let text = serde_json::to_string(given).unwrap();
    assert_eq!(text.contains("result_stream"), written, "{text}");
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *given);
}

#[test]
fn only_what_is_asked_for_is_written() {
    for asked in [false, true] {
        check(&submission(asked), asked);
        let request = Request::new(function(), Payload::null());
        check(&Request { result_stream: asked, ..request }, asked);
    }
}
