//! Breadth first through all states, so that what is found is found on a shortest path.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::laws::{self, Tally};
use super::options::Options;
use super::print::{BuildTable, Print};
use super::subject::ExploredStore;
use super::world::{Action, World};
use crate::checkers::{self, Promise, Terms, Violation};
use crate::subject::Subject;

/// Prints met. Never iterated: the order of such a table is nobody's business.
type Met = HashSet<Print, BuildTable>;

/// What was wrong, and the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The promise that is broken, where it is one.
    pub promise: Option<Promise>,
    /// What is wrong, for a person.
    pub what: String,
    /// The steps of a shortest path, each with what machines and store said at it.
    pub steps: Vec<Step>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What happened.
    pub what: String,
    /// What machines and store said.
    pub notes: Vec<String>,
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Different states.
    pub states: u64,
    /// Steps taken, also those that led to a state met before.
    pub transitions: u64,
    /// Length of the longest of the shortest paths.
    pub depth: u32,
    /// States in which nothing is on its way and nothing owed; from each the world was shut down.
    pub quiet: u64,
    /// The most states that waited to be explored.
    pub widest: u64,
    /// Steps of a machine, and of the store, that differ in themselves: all others repeat these.
    pub worked_out: (u64, u64),
    /// States in which the laws were examined, and what was examined there.
    pub laws: Tally,
    /// The search gave up after so many states; nothing is said of the others.
    pub bounded_at: Option<u64>,
    /// The first thing found to be wrong, if anything was.
    pub breach: Option<Breach>,
}

impl Explored {
    /// Every state within the budget was met, and nothing is wrong in any.
    pub const fn is_proof(&self) -> bool {
        self.bounded_at.is_none() && self.breach.is_none()
    }
}

/// Explores all that may happen to machines of this kind over a store of this kind.
pub fn explore<M: Subject, S: ExploredStore>(options: &Options) -> Explored {
    Search::<M, S>::new(options).run()
}

/// What is wrong in a state.
type Wrong = (Option<Promise>, String);

struct Search<'a, M, S> {
    options: &'a Options,
    terms: Terms,
    met: Met,
    /// Facts with what followed on them, judged and found good.
    judged: RefCell<Met>,
    /// How each state was reached first: from which, by what.
    ways: Vec<(u32, Action)>,
    frontier: VecDeque<(u32, u32, World<M, S>)>,
    explored: Explored,
}

impl<'a, M: Subject, S: ExploredStore> Search<'a, M, S> {
    fn new(options: &'a Options) -> Self {
        Self {
            options,
            terms: Terms::of(&options.config),
            met: Met::default(),
            judged: RefCell::default(),
            ways: Vec::new(),
            frontier: VecDeque::new(),
            explored: Explored::default(),
        }
    }

    fn run(mut self) -> Explored {
        let first = World::<M, S>::new(self.options);
        let wrong =
            self.judge(&first, None).or_else(|| self.judge_all(&first, is_judged_on_the_way));
        if let Some((promise, what)) = wrong {
            self.explored.breach = Some(Breach { promise, what, steps: Vec::new() });
            return self.explored;
        }
        self.meet(u32::MAX, Action::Pass, 0, first);
        while let Some((state, depth, world)) = self.frontier.pop_front() {
            let (machine, store) = world.worked_out();
            self.explored.worked_out = (machine as u64, store as u64);
            if let Err((wrong, last)) = self.expand(state, depth, &world) {
                self.explored.breach = Some(self.breach(wrong, state, last));
                return self.explored;
            }
            if self.explored.states >= self.options.states_max as u64 {
                self.explored.bounded_at = Some(self.explored.states);
                return self.explored;
            }
        }
        self.explored
    }

    /// Takes a state in, unless it was met before.
    fn meet(&mut self, from: u32, by: Action, depth: u32, world: World<M, S>) {
        if !self.met.insert(world.print()) {
            return;
        }
        let state = self.ways.len() as u32;
        self.ways.push((from, by));
        self.explored.states += 1;
        self.explored.depth = self.explored.depth.max(depth);
        self.frontier.push_back((state, depth, world));
        self.explored.widest = self.explored.widest.max(self.frontier.len() as u64);
    }

