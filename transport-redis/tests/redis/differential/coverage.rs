//! What was seen: each operation with each of its answers.

use std::collections::BTreeMap;

use steadfast_core::call::{CallState, OutcomeKind, Place};
use steadfast_core::op::{
    Admission, Beginning, Destination, Loss, Op, OpResult, PulseAnswer, Reply, Settlement, Verdict,
};

/// How often each operation was answered how.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    seen: BTreeMap<(What, String), u64>,
    /// How often the reference had to go through a course anew at other instants.
    replays: u64,
}

/// Declares the table: what is done, its name, and the answers that a run of some thousand sequences must see.
macro_rules! expected {
    ($($what:ident $name:literal: [$($answer:literal),*];)*) => {
        /// What is done: operations, and apart the verdicts and destinations of those that have some; and
        /// what is found in the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        enum What { $($what),* }

        const EXPECTED: &[(What, &str, &[&str])] = &[$((What::$what, $name, &[$($answer),*])),*];
    };
}

expected! {
    Submit "submit": ["accepted", "already open", "already decided", "joined", "full", "OutOfMemory"];
    Requeue "requeue": ["accepted", "already open", "already decided", "no such letter"];
    Inspect "inspect": ["queued", "pending", "parked", "missing", "decided", "absent"];
    Begin "begin": ["begun", "decided", "fenced"];
    Complete "complete": ["done", "overruled", "absent"];
    Fail "fail": ["done", "overruled", "fenced", "absent"];
    DeadLetter "dead-letter": ["done", "overruled", "fenced", "absent"];
    Cancel "cancel": ["done", "overruled", "absent"];
    Expire "expire": ["done", "overruled", "not due", "absent"];
    Release "release": ["done", "overruled", "fenced", "absent"];
    Retry "retry": ["done", "overruled", "fenced", "absent"];
    Defer "defer": ["done", "overruled", "fenced", "absent"];
    Touch "touch": ["done", "overruled", "fenced", "absent"];
    Reject "reject": ["done", "overruled", "fenced", "absent"];
    Acknowledge "acknowledge": ["cleared", "nothing to clear", "still open"];
    Renew "renew": ["all held", "taken over", "decided"];
    Fetch "fetch": ["some", "none", "NoGroup"];
    Reread "reread": ["some", "none", "NoGroup"];
    Register "register": ["registered"];
    Beat "beat": ["alive", "removed"];
    Deregister "deregister": ["none released", "some released"];
    Remove "remove": ["removed", "kept"];
    Survey "survey": ["surveyed"];
    Sweep "sweep": ["nothing", "something", "more"];
    Ensure "ensure": ["created", "there"];
    KeepReplies "keep replies": ["created", "there"];
    ForgetReplies "forget replies": ["forgotten", "not there"];
    Describe "describe": ["some", "none"];
    Discover "discover": ["some", "none"];
    Letters "letters": ["some", "none"];
    Ping "ping": ["pong"];
    OlderAdd "older add": ["added"];
    ResultStream "result stream":
        ["none", "success", "error", "expired", "cancelled", "dead-lettered"];
}

