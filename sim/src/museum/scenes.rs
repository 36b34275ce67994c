//! The scenarios in which exhibits run: each the smallest in which its mistake shows.

use std::time::Duration;

use steadfast_core::backoff::CallBackoff;
use steadfast_core::command::FunctionOptions;
use steadfast_core::config::Config;
use steadfast_core::name::FunctionId;

use crate::faults::{FaultKind, Intensity};
use crate::policy::Policy;
use crate::scenario::{self, Scenario};
use crate::workload::Habits;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One worker, one caller, few calls, nothing wrong.
pub fn quiet() -> Scenario {
    Scenario {
        name: "museum-quiet",
        about: "one worker, one caller, few calls, no faults",
        length: secs(10),
        habits: Habits::plain(12),
        ..scenario::calm()
    }
}

/// Two workers that start together.
pub fn two_workers() -> Scenario {
    Scenario { name: "museum-two-workers", workers: 2, ..quiet() }
}

/// Stops among saves.
pub fn stops() -> Scenario {
    Scenario {
        name: "museum-stops",
        about: "one worker; stops that name somebody of the past, among saves",
        faults: vec![FaultKind::Stop, FaultKind::Save],
        length: secs(15),
        intensity: Intensity { storms: 1, ..quiet().intensity },
        ..quiet()
    }
}

/// Connections die.
pub fn kills() -> Scenario {
    Scenario {
        name: "museum-kills",
        about: "one worker; connections are reset",
        faults: vec![FaultKind::ConnectionKill],
        length: secs(15),
        intensity: Intensity { storms: 1, ..quiet().intensity },
        ..quiet()
    }
}

/// Connections die, and calls go on long after.
pub fn kills_and_calm() -> Scenario {
    Scenario {
        name: "museum-kills-and-calm",
        length: secs(120),
        habits: Habits::plain(60),
        ..kills()
    }
}

/// Two functions of one worker, one of which is saved.
pub fn two_functions() -> Scenario {
    let more = FunctionId::new("second", "global").expect("a literal name is valid");
    Scenario {
        name: "museum-two-functions",
        about: "one worker that serves two functions; saves",
        functions: [quiet().functions, vec![more]].concat(),
        faults: vec![FaultKind::Save],
        intensity: Intensity { storms: 1, ..quiet().intensity },
        ..quiet()
    }
}

/// Saves while calls are fetched ahead.
pub fn saves() -> Scenario {
    Scenario {
        name: "museum-saves",
        about: "one worker with one slot; saves while calls are fetched ahead",
        faults: vec![FaultKind::Save],
        options: FunctionOptions { concurrency: 1, ..quiet().options },
        policy: Policy { at_least: millis(50), at_most: millis(150), ..Policy::EASY },
        habits: Habits::plain(40),
        intensity: Intensity { storms: 1, ..quiet().intensity },
        ..quiet()
    }
}

/// Handlers ask for another attempt.
pub fn retries() -> Scenario {
    Scenario {
        name: "museum-retries",
        about: "one worker; handlers ask for another attempt",
        policy: Policy { retry: 300, ..Policy::EASY },
        ..quiet()
    }
}

/// Retries with a delay, of handlers that take a while.
pub fn slow_retries() -> Scenario {
    Scenario {
        name: "museum-slow-retries",
        policy: Policy {
            retry: 400,
            at_least: millis(500),
            at_most: millis(1_500),
            ..Policy::EASY
        },
        ..retries()
    }
}

/// Retries over connections that lose answers.
pub fn lost_answers() -> Scenario {
    Scenario {
        name: "museum-lost-answers",
        about: "one worker; handlers ask for another attempt, and answers of the store are lost",
        faults: vec![FaultKind::AnswerLost, FaultKind::Duplicate],
        length: secs(15),
        habits: Habits::plain(40),
        intensity: Intensity { storms: 1, message_ppm: 300_000, ..quiet().intensity },
        policy: Policy { retry: 500, ..Policy::EASY },
        ..quiet()
    }
}

/// Workers are killed while they run handlers.
pub fn crash() -> Scenario {
    Scenario {
        name: "museum-crash",
        about: "two workers, killed while they run handlers",
        workers: 2,
        faults: vec![FaultKind::WorkerCrash],
        length: secs(30),
        habits: Habits::plain(60),
        policy: Policy { slow: 500, at_least: millis(10), ..Policy::EASY },
        intensity: Intensity { storms: 1, most: 1, ..quiet().intensity },
        ..quiet()
    }
}

