//! Everything that can happen to two nodes, a call or two, and little that goes wrong.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use steadfast_core::config::Config;
use steadfast_core::machine::{Input, Machine, Output};
use steadfast_core::name::NodeId;
use steadfast_core::node::Node;
use steadfast_core::pending::Pending;
use steadfast_core::time::Time;
use steadfast_sim::checkers::Promise;
use steadfast_sim::explore::plants::{
    LastDecisionWins, Mistaken, NameGoesWithPending, ReleaseAcknowledges, StopsWhoeverServes,
    SubmitForgetsOutcomes, TheDeadAreKept,
};
use steadfast_sim::explore::{Breach, Budget, Explored, ExploredStore, Options, explore, tell};
use steadfast_sim::subject::Subject;
use steadfast_transport_mem::MemStore;

fn within(budget: Budget) -> Options {
    Options { budget, ..Options::base() }
}

/// Explores production nodes over the reference store to the end, and expects nothing wrong.
fn check(options: &Options) -> Explored {
    let explored = explore::<Node, MemStore>(options);
    assert!(explored.is_proof(), "{}", told(&explored));
    assert!(explored.quiet > 0, "{explored:?}");
    explored
}

fn told(explored: &Explored) -> String {
    let mut text = Vec::new();
    tell(explored, Duration::from_secs(1), &mut text).expect("a vector takes every line");
    String::from_utf8(text).expect("lines are text")
}

/// Explores a machine over a store of which one is wrong; answers what was found.
fn find<M: Subject, S: ExploredStore>(budget: Budget, promise: Promise) -> Breach {
    find_in::<M, S>(&within(budget), promise)
}

fn find_in<M: Subject, S: ExploredStore>(options: &Options, promise: Promise) -> Breach {
    let explored = explore::<M, S>(options);
    let breach = explored.breach.expect("the mistake is found");
    assert_eq!(breach.promise, Some(promise), "{}", breach.what);
    breach
}

/// The steps alone: what happened, without what was said at it.
fn path(breach: &Breach) -> String {
    let steps = breach.steps.iter().enumerate();
    let lines = steps.map(|(index, step)| format!("{:2}. {}", index + 1, step.what));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn one_call_with_a_crash_and_a_doubled_batch_and_the_laws_hold_in_every_state() {
    let explored = check(&Options::tiny());
    assert_eq!(explored.laws.states, explored.states);
    assert_eq!(explored.laws.repeats, explored.transitions);
    assert!(explored.laws.garbage > 10_000, "{explored:?}");
}

#[test]
fn two_calls_and_a_crash() {
    check(&within(Budget { calls: 2, crashes: 1, ..Budget::default() }));
}

#[test]
fn one_call_and_a_cut_connection() {
    check(&within(Budget { calls: 1, cuts: 1, ..Budget::default() }));
}

#[test]
fn a_save_and_two_stops_of_the_incarnation_before_it() {
    check(&within(Budget { saves: 1, stops: 2, ..Budget::default() }));
}

#[test]
fn one_call_while_time_may_pass_at_any_moment() {
    check(&within(Budget { calls: 1, haste: 1, ..Budget::default() }));
}

#[test]
fn a_search_that_gave_up_says_so() {
    let options = Options { states_max: 500, ..Options::base() };
    let explored = explore::<Node, MemStore>(&options);
    assert_eq!((explored.bounded_at, explored.is_proof()), (Some(explored.states), false));
    let last = told(&explored).lines().last().map(str::to_owned);
    assert!(last.is_some_and(|line| line.contains("states, not exhaustive")), "{explored:?}");
}

#[test]
fn the_same_world_is_explored_alike_every_time() {
    let options = within(Budget { calls: 1, crashes: 1, ..Budget::default() });
    assert_eq!(explore::<Node, MemStore>(&options), explore::<Node, MemStore>(&options));
}

#[test]
fn a_decision_that_overwrites_is_found() {
    let budget = Budget { calls: 1, duplicates: 1, ..Budget::default() };
    let breach = find::<Node, Mistaken<LastDecisionWins>>(budget, Promise::DecidedOnce);
    insta::assert_snapshot!(path(&breach));
}

#[test]
fn a_stop_that_stops_whoever_serves_is_found() {
    let budget = Budget { saves: 1, stops: 1, ..Budget::default() };
    let breach = find::<StopsWhoeverServes, MemStore>(budget, Promise::StopNames);
    insta::assert_snapshot!(path(&breach));
}

#[test]
fn a_submission_that_revives_a_decided_call_is_found() {
    let budget = Budget { calls: 1, strays: 1, ..Budget::default() };
    let breach = find::<Node, Mistaken<SubmitForgetsOutcomes>>(budget, Promise::DecidedOnce);
    insta::assert_snapshot!(path(&breach));
}

#[test]
fn a_release_that_only_acknowledges_is_found() {
    let budget = Budget { calls: 2, saves: 1, ..Budget::default() };
    let options = Options { workers: 1, separate_caller: true, ..within(budget) };
    let promise = Promise::SaveStallsNothing;
    let breach = find_in::<Node, Mistaken<ReleaseAcknowledges>>(&options, promise);
    assert!(path(&breach).contains("[release call-"), "{}", path(&breach));
}

#[test]
fn a_name_deleted_with_what_is_pending_is_found() {
    let budget = Budget { calls: 1, crashes: 1, ..Budget::default() };
    let breach = find::<Node, Mistaken<NameGoesWithPending>>(budget, Promise::Liveness);
    assert!(path(&breach).contains("crashes"), "{}", path(&breach));
}

#[test]
fn a_dead_worker_that_is_never_robbed_is_found() {
    let budget = Budget { calls: 1, crashes: 1, ..Budget::default() };
    let breach = find::<Node, Mistaken<TheDeadAreKept>>(budget, Promise::Liveness);
    assert!(path(&breach).contains("crashes"), "{}", path(&breach));
}

/// A node that lets every input, however meaningless, change its state.
#[derive(Clone, Debug)]
struct MindsEverything {
    node: Node,
    inputs: u64,
}

impl Subject for MindsEverything {
    fn start(id: NodeId, config: Config, seed: u64) -> Self {
        Self { node: Node::new(id, config, seed), inputs: 0 }
    }
}

impl Machine for MindsEverything {
    fn handle(&mut self, now: Time, input: Input) {
        self.inputs += 1;
        self.node.handle(now, input);
    }

    fn poll(&mut self) -> Output {
        self.node.poll()
    }

    fn pending(&self) -> Vec<Pending> {
        self.node.pending()
    }

    fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        self.inputs.hash(&mut into);
        self.node.fingerprint(now, into);
    }
}

#[test]
fn a_machine_that_minds_what_has_no_meaning_breaks_the_laws() {
    let explored = explore::<MindsEverything, MemStore>(&Options::tiny());
    let breach = explored.breach.expect("the laws are examined");
    assert!(breach.what.contains("changed by what has no meaning"), "{}", breach.what);
}