    fn expand(
        &mut self,
        state: u32,
        depth: u32,
        world: &World<M, S>,
    ) -> Result<(), (Wrong, Option<Action>)> {
        if self.options.laws_every > 0 && (state as usize).is_multiple_of(self.options.laws_every) {
            laws::examine(world, &mut self.explored.laws).map_err(|what| ((None, what), None))?;
        }
        if world.is_quiet() {
            self.explored.quiet += 1;
            self.close(world).map_err(|wrong| (wrong, None))?;
        } else if world.is_stuck() {
            let mut world = world.clone();
            world.note_stuck();
            let wrong = self.judge_all(&world, |_| true);
            return wrong.map_or(Ok(()), |wrong| Err((wrong, None)));
        }
        for action in world.actions() {
            self.explored.transitions += 1;
            let mut next = world.clone();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| next.step(action))) {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).into()));
                let what = format!("panicked: {}", said.unwrap_or_default());
                return Err(((None, what), Some(action)));
            }
            if let Some(wrong) = self.judge(&next, Some(world)) {
                return Err((wrong, Some(action)));
            }
            self.meet(state, action, depth + 1, next);
        }
        Ok(())
    }

    /// What is wrong in a state that a step has led to.
    fn judge(&self, world: &World<M, S>, before: Option<&World<M, S>>) -> Option<Wrong> {
        if let Some(what) = world.wrong() {
            return Some((None, what.to_owned()));
        }
        let before = before?;
        let key = world.to_judge_since(before)?;
        if self.judged.borrow().contains(&key) {
            return None;
        }
        let wrong = self.judge_all(world, is_judged_on_the_way);
        if wrong.is_none() {
            self.judged.borrow_mut().insert(key);
        }
        wrong
    }

    fn judge_all(&self, world: &World<M, S>, asked: impl Fn(&Violation) -> bool) -> Option<Wrong> {
        let violations = checkers::judge(&world.history(), &self.terms);
        let broken = violations.into_iter().find(asked)?;
        Some((Some(broken.promise), broken.to_string()))
    }

    /// Lets a quiet world rest, shuts it down, and judges all that happened by every promise.
    fn close(&self, world: &World<M, S>) -> Result<(), Wrong> {
        let mut world = world.clone();
        let config = &self.options.config;
        world.rest(config.survey_interval * 2 + config.session_grace + config.observer_settle);
        world.shut_down();
        world.conclude();
        if let Some(what) = world.wrong() {
            return Err((None, what.to_owned()));
        }
        self.judge_all(&world, |_| true).map_or(Ok(()), Err)
    }

    /// The way to a state and one step on, told in words.
    fn breach(&self, (promise, what): Wrong, state: u32, last: Option<Action>) -> Breach {
        let mut actions: Vec<Action> = last.into_iter().collect();
        let mut at = state;
        while let Some((from, by)) = self.ways.get(at as usize)
            && *from != u32::MAX
        {
            actions.push(*by);
            at = *from;
        }
        let mut world = World::<M, S>::new(self.options).with_notes();
        let mut steps = Vec::new();
        for action in actions.into_iter().rev() {
            let what = world.describe(action);
            // What panicked on the way does so again: the step is named, and it is the last.
            let _panicked = catch_unwind(AssertUnwindSafe(|| world.step(action))).is_err();
            steps.push(Step { what, notes: world.take_notes() });
        }
        Breach { promise, what, steps }
    }
}

/// The end of a history says what is owed still; on the way nothing is late.
const fn is_judged_on_the_way(violation: &Violation) -> bool {
    matches!(
        violation.promise,
        Promise::NoLostCall
            | Promise::DecidedOnce
            | Promise::StopNames
            | Promise::NeverLeaves
            | Promise::BoundedAttempts
            | Promise::BoundedConcurrency
            | Promise::EpochsAdvance
    )
}
