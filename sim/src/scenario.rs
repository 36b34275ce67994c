//! Scenarios: what a world holds and what may befall it. Small values that a reader can compare.

use std::time::Duration;

use steadfast_core::backoff::CallBackoff;
use steadfast_core::breaker::BreakerConfig;
use steadfast_core::command::FunctionOptions;
use steadfast_core::config::Config;
use steadfast_core::name::FunctionId;

use crate::faults::{FaultKind, Intensity};
use crate::policy::Policy;
use crate::workload::Habits;

/// A world to run by seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// As the command line takes it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Nodes that serve every function.
    pub workers: u16,
    /// Nodes that call.
    pub callers: u16,
    /// The functions.
    pub functions: Vec<FunctionId>,
    /// How each is served.
    pub options: FunctionOptions,
    /// Every node's settings.
    pub config: Config,
    /// How long calls are made and faults injected.
    pub length: Duration,
    /// How handlers behave.
    pub policy: Policy,
    /// How callers behave.
    pub habits: Habits,
    /// Which faults there may be.
    pub faults: Vec<FaultKind>,
    /// A seed leaves some of them out.
    pub swarm: bool,
    /// How much goes wrong.
    pub intensity: Intensity,
    /// The one-way time of a message, from and to, when nothing is wrong.
    pub latency: (Duration, Duration),
    /// The most that a node's clock may gain or lose, in parts per million.
    pub drift_ppm: u32,
}

fn function(name: &str, scope: &str) -> FunctionId {
    FunctionId::new(name, scope).expect("a literal name is valid")
}

/// One worker, one caller, one function, nothing wrong.
pub fn calm() -> Scenario {
    Scenario {
        name: "calm",
        about: "one worker, one caller, no faults",
        workers: 1,
        callers: 1,
        functions: vec![function("greet", "global")],
        options: FunctionOptions {
            concurrency: 16,
            prefetch: 8,
            timeout: Duration::from_secs(5),
            attempts_max: 3,
            backoff: CallBackoff { base: Duration::from_millis(200), most: Duration::from_secs(2) },
            drain: Duration::from_secs(5),
        },
        config: Config::default(),
        length: Duration::from_secs(60),
        policy: Policy::EASY,
        habits: Habits::plain(200),
        faults: Vec::new(),
        swarm: false,
        intensity: Intensity {
            storms: 4,
            most: 3,
            message_ppm: 60_000,
            longest: Duration::from_secs(40),
        },
        latency: (Duration::from_micros(100), Duration::from_millis(2)),
        drift_ppm: 0,
    }
}

/// The mini-simulation: one worker and one caller, with loss, duplication, delay and crash.
pub fn mini() -> Scenario {
    Scenario {
        name: "mini",
        about: "one worker, one caller; loss, duplication, delay, crash",
        faults: vec![
            FaultKind::RequestLost,
            FaultKind::AnswerLost,
            FaultKind::Duplicate,
            FaultKind::Delay,
            FaultKind::WorkerCrash,
            FaultKind::CallerCrash,
        ],
        swarm: true,
        habits: Habits::plain(40),
        length: Duration::from_secs(30),
        intensity: Intensity { storms: 2, ..calm().intensity },
        policy: Policy { error: 50, retry: 80, ..Policy::EASY },
        ..calm()
    }
}

/// Saves only, in bursts: nothing else excuses a late call.
pub fn save_storm() -> Scenario {
    Scenario {
        name: "save-storm",
        about: "two workers; functions saved 20 times in 2 s under load, nothing else wrong",
        workers: 2,
        faults: vec![FaultKind::Save],
        intensity: Intensity { most: 8, ..calm().intensity },
        habits: Habits::plain(400),
        policy: Policy { slow: 40, ..Policy::EASY },
        ..calm()
    }
}

/// Saves without pause: each incarnation is saved as soon as it is active.
pub fn resaves() -> Scenario {
    Scenario {
        name: "resaves",
        about: "two workers; functions saved again as soon as they are active, nothing else wrong",
        faults: vec![FaultKind::Resave],
        intensity: Intensity { most: 2, ..calm().intensity },
        ..save_storm()
    }
}

/// Workers are killed while handlers run; another worker is there to take over.
pub fn crash() -> Scenario {
    Scenario {
        name: "crash",
        about: "three workers, killed while they run handlers, nothing else wrong",
        workers: 3,
        faults: vec![FaultKind::WorkerCrash],
        intensity: Intensity { storms: 2, most: 1, ..calm().intensity },
        policy: Policy { slow: 300, ..Policy::EASY },
        ..calm()
    }
}

/// Stops that are late, doubled, foreign or true, among saves.
pub fn stops() -> Scenario {
    Scenario {
        name: "stops",
        about: "two workers; stops addressed to the past and the present, among saves",
        workers: 2,
        faults: vec![FaultKind::Stop, FaultKind::Save],
        ..calm()
    }
}

/// Links that die, stall and close one way; the store restarts.
pub fn network() -> Scenario {
    Scenario {
        name: "network",
        about: "two workers, two callers; partitions, resets, delays, store restarts",
        workers: 2,
        callers: 2,
        faults: vec![
            FaultKind::RequestLost,
            FaultKind::AnswerLost,
            FaultKind::Delay,
            FaultKind::ConnectionKill,
            FaultKind::Partition,
            FaultKind::StoreRestart,
        ],
        swarm: true,
        drift_ppm: 300,
        ..calm()
    }
}

/// Everything at once, each seed with a choice of it.
pub fn swarm() -> Scenario {
    Scenario {
        name: "swarm",
        about: "three workers, two callers, three functions; every fault, a choice by seed",
        workers: 3,
        callers: 2,
        functions: vec![
            function("greet", "global"),
            function("a:b:c", "global"),
            function("a:b", "wf-1"),
        ],
        faults: FaultKind::ALL.to_vec(),
        swarm: true,
        policy: Policy::MIXED,
        habits: Habits::mixed(300),
        drift_ppm: 300,
        options: FunctionOptions { drain: Duration::from_secs(2), ..calm().options },
        // A world of a minute: a circuit that is open for the default of a minute would end it.
        config: Config {
            breaker: BreakerConfig {
                recovery_timeout: Duration::from_secs(3),
                ..BreakerConfig::default()
            },
            ..Config::default()
        },
        ..calm()
    }
}

/// Ten workers under load and nothing wrong: for measuring.
pub fn ten_workers() -> Scenario {
    Scenario {
        name: "ten-workers",
        about: "ten workers, one caller, 200 calls in a minute, no faults: for measuring simulated time",
        workers: 10,
        ..calm()
    }
}

/// One worker and one caller, busy: for measuring events.
pub fn busy() -> Scenario {
    Scenario {
        name: "busy",
        about: "one worker, one caller, 2,000 calls in a minute, no faults: for measuring events",
        habits: Habits::plain(2_000),
        ..calm()
    }
}

/// Every scenario, by name.
pub fn all() -> Vec<Scenario> {
    vec![
        mini(),
        calm(),
        save_storm(),
        resaves(),
        crash(),
        stops(),
        network(),
        swarm(),
        busy(),
        ten_workers(),
    ]
}
