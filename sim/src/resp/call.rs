//! Scripts' calls as operations: keys and arguments as `transport-redis/lua/` documents them.

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast_core::call::{Failure, FailureKind, Lease, Payload, Token};
use steadfast_core::definition::Definition;
use steadfast_core::name::{CallId, EntryId, FunctionId, SessionId};
use steadfast_core::op::{Authority, ConsumerStatus, Destination, Op, Pulse, Submission, Verdict};
use steadfast_core::time::StoreTime;
use steadfast_core::wire::read_success_begin;

use super::names;
use super::words::{Nonsense, Read, Words};

/// The keys that every script of one function takes first, and its first arguments.
const FUNCTION_KEYS: usize = 8;
const FUNCTION_ARGUMENTS: usize = 5;

/// The operations that a script's call asks for, in order. Only `submit` and `decide` carry several.
pub(crate) fn operations(script: &str, keys: Words<'_>, arguments: Words<'_>) -> Read<Vec<Op>> {
    let one = |op: Read<Op>| op.map(|op| vec![op]);
    match script {
        "beat" => one(beat(keys, arguments)),
        "survey" => one(survey(keys)),
        "keep_replies" => one(keep_replies(keys, arguments)),
        "discover" => one(discover(arguments)),
        "submit_one" | "complete_one" => of_one_call(script, keys, arguments),
        _ => of_function(script, keys, arguments),
    }
}

fn of_one_call(script: &str, mut keys: Words<'_>, mut words: Words<'_>) -> Read<Vec<Op>> {
    let function = names::of_calls(keys.text()?)?;
    // The group; the function's name or the prefix of reply streams.
    words.skip(2)?;
    let words = &mut words;
    let op = if script == "submit_one" {
        let (reply_to, call, input) = (Some(words.parse()?), words.parse()?, input(words)?);
        let (until, open_max) = if words.is_empty() {
            (Duration::from_millis(300_001), 100_000)
        } else {
            (words.millis()?, words.parse()?)
        };
        Op::Submit(Submission {
            function,
            // What is told leads from the begin of a millisecond to the end of one.
            deadline: until.saturating_sub(Duration::from_millis(1)),
            delay: Duration::ZERO,
            idempotency_key: None,
            reply_to,
            traceparent: None,
            result_stream: false,
            open_max,
            call,
            input,
        })
    } else {
        let call = words.parse()?;
        let (entry, result) = (Some(words.parse()?), success(&call, words)?);
        let attempts = if words.is_empty() { 1 } else { words.parse()? };
        Op::Decide { function, call, verdict: Verdict::Complete { result, entry }, attempts }
    };
    words.end(vec![op])
}

fn of_function(script: &str, mut keys: Words<'_>, mut words: Words<'_>) -> Read<Vec<Op>> {
    let function = names::of_calls(keys.take(FUNCTION_KEYS)?.text()?)?;
    words.skip(FUNCTION_ARGUMENTS)?;
    let words = &mut words;
    let leading = match script {
        "submit" | "decide" => words.last()?.parse().map_err(|_| Nonsense)?,
        _ => 0,
    };
    let ops = match script {
        "submit" => {
            // The prefix of idempotency keys, and the function's name.
            words.skip(2)?;
            let mut before = None;
            words.each(|words| {
                let submission = submit(&function, words, before.as_ref())?;
                before = Some(submission.clone());
                Ok(Op::Submit(submission))
            })?
        }
        "decide" => words.each(|words| decide(&function, words))?,
        _ => vec![single(script, function, words)?],
    };
    if !lead_ordinarily(&ops, leading) {
        return Err(Nonsense);
    }
    words.end(ops)
}

/// The script may look at so many operations together: it takes for granted that they are ordinary, each of
/// another call.
fn lead_ordinarily(ops: &[Op], leading: usize) -> bool {
    let mut calls = BTreeSet::new();
    ops.len() >= leading
        && ops.iter().take(leading).all(|op| match op {
            Op::Submit(submission) => {
                submission.delay.is_zero()
                    && submission.idempotency_key.is_none()
                    && !submission.result_stream
                    && calls.insert(&submission.call)
            }
            Op::Decide { call, verdict: Verdict::Complete { entry: Some(_), .. }, .. } => {
                calls.insert(call)
            }
            _ => false,
        })
}

