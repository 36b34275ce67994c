//! Shrinking: a failing seed is run again and again with less of everything, as long as it still
//! breaks the same promise.
//!
//! What is removed, in this order, until nothing more can go or the runs are used up: time after
//! the violation, chance, kinds of faults, calls, single faults, nodes, functions, the calls' own
//! complications, the length of faults, waiting time. Deterministic: the same seed shrinks to the
//! same case.

mod cuts;
mod parts;
mod story;

use std::collections::BTreeSet;
use std::marker::PhantomData;

use steadfast_core::node::Node;
use steadfast_transport_mem::MemStore;

use crate::case::{Case, Size};
use crate::checkers::{Promise, Violation};
use crate::run::Played;
use crate::scenario::Scenario;
use crate::subject::{SimStore, Subject};

pub(crate) use parts::fault_count;
pub use story::{Concern, StoryLine, story};

/// How often a world is run while a case is shrunk, where nobody says otherwise.
pub const RUNS_MAX: u32 = 400;

/// One cut may use this part of the runs before the others get their turn.
const SHARES: u32 = 8;

/// A case that cannot be made smaller, or not within the runs allowed.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest case found.
    pub case: Case,
    /// How it breaks the promise.
    pub violation: Violation,
    /// How large the seed was.
    pub before: Size,
    /// How large the case is.
    pub after: Size,
    /// How often a world was run.
    pub runs: u32,
    /// The runs were used up: there may be a smaller case.
    pub is_cut_short: bool,
    /// What matters of the case's trace: what it does to the calls or consumers that the violation
    /// names, from the first message to the violation, and the faults in between.
    pub story: Vec<StoryLine>,
}

/// Shrinks a seed of production nodes over the reference store to the smallest case that breaks the
/// first promise that the seed breaks. Nothing where it breaks none.
pub fn shrink(scenario: &Scenario, seed: u64, runs_max: u32) -> Option<Shrunk> {
    shrink_as::<Node, MemStore>(scenario, seed, None, runs_max)
}

/// Shrinks a seed of any machine over any store; to `promise`, or to the first that it breaks.
/// Nothing where the seed does not break it.
pub fn shrink_as<M: Subject, S: SimStore>(
    scenario: &Scenario,
    seed: u64,
    promise: Option<Promise>,
    runs_max: u32,
) -> Option<Shrunk> {
    // Which promise it breaks is known once it has run.
    let whole = Case::whole(scenario, seed, promise.unwrap_or(Promise::NoLostCall));
    shrink_case_as::<M, S>(scenario, whole, promise, runs_max)
}

/// Shrinks a case further, made from a seed of this scenario; to `promise`, or to the first that it
/// breaks. Nothing where it does not break it.
pub fn shrink_case_as<M: Subject, S: SimStore>(
    scenario: &Scenario,
    mut whole: Case,
    promise: Option<Promise>,
    runs_max: u32,
) -> Option<Shrunk> {
    let played = whole.play_as::<M, S>(scenario, false);
    let violation = first(&played, promise)?;
    whole.promise = violation.promise;
    let before = whole.size(played.run.events);
    let mut shrinker = Shrinker::<M, S> {
        base: scenario,
        best: whole,
        violation,
        events: played.run.events,
        runs: 1,
        runs_max,
        share_ends: 0,
        tried: BTreeSet::new(),
        subject: PhantomData,
    };
    shrinker.repeat_cuts();
    Some(shrinker.finish(before))
}

/// The first violation of the promise, or of any.
fn first(played: &Played, promise: Option<Promise>) -> Option<Violation> {
    let breaks = |violation: &&Violation| promise.is_none_or(|sought| violation.promise == sought);
    played.violations.iter().find(breaks).cloned()
}

/// The smallest case so far, and what is left to find a smaller one.
struct Shrinker<'a, M, S> {
    base: &'a Scenario,
    best: Case,
    violation: Violation,
    events: u64,
    runs: u32,
    runs_max: u32,
    /// The present cut gives up after so many runs.
    share_ends: u32,
    /// Digests of cases that were run: passes meet the same candidates again.
    tried: BTreeSet<u64>,
    subject: PhantomData<fn() -> (M, S)>,
}

impl<M: Subject, S: SimStore> Shrinker<'_, M, S> {
    fn is_spent(&self) -> bool {
        self.runs >= self.runs_max
    }

    /// Repeats every cut until none makes the case smaller.
    fn repeat_cuts(&mut self) {
        loop {
            let before = self.best.clone();
            let gave_up = self.cut_all();
            if (self.best == before && !gave_up) || self.is_spent() {
                return;
            }
        }
    }

    /// Makes one cut within a share of the runs: a case of which every part seems to be needed must
    /// not use them all up with the first cut. Whether it gave up before its end.
    fn cut_within_share(&mut self, cut: fn(&mut Self)) -> bool {
        self.share_ends = self.runs + (self.runs_max / SHARES).max(1);
        cut(self);
        self.runs >= self.share_ends
    }

    /// Runs a candidate, and keeps it if it breaks the promise.
    fn attempt(&mut self, candidate: Case) -> bool {
        let may_run = self.runs < self.share_ends && !self.is_spent();
        if !may_run || candidate == self.best || !self.is_new(&candidate) {
            return false;
        }
        self.runs += 1;
        let played = candidate.play_as::<M, S>(self.base, false);
        let Some(violation) = first(&played, Some(candidate.promise)) else {
            return false;
        };
        self.best = candidate;
        self.violation = violation;
        self.events = played.run.events;
        true
    }

    fn is_new(&mut self, candidate: &Case) -> bool {
        use std::hash::Hasher;
        let mut digest = crate::digest::Digest::default();
        // The file's text: two cases with one text are one case.
        let text = serde_json::to_vec(candidate).unwrap_or_default();
        digest.write(&text);
        self.tried.insert(digest.value())
    }

    fn finish(self, before: Size) -> Shrunk {
        let played = self.best.play_as::<M, S>(self.base, true);
        debug_assert_eq!(played.run.events, self.events, "a case runs the same each time");
        Shrunk {
            before,
            after: self.best.size(self.events),
            runs: self.runs,
            is_cut_short: self.runs >= self.runs_max,
            story: story(&played.run, &self.violation),
            case: self.best,
            violation: self.violation,
        }
    }
}
