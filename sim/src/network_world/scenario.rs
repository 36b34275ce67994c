//! What a network world holds, and what may befall it.

use std::time::Duration;

use steadfast_core::command::FunctionOptions;
use steadfast_core::config::Config;
use steadfast_core::name::FunctionId;

use super::script::TroubleKind;
use crate::policy::Policy;
use crate::scenario;
use crate::workload::Habits;

/// A network world to run by seed.
#[derive(Clone, Debug)]
pub struct NetworkScenario {
    /// As the command line takes it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Processes that serve every function.
    pub workers: u16,
    /// Processes that call.
    pub callers: u16,
    /// The functions.
    pub functions: Vec<FunctionId>,
    /// How each is served.
    pub options: FunctionOptions,
    /// Every node's settings.
    pub config: Config,
    /// How long calls are made and troubles come.
    pub length: Duration,
    /// How handlers behave.
    pub policy: Policy,
    /// How callers behave.
    pub habits: Habits,
    /// The kinds of trouble.
    pub kinds: Vec<TroubleKind>,
    /// How many troubles there are.
    pub troubles: u32,
    /// The one-way time of a message, from and to, when nothing is wrong.
    pub latency: (Duration, Duration),
}

/// Two workers, one caller, nothing wrong.
pub(super) fn calm() -> NetworkScenario {
    let base = scenario::calm();
    NetworkScenario {
        name: "calm",
        about: "two workers, one caller, nothing wrong",
        workers: 2,
        callers: 1,
        functions: base.functions,
        options: base.options,
        config: base.config,
        length: Duration::from_secs(15),
        policy: Policy { slow: 30, error: 40, retry: 60, ..Policy::EASY },
        habits: Habits { again: 50, delay: 50, keyed: 30, ..Habits::plain(200) },
        kinds: Vec::new(),
        troubles: 0,
        latency: (Duration::ZERO, Duration::from_millis(2)),
    }
}

/// Workers' processes are killed under load, and start again.
pub(super) fn crash() -> NetworkScenario {
    NetworkScenario {
        name: "crash",
        about: "three workers, killed under load and started again",
        workers: 3,
        length: Duration::from_secs(40),
        kinds: vec![TroubleKind::WorkerCrash],
        troubles: 3,
        policy: Policy { slow: 300, ..calm().policy },
        ..calm()
    }
}

/// The store's process ends and comes back with all its data.
pub(super) fn store_restart() -> NetworkScenario {
    NetworkScenario {
        name: "store-restart",
        about: "the store's process ends under load and comes back with all its data",
        length: Duration::from_secs(30),
        kinds: vec![TroubleKind::StoreRestart],
        troubles: 2,
        ..calm()
    }
}

/// Links that drop everything one way or both, and heal.
pub(super) fn partition() -> NetworkScenario {
    NetworkScenario {
        name: "partition",
        about: "links to the store drop everything, one way or both, and heal",
        callers: 2,
        length: Duration::from_secs(60),
        kinds: vec![TroubleKind::ToStoreLost, TroubleKind::FromStoreLost, TroubleKind::AllLost],
        troubles: 5,
        ..calm()
    }
}

/// Messages held for longer than any response timeout, then delivered.
pub(super) fn hold() -> NetworkScenario {
    NetworkScenario {
        name: "hold",
        about: "messages are held for longer than the response timeout, then delivered",
        callers: 2,
        length: Duration::from_secs(40),
        kinds: vec![TroubleKind::Hold],
        troubles: 5,
        ..calm()
    }
}

/// Slow and uneven links.
pub(super) fn jitter() -> NetworkScenario {
    NetworkScenario {
        name: "jitter",
        about: "links whose messages take up to 400 ms, each another time",
        length: Duration::from_secs(25),
        kinds: vec![TroubleKind::Jitter],
        troubles: 4,
        ..calm()
    }
}

/// Functions are saved under load: nothing else excuses a late call.
pub(super) fn saves() -> NetworkScenario {
    NetworkScenario {
        name: "saves",
        about: "functions are saved, once or 20 times in 2 s, under load; nothing else wrong",
        length: Duration::from_secs(20),
        kinds: vec![TroubleKind::Save],
        troubles: 4,
        habits: Habits { calls: 400, ..calm().habits },
        // Some handlers take longer than a save gives them.
        policy: Policy { slow: 60, at_most: Duration::from_millis(40), ..calm().policy },
        options: FunctionOptions { drain: Duration::from_secs(2), ..calm().options },
        ..calm()
    }
}

/// The cache of scripts is flushed under load: nothing else excuses a late call.
pub(super) fn script_flush() -> NetworkScenario {
    NetworkScenario {
        name: "script-flush",
        about: "the store's cache of scripts is flushed under load; nothing else wrong",
        length: Duration::from_secs(20),
        kinds: vec![TroubleKind::ScriptFlush],
        troubles: 12,
        habits: Habits { calls: 400, ..calm().habits },
        ..calm()
    }
}

/// Everything at once.
pub(super) fn storm() -> NetworkScenario {
    NetworkScenario {
        name: "storm",
        about: "three workers, two callers, two functions; all troubles, callers killed too",
        workers: 3,
        callers: 2,
        functions: scenario::swarm().functions[..2].to_vec(),
        length: Duration::from_secs(60),
        kinds: TroubleKind::ALL.to_vec(),
        troubles: 10,
        habits: Habits::mixed(400),
        // Some handlers take longer than they may, hang, or leave the call to a token.
        policy: Policy {
            slow: 60,
            at_most: Duration::from_millis(60),
            hang: 10,
            defer: 60,
            ..calm().policy
        },
        options: FunctionOptions { drain: Duration::from_secs(2), ..calm().options },
        config: scenario::swarm().config,
        ..calm()
    }
}

/// Every scenario, by name.
pub fn all() -> Vec<NetworkScenario> {
    vec![
        calm(),
        crash(),
        store_restart(),
        partition(),
        hold(),
        jitter(),
        saves(),
        script_flush(),
        storm(),
    ]
}

/// The scenario of this name.
pub fn named(name: &str) -> Option<NetworkScenario> {
    all().into_iter().find(|scenario| scenario.name == name)
}
