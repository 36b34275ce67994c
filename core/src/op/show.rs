//! Operations and replies as lines of a trace: names, counts and sizes, never payloads.

use std::fmt;

use super::{
    Admission, Beginning, Destination, Op, PulseAnswer, Reply, Settlement, Unread, Verdict,
};

impl fmt::Display for Op {
    /// One line for a trace: names and sizes, never payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(s) => write!(f, "submit {} {} ({})", s.function, s.call, s.input),
            Self::Inspect { function, call } => write!(f, "inspect {function} {call}"),
            Self::Begin { call, lease, .. } => write!(f, "begin {call} {lease}"),
            Self::Decide { call, verdict, .. } => match verdict {
                Verdict::Complete { result, .. } => write!(f, "complete {call} ({result})"),
                Verdict::Fail { failure, .. } => write!(f, "fail {call} ({})", failure.kind),
                Verdict::DeadLetter { failure, .. } => {
                    write!(f, "dead-letter {call} ({})", failure.kind)
                }
                Verdict::Cancel => write!(f, "cancel {call}"),
                Verdict::Expire => write!(f, "expire {call}"),
            },
            Self::Move { call, lease, to, .. } => match to {
                Destination::Release => write!(f, "release {call} {lease}"),
                Destination::Retry { delay } => write!(f, "retry {call} {lease} after {delay:?}"),
                Destination::Defer { lease: hold, .. } => {
                    write!(f, "defer {call} {lease} for {hold:?}")
                }
            },
            Self::Reject { lease, reason, .. } => write!(f, "reject {lease}: {reason}"),
            Self::Touch { token, lease } => write!(f, "touch {} for {lease:?}", token.call),
            Self::Acknowledge { function, call } => write!(f, "acknowledge {function} {call}"),
            Self::Renew { consumer, entries, .. } => {
                write!(f, "renew {consumer} {} entries", entries.len())
            }
            Self::Fetch { consumer, count, .. } => write!(f, "fetch {consumer} up to {count}"),
            Self::Reread { consumer, entries, .. } => {
                write!(f, "reread {consumer} {} entries", entries.len())
            }
            Self::Register { consumer, .. } => write!(f, "register {consumer}"),
            Self::Beat { node, pulses, .. } => write!(f, "beat {node} {} consumers", pulses.len()),
            Self::Deregister { consumer, epoch, .. } => write!(f, "deregister {consumer} {epoch}"),
            Self::Remove { consumer, epoch, .. } => write!(f, "remove {consumer} {epoch}"),
            Self::Survey { functions } => write!(f, "survey {} functions", functions.len()),
            Self::Sweep { function, .. } => write!(f, "sweep {function}"),
            Self::Ensure { function } => write!(f, "ensure {function}"),
            Self::KeepReplies { caller, after } => write!(f, "keep replies {caller} after {after}"),
            Self::ForgetReplies { caller } => write!(f, "forget replies {caller}"),
            Self::Ping => f.write_str("ping"),
            Self::Describe { function } => write!(f, "describe {function}"),
            Self::Discover { scope } => {
                write!(f, "discover {}", scope.as_deref().unwrap_or("every scope"))
            }
            Self::DeadLetters { function, .. } => write!(f, "dead letters {function}"),
            Self::Requeue { letter, call, .. } => write!(f, "requeue {letter} as {call}"),
            Self::OlderPeerAdd { function, fields } => {
                write!(f, "older peer's add {function} {} fields", fields.len())
            }
        }
    }
}

impl fmt::Display for Reply {
    /// One line for a trace: counts and kinds, never payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitted(admission) => match admission {
                Admission::Accepted => f.write_str("accepted"),
                Admission::AlreadyOpen => f.write_str("already open"),
                Admission::AlreadyDecided(record) => write!(f, "already decided: {record}"),
                Admission::Joined { call, .. } => write!(f, "joined to {call}"),
                Admission::Full { open } => write!(f, "full: {open} open"),
                Admission::NoSuchLetter => f.write_str("no such letter"),
            },
            Self::Inspected(state) => state.fmt(f),
            Self::Began(beginning) => match beginning {
                Beginning::Begun { attempt, .. } => write!(f, "begun, attempt {attempt}"),
                Beginning::Decided(kind) => write!(f, "not begun: {kind}"),
                Beginning::Fenced => f.write_str("not begun: fenced"),
            },
            Self::Settled(settlement) => match settlement {
                Settlement::Done => f.write_str("done"),
                Settlement::Overruled(kind) => write!(f, "overruled: {kind}"),
                Settlement::Fenced => f.write_str("fenced"),
                Settlement::NotDue { remaining } => write!(f, "not due for {remaining:?}"),
                Settlement::Absent => f.write_str("absent"),
            },
            Self::Acknowledged { cleared } => write!(f, "acknowledged, cleared: {cleared}"),
            Self::StillOpen => f.write_str("still open"),
            Self::Renewed { lost } => write!(f, "renewed, {} lost", lost.len()),
            Self::Fetched { deliveries, last } => {
                write!(f, "fetched {} (last {last})", deliveries.len())
            }
            Self::Registered { epoch } => write!(f, "registered {epoch}"),
            Self::Beaten(answers) => {
                let removed = answers.iter().filter(|a| **a == PulseAnswer::Removed).count();
                write!(f, "beaten, {removed} removed")?;
                let refused =
                    answers.iter().filter(|a| matches!(a, PulseAnswer::Refused(_))).count();
                if refused > 0 { write!(f, ", {refused} refused") } else { Ok(()) }
            }
            Self::Deregistered { released } => write!(f, "deregistered, {released} released"),
            Self::Removed { taken_over } => write!(f, "removed, {taken_over} taken over"),
            Self::Kept => f.write_str("kept"),
            Self::Surveyed(survey) => {
                write!(f, "surveyed {} functions", survey.functions.len())?;
                but_for(f, &survey.unread)
            }
            Self::Swept(swept) => write!(
                f,
                "swept: {} promoted, {} expired, {} robbed",
                swept.promoted, swept.expired, swept.robbed
            ),
            Self::Ensured { created } => write!(f, "ensured, created: {created}"),
            Self::RepliesKept { created } => write!(f, "replies kept, created: {created}"),
            Self::RepliesForgotten { existed } => {
                write!(f, "replies forgotten, existed: {existed}")
            }
            Self::Pong { run_id, .. } => write!(f, "pong {run_id}"),
            Self::Described(definition) => write!(f, "described: {}", definition.is_some()),
            Self::Discovered { definitions, unread } => {
                write!(f, "discovered {}", definitions.len())?;
                but_for(f, unread)
            }
            Self::Letters(letters) => write!(f, "{} letters", letters.len()),
            Self::Added(entry) => write!(f, "added {entry}"),
        }
    }
}

/// What is missing from a list, if anything is.
fn but_for(f: &mut fmt::Formatter<'_>, unread: &[Unread]) -> fmt::Result {
    if unread.is_empty() { Ok(()) } else { write!(f, ", {} unread", unread.len()) }
}
