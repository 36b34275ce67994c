//! `steadfast call`: one call of a function that is served somewhere.

use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use steadfast::{
    CallError, CallFailed, CallId, Caller, Config, FunctionId, IdempotencyKey, Outcome, Payload,
    Record,
};
use tokio::time::timeout_at;

use crate::advice::{advice, on_build_error};
use crate::args::CallArguments;
use crate::console::complain;
use crate::exit::Exit;
use crate::store::{CONNECT_PATIENCE, Store};
use crate::table::print;

/// How much longer than the call's deadline its outcome is waited for: the store decides that it expired.
const MARGIN: Duration = Duration::from_millis(800);

/// How much longer than the call's deadline the command may take, whatever the store does.
const LAST: Duration = Duration::from_secs(1);

/// The wait before a call is submitted again that was not accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// A call to be made, checked as far as it can be without a store.
#[derive(Clone, Debug)]
struct Order {
    function: FunctionId,
    input: Payload,
    id: Option<CallId>,
    idempotency_key: Option<IdempotencyKey>,
    fail_fast: bool,
    result_stream: bool,
    timeout: Duration,
}

/// How the command ends, with a sentence for a person where there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failed {
    exit: Exit,
    message: String,
}

impl Failed {
    fn new(exit: Exit, message: &(impl ToString + ?Sized)) -> Self {
        Self { exit, message: message.to_string() }
    }
}

/// Makes the call, prints its result, and ends.
pub(crate) async fn call(arguments: &CallArguments) -> anyhow::Result<Exit> {
    let result = async {
        let order = order(arguments)?;
        let store = Store::named(&arguments.redis).map_err(|it| Failed::new(Exit::Usage, &it))?;
        through(&store, order).await
    };
    match result.await {
        Ok(result) => {
            print(&format!("{}\n", result.as_str())).context("cannot print the result")?;
            Ok(Exit::Success)
        }
        Err(failed) => {
            complain(&failed.message);
            Ok(failed.exit)
        }
    }
}

fn order(arguments: &CallArguments) -> Result<Order, Failed> {
    let usage = |error: &dyn std::fmt::Display| Failed::new(Exit::Usage, error);
    let text = match arguments.input.as_str() {
        "-" => standard_input().map_err(|error| usage(&error))?,
        text => text.to_owned(),
    };
    let input = Payload::parse(text.trim())
        .map_err(|error| usage(&format!("the input is {error}; see steadfast call --help")))?;
    let id = arguments.id.as_ref().map(CallId::new).transpose();
    let key = arguments.idempotency_key.as_ref().map(IdempotencyKey::new).transpose();
    Ok(Order {
        function: FunctionId::new(&arguments.name, &arguments.scope)
            .map_err(|error| usage(&error))?,
        input,
        id: id.map_err(|error| usage(&error))?,
        idempotency_key: key.map_err(|error| usage(&error))?,
        fail_fast: arguments.fail_fast,
        result_stream: arguments.result_stream,
        timeout: arguments.timeout,
    })
}

