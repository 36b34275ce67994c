//! The museum: consumers, callers, breakers and stores that carry one historic mistake each.
//!
//! An exhibit runs in the same world as the production node, before the same checkers; that each of them
//! is caught is what the checkers' silence about the production node is worth. Machine exhibits are
//! production nodes with one [`Slip`](bent::Slip), store exhibits the reference store with one
//! [`Flaw`](flawed::Flaw), breaker exhibits naive breakers before a [law](breaker_law). Each has a control
//! without the mistake, which passes in the same scenario under the same seed.

pub mod bent;
pub mod breaker_law;
pub mod breakers;
mod catalog;
pub mod flawed;
pub mod loops;
pub mod reads;
pub mod registry;
pub mod scenes;
pub mod scripts;
pub mod streams;

use std::fmt;
use std::ops::Range;

pub use catalog::exhibits;

use crate::checkers::{Promise, Violation};
use crate::run::Report;
use crate::scenario::Scenario;
use crate::shrink::Shrunk;

use breakers::Guard;

/// The scenario of an exhibit.
pub type Scene = fn() -> Scenario;

/// Runs one seed of a world, and judges.
pub type Judge = fn(Scenario, u64, bool) -> Report;

/// Shrinks a seed of a world to the smallest case that breaks the promise, within so many runs.
pub type Shrink = fn(&Scenario, u64, Option<Promise>, u32) -> Option<Shrunk>;

/// Runs one seed of a breaker's schedule: its steps, and what broke the law.
pub type Play = fn(Guard, u64) -> (u64, Result<(), Violation>);

/// Where an exhibit stands.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Place {
    /// In the discrete-event world.
    World {
        /// Its scenario.
        scene: Scene,
        /// With the mistake.
        exhibit: Judge,
        /// Without it.
        control: Judge,
        /// The exhibit's seeds, shrunk.
        shrink: Shrink,
    },
    /// In a schedule of operations.
    Breaker {
        /// When the exhibit's operations give their permits back; the control's do as they should.
        guard: Guard,
        /// With the mistake.
        exhibit: Play,
        /// The production breaker.
        control: Play,
        /// How many steps remain of an exhibit's seed that breaks the law.
        shrink: fn(Guard, u64) -> Option<u64>,
    },
}

/// One historic mistake.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    /// As the command line takes it.
    pub name: &'static str,
    /// The mistake, in one sentence.
    pub mistake: &'static str,
    /// The promise that its first violation breaks.
    pub breaks: Promise,
    /// Where it stands.
    pub place: Place,
}

/// What became of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Events of the world, or steps of the schedule.
    pub events: u64,
    /// What was broken, in order of time.
    pub violations: Vec<Violation>,
}

impl From<Report> for Trial {
    fn from(report: Report) -> Self {
        Self { events: report.events, violations: report.violations }
    }
}

impl From<(u64, Result<(), Violation>)> for Trial {
    fn from((events, result): (u64, Result<(), Violation>)) -> Self {
        Self { events, violations: result.err().into_iter().collect() }
    }
}

impl Exhibit {
    /// The scenario, where it stands in a world.
    pub fn scenario(&self) -> Option<Scenario> {
        match self.place {
            Place::World { scene, .. } => Some(scene()),
            Place::Breaker { .. } => None,
        }
    }

    /// Runs the exhibit under a seed.
    pub fn trial(&self, seed: u64) -> Trial {
        match self.place {
            Place::World { scene, exhibit, .. } => exhibit(scene(), seed, false).into(),
            Place::Breaker { guard, exhibit, .. } => exhibit(guard, seed).into(),
        }
    }

    /// Runs the same without the mistake.
    pub fn control(&self, seed: u64) -> Trial {
        match self.place {
            Place::World { scene, control, .. } => control(scene(), seed, false).into(),
            Place::Breaker { control, .. } => control(Guard::Store, seed).into(),
        }
    }

    /// Runs the exhibit under a seed.
    ///
    /// # Errors
    /// The first violation by which the seed catches it.
    pub fn run(&self, seed: u64) -> Result<(), Violation> {
        match self.trial(seed).violations.into_iter().next() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    /// The first seed that catches it by the promise that it breaks.
    pub fn catch(&self, seeds: Range<u64>) -> Option<Caught> {
        seeds.into_iter().find_map(|seed| {
            let trial = self.trial(seed);
            let violation = trial.violations.into_iter().next()?;
            (violation.promise == self.breaks).then_some(Caught {
                seed,
                events: trial.events,
                violation,
            })
        })
    }

    /// How much remains of a seed that catches it when it is shrunk, in at most so many runs: lines of
    /// the story that leads to the violation, or steps of the schedule. Nothing where the seed does not
    /// catch it.
    pub fn shrink(&self, seed: u64, runs_max: u32) -> Option<u64> {
        match self.place {
            Place::World { scene, shrink, .. } => {
                let shrunk = shrink(&scene(), seed, Some(self.breaks), runs_max)?;
                Some(shrunk.story.len() as u64)
            }
            Place::Breaker { guard, shrink, .. } => shrink(guard, seed),
        }
    }
}

/// How an exhibit was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// By which seed.
    pub seed: u64,
    /// How many events that run has.
    pub events: u64,
    /// What it broke first.
    pub violation: Violation,
}

/// One line of the museum's report.
#[derive(Clone, Debug)]
pub struct Line {
    /// The exhibit.
    pub exhibit: Exhibit,
    /// How it was caught, if it was.
    pub caught: Option<Caught>,
    /// How many events remain once shrunk, where that was asked for.
    pub shrunk: Option<u64>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:26} ", self.exhibit.name)?;
        match &self.caught {
            Some(Caught { seed, events, violation }) => {
                write!(f, "seed {seed:<5} {events:>6} events")?;
                self.shrunk.iter().try_for_each(|shrunk| write!(f, ", {shrunk:>4} once shrunk"))?;
                write!(f, "  {violation}")
            }
            None => write!(f, "NOT CAUGHT: {}", self.exhibit.mistake),
        }
    }
}

/// Runs every exhibit until a seed catches it, and shrinks that seed in at most so many runs (none:
/// not at all).
pub fn report(seeds: &Range<u64>, shrink_runs_max: u32) -> Vec<Line> {
    let line = |exhibit: Exhibit| {
        let caught = exhibit.catch(seeds.clone());
        let shrunk = caught
            .as_ref()
            .filter(|_| shrink_runs_max > 0)
            .and_then(|caught| exhibit.shrink(caught.seed, shrink_runs_max));
        Line { exhibit, caught, shrunk }
    };
    exhibits().into_iter().map(line).collect()
}
