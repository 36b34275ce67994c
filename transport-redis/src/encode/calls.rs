//! Submits and decisions: one alone, or one among several of a call.

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind};
use steadfast_core::name::CallId;
use steadfast_core::op::{Authority, Op, Submission, Verdict};
use steadfast_core::wire::begin_success;

use super::{Part, micros};
use crate::command::Command;
use crate::layout::Layout;
use crate::script::Script;

/// The most that a script looks at together: Lua's stack bounds the arguments of one command.
const TOGETHER_MAX: usize = 1_000;

/// What `lua/submit_one.lua` takes where it is not told: milliseconds from the begin of the present one until the
/// deadline, and the most open calls. These are core's defaults.
const USUAL: (u64, u32) = (300_001, 100_000);

/// The command for a batch of one ordinary call, if it is that: a script of its own takes such, or declines
/// (`lua/submit_one.lua`, `lua/complete_one.lua`).
pub(crate) fn lone(layout: &Layout, ops: &[Op]) -> Option<Part> {
    let (script, cmd) = match ops {
        [Op::Submit(submission)] => (Script::SubmitOne, submit_one(layout, submission)?),
        [Op::Decide { function, call, verdict, attempts }] => {
            let Verdict::Complete { result, entry: Some(entry) } = verdict else {
                return None;
            };
            let part = layout.of(function);
            let mut cmd = Script::CompleteOne.call_on(4);
            cmd.arg(&part.calls).arg(&part.open).arg(&part.active).arg(part.result(call));
            cmd.arg(&part.group).arg(&part.replies).arg(call.as_str()).arg(*entry);
            cmd.arg(begin_success(call, result));
            if *attempts != 1 {
                cmd.arg(*attempts);
            }
            (Script::CompleteOne, cmd)
        }
        _ => return None,
    };
    Some(Part { script: Some(script), cmd, covers: vec![0], shared: true })
}

fn submit_one(layout: &Layout, submission: &Submission) -> Option<Command> {
    let Submission {
        function,
        call,
        input,
        deadline,
        delay: Duration::ZERO,
        idempotency_key: None,
        reply_to: Some(reply_to),
        traceparent: None,
        result_stream: false,
        open_max: open_max @ 1..,
    } = submission
    else {
        return None;
    };
    let until_ms = millis_until(*deadline)?;
    let part = layout.of(function);
    let mut cmd = Script::SubmitOne.call_on(4);
    cmd.arg(&part.calls).arg(&part.open).arg(&part.parked).arg(part.result(call));
    cmd.arg(&part.group).arg(function.name()).arg(reply_to.as_str());
    cmd.arg(call.as_str()).arg(input.as_str());
    if (until_ms, *open_max) != USUAL {
        cmd.arg(until_ms).arg(*open_max);
    }
    Some(cmd)
}

/// Milliseconds from the begin of the present one to a deadline so long from now, rounded up; nothing where it
/// is no whole number of them from now, as the script for all counts microseconds.
fn millis_until(deadline: Duration) -> Option<u64> {
    let until_us = micros(deadline);
    until_us.is_multiple_of(1_000).then(|| until_us / 1_000 + 1)
}

/// The arguments of one submit among several; it is made as the one `before` it, or says how.
pub(super) fn submit(cmd: &mut Command, submission: &Submission, before: Option<&Op>) {
    if !matches!(before, Some(Op::Submit(before)) if is_made_alike(before, submission)) {
        cmd.arg("").arg(micros(submission.deadline));
        // Together, so that the script knows by one word what is not ordinary.
        match (micros(submission.delay), submission.result_stream) {
            (delay, false) => cmd.arg(delay),
            (delay, true) => cmd.arg(format!("{delay}s")),
        };
        cmd.arg(submission.idempotency_key.as_ref().map_or("", |key| key.as_str()))
            .arg(submission.reply_to.as_ref().map_or("", |caller| caller.as_str()))
            .arg(submission.traceparent.as_deref().unwrap_or_default())
            .arg(submission.open_max);
    }
    cmd.arg(submission.call.as_str()).arg(submission.input.as_str());
}

/// How many of a script's operations lead that it may look at together: ordinary ones
/// (`lua/part/ordinary_submits.lua`, `lua/part/ordinary_successes.lua`), each of another call.
pub(super) fn leading<'o>(ops: impl Iterator<Item = &'o Op>) -> usize {
    let mut calls = BTreeSet::new();
    ops.map_while(ordinary).take_while(|call| calls.insert(*call)).take(TOGETHER_MAX).count()
}

/// The call of an operation that is ordinary by what it says itself.
fn ordinary(op: &Op) -> Option<&CallId> {
    match op {
        Op::Submit(submission) => {
            let is_ordinary = micros(submission.delay) == 0
                && submission.idempotency_key.is_none()
                && !submission.result_stream;
            is_ordinary.then_some(&submission.call)
        }
        Op::Decide { call, verdict: Verdict::Complete { entry: Some(_), .. }, .. } => Some(call),
        _ => None,
    }
}

