//! Operations as commands: most are one script's call; submits and decisions of one function share one.

mod calls;

use std::time::Duration;

use steadfast_core::call::{CallerId, Failure, FailureKind};
use steadfast_core::definition::Definition;
use steadfast_core::name::{ConsumerId, EntryId, FunctionId, NodeId, RunId, SessionId};
use steadfast_core::op::{Destination, Op, Pulse};
use steadfast_core::wire::Shard;

pub(crate) use self::calls::lone;
use crate::command::Command;
use crate::layout::Layout;
use crate::script::Script;

/// Consumers in one script's call: a node with more of them beats in several.
const PULSES_MAX: usize = 500;
/// Functions in one script's call.
const SURVEYED_MAX: usize = 128;
/// A time too far to count exactly in the scripts' numbers is as far as this, in microseconds.
const FAR_MICROS: u128 = 4_000_000_000_000_000;
/// Entries and records that one sweep looks at.
const SWEPT_ENTRIES: u32 = 1_000;
const SWEPT_RECORDS: u32 = 2_000;

/// One command of a batch.
#[derive(Debug)]
pub(crate) struct Part {
    /// The script it calls, if it does: to be loaded where the server does not know it.
    pub(crate) script: Option<Script>,
    pub(crate) cmd: Command,
    /// The operations that it is for, by their place in the batch. A call for several answers an array
    /// of as many.
    pub(crate) covers: Vec<usize>,
    /// Its answer is an array with one item for each operation.
    pub(crate) shared: bool,
}

/// Where a function's sweep goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) stream: String,
    pub(crate) open: String,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { stream: "-".to_owned(), open: "0".to_owned() }
    }
}

