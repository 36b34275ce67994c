//! A case: one seed of a scenario with the script that it runs, as a file that is a test.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};
use steadfast_core::name::FunctionId;
use thiserror::Error;

use crate::checkers::Promise;
use crate::policy::Policy;
use crate::run::{self, Played};
use crate::scenario::{self, Scenario};
use crate::script::Script;
use crate::shrink::fault_count;
use crate::subject::{SimStore, Subject};

/// One seed of a scenario, with its script written out and with what the shrinker changed of the
/// scenario. Functions, settings and habits that are not named here are the scenario's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The scenario's name.
    pub scenario: String,
    /// The seed: of latencies, handlers and nodes. What befalls the world stands in the script.
    pub seed: u64,
    /// The promise that it broke when it was written.
    pub promise: Promise,
    /// Nodes that serve.
    pub workers: u16,
    /// Nodes that call.
    pub callers: u16,
    /// The functions.
    pub functions: Vec<FunctionId>,
    /// How long calls are made and faults injected.
    pub length: Duration,
    /// The one-way time of a message, from and to.
    pub latency: (Duration, Duration),
    /// The most that a node's clock may gain or lose, in parts per million.
    pub drift_ppm: u32,
    /// Every handler succeeds soon, whatever the scenario's policy says.
    pub plain_handlers: bool,
    /// What befalls the world, and what callers do.
    pub script: Script,
}

/// How large a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Workers and callers.
    pub nodes: usize,
    /// Functions served.
    pub functions: usize,
    /// Calls that callers mean to make.
    pub calls: usize,
    /// Faults of the plan; a rough time of messages is one.
    pub faults: usize,
    /// Events of the world when it runs.
    pub events: u64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, functions, calls, faults, events } = self;
        write!(
            f,
            "{nodes} nodes, {functions} functions, {calls} calls, {faults} faults, {events} events"
        )
    }
}

/// A case's file that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaseError {
    /// The file cannot be read or written.
    #[error("cannot access the case {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no case of this version.
    #[error("{} is not a case of this version ({source}); shrink its seed again", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where, and what is wrong.
        source: serde_json::Error,
    },
    /// Its scenario does not exist here.
    #[error("there is no scenario {name}; `list` shows those there are")]
    UnknownScenario {
        /// The name.
        name: String,
    },
}

impl Case {
    /// A seed as the scenario draws it, nothing removed.
    pub fn whole(scenario: &Scenario, seed: u64, promise: Promise) -> Self {
        Self {
            scenario: scenario.name.into(),
            seed,
            promise,
            workers: scenario.workers,
            callers: scenario.callers,
            functions: scenario.functions.clone(),
            length: scenario.length,
            latency: scenario.latency,
            drift_ppm: scenario.drift_ppm,
            plain_handlers: false,
            script: Script::draw(scenario, seed),
        }
    }

    /// The scenario that this case runs in, made of the one that it was drawn from.
    pub fn scenario_from(&self, base: &Scenario) -> Scenario {
        let base = base.clone();
        Scenario {
            workers: self.workers,
            callers: self.callers,
            functions: self.functions.clone(),
            length: self.length,
            latency: self.latency,
            drift_ppm: self.drift_ppm,
            policy: if self.plain_handlers { Policy::EASY } else { base.policy },
            ..base
        }
    }

    /// The known scenario of this case's name.
    pub fn base(&self) -> Result<Scenario, CaseError> {
        let unknown = || CaseError::UnknownScenario { name: self.scenario.clone() };
        scenario::all().into_iter().find(|known| known.name == self.scenario).ok_or_else(unknown)
    }

    /// Runs the case with this machine over this store, and judges; `base` is its scenario.
    pub fn play_as<M: Subject, S: SimStore>(&self, base: &Scenario, traced: bool) -> Played {
        run::play_as::<M, S>(self.scenario_from(base), self.seed, self.script.clone(), traced)
    }

    /// How large it is, where it runs for so many events.
    pub fn size(&self, events: u64) -> Size {
        Size {
            nodes: usize::from(self.workers + self.callers),
            functions: self.functions.len(),
            calls: self.script.intents.len(),
            faults: fault_count(&self.script.plan),
            events,
        }
    }

    /// Reads a case's file.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let text = fs::read_to_string(path)
            .map_err(|source| CaseError::File { path: path.into(), source })?;
        serde_json::from_str(&text)
            .map_err(|source| CaseError::Malformed { path: path.into(), source })
    }

    /// Writes a case's file.
    pub fn write(&self, path: &Path) -> Result<(), CaseError> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|source| CaseError::Malformed { path: path.into(), source })?;
        text.push('\n');
        fs::write(path, text).map_err(|source| CaseError::File { path: path.into(), source })
    }
}
