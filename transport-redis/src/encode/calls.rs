//! Submits and decisions: one alone, or one among several of a call.

use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind};
use steadfast_core::name::CallId;
use steadfast_core::op::{Authority, Op, Submission, Verdict};
use steadfast_core::wire::begin_success;

use super::{Part, micros};
use crate::command::Command;
use crate::layout::Layout;
use crate::script::Script;

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
            cmd.arg(&part.group).arg(&part.replies).arg(*attempts).arg(call.as_str());
            cmd.arg(*entry).arg(begin_success(call, result));
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
    cmd.arg(&part.group).arg(function.name()).arg(until_ms).arg(reply_to.as_str());
    cmd.arg(*open_max).arg(call.as_str()).arg(input.as_str());
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
