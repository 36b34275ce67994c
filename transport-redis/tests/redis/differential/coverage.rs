//! What was seen: each operation with each of its answers.

use std::collections::BTreeMap;

use steadfast_core::call::{CallState, Place};
use steadfast_core::op::{
    Admission, Beginning, Loss, Op, OpResult, PulseAnswer, Reply, Settlement,
};

/// How often each operation was answered how.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<(&'static str, String), u64>);

/// Operations and answers that a run of some hundred sequences must see.
const EXPECTED: &[(&str, &[&str])] = &[
    ("submit", &["accepted", "already open", "already decided", "joined", "full"]),
    ("requeue", &["accepted", "already open", "already decided", "no such letter"]),
    ("inspect", &["queued", "pending", "parked", "decided", "absent"]),
    ("begin", &["begun", "decided", "fenced"]),
    ("complete", &["done", "overruled", "absent"]),
    ("fail", &["done", "overruled", "fenced", "absent"]),
    ("dead-letter", &["done", "overruled", "fenced", "absent"]),
    ("cancel", &["done", "overruled", "absent"]),
    ("expire", &["done", "overruled", "not due", "absent"]),
    ("release", &["done", "overruled", "fenced", "absent"]),
    ("retry", &["done", "overruled", "fenced", "absent"]),
    ("defer", &["done", "overruled", "fenced", "absent"]),
    ("touch", &["done", "overruled", "fenced", "absent"]),
    ("reject", &["done", "fenced", "absent"]),
    ("acknowledge", &["cleared", "nothing to clear", "still open"]),
    ("renew", &["all held", "taken over", "decided"]),
    ("fetch", &["some", "none", "NoGroup"]),
    ("reread", &["some", "none", "NoGroup"]),
    ("register", &["registered"]),
    ("beat", &["alive", "removed"]),
    ("deregister", &["none released", "some released"]),
    ("remove", &["removed", "kept"]),
    ("survey", &["surveyed"]),
    ("sweep", &["nothing", "something", "more"]),
    ("ensure", &["created", "there"]),
    ("keep replies", &["created", "there"]),
    ("describe", &["some", "none"]),
    ("discover", &["some", "none"]),
    ("letters", &["some", "none"]),
    ("ping", &["pong"]),
    ("older add", &["added"]),
];

impl Coverage {
    pub(crate) fn count(&mut self, op: &Op, result: &OpResult) {
        *self.0.entry((name(op), answer(result))).or_default() += 1;
    }

    /// Adds what was seen elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        for (seen, times) in other.0 {
            *self.0.entry(seen).or_default() += times;
        }
    }

    /// What should have been seen and was not.
    pub(crate) fn missing(&self) -> Vec<String> {
        let seen = |op: &str, answer: &str| {
            self.0.keys().any(|(seen, answered)| *seen == op && answered == answer)
        };
        EXPECTED
            .iter()
            .flat_map(|(op, answers)| answers.iter().map(move |answer| (op, answer)))
            .filter(|(op, answer)| !seen(op, answer))
            .map(|(op, answer)| format!("{op}: {answer}"))
            .collect()
    }

    /// The table.
    #[expect(clippy::print_stdout, reason = "a long run speaks to who asked for it")]
    pub(crate) fn print(&self, sequences: u32, divergences: usize) {
        println!("{sequences} sequences, {divergences} divergences");
        println!("{:14} {:18} {:>10}", "operation", "answer", "times");
        for ((op, answer), times) in &self.0 {
            println!("{op:14} {answer:18} {times:>10}");
        }
        println!("never seen: {:?}", self.missing());
    }
}

fn name(op: &Op) -> &'static str {
    let told = op.to_string();
    let mut known = EXPECTED.iter().map(|(name, _)| *name);
    match op {
        Op::DeadLetters { .. } => "letters",
        Op::OlderPeerAdd { .. } => "older add",
        _ => known.rfind(|name| told.starts_with(name)).unwrap_or("unknown"),
    }
}

fn amount(none: bool) -> &'static str {
    if none { "none" } else { "some" }
}

fn answer(result: &OpResult) -> String {
    let reply = match result {
        Err(error) => return format!("{:?}", error.kind),
        Ok(reply) => reply,
    };
    match reply {
        Reply::Submitted(admission) => match admission {
            Admission::Accepted => "accepted",
            Admission::AlreadyOpen => "already open",
            Admission::AlreadyDecided(_) => "already decided",
            Admission::Joined { .. } => "joined",
            Admission::Full { .. } => "full",
            Admission::NoSuchLetter => "no such letter",
        },
        Reply::Inspected(state) => match state {
            CallState::Open { place: Place::Queued, .. } => "queued",
            CallState::Open { place: Place::Pending(_), .. } => "pending",
            CallState::Open { place: Place::Parked { .. }, .. } => "parked",
            CallState::Open { .. } => "missing",
            CallState::Decided(_) => "decided",
            _ => "absent",
        },
        Reply::Began(Beginning::Begun { .. }) => "begun",
        Reply::Began(Beginning::Decided(_)) => "decided",
        Reply::Began(Beginning::Fenced) => "fenced",
        Reply::Settled(settlement) => match settlement {
            Settlement::Done => "done",
            Settlement::Overruled(_) => "overruled",
            Settlement::Fenced => "fenced",
            Settlement::NotDue { .. } => "not due",
            Settlement::Absent => "absent",
        },
        Reply::Acknowledged { cleared: true } => "cleared",
        Reply::Acknowledged { cleared: false } => "nothing to clear",
        Reply::StillOpen => "still open",
        Reply::Renewed { lost } => match lost.first() {
            None => "all held",
            Some((_, Loss::TakenOver)) => "taken over",
            Some((_, Loss::Decided(_))) => "decided",
        },
        Reply::Fetched { deliveries, .. } => amount(deliveries.is_empty()),
        Reply::Registered { .. } => "registered",
        Reply::Beaten(answers) => {
            if answers.contains(&PulseAnswer::Removed) {
                "removed"
            } else {
                "alive"
            }
        }
        Reply::Deregistered { released: 0 } => "none released",
        Reply::Deregistered { .. } => "some released",
        Reply::Removed { .. } => "removed",
        Reply::Kept => "kept",
        Reply::Surveyed(_) => "surveyed",
        Reply::Swept(swept) => {
            let swept = steadfast_core::op::Swept { next_due: None, ..*swept };
            if swept.more {
                "more"
            } else if swept == steadfast_core::op::Swept::default() {
                "nothing"
            } else {
                "something"
            }
        }
        Reply::Ensured { created: true } | Reply::RepliesKept { created: true } => "created",
        Reply::Ensured { created: false } | Reply::RepliesKept { created: false } => "there",
        Reply::RepliesForgotten { existed: true } => "removed",
        Reply::RepliesForgotten { existed: false } => "not there",
        Reply::Described(definition) => amount(definition.is_none()),
        Reply::Discovered { definitions, .. } => amount(definitions.is_empty()),
        Reply::Letters(letters) => amount(letters.is_empty()),
        Reply::Pong { .. } => "pong",
        Reply::Added(_) => "added",
        _ => "unknown",
    }
    .to_owned()
}
