//! The keys of one function as the scripts take them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use steadfast_core::name::{CallId, ConsumerId, FunctionId, IdempotencyKey};
use steadfast_core::wire::{Keys, Shard};

use crate::choice::KeyLayout;
use crate::command::{Arguments, Command};
use crate::script::Script;
use crate::transport::lock;

/// Functions whose part is kept at hand. A host of more than so many makes some of them again.
const KNOWN_MAX: usize = 4_096;

/// Key names, with what the scripts need to derive more. Clones share what is at hand.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) keys: Keys,
    dead_letters_max: u32,
    known: Arc<Mutex<BTreeMap<FunctionId, Arc<FunctionPart>>>>,
}

/// What the commands on one function have in common, made once: names take longer to put together than
/// the rest of a command.
#[derive(Debug)]
pub(crate) struct FunctionPart {
    /// The stream of calls.
    pub(crate) calls: String,
    /// The group on it.
    pub(crate) group: String,
    /// The hash of open calls.
    pub(crate) open: String,
    /// The hash of parked calls.
    pub(crate) parked: String,
    /// The set of the function's registered consumers.
    pub(crate) active: String,
    /// What stands before a caller in the name of its reply stream.
    pub(crate) replies: String,
    /// What stands before a call in the name of its result.
    results: String,
    /// The keys that every script of one function takes first.
    keys: Arguments,
    /// The arguments that follow the keys.
    arguments: Arguments,
    /// The arguments that follow those where calls are submitted.
    new_calls: Arguments,
}

impl FunctionPart {
    /// A call's result.
    pub(crate) fn result(&self, call: &CallId) -> String {
        [&self.results, call.as_str()].concat()
    }
}

impl Layout {
    pub(crate) fn new(layout: KeyLayout, prefix: &str, dead_letters_max: u32) -> Self {
        let keys = match layout {
            KeyLayout::Plain => Keys::new(prefix),
            KeyLayout::Cluster => Keys::new(prefix).in_cluster(),
        };
        Self { keys, dead_letters_max, known: Arc::default() }
    }

    /// Places in a list of functions, put together by what one script may touch, at most `most` in one.
    /// In the plain layout they keep their order.
    pub(crate) fn together<'f>(
        &self,
        functions: impl Iterator<Item = &'f FunctionId>,
        most: usize,
    ) -> Vec<(Shard, Vec<usize>)> {
        let mut places = BTreeMap::<Shard, Vec<usize>>::new();
        for (place, function) in functions.enumerate() {
            places.entry(self.keys.shard(function)).or_default().push(place);
        }
        let split = |(shard, places): (Shard, Vec<usize>)| {
            places.chunks(most).map(|chunk| (shard, chunk.to_vec())).collect::<Vec<_>>()
        };
        places.into_iter().flat_map(split).collect()
    }

    /// The name of the function's group: it bears no prefix, as operators and older peers name it.
    pub(crate) fn group(function: &FunctionId) -> String {
        Keys::default().group(function)
    }

    /// What the commands on one function have in common.
    pub(crate) fn of(&self, function: &FunctionId) -> Arc<FunctionPart> {
        let mut known = lock(&self.known);
        if let Some(part) = known.get(function) {
            return part.clone();
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        let part = Arc::new(self.part(function));
        known.insert(function.clone(), part.clone());
        part
    }

    fn part(&self, function: &FunctionId) -> FunctionPart {
        let keys = &self.keys;
        let mut part = FunctionPart {
            calls: keys.calls(function),
            group: Self::group(function),
            open: keys.open(function),
            parked: keys.parked(function),
            active: keys.active(function),
            replies: self.reply_prefix(function),
            results: self.result_prefix(function),
            keys: Arguments::default(),
            arguments: Arguments::default(),
            new_calls: Arguments::default(),
        };
        part.keys
            .arg(&part.calls)
            .arg(&part.open)
            .arg(&part.parked)
            .arg(keys.due(function))
            .arg(keys.dead_letters(function))
            .arg(keys.epoch(function))
            .arg(&part.active)
            .arg(keys.definition(function));
        part.arguments
            .arg(&part.group)
            .arg(&part.results)
            .arg(&part.replies)
            .arg(self.state_prefix(function))
            .arg(self.dead_letters_max);
        part.new_calls.arg(self.idempotency_prefix(function)).arg(function.name());
        part
    }

    /// The start of a script's call on one function: `more` keys after the function's own, and the five
    /// arguments that every such script takes first.
    pub(crate) fn call(&self, script: Script, function: &FunctionId, more: &[String]) -> Command {
        let part = self.of(function);
        let mut cmd = script.call_on(part.keys.count() + more.len());
        cmd.args(&part.keys);
        for key in more {
            cmd.arg(key);
        }
        cmd.args(&part.arguments);
        if script == Script::Submit {
            cmd.args(&part.new_calls);
        }
        cmd
    }

    fn result_prefix(&self, function: &FunctionId) -> String {
        bare(self.keys.result(function, &CallId::new("x").expect("a letter is an id")))
    }

    fn reply_prefix(&self, function: &FunctionId) -> String {
        let caller = steadfast_core::name::NodeId::new("x").expect("a letter is an id");
        bare(self.keys.replies(self.keys.shard(function), &caller))
    }

    pub(crate) fn state_prefix(&self, function: &FunctionId) -> String {
        bare(self.keys.consumer_state(function, &ConsumerId::new("x").expect("a letter is an id")))
    }

    pub(crate) fn idempotency_prefix(&self, function: &FunctionId) -> String {
        bare(self.keys.idempotency(function, &IdempotencyKey::new("x").expect("a letter is an id")))
    }

    /// What stands before a worker's id in its own key.
    pub(crate) fn worker_prefix(&self, function: &FunctionId) -> String {
        format!("{}worker:", self.keys.start(self.keys.shard(function)))
    }

    /// What stands before `NAME:SCOPE` in the keys of definitions.
    pub(crate) fn definition_prefix(&self, shard: Shard) -> String {
        format!("{}function:", self.keys.start(shard))
    }
}

/// A key of the id `x`, without the id.
fn bare(mut key: String) -> String {
    let last = key.pop();
    debug_assert_eq!(last, Some('x'), "the id stands at the end of the key");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scripts derive the one from the other (`lua/part/open.lua`).
    #[test]
    fn a_result_stream_stands_beside_its_result() {
        let function = FunctionId::new("greet", "global").unwrap();
        let call = CallId::new("c1").unwrap();
        for layout in [KeyLayout::Plain, KeyLayout::Cluster] {
            let layout = Layout::new(layout, "result:app:", 1);
            let results = layout.result_prefix(&function);
            let start = results.strip_suffix("result:").unwrap();
            let expect = layout.keys.result_stream(&function, &call);
            assert_eq!(format!("{start}function_results:{call}"), expect);
        }
    }
}
