//! Calls, what becomes of them, and how they reach a consumer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::name::{CallId, ConsumerId, EntryId, Epoch, FunctionId, NodeId};
use crate::time::StoreTime;

/// JSON text: an input or a result. Its content is never shown by `Debug` or `Display`, so that no
/// payload reaches a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(Arc<str>);

/// Why a text is no payload.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("not JSON at line {line}, column {column}: {reason}")]
pub struct NotJson {
    /// Line of the mistake, from 1.
    pub line: usize,
    /// Column of the mistake, from 1.
    pub column: usize,
    /// What is wrong there; it quotes none of the text.
    pub reason: String,
}

impl Payload {
    /// The JSON text `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Takes a text that is one JSON value.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(Self(text.into())),
            Err(error) => Err(NotJson {
                line: error.line(),
                column: error.column(),
                reason: format!("{:?} error", error.classify()).to_lowercase(),
            }),
        }
    }

    /// The value as JSON text.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }

    /// Takes text that the store or a serializer vouches for. Anything else goes through
    /// [`Payload::parse`].
    pub fn trusted(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0.len())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} B)", self.0.len())
    }
}

/// What made an attempt or a call fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The handler returned an error: final.
    Handler,
    /// The handler asked for another attempt.
    Retry,
    /// The attempt took longer than the processing timeout.
    Timeout,
    /// The handler panicked.
    Panic,
    /// The worker died while it ran the attempt.
    LostWorker,
    /// A deferred attempt's lease ended with no completion.
    LeaseEnded,
    /// The message cannot be read as a call.
    Malformed,
    /// An older peer acknowledged the delivery and wrote no outcome.
    AckedWithoutOutcome,
    /// The host that ran the attempt ended it before it was done.
    Interrupted,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handler => "handler",
            Self::Retry => "retry",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::LostWorker => "lost worker",
            Self::LeaseEnded => "lease ended",
            Self::Malformed => "malformed",
            Self::AckedWithoutOutcome => "acked without outcome",
            Self::Interrupted => "interrupted",
        })
    }
}

/// A failure: its kind, and a message for a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// What made it fail.
    pub kind: FailureKind,
    /// What a person should read.
    pub message: Arc<str>,
}

/// The longest failure message that is kept, in bytes; a longer one is cut at a character.
pub const FAILURE_MESSAGE_MAX_BYTES: usize = 8 * 1_024;

impl Failure {
    /// A failure of that kind; a message over [`FAILURE_MESSAGE_MAX_BYTES`] is cut.
    pub fn new(kind: FailureKind, message: impl AsRef<str>) -> Self {
        let message = message.as_ref();
        let end = message.floor_char_boundary(FAILURE_MESSAGE_MAX_BYTES);
        Self { kind, message: message[..end].into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// How a call ended, for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The handler's result. `0`, `false`, `""` and `null` are results like any other.
    Success(Payload),
    /// The handler's error, or an error of the message itself: final.
    Error(Failure),
    /// The deadline passed before the call was decided otherwise.
    Expired,
    /// Somebody cancelled the call before it was decided otherwise.
    Cancelled,
    /// The attempts were exhausted; the failure is the last one's. The dead-letter entry stands.
    DeadLettered(Failure),
}

/// An outcome without its content: what a log line may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutcomeKind {
    /// See [`Outcome::Success`].
    Success,
    /// See [`Outcome::Error`].
    Error,
    /// See [`Outcome::Expired`].
    Expired,
    /// See [`Outcome::Cancelled`].
    Cancelled,
    /// See [`Outcome::DeadLettered`].
    DeadLettered,
}

impl OutcomeKind {
    /// The word on the wire and in JSON: `success`, `dead_lettered`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Outcome {
    /// Which outcome it is.
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Success(_) => OutcomeKind::Success,
            Self::Error(_) => OutcomeKind::Error,
            Self::Expired => OutcomeKind::Expired,
            Self::Cancelled => OutcomeKind::Cancelled,
            Self::DeadLettered(_) => OutcomeKind::DeadLettered,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(result) => write!(f, "success({result})"),
            Self::Error(failure) => write!(f, "error({})", failure.kind),
            Self::DeadLettered(failure) => write!(f, "dead_lettered({})", failure.kind),
            Self::Expired | Self::Cancelled => write!(f, "{}", self.kind()),
        }
    }
}

/// A decided call: the outcome as every awaiter sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Which call.
    pub call: CallId,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts begun, as counted in our own fields.
    pub attempts: u32,
    /// When it was decided.
    pub decided_at: StoreTime,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} after {}", self.call, self.outcome, self.attempts)
    }
}

/// The right to execute a delivery: the pending entry and its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The pending entry.
    pub entry: EntryId,
    /// The consumer that it is delivered to.
    pub consumer: ConsumerId,
    /// That consumer's epoch.
    pub epoch: Epoch,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.entry, self.consumer, self.epoch)
    }
}

/// The right to complete a deferred call, from any process. Its text may be handed on; who has it
/// may complete, fail or touch the call, so treat it as a secret of the call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token {
    /// The function called.
    pub function: FunctionId,
    /// The call.
    pub call: CallId,
    /// Drawn at the defer; a later attempt's deferral has another one.
    pub nonce: Arc<str>,
}