fn single(script: &str, function: FunctionId, words: &mut Words<'_>) -> Read<Op> {
    Ok(match script {
        "begin" => Op::Begin {
            function,
            call: words.parse()?,
            lease: lease(words)?,
            attempts_max: words.parse()?,
        },
        "move" => {
            let (call, lease) = (words.parse()?, lease(words)?);
            let to = destination(words)?;
            Op::Move { function, call, lease, to }
        }
        "reject" => Op::Reject { function, lease: lease(words)?, reason: words.text()?.into() },
        "touch" => {
            let token = Token { function, call: words.parse()?, nonce: words.text()?.into() };
            Op::Touch { token, lease: words.micros()? }
        }
        "acknowledge" => Op::Acknowledge { function, call: words.parse()? },
        "inspect" => Op::Inspect { function, call: words.parse()? },
        "renew" => Op::Renew {
            function,
            consumer: words.parse()?,
            entries: words.each(|words| Ok((words.parse()?, words.parse()?)))?,
        },
        "fetch" => Op::Fetch { function, consumer: words.parse()?, count: words.parse()? },
        "reread" => {
            Op::Reread { function, consumer: words.parse()?, entries: words.each(Words::parse)? }
        }
        "ensure" => Op::Ensure { function },
        "requeue" => {
            let (letter, call) = (words.parse()?, words.parse()?);
            let deadline = words.micros()?;
            // The function's name.
            words.skip(1)?;
            Op::Requeue { function, letter, call, deadline }
        }
        "sweep" => {
            let (attempts_max, idle, limit) = (words.parse()?, words.millis()?, words.parse()?);
            // Where to go on and how far to look: the store sees everything at once.
            words.skip(4)?;
            Op::Sweep { function, attempts_max, stateless_idle: idle, limit }
        }
        "register" => register(function, words)?,
        "deregister" => {
            let (consumer, epoch) = (words.parse()?, epoch(words)?);
            // What stands before the worker in its own key, and the function's name.
            words.skip(2)?;
            Op::Deregister { function, consumer, epoch }
        }
        "remove" => {
            let (consumer, epoch) = (words.parse()?, epoch(words)?);
            let heartbeat = StoreTime::from_micros(words.parse()?);
            let sessions = sessions(words)?;
            // The heartbeat again, in ms; what stands before the worker in its own key, and the function's name.
            words.skip(3)?;
            Op::Remove { function, consumer, epoch, heartbeat, sessions: sessions.into() }
        }
        _ => return Err(Nonsense),
    })
}

/// Made as the one before it, where it says so.
fn submit(
    function: &FunctionId,
    words: &mut Words<'_>,
    before: Option<&Submission>,
) -> Read<Submission> {
    let mut manner = *words;
    if !manner.text()?.is_empty() {
        let before = before.ok_or(Nonsense)?;
        return Ok(Submission { call: words.parse()?, input: input(words)?, ..before.clone() });
    }
    *words = manner;
    let deadline = words.micros()?;
    let delay = words.text()?;
    let (delay, result_stream) = delay.strip_suffix('s').map_or((delay, false), |it| (it, true));
    Ok(Submission {
        function: function.clone(),
        deadline,
        delay: Duration::from_micros(delay.parse().map_err(|_| Nonsense)?),
        idempotency_key: words.optional()?,
        reply_to: words.optional()?,
        traceparent: words.optional::<String>()?.map(Into::into),
        result_stream,
        open_max: words.parse()?,
        call: words.parse()?,
        input: input(words)?,
    })
}

fn input(words: &mut Words<'_>) -> Read<Payload> {
    Payload::parse(words.text()?).map_err(|_| Nonsense)
}

fn decide(function: &FunctionId, words: &mut Words<'_>) -> Read<Op> {
    let (verdict, call): (_, CallId) = (words.text()?, words.parse()?);
    let entry = words.optional()?;
    let (verdict, attempts) = if let Ok(attempts) = verdict.parse() {
        (Verdict::Complete { result: success(&call, words)?, entry }, attempts)
    } else {
        let attempts = words.parse()?;
        (no_success(verdict, entry, words)?, attempts)
    };
    Ok(Op::Decide { function: function.clone(), call, verdict, attempts })
}

/// The result that a call's record begins with.
fn success(call: &CallId, words: &mut Words<'_>) -> Read<Payload> {
    let (named, result) = read_success_begin(words.text()?).ok_or(Nonsense)?;
    if named == *call { Ok(result) } else { Err(Nonsense) }
}

