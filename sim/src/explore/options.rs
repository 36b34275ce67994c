//! How small a world is explored, and where the search gives up.

use std::time::Duration;

use steadfast_core::backoff::{CallBackoff, ConnectionBackoff};
use steadfast_core::command::FunctionOptions;
use steadfast_core::config::Config;

/// What may happen in a world, each so often at most and at any moment, or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Calls that the caller makes.
    pub calls: u8,
    /// Saves, by any worker.
    pub saves: u8,
    /// Stops that name the first worker's first incarnation: late ones once it was saved.
    pub stops: u8,
    /// Crashes of any node; one node at least goes on living.
    pub crashes: u8,
    /// Batches that reach the store twice, one right behind the other on their connection.
    pub duplicates: u8,
    /// Batches that reach the store a second time at any later moment while the connection stands.
    pub strays: u8,
    /// Connections that die with something on its way: the request or the answer is lost.
    pub cuts: u8,
    /// Times at which a timer fires although messages are still on their way.
    pub haste: u8,
}

/// A world to explore, and the bounds of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// As the command line takes it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Nodes that serve the function.
    pub workers: u8,
    /// The caller is a node of its own, and not the first worker.
    pub separate_caller: bool,
    /// What may happen.
    pub budget: Budget,
    /// How the function is served.
    pub function: FunctionOptions,
    /// Every node's settings.
    pub config: Config,
    /// What is owed is to be settled within this after the last thing that happened from outside.
    pub patience: Duration,
    /// The search ends, and says so, once it has met so many states.
    pub states_max: usize,
    /// Every so many states, one is examined for the laws that exploring rests upon; 0 examines none.
    pub laws_every: usize,
}

/// Settings under which little happens by time alone.
fn rarely() -> Config {
    Config {
        heartbeat_interval: Duration::from_secs(2),
        renew_interval: Duration::from_secs(20),
        survey_interval: Duration::from_secs(1),
        session_grace: Duration::from_secs(1),
        observer_settle: Duration::from_secs(1),
        sweep_interval: Duration::from_secs(20),
        block: Duration::from_secs(120),
        submit_timeout: Duration::from_secs(60),
        response_timeout: Duration::from_secs(60),
        replies_interval: Duration::from_secs(40),
        poll_first: Duration::from_secs(5),
        poll_max: Duration::from_secs(20),
        health_check_interval: Duration::from_secs(300),
        definition_ttl: Duration::from_secs(3_600),
        reconnect: ConnectionBackoff { jitter_percent: 0, ..ConnectionBackoff::default() },
        ..Config::default()
    }
}

impl Options {
    /// Two workers, of which one calls: two calls, one save, one crash, one duplicated batch.
    pub fn base() -> Self {
        Self {
            name: "base",
            about: "2 workers, one calls: 2 calls, 1 save, 1 crash, 1 duplicated batch",
            workers: 2,
            separate_caller: false,
            budget: Budget { calls: 2, saves: 1, crashes: 1, duplicates: 1, ..Budget::default() },
            function: FunctionOptions {
                concurrency: 1,
                prefetch: 1,
                timeout: Duration::from_secs(120),
                attempts_max: 3,
                backoff: CallBackoff::default(),
                drain: Duration::from_secs(10),
            },
            config: rarely(),
            patience: Duration::from_secs(45),
            states_max: 5_000_000,
            laws_every: 0,
        }
    }

    /// One call, and a connection that dies in place of the duplicated batch.
    pub fn cut() -> Self {
        Self {
            name: "cut",
            about: "2 workers, one calls: 1 call, 1 save, 1 crash, 1 connection cut",
            budget: Budget { calls: 1, duplicates: 0, cuts: 1, ..Self::base().budget },
            ..Self::base()
        }
    }

    /// As `base`, but the second copy may come late, behind what was sent after it.
    pub fn stray() -> Self {
        Self {
            name: "stray",
            about: "2 workers, one calls: 2 calls, 1 save, 1 crash, 1 batch applied again, late",
            budget: Budget { duplicates: 0, strays: 1, ..Self::base().budget },
            states_max: 20_000_000,
            ..Self::base()
        }
    }

    /// A save, and two stops that name the incarnation before it, at any moment.
    pub fn stops() -> Self {
        Self {
            name: "stops",
            about: "2 workers, one calls: 2 calls, 1 save, 2 stops of the incarnation before it",
            budget: Budget { calls: 2, saves: 1, stops: 2, ..Budget::default() },
            ..Self::base()
        }
    }

    /// Two saves and nothing else that goes wrong.
    pub fn saves() -> Self {
        Self {
            name: "saves",
            about: "2 workers, one calls: 1 call, 2 saves",
            budget: Budget { calls: 1, saves: 2, ..Budget::default() },
            ..Self::base()
        }
    }

    /// Everything that `base` and `cut` have, with a caller of its own: more than any search will end.
    pub fn wide() -> Self {
        Self {
            name: "wide",
            about: "2 workers and a caller: 2 calls, 1 save, 1 crash, 1 duplicate, 1 cut, 1 haste",
            separate_caller: true,
            budget: Budget { cuts: 1, haste: 1, ..Self::base().budget },
            ..Self::base()
        }
    }

    /// Small enough to examine the laws in every state: one call, one crash, one duplicated batch.
    pub fn tiny() -> Self {
        Self {
            name: "tiny",
            about: "2 workers, one calls: 1 call, 1 crash, 1 duplicated batch",
            budget: Budget { calls: 1, crashes: 1, duplicates: 1, ..Budget::default() },
            laws_every: 1,
            ..Self::base()
        }
    }

    /// Every world that has a name.
    pub fn all() -> Vec<Self> {
        vec![
            Self::tiny(),
            Self::base(),
            Self::stray(),
            Self::cut(),
            Self::stops(),
            Self::saves(),
            Self::wide(),
        ]
    }

    /// The world of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|options| options.name == name)
    }
}