/// What the encoding needs beside the operations.
pub(crate) struct Encoder<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) run_id: &'a RunId,
    pub(crate) cursor: &'a dyn Fn(&FunctionId) -> Cursor,
    /// The last reply seen in a shard, where that is not what the operation says.
    pub(crate) replies_seen: &'a dyn Fn(&CallerId, Shard) -> Option<EntryId>,
    parts: Vec<Part>,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(
        layout: &'a Layout,
        run_id: &'a RunId,
        cursor: &'a dyn Fn(&FunctionId) -> Cursor,
        replies_seen: &'a dyn Fn(&CallerId, Shard) -> Option<EntryId>,
    ) -> Self {
        Self { layout, run_id, cursor, replies_seen, parts: Vec::new() }
    }

    /// The commands of a batch. Operations on one function keep their order; submits and decisions that
    /// follow each other within it are joined.
    pub(crate) fn batch(mut self, ops: &[Op]) -> Vec<Part> {
        // For each function the part that its latest operation is in.
        let mut latest: std::collections::BTreeMap<&FunctionId, usize> =
            std::collections::BTreeMap::new();
        for (place, op) in ops.iter().enumerate() {
            let script = match op {
                Op::Submit(_) => Script::Submit,
                Op::Decide { .. } => Script::Decide,
                _ => {
                    self.single(place, op);
                    match op.function() {
                        Some(function) => drop(latest.insert(function, self.parts.len() - 1)),
                        None => latest.clear(),
                    }
                    continue;
                }
            };
            let function = op.function().expect("submits and decisions are of a function");
            let joined = latest
                .get(function)
                .copied()
                .filter(|part| self.parts[*part].script == Some(script));
            let part = joined.unwrap_or_else(|| {
                let cmd = self.layout.call(script, function, &[]);
                self.parts.push(Part {
                    script: Some(script),
                    cmd,
                    covers: Vec::new(),
                    shared: true,
                });
                latest.insert(function, self.parts.len() - 1);
                self.parts.len() - 1
            });
            let part = &mut self.parts[part];
            let before = part.covers.last().map(|place| &ops[*place]);
            part.covers.push(place);
            match op {
                Op::Submit(submission) => calls::submit(&mut part.cmd, submission, before),
                Op::Decide { call, verdict, attempts, .. } => {
                    calls::decide(&mut part.cmd, call, verdict, *attempts);
                }
                _ => {}
            }
        }
        for part in self.parts.iter_mut().filter(|part| part.shared) {
            let ops = part.covers.iter().map(|place| &ops[*place]);
            part.cmd.arg(calls::leading(ops));
        }
        self.parts
    }

    fn push(&mut self, place: usize, script: Script, cmd: Command) {
        self.parts.push(Part { script: Some(script), cmd, covers: vec![place], shared: false });
    }

    fn plain(&mut self, place: usize, cmd: Command) {
        self.parts.push(Part { script: None, cmd, covers: vec![place], shared: false });
    }

    fn call(&mut self, place: usize, script: Script, function: &FunctionId) -> &mut Command {
        let cmd = self.layout.call(script, function, &[]);
        self.push(place, script, cmd);
        &mut self.parts.last_mut().expect("a part was pushed").cmd
    }

    fn single(&mut self, place: usize, op: &Op) {
        match op {
            Op::Submit(_) | Op::Decide { .. } => unreachable!("joined by `batch`"),
            Op::Begin { function, call, lease, attempts_max } => {
                self.call(place, Script::Begin, function)
                    .arg(call.as_str())
                    .arg(lease.entry)
                    .arg(lease.consumer.as_str())
                    .arg(lease.epoch.0)
                    .arg(*attempts_max);
            }
            Op::Move { function, call, lease, to } => {
                let (to, time, nonce) = match to {
                    Destination::Release => ("release", Duration::ZERO, ""),
                    Destination::Retry { delay } => ("retry", *delay, ""),
                    Destination::Defer { nonce, lease } => ("defer", *lease, nonce.as_ref()),
                };
                self.call(place, Script::Move, function)
                    .arg(call.as_str())
                    .arg(lease.entry)
                    .arg(lease.consumer.as_str())
                    .arg(lease.epoch.0)
                    .arg(to)
                    .arg(micros(time))
                    .arg(nonce);
            }
            Op::Reject { function, lease, reason } => {
                let failure = Failure::new(FailureKind::Malformed, reason);
                self.call(place, Script::Reject, function)
                    .arg(lease.entry)
                    .arg(lease.consumer.as_str())
                    .arg(lease.epoch.0)
                    .arg(failure.message.as_ref());
            }
            Op::Touch { token, lease } => {
                self.call(place, Script::Touch, &token.function)
                    .arg(token.call.as_str())
                    .arg(token.nonce.as_ref())
                    .arg(micros(*lease));
            }
            Op::Acknowledge { function, call } => {
                self.call(place, Script::Acknowledge, function).arg(call.as_str());
            }
            Op::Inspect { function, call } => {
                self.call(place, Script::Inspect, function).arg(call.as_str());
            }
            Op::Renew { function, consumer, entries } => {
                let cmd = self.call(place, Script::Renew, function).arg(consumer.as_str());
                for (entry, call) in entries {
                    cmd.arg(*entry).arg(call.as_str());
                }
            }
            Op::Fetch { function, consumer, count } => {
                self.call(place, Script::Fetch, function).arg(consumer.as_str()).arg(*count);
            }
            Op::Reread { function, consumer, entries } => {
                let cmd = self.call(place, Script::Reread, function).arg(consumer.as_str());
                for entry in entries {
                    cmd.arg(*entry);
                }
            }
            Op::Ensure { function } => {
                self.call(place, Script::Ensure, function);
            }
            Op::Requeue { function, letter, call, deadline } => {
                self.call(place, Script::Requeue, function)
                    .arg(*letter)
                    .arg(call.as_str())
                    .arg(micros(*deadline))
                    .arg(function.name());
            }
            Op::Sweep { function, attempts_max, stateless_idle, limit } => {
                let Cursor { stream, open } = (self.cursor)(function);
                self.call(place, Script::Sweep, function)
                    .arg(*attempts_max)
                    .arg(stateless_idle.as_micros().div_ceil(1_000).min(FAR_MICROS) as u64)
                    .arg(*limit)
                    .arg(stream)
                    .arg(open)
                    .arg(SWEPT_ENTRIES.max(limit.saturating_mul(2)))
                    .arg(SWEPT_RECORDS.max(limit.saturating_mul(2)));
            }
            Op::Register { definition, consumer, node, sessions } => {
                self.register(place, definition, consumer, node, sessions);
            }
            Op::Deregister { function, consumer, epoch } => {
                let keys = &self.layout.keys;
                let all = [keys.all_consumers(keys.shard(function)), keys.workers(function)];
                let mut cmd = self.layout.call(Script::Deregister, function, &all);
                cmd.arg(consumer.as_str()).arg(epoch.0);
                cmd.arg(self.layout.worker_prefix(function)).arg(function.name());
                self.push(place, Script::Deregister, cmd);
            }
            Op::Remove { function, consumer, epoch, heartbeat, sessions } => {
                let keys = &self.layout.keys;
                let all = [keys.all_consumers(keys.shard(function)), keys.workers(function)];
                let mut cmd = self.layout.call(Script::Remove, function, &all);
                cmd.arg(consumer.as_str())
                    .arg(epoch.0)
                    .arg(heartbeat.as_micros())
                    .arg(client_ids(sessions))
                    .arg(heartbeat.as_millis());
                cmd.arg(self.layout.worker_prefix(function)).arg(function.name());
                self.push(place, Script::Remove, cmd);
            }
            Op::Beat { node, sessions, pulses } => self.beat(place, node, sessions, pulses),
            Op::Survey { functions } => self.survey(place, functions),
            Op::KeepReplies { caller, after } => {
                for shard in self.layout.keys.shards() {
                    let stream = self.layout.keys.replies(shard, caller);
                    let mut cmd = Script::KeepReplies.call(&[stream]);
                    cmd.arg((self.replies_seen)(caller, shard).unwrap_or(*after));
                    self.push(place, Script::KeepReplies, cmd);
                }
            }
            Op::ForgetReplies { caller } => {
                for shard in self.layout.keys.shards() {
                    let mut cmd = Command::new("DEL");
                    cmd.arg(self.layout.keys.replies(shard, caller));
                    self.plain(place, cmd);
                }
            }
            Op::Ping => self.plain(place, Command::new("TIME")),
            Op::Describe { function } => {
                let mut cmd = Command::new("HGETALL");
                cmd.arg(self.layout.keys.definition(function));
                self.plain(place, cmd);
            }
            Op::Discover { scope } => {
                for shard in self.layout.keys.shards() {
                    let mut cmd = Script::Discover.call(&[self.layout.keys.all_functions(shard)]);
                    cmd.arg(self.layout.definition_prefix(shard));
                    cmd.arg(scope.as_deref().unwrap_or_default());
                    self.push(place, Script::Discover, cmd);
                }
            }
            Op::DeadLetters { function, after, count } => {
                let mut cmd = Command::new("XRANGE");
                let after = if *after == EntryId::ZERO { "-".into() } else { format!("({after}") };
                cmd.arg(self.layout.keys.dead_letters(function)).arg(after).arg("+");
                cmd.arg("COUNT").arg(*count);
                self.plain(place, cmd);
            }
            Op::OlderPeerAdd { function, fields } => {
                let mut cmd = Command::new("XADD");
                cmd.arg(self.layout.keys.calls(function)).arg("*");
                for (field, value) in fields {
                    cmd.arg(field).arg(value);
                }
                self.plain(place, cmd);
            }
        }
    }

    fn register(
        &mut self,
        place: usize,
        definition: &Definition,
        consumer: &ConsumerId,
        node: &NodeId,
        sessions: &[SessionId],
    ) {
        let function = &definition.function;
        let keys = &self.layout.keys;
        let shard = keys.shard(function);
        let all = [
            keys.all_functions(shard),
            keys.all_consumers(shard),
            keys.workers(function),
            keys.worker(function, node),
        ];
        let mut cmd = self.layout.call(Script::Register, function, &all);
        let parameters = serde_json::to_string(&definition.parameters)
            .expect("a list of structs of texts is always JSON");
        cmd.arg(consumer.as_str())
            .arg(node.as_str())
            .arg(self.run_id.as_str())
            .arg(client_ids(sessions))
            .arg(std::process::id())
            .arg(function.name())
            .arg(function.scope())
            .arg(&definition.code)
            .arg(parameters)
            .arg(&definition.workflow_id)
            .arg(&definition.node_id)
            .arg(&definition.description);
        self.push(place, Script::Register, cmd);
    }

    fn beat(&mut self, place: usize, node: &NodeId, sessions: &[SessionId], pulses: &[Pulse]) {
        let keys = &self.layout.keys;
        for (shard, places) in beaten_together(self.layout, pulses) {
            let chunk = || places.iter().map(|at| &pulses[*at]);
            let mut names = vec![keys.all_functions(shard), keys.all_consumers(shard)];
            for Pulse { function, consumer, .. } in chunk() {
                names.push(keys.calls(function));
                names.push(keys.consumer_state(function, consumer));
                names.push(keys.active(function));
                names.push(keys.definition(function));
                names.push(keys.workers(function));
                names.push(keys.worker(function, node));
                names.push(keys.epoch(function));
            }
            let mut cmd = Script::Beat.call(&names);
            cmd.arg(self.run_id.as_str()).arg(client_ids(sessions)).arg(node.as_str());
            for pulse in chunk() {
                cmd.arg(Layout::group(&pulse.function))
                    .arg(pulse.consumer.as_str())
                    .arg(pulse.epoch.0)
                    .arg(pulse.status.as_str())
                    .arg(pulse.error_count)
                    .arg(u8::from(pulse.last_error.is_some()))
                    .arg(pulse.last_error.as_deref().unwrap_or_default())
                    .arg(pulse.function.as_str());
            }
            self.parts.push(Part {
                script: Some(Script::Beat),
                cmd,
                covers: vec![place],
                shared: false,
            });
        }
    }

    fn survey(&mut self, place: usize, functions: &[FunctionId]) {
        let keys = &self.layout.keys;
        for (_, places) in surveyed_together(self.layout, functions) {
            let chunk = || places.iter().map(|at| &functions[*at]);
            let names: Vec<String> = chunk()
                .flat_map(|function| {
                    [
                        keys.calls(function),
                        keys.open(function),
                        keys.parked(function),
                        keys.due(function),
                        keys.active(function),
                    ]
                })
                .collect();
            let mut cmd = Script::Survey.call(&names);
            for function in chunk() {
                cmd.arg(Layout::group(function)).arg(self.layout.state_prefix(function));
            }
            self.parts.push(Part {
                script: Some(Script::Survey),
                cmd,
                covers: vec![place],
                shared: false,
            });
        }
        // After the states: a session that ended in between is missed once, never made up.
        let mut cmd = Command::new("CLIENT");
        cmd.arg("LIST").arg("TYPE").arg("NORMAL");
        self.plain(place, cmd);
    }
}

/// The pulses of each script's call, by their places. There is one call even without a pulse, so that the
/// operation has an answer.
pub(crate) fn beaten_together(layout: &Layout, pulses: &[Pulse]) -> Vec<(Shard, Vec<usize>)> {
    at_least_one(layout.together(pulses.iter().map(|pulse| &pulse.function), PULSES_MAX))
}

/// The functions of each script's call, by their places; one call even without a function.
pub(crate) fn surveyed_together(
    layout: &Layout,
    functions: &[FunctionId],
) -> Vec<(Shard, Vec<usize>)> {
    at_least_one(layout.together(functions.iter(), SURVEYED_MAX))
}

fn at_least_one(mut calls: Vec<(Shard, Vec<usize>)>) -> Vec<(Shard, Vec<usize>)> {
    if calls.is_empty() {
        calls.push((Shard::default(), Vec::new()));
    }
    calls
}

fn client_ids(sessions: &[SessionId]) -> String {
    let ids: Vec<String> = sessions.iter().map(|session| session.0.to_string()).collect();
    ids.join(",")
}

/// Microseconds, as far as the scripts can count.
pub(crate) fn micros(duration: Duration) -> u64 {
    duration.as_micros().min(FAR_MICROS) as u64
}