fn no_success(letter: &str, entry: Option<EntryId>, words: &mut Words<'_>) -> Read<Verdict> {
    let mut proof = words.take(3)?;
    let (said, message) = (words.text()?, words.text()?);
    let mut failed = || -> Read<_> {
        let kind: FailureKind = serde_json::from_value(said.into()).map_err(|_| Nonsense)?;
        let failure = Failure::new(kind, message);
        let by = match proof.text()? {
            "L" => Authority::Lease(Lease {
                entry: entry.ok_or(Nonsense)?,
                consumer: proof.parse()?,
                epoch: epoch(&mut proof)?,
            }),
            "T" => Authority::Token(proof.text()?.into()),
            _ => return Err(Nonsense),
        };
        Ok((failure, by))
    };
    match letter {
        "E" => failed().map(|(failure, by)| Verdict::Fail { failure, by }),
        "D" => failed().map(|(failure, by)| Verdict::DeadLetter { failure, by }),
        "C" => Ok(Verdict::Cancel),
        "X" => Ok(Verdict::Expire),
        _ => Err(Nonsense),
    }
}

fn destination(words: &mut Words<'_>) -> Read<Destination> {
    let (word, time, nonce) = (words.text()?, words.micros()?, words.text()?);
    match word {
        "release" => Ok(Destination::Release),
        "retry" => Ok(Destination::Retry { delay: time }),
        "defer" => Ok(Destination::Defer { nonce: nonce.into(), lease: time }),
        _ => Err(Nonsense),
    }
}

fn register(function: FunctionId, words: &mut Words<'_>) -> Read<Op> {
    let (consumer, node) = (words.parse()?, words.parse()?);
    // The server's run id, which the store knows.
    words.skip(1)?;
    let sessions = sessions(words)?;
    // The process id, and the function's name and scope.
    words.skip(3)?;
    let mut definition = Definition::new(function);
    words.text()?.clone_into(&mut definition.code);
    definition.parameters = serde_json::from_str(words.text()?).map_err(|_| Nonsense)?;
    words.text()?.clone_into(&mut definition.workflow_id);
    words.text()?.clone_into(&mut definition.node_id);
    words.text()?.clone_into(&mut definition.description);
    Ok(Op::Register { definition, consumer, node, sessions })
}

fn beat(keys: Words<'_>, mut words: Words<'_>) -> Read<Op> {
    let mut keys = keys;
    // The sets of all functions and of all consumers; the server's run id.
    keys.skip(2)?;
    words.skip(1)?;
    let sessions = sessions(&mut words)?;
    let node = words.parse()?;
    let pulses = words.each(|words| {
        // The group, which the function's name tells.
        words.skip(1)?;
        let (consumer, epoch) = (words.parse()?, epoch(words)?);
        let status = words.text()?;
        let error_count = words.parse()?;
        let (has_error, last_error) = (words.text()? == "1", words.text()?);
        let known = ConsumerStatus::ALL.into_iter().find(|known| known.as_str() == status);
        Ok(Pulse {
            function: words.parse()?,
            consumer,
            epoch,
            status: known.ok_or(Nonsense)?,
            error_count,
            last_error: has_error.then(|| last_error.into()),
        })
    })?;
    Ok(Op::Beat { node, sessions, pulses })
}

fn survey(mut keys: Words<'_>) -> Read<Op> {
    let functions = keys.each(|keys| names::of_calls(keys.take(5)?.text()?))?;
    Ok(Op::Survey { functions })
}

fn keep_replies(mut keys: Words<'_>, mut words: Words<'_>) -> Read<Op> {
    Ok(Op::KeepReplies { caller: names::of_replies(keys.text()?)?, after: words.parse()? })
}

fn discover(mut words: Words<'_>) -> Read<Op> {
    // The prefix of definitions.
    words.skip(1)?;
    Ok(Op::Discover { scope: words.optional::<String>()?.map(Into::into) })
}

fn lease(words: &mut Words<'_>) -> Read<Lease> {
    Ok(Lease { entry: words.parse()?, consumer: words.parse()?, epoch: epoch(words)? })
}

fn epoch(words: &mut Words<'_>) -> Read<steadfast_core::name::Epoch> {
    words.parse().map(steadfast_core::name::Epoch)
}

fn sessions(words: &mut Words<'_>) -> Read<Vec<SessionId>> {
    let ids = words.text()?.split(',').filter(|id| !id.is_empty());
    ids.map(|id| id.parse().map(SessionId).map_err(|_| Nonsense)).collect()
}

/// How long a read may block, which is never for ever.
pub(crate) fn block(words: &mut Words<'_>) -> Read<Duration> {
    words.expect("BLOCK")?;
    let block = words.millis()?;
    if block.is_zero() { Err(Nonsense) } else { Ok(block) }
}
