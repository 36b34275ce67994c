//! The names of keys.

use std::sync::Arc;

use crate::call::CallerId;
use crate::name::{CallId, ConsumerId, FunctionId, IdempotencyKey};

/// How many tags the cluster layout spreads functions over.
pub const SLOTS: u64 = 16;

/// The channel that a caller names in `responseChannel`.
pub fn response_channel(call: &CallId) -> String {
    format!("function:response:{call}")
}

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

    /// The function's tag, such as `{s07}`: one of [`SLOTS`], by FNV-1a of `NAME:SCOPE`.
    pub fn tag(function: &FunctionId) -> String {
        let hash = function.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // FNV's low bits mix worst; the high half decides.
        format!("{{s{:02}}}", (hash >> 32) % SLOTS)
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

    /// A caller's reply stream. In the cluster layout there is one per tag: this is the one beside
    /// `function`.
    pub fn replies(&self, function: &FunctionId, caller: &CallerId) -> String {
        self.tagged(function, "replies", caller.as_str())
    }

    /// A consumer's state.
    pub fn consumer_state(&self, function: &FunctionId, consumer: &ConsumerId) -> String {
        self.tagged(function, "consumer:state", consumer.as_str())
    }

    /// The set of all consumers: an index, repairable and never trusted.
    pub fn all_consumers(&self) -> String {
        format!("{}consumers:all", self.prefix)
    }

    /// The set of all functions: an index, repairable and never trusted.
    pub fn all_functions(&self) -> String {
        format!("{}registry:functions", self.prefix)
    }

    fn tagged(&self, function: &FunctionId, kind: &str, rest: &str) -> String {
        let prefix = &self.prefix;
        if self.cluster {
            format!("{prefix}{}{kind}:{rest}", Self::tag(function))
        } else {
            format!("{prefix}{kind}:{rest}")
        }
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
            keys.replies(&function, &CallerId::new("n1").unwrap()),
            keys.idempotency(&function, &IdempotencyKey::new("k").unwrap()),
            keys.dead_letters(&function),
            keys.epoch(&function),
            keys.consumer_state(&function, &ConsumerId::new("a:b-global-1").unwrap()),
            keys.active(&function),
            keys.definition(&function),
            keys.all_consumers(),
            keys.all_functions(),
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
            keys.replies(&function, &CallerId::new("n1").unwrap()),
        ] {
            assert!(key.starts_with(&start), "{key} does not start with {start}");
        }
    }

    #[test]
    fn tags_spread_over_all_slots() {
        let tags: std::collections::BTreeSet<String> = (0..200)
            .map(|n| Keys::tag(&FunctionId::new(&format!("f{n}"), "global").unwrap()))
            .collect();
        assert_eq!(tags.len() as u64, SLOTS);
    }
}