impl fmt::Display for Token {
    /// Names the call; the nonce is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token of {} {}", self.function, self.call)
    }
}

/// A call as it is delivered to a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Delivery {
    /// The pending entry.
    pub entry: EntryId,
    /// The call.
    pub call: CallId,
    /// Its input.
    pub input: Payload,
    /// Which attempt this delivery is for, from 1, as counted in our own fields. After a takeover it is
    /// provisional until [`Op::Begin`](crate::op::Op::Begin) has counted.
    pub attempt: u32,
    /// How often the entry was taken over from a consumer that died.
    pub takeovers: u32,
    /// Time left until the deadline, when the store answered.
    pub remaining: Duration,
    /// W3C trace context, if the caller sent one.
    pub traceparent: Option<Arc<str>>,
    /// An older caller's plain XADD: no open entry stands behind it.
    pub older_peer: bool,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} attempt {}", self.entry, self.call, self.attempt)?;
        if self.takeovers > 0 {
            write!(f, " taken over {}×", self.takeovers)?;
        }
        Ok(())
    }
}

/// One entry as a read returns it: a call, or what could not be read as one (P10).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever reads a delivery handles both")]
pub enum Delivered {
    /// A call.
    Call(Delivery),
    /// An entry that is no call; it becomes a dead letter with the reason.
    Malformed {
        /// The pending entry.
        entry: EntryId,
        /// What is wrong with it; quotes no payload.
        reason: String,
    },
}

impl Delivered {
    /// The pending entry.
    pub const fn entry(&self) -> EntryId {
        match self {
            Self::Call(delivery) => delivery.entry,
            Self::Malformed { entry, .. } => *entry,
        }
    }
}

impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(delivery) => delivery.fmt(f),
            Self::Malformed { entry, reason } => write!(f, "{entry} malformed: {reason}"),
        }
    }
}

/// A dead letter: a call whose attempts were exhausted, or a message that is no call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its entry in the dead-letter stream.
    pub entry: EntryId,
    /// The call, or nothing for a message that names none.
    pub call: Option<CallId>,
    /// The call's input, where it could be read.
    pub input: Option<Payload>,
    /// Why it ended here.
    pub failure: Failure,
    /// Attempts begun.
    pub attempts: u32,
    /// When it was put here.
    pub failed_at: StoreTime,
}

/// Where an open call stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Place {
    /// In the stream, delivered to nobody.
    Queued,
    /// Delivered to this consumer, not settled.
    Pending(ConsumerId),
    /// Waiting for its not-before, or deferred until its lease ends.
    Parked {
        /// Time until then.
        due_in: Duration,
        /// Deferred, rather than waiting for another attempt.
        deferred: bool,
    },
    /// Open, and its entry is gone (the stream was deleted). It will be expired.
    Missing,
}

/// What the store knows of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallState {
    /// Not decided.
    Open {
        /// Where it stands.
        place: Place,
        /// Its present attempt, from 1.
        attempt: u32,
        /// Time left until the deadline.
        remaining: Duration,
    },
    /// Decided, and the outcome is still kept.
    Decided(Record),
    /// Neither open nor kept: never submitted, or decided and forgotten.
    Absent,
}

impl fmt::Display for CallState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { place, attempt, .. } => {
                let place = match place {
                    Place::Queued => "queued".to_owned(),
                    Place::Pending(consumer) => format!("pending at {consumer}"),
                    Place::Parked { deferred: true, .. } => "deferred".to_owned(),
                    Place::Parked { deferred: false, .. } => "parked".to_owned(),
                    Place::Missing => "missing".to_owned(),
                };
                write!(f, "open, {place}, attempt {attempt}")
            }
            Self::Decided(record) => write!(f, "decided: {record}"),
            Self::Absent => f.write_str("absent"),
        }
    }
}

/// The caller's side of a call id: which node awaits the reply.
pub type CallerId = NodeId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_shows_its_size_and_never_its_content() {
        let payload = Payload::parse(r#"{"password":"hunter2"}"#).unwrap();
        assert_eq!(format!("{payload} {payload:?}"), "22 B Payload(22 B)");
        let error = Payload::parse(r#"{"password":hunter2}"#).unwrap_err();
        assert_eq!(error.to_string(), "not JSON at line 1, column 13: syntax error");
    }

    #[test]
    fn falsy_values_are_results_like_any_other() {
        for text in ["0", "false", "\"\"", "null"] {
            assert_eq!(
                Outcome::Success(Payload::parse(text).unwrap()).kind(),
                OutcomeKind::Success
            );
        }
    }

    #[test]
    fn a_failure_message_is_cut_at_a_character() {
        let failure = Failure::new(FailureKind::Handler, "é".repeat(FAILURE_MESSAGE_MAX_BYTES));
        assert_eq!(failure.message.len(), FAILURE_MESSAGE_MAX_BYTES);
        let odd = Failure::new(
            FailureKind::Handler,
            format!("x{}", "é".repeat(FAILURE_MESSAGE_MAX_BYTES)),
        );
        assert_eq!(odd.message.len(), FAILURE_MESSAGE_MAX_BYTES - 1);
    }
}
