//! The keys of one function as the scripts take them.

use std::collections::BTreeMap;

use redis::Cmd;
use steadfast_core::name::{CallId, ConsumerId, FunctionId, IdempotencyKey};
use steadfast_core::wire::{Keys, Shard};

use crate::choice::KeyLayout;
use crate::script::Script;

/// Key names, with what the scripts need to derive more.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) keys: Keys,
    dead_letters_max: u32,
}

impl Layout {
    pub(crate) fn new(layout: KeyLayout, prefix: &str, dead_letters_max: u32) -> Self {
        let keys = match layout {
            KeyLayout::Plain => Keys::new(prefix),
            KeyLayout::Cluster => Keys::new(prefix).in_cluster(),
        };
        Self { keys, dead_letters_max }
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

    /// The keys that every script of one function takes first.
    fn function_keys(&self, function: &FunctionId) -> Vec<String> {
        let keys = &self.keys;
        vec![
            keys.calls(function),
            keys.open(function),
            keys.parked(function),
            keys.due(function),
            keys.dead_letters(function),
            keys.epoch(function),
            keys.active(function),
            keys.definition(function),
        ]
    }

    /// The name of the function's group: it bears no prefix, as operators and older peers name it.
    pub(crate) fn group(function: &FunctionId) -> String {
        Keys::default().group(function)
    }

    /// The start of a script's call on one function: `more` keys after the function's own, and the five
    /// arguments that every such script takes first.
    pub(crate) fn call(&self, script: Script, function: &FunctionId, more: &[String]) -> Cmd {
        let mut keys = self.function_keys(function);
        keys.extend_from_slice(more);
        let mut cmd = script.call(&keys);
        cmd.arg(Self::group(function))
            .arg(self.result_prefix(function))
            .arg(self.reply_prefix(function))
            .arg(self.state_prefix(function))
            .arg(self.dead_letters_max);
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