/// Nothing but the call and its input differs.
fn is_made_alike(one: &Submission, other: &Submission) -> bool {
    let Submission {
        function: _,
        call: _,
        input: _,
        deadline,
        delay,
        idempotency_key,
        reply_to,
        traceparent,
        result_stream,
        open_max,
    } = one;
    deadline == &other.deadline
        && delay == &other.delay
        && idempotency_key == &other.idempotency_key
        && reply_to == &other.reply_to
        && traceparent == &other.traceparent
        && result_stream == &other.result_stream
        && open_max == &other.open_max
}

/// The arguments of one decision among several.
pub(super) fn decide(cmd: &mut Command, call: &CallId, verdict: &Verdict, attempts: u32) {
    match verdict {
        Verdict::Complete { .. } => cmd.arg(attempts),
        Verdict::Fail { .. } => cmd.arg("E"),
        Verdict::DeadLetter { .. } => cmd.arg("D"),
        Verdict::Cancel => cmd.arg("C"),
        Verdict::Expire => cmd.arg("X"),
    };
    cmd.arg(call.as_str());
    match verdict {
        Verdict::Complete { result, entry } => {
            match entry {
                Some(entry) => cmd.arg(*entry),
                None => cmd.arg(""),
            };
            cmd.arg(begin_success(call, result));
        }
        Verdict::Fail { failure, by } | Verdict::DeadLetter { failure, by } => {
            decide_failed(cmd, failure, by, attempts);
        }
        Verdict::Cancel | Verdict::Expire => {
            cmd.arg("").arg(attempts).arg("-").arg("").arg("").arg("").arg("");
        }
    }
}

fn decide_failed(cmd: &mut Command, failure: &Failure, by: &Authority, attempts: u32) {
    match by {
        Authority::Lease(lease) => {
            cmd.arg(lease.entry).arg(attempts);
            cmd.arg("L").arg(lease.consumer.as_str()).arg(lease.epoch.0);
        }
        Authority::Token(nonce) => {
            cmd.arg("").arg(attempts).arg("T").arg(nonce.as_ref()).arg("");
        }
    }
    cmd.arg(failure_word(failure.kind)).arg(failure.message.as_ref());
}

/// The kind of a failure as records name it.
fn failure_word(kind: FailureKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(word)) => word,
        _ => unreachable!("a kind without content is a word"),
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::call::Payload;
    use steadfast_core::config::Config;
    use steadfast_core::name::{EntryId, FunctionId};

    use super::*;

    fn submission(call: &str) -> Submission {
        Submission {
            function: FunctionId::new("greet", "global").expect("a good name"),
            call: CallId::new(call).expect("a good id"),
            input: Payload::parse("7").expect("JSON"),
            deadline: Duration::from_secs(60),
            delay: Duration::ZERO,
            idempotency_key: None,
            reply_to: None,
            traceparent: None,
            result_stream: false,
            open_max: 9,
        }
    }

    fn decision(call: &str, verdict: Verdict) -> Op {
        let Submission { function, call, .. } = submission(call);
        Op::Decide { function, call, verdict, attempts: 1 }
    }

    fn complete(call: &str, entry: Option<EntryId>) -> Op {
        let result = Payload::parse("7").expect("JSON");
        decision(call, Verdict::Complete { result, entry })
    }

    #[track_caller]
    fn check(ops: &[Op], expect: usize) {
        assert_eq!(leading(ops.iter()), expect, "{ops:?}");
    }

    #[test]
    fn what_is_usual_is_what_core_and_the_script_take() {
        let Config { deadline, open_calls_max, .. } = Config::default();
        assert_eq!((millis_until(deadline), open_calls_max), (Some(USUAL.0), USUAL.1));
        let line = format!("ARGV[6] or '{}', ARGV[7] or '{}'\n", USUAL.0, USUAL.1);
        assert!(Script::SubmitOne.source().contains(&line));
    }

    #[test]
    fn submits_lead_up_to_the_first_that_is_not_ordinary_or_stands_again() {
        let submit = |call| Op::Submit(submission(call));
        check(&[submit("a"), submit("b"), submit("a"), submit("c")], 2);
        let delayed = Submission { delay: Duration::from_secs(1), ..submission("b") };
        check(&[submit("a"), Op::Submit(delayed), submit("c")], 1);
        let streamed = Submission { result_stream: true, ..submission("a") };
        check(&[Op::Submit(streamed), submit("b")], 0);
        let many: Vec<Op> =
            (0..1_500).map(|it| Op::Submit(submission(&format!("c{it}")))).collect();
        check(&many, TOGETHER_MAX);
    }

    #[test]
    fn successes_lead_up_to_the_first_without_an_entry_at_hand_or_another_verdict() {
        let at_hand = |call| complete(call, Some(EntryId::ZERO));
        check(&[at_hand("a"), at_hand("b"), at_hand("b")], 2);
        check(&[at_hand("a"), complete("b", None), at_hand("c")], 1);
        check(&[decision("a", Verdict::Cancel), at_hand("b")], 0);
    }
}