/// Standard input, but no more of it than tells that it is too large.
fn standard_input() -> Result<String, String> {
    let most = Config::default().payload_max_bytes;
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(most as u64 + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read the input from standard input: {error}"))?;
    if bytes.len() > most {
        return Err(format!(
            "the input is over the limit of {most} bytes; pass a reference instead"
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to() + 1;
        format!("the input is not UTF-8 at byte {byte}")
    })
}

async fn through(store: &Store, order: Order) -> Result<Payload, Failed> {
    let begun = Instant::now();
    let end = begun + order.timeout + LAST;
    let patience = order.timeout.min(CONNECT_PATIENCE);
    let host = store.host(patience).await;
    let host =
        host.map_err(|error| Failed::new(Exit::Unavailable, &on_build_error(&error, store)))?;
    let mut refused = CallFailed::Refused(CallError::NoAnswer);
    let made = timeout_at(end.into(), make(&host.caller(), order, begun, &mut refused)).await;
    // The call stands at the store; what the node holds ends with the process in any case.
    let _ = timeout_at(end.into(), host.shutdown(Duration::ZERO)).await;
    let mut made = made.unwrap_or_else(|_elapsed| Err(not_decided(&refused)));
    if let (Err(failed), Some(too_few)) = (&mut made, store.too_few_replicas()) {
        failed.message = format!("{}; {too_few}", failed.message);
    }
    made
}

/// Makes the call, again where it is not known to be accepted, until it is decided or its time is over.
/// What it was refused with last stands in `refused`.
async fn make(
    caller: &Caller,
    mut order: Order,
    begun: Instant,
    refused: &mut CallFailed,
) -> Result<Payload, Failed> {
    loop {
        let left = order.timeout.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        let answer = submit(caller, &order, left).await;
        *refused = match answer {
            Ok(record) => return decided(record),
            Err(error) => error,
        };
        let may_help = match &*refused {
            CallFailed::Refused(CallError::Unconfirmed { call }) => {
                order.id = Some(call.clone());
                true
            }
            CallFailed::Refused(error) => matches!(
                error,
                CallError::Busy { .. }
                    | CallError::FunctionFull { .. }
                    | CallError::Unavailable { .. }
                    | CallError::NotSubmitted
            ),
            _ => false,
        };
        if !may_help || begun.elapsed() + PAUSE >= order.timeout {
            return Err(not_decided(refused));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn submit(caller: &Caller, order: &Order, left: Duration) -> Result<Record, CallFailed> {
    let function = &order.function;
    let mut request = caller
        .request(function.name(), function.scope())
        .payload(order.input.clone())
        .deadline(left)
        .timeout(left + MARGIN);
    if let Some(id) = &order.id {
        request = request.call_id(id.clone());
    }
    if let Some(key) = &order.idempotency_key {
        request = request.idempotency_key(key.as_str());
    }
    if order.fail_fast {
        request = request.fail_fast();
    }
    if order.result_stream {
        request = request.result_stream();
    }
    request.record().await
}

/// The result of a decided call, or how it was decided otherwise.
fn decided(record: Record) -> Result<Payload, Failed> {
    let (call, attempts) = (record.call.clone(), record.attempts);
    let (exit, error) = match record.outcome {
        Outcome::Success(result) => return Ok(result),
        Outcome::Error(failure) => (Exit::Failure, CallFailed::Failed { call, failure, attempts }),
        Outcome::DeadLettered(failure) => {
            (Exit::Failure, CallFailed::DeadLettered { call, failure, attempts })
        }
        Outcome::Cancelled => (Exit::Failure, CallFailed::Cancelled { call }),
        Outcome::Expired => (Exit::TimedOut, CallFailed::Expired { call, attempts }),
        _ => (Exit::Failure, CallFailed::Other(record)),
    };
    Err(Failed::new(exit, &error))
}

/// How the command ends without an outcome.
fn not_decided(error: &CallFailed) -> Failed {
    let exit = match error {
        CallFailed::Name(_) | CallFailed::Input(_) => Exit::Usage,
        CallFailed::Refused(error) => match error {
            CallError::InvalidInput { .. } | CallError::TooLarge { .. } => Exit::Usage,
            CallError::StillOpen { .. } => Exit::TimedOut,
            CallError::OutcomeForgotten { .. } => Exit::Failure,
            _ => Exit::Unavailable,
        },
        _ => Exit::Unavailable,
    };
    let mut failed = Failed::new(exit, error);
    if let CallFailed::Refused(CallError::Refused(refused)) = error {
        failed.message = format!("{}; {}", failed.message, advice(refused.kind));
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast::{Failure, FailureKind, MissingReason};
    use steadfast_core::time::StoreTime;
    use steadfast_core::transport::{ErrorKind, TransportError};

    fn id() -> CallId {
        CallId::new("c").unwrap()
    }

    fn check_outcome(outcome: Outcome, expect: Result<&str, Exit>) {
        let decided_at = StoreTime::default();
        let record = Record { call: id(), outcome, attempts: 1, decided_at };
        let got = decided(record).map(|result| result.as_str().to_owned());
        assert_eq!(got.map_err(|failed| failed.exit), expect.map(str::to_owned));
    }

    #[test]
    fn each_outcome_has_its_exit_code() {
        let failure = || Failure::new(FailureKind::Handler, "no");
        for result in ["0", "false", "\"\"", "null", "{\"a\": 1.0}"] {
            check_outcome(Outcome::Success(Payload::parse(result).unwrap()), Ok(result));
        }
        check_outcome(Outcome::Error(failure()), Err(Exit::Failure));
        check_outcome(Outcome::DeadLettered(failure()), Err(Exit::Failure));
        check_outcome(Outcome::Cancelled, Err(Exit::Failure));
        check_outcome(Outcome::Expired, Err(Exit::TimedOut));
    }

    fn check_refused(error: CallError, expect: Exit) {
        let message = error.to_string();
        let failed = not_decided(&CallFailed::Refused(error));
        assert_eq!(failed.exit, expect, "{message}");
        assert!(failed.message.starts_with(&message), "{}", failed.message);
    }

    #[test]
    fn each_refusal_has_its_exit_code() {
        let function = || FunctionId::new("f", "s").unwrap();
        let no_consumer =
            CallError::NoConsumer { function: function(), reason: MissingReason::NoStream };
        let denied = TransportError::not_applied(ErrorKind::Denied, "submit");
        check_refused(
            CallError::InvalidInput { function: function(), problems: Vec::new() },
            Exit::Usage,
        );
        check_refused(CallError::TooLarge { bytes: 2, limit: 1 }, Exit::Usage);
        check_refused(CallError::StillOpen { call: id() }, Exit::TimedOut);
        check_refused(CallError::OutcomeForgotten { call: id() }, Exit::Failure);
        check_refused(no_consumer, Exit::Unavailable);
        check_refused(CallError::Unconfirmed { call: id() }, Exit::Unavailable);
        check_refused(CallError::Busy { queued: 1, input: None }, Exit::Unavailable);
        check_refused(CallError::FunctionFull { function: function(), open: 1 }, Exit::Unavailable);
        check_refused(CallError::NotSubmitted, Exit::Unavailable);
        check_refused(CallError::NoAnswer, Exit::Unavailable);
        check_refused(CallError::Refused(denied), Exit::Unavailable);
    }
}
