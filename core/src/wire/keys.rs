//! The names of keys.

use std::sync::Arc;

use crate::call::CallerId;
use crate::name::{CallId, ConsumerId, FunctionId, IdempotencyKey, NodeId};

/// How many tags the cluster layout spreads functions over.
pub const SLOTS: u64 = 16;

/// The channel that a caller names in `responseChannel`.
pub fn response_channel(call: &CallId) -> String {
    format!("function:response:{call}")
}

/// What one script may touch together: every key of the plain layout, those of one tag in the cluster
/// layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

/// Builds key names: a prefix, in the cluster layout the function's tag, and the key itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    prefix: Arc<str>,
    cluster: bool,
}

macro_rules! function_keys {
    ($($(#[$doc:meta])* $method:ident => $kind:literal;)*) => {
        $(
            $(#[$doc])*
            pub fn $method(&self, function: &FunctionId) -> String {
                self.tagged(function, $kind, function.as_str())
            }
        )*
    };
}

impl Keys {
    /// Keys with this prefix (none is the default) for a single server.
    pub fn new(prefix: impl Into<Arc<str>>) -> Self {
        Self { prefix: prefix.into(), cluster: false }
    }

    /// The same keys in the cluster layout: each key of a function, its calls' results and the replies
    /// among them carry the function's tag, so that one script may touch them all.
    #[must_use]
    pub fn in_cluster(self) -> Self {
        Self { cluster: true, ..self }
    }

    /// The function's tag, such as `{s07}`: one of [`SLOTS`], by 64-bit FNV-1a of `NAME:SCOPE`, its upper
    /// half modulo [`SLOTS`].
    pub fn tag(function: &FunctionId) -> String {
        Self::tag_of(Self::tag_number(function))
    }

    fn tag_of(number: u8) -> String {
        format!("{{s{number:02}}}")
    }

    /// The number in the function's tag, below [`SLOTS`]: what spreads functions evenly, in any layout.
    pub fn tag_number(function: &FunctionId) -> u8 {
        let hash = function.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // FNV's low bits mix worst; the high half decides.
        ((hash >> 32) % SLOTS) as u8
    }

    /// All shards: one in the plain layout.
    pub fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..if self.cluster { SLOTS as u8 } else { 1 }).map(Shard)
    }

    /// The shard of a function.
    pub fn shard(&self, function: &FunctionId) -> Shard {
        Shard(if self.cluster { Self::tag_number(function) } else { 0 })
    }

    /// What stands before a shard's keys: the prefix, and in the cluster layout the tag.
    pub fn start(&self, shard: Shard) -> String {
        let mut start = String::from(&*self.prefix);
        if self.cluster {
            start.push_str(&Self::tag_of(shard.0));
        }
        start
    }

    function_keys! {
        /// The stream of calls.
        calls => "function_calls";
        /// The consumer group on that stream: a name, not a key, so it carries neither prefix nor tag
        /// of its own beyond those of its function's keys.
        group => "function_group";
        /// The hash of open calls.
        open => "function_open";
        /// The hash of parked calls.
        parked => "function_parked";
        /// The sorted set of what is parked, by when it is due.
        due => "function_due";
        /// The stream of dead letters.
        dead_letters => "function_dlq";
        /// The counter of epochs.
        epoch => "function_epoch";
        /// The set of the function's registered consumers.
        active => "consumer:active";
        /// The hash that holds the definition.
        definition => "function";
    }

    /// A call's result.
    pub fn result(&self, function: &FunctionId, call: &CallId) -> String {
        self.tagged(function, "result", call.as_str())
    }

    /// The stream of a call's result, where the call asks for one.
    pub fn result_stream(&self, function: &FunctionId, call: &CallId) -> String {
        self.tagged(function, "function_results", call.as_str())
    }

    /// The call that an idempotency key stands for.
    pub fn idempotency(&self, function: &FunctionId, key: &IdempotencyKey) -> String {
        self.tagged(function, "idempotency", &format!("{function}:{key}"))
    }

    /// A caller's reply stream: one in each shard.
    pub fn replies(&self, shard: Shard, caller: &CallerId) -> String {
        format!("{}replies:{caller}", self.start(shard))
    }

    /// A consumer's state.
    pub fn consumer_state(&self, function: &FunctionId, consumer: &ConsumerId) -> String {
        self.tagged(function, "consumer:state", consumer.as_str())
    }

    /// The set of all consumers of a shard: an index, repairable and never trusted.
    pub fn all_consumers(&self, shard: Shard) -> String {
        format!("{}consumers:all", self.start(shard))
    }

    /// The set of the workers that serve functions of this name: an index, repairable and never trusted.
    pub fn workers(&self, function: &FunctionId) -> String {
        self.tagged(function, "workers", function.name())
    }

    /// When a worker that serves functions of this name last gave a sign of life, in ms since 1970: an
    /// index, repairable and never trusted.
    pub fn worker(&self, function: &FunctionId, worker: &NodeId) -> String {
        self.tagged(function, "worker", &format!("{worker}:{}", function.name()))
    }

    /// The set of all functions of a shard: an index, repairable and never trusted.
    pub fn all_functions(&self, shard: Shard) -> String {
        format!("{}registry:functions", self.start(shard))
    }

    /// The function, as `NAME:SCOPE`, whose stream of calls has this name in a shard.
    pub fn function_of_calls<'k>(&self, shard: Shard, calls: &'k str) -> Option<&'k str> {
        calls.strip_prefix(&*self.start(shard))?.strip_prefix("function_calls:")
    }

    fn tagged(&self, function: &FunctionId, kind: &str, rest: &str) -> String {
        // A read of many functions names all of them: put together without a formatter.
        let mut key = self.start(self.shard(function));
        key.reserve_exact(kind.len() + 1 + rest.len());
        key.push_str(kind);
        key.push(':');
        key.push_str(rest);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_layout() {
        let function = FunctionId::new("a:b", "global").unwrap();
        let call = CallId::new("c1").unwrap();
        let keys = Keys::default();
        let names = [
            keys.calls(&function),
            keys.group(&function),
            keys.open(&function),
            keys.parked(&function),
            keys.due(&function),
            keys.result(&function, &call),
            keys.result_stream(&function, &call),
            keys.replies(keys.shard(&function), &CallerId::new("n1").unwrap()),
            keys.idempotency(&function, &IdempotencyKey::new("k").unwrap()),
            keys.dead_letters(&function),
            keys.epoch(&function),
            keys.consumer_state(&function, &ConsumerId::new("a:b-global-1").unwrap()),
            keys.active(&function),
            keys.definition(&function),
            keys.all_consumers(Shard::default()),
            keys.all_functions(Shard::default()),
            response_channel(&call),
        ];
        insta::assert_snapshot!(names.join("\n"));
    }

    #[test]
    fn the_cluster_layout_gives_all_keys_of_a_function_one_tag() {
        let function = FunctionId::new("greet", "global").unwrap();
        let keys = Keys::new("app:").in_cluster();
        let start = format!("app:{}", Keys::tag(&function));
        for key in [
            keys.calls(&function),
            keys.result(&function, &CallId::new("{x}").unwrap()),
            keys.replies(keys.shard(&function), &CallerId::new("n1").unwrap()),
            keys.all_functions(keys.shard(&function)),
        ] {
            assert!(key.starts_with(&start), "{key} does not start with {start}");
        }
        let of =
            |name: &str| keys.function_of_calls(keys.shard(&function), name).map(str::to_owned);
        assert_eq!(of(&keys.calls(&function)).as_deref(), Some("greet:global"));
        assert_eq!(of(&keys.open(&function)), None);
        assert_eq!(of(&Keys::default().calls(&function)), None);
    }

    #[test]
    fn tags_spread_over_all_slots() {
        let tags: std::collections::BTreeSet<String> = (0..200)
            .map(|n| Keys::tag(&FunctionId::new(&format!("f{n}"), "global").unwrap()))
            .collect();
        assert_eq!(tags.len() as u64, SLOTS);
    }
}