/// Which row of the table an operation belongs to. No wildcard: a new one has to be given a row.
fn what(op: &Op) -> What {
    match op {
        Op::Submit(_) => What::Submit,
        Op::Requeue { .. } => What::Requeue,
        Op::Inspect { .. } => What::Inspect,
        Op::Begin { .. } => What::Begin,
        Op::Decide { verdict, .. } => match verdict {
            Verdict::Complete { .. } => What::Complete,
            Verdict::Fail { .. } => What::Fail,
            Verdict::DeadLetter { .. } => What::DeadLetter,
            Verdict::Cancel => What::Cancel,
            Verdict::Expire => What::Expire,
        },
        Op::Move { to, .. } => match to {
            Destination::Release => What::Release,
            Destination::Retry { .. } => What::Retry,
            Destination::Defer { .. } => What::Defer,
        },
        Op::Touch { .. } => What::Touch,
        Op::Reject { .. } => What::Reject,
        Op::Acknowledge { .. } => What::Acknowledge,
        Op::Renew { .. } => What::Renew,
        Op::Fetch { .. } => What::Fetch,
        Op::Reread { .. } => What::Reread,
        Op::Register { .. } => What::Register,
        Op::Beat { .. } => What::Beat,
        Op::Deregister { .. } => What::Deregister,
        Op::Remove { .. } => What::Remove,
        Op::Survey { .. } => What::Survey,
        Op::Sweep { .. } => What::Sweep,
        Op::Ensure { .. } => What::Ensure,
        Op::KeepReplies { .. } => What::KeepReplies,
        Op::ForgetReplies { .. } => What::ForgetReplies,
        Op::Describe { .. } => What::Describe,
        Op::Discover { .. } => What::Discover,
        Op::DeadLetters { .. } => What::Letters,
        Op::Ping => What::Ping,
        Op::OlderPeerAdd { .. } => What::OlderAdd,
    }
}

impl Coverage {
    pub(crate) fn count(&mut self, op: &Op, result: &OpResult) {
        *self.seen.entry((what(op), answer(result))).or_default() += 1;
    }

    /// Counts what stood in a decided call's result stream in the end.
    pub(crate) fn count_stream(&mut self, kind: Option<OutcomeKind>) {
        let found = match kind {
            None => "none",
            Some(OutcomeKind::Success) => "success",
            Some(OutcomeKind::Error) => "error",
            Some(OutcomeKind::Expired) => "expired",
            Some(OutcomeKind::Cancelled) => "cancelled",
            Some(OutcomeKind::DeadLettered) => "dead-lettered",
            Some(_) => "unknown",
        };
        *self.seen.entry((What::ResultStream, found.to_owned())).or_default() += 1;
    }

    /// Counts a course that agreed at other instants than at the likeliest ones.
    pub(crate) fn count_replay(&mut self) {
        self.replays += 1;
    }

    /// Adds what was seen elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.replays += other.replays;
        for (seen, times) in other.seen {
            *self.seen.entry(seen).or_default() += times;
        }
    }

    /// What should have been seen and was not.
    pub(crate) fn missing(&self) -> Vec<String> {
        EXPECTED
            .iter()
            .flat_map(|(what, name, answers)| answers.iter().map(move |it| (*what, name, *it)))
            .filter(|(what, _, answer)| !self.seen.contains_key(&(*what, (*answer).to_owned())))
            .map(|(_, name, answer)| format!("{name}: {answer}"))
            .collect()
    }

    /// What was seen and does not stand in the table: an answer that nothing demands.
    pub(crate) fn undemanded(&self) -> Vec<String> {
        let demanded = |what: What, answer: &str| {
            EXPECTED.iter().any(|(row, _, answers)| *row == what && answers.contains(&answer))
        };
        self.seen
            .keys()
            .filter(|(what, answer)| !demanded(*what, answer))
            .map(|(what, answer)| format!("{}: {answer}", name(*what)))
            .collect()
    }

    /// The table.
    #[expect(clippy::print_stdout, reason = "a long run speaks to who asked for it")]
    pub(crate) fn print(&self, sequences: u32, divergences: usize) {
        println!("{sequences} sequences, {divergences} divergences");
        println!("{} of them agreed only once gone through anew at other instants", self.replays);
        println!("{:14} {:18} {:>10}", "operation", "answer", "times");
        for ((what, answer), times) in &self.seen {
            println!("{:14} {answer:18} {times:>10}", name(*what));
        }
        println!("never seen: {:?}", self.missing());
        println!("seen and not demanded: {:?}", self.undemanded());
    }
}

fn name(what: What) -> &'static str {
    let row = EXPECTED.iter().find(|(row, _, _)| *row == what);
    row.expect("the same macro makes both").1
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
        Reply::RepliesForgotten { existed: true } => "forgotten",
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