/// Three workers, killed one soon after the other.
pub fn crashes() -> Scenario {
    Scenario {
        name: "museum-crashes",
        about: "three workers, killed one soon after the other",
        workers: 3,
        length: secs(60),
        habits: Habits::plain(120),
        intensity: Intensity { storms: 3, most: 5, ..quiet().intensity },
        ..crash()
    }
}

/// The only worker is gone for a while, and calls pile up.
pub fn pile() -> Scenario {
    Scenario {
        name: "museum-pile",
        about: "one worker that is killed; calls pile up until it is back",
        faults: vec![FaultKind::WorkerCrash],
        length: secs(15),
        habits: Habits::plain(60),
        intensity: Intensity { storms: 1, most: 2, ..quiet().intensity },
        ..quiet()
    }
}

/// A process makes no progress for longer than the consumer timeout.
pub fn pauses() -> Scenario {
    let config =
        Config { heartbeat_interval: secs(1), consumer_timeout: secs(4), ..Config::default() };
    Scenario {
        name: "museum-pauses",
        about: "two workers, paused for longer than the consumer timeout of 4 s",
        workers: 2,
        faults: vec![FaultKind::Pause],
        length: secs(60),
        habits: Habits::plain(80),
        intensity: Intensity { storms: 1, most: 2, longest: secs(15), ..quiet().intensity },
        config,
        ..quiet()
    }
}

/// The same, and half of the handlers take a while and fail.
pub fn pauses_and_errors() -> Scenario {
    Scenario {
        name: "museum-pauses-and-errors",
        about: "two workers, paused for longer than the consumer timeout of 2 s while handlers run",
        options: FunctionOptions { timeout: secs(20), ..quiet().options },
        config: Config {
            heartbeat_interval: millis(500),
            consumer_timeout: secs(2),
            ..Config::default()
        },
        length: secs(30),
        policy: Policy { error: 500, at_least: millis(500), at_most: secs(4), ..Policy::EASY },
        ..pauses()
    }
}

/// The same, and half of the handlers take a while and ask for another attempt.
pub fn pauses_and_retries() -> Scenario {
    let policy = Policy { error: 0, retry: 500, ..pauses_and_errors().policy };
    Scenario { name: "museum-pauses-and-retries", policy, ..pauses_and_errors() }
}

/// Heartbeats are late, and so are removals.
pub fn late_beats() -> Scenario {
    let config = Config {
        heartbeat_interval: millis(1_000),
        consumer_timeout: millis(1_500),
        ..Config::default()
    };
    Scenario {
        name: "museum-late-beats",
        about: "two workers; heartbeats come late, a little within the consumer timeout or after it",
        workers: 2,
        faults: vec![FaultKind::Delay],
        length: secs(20),
        latency: (millis(1), millis(300)),
        intensity: Intensity { storms: 1, message_ppm: 400_000, ..quiet().intensity },
        config,
        ..quiet()
    }
}

/// The store restarts among saves.
pub fn restarts() -> Scenario {
    Scenario {
        name: "museum-restarts",
        about: "one worker; the store restarts among saves",
        faults: vec![FaultKind::StoreRestart, FaultKind::Save],
        length: secs(20),
        intensity: Intensity { storms: 1, ..quiet().intensity },
        ..quiet()
    }
}

/// Consumers without a connection of their own: they look, then wait for arrivals.
pub fn shared_wait() -> Scenario {
    Scenario {
        name: "museum-shared-wait",
        about: "one worker without connections for single functions: it looks, then waits",
        config: Config { fetch_links_max: 0, ..Config::default() },
        length: secs(20),
        latency: (millis(20), millis(60)),
        ..quiet()
    }
}

/// Two workers whose leases end when they are not renewed; handlers take longer than that.
pub fn long_handlers() -> Scenario {
    Scenario {
        name: "museum-long-handlers",
        about: "two workers; a lease of 0.5 s by idle time, and handlers that run for longer",
        workers: 2,
        config: Config { renew_interval: millis(100), ..Config::default() },
        policy: Policy { at_least: millis(1_200), at_most: secs(3), ..Policy::EASY },
        ..quiet()
    }
}

/// The same with one slot, so that what is fetched ahead waits for its turn.
pub fn prefetched() -> Scenario {
    Scenario {
        name: "museum-prefetched",
        about: "two workers with one slot; a lease of 0.5 s by idle time; calls are fetched ahead",
        options: FunctionOptions {
            concurrency: 1,
            prefetch: 4,
            backoff: CallBackoff { base: millis(100), most: millis(500) },
            ..quiet().options
        },
        config: Config { survey_interval: millis(100), ..long_handlers().config },
        policy: Policy { at_least: millis(600), at_most: millis(800), ..Policy::EASY },
        habits: Habits::plain(10),
        ..long_handlers()
    }
}
