//! A planted violation is shrunk to what it needs, and nothing else; the case is a file that is a
//! test.

use std::hash::Hasher;
use std::time::Duration;

use steadfast_core::config::Config;
use steadfast_core::machine::{Effect, Input, Machine, Output};
use steadfast_core::name::NodeId;
use steadfast_core::node::Node;
use steadfast_core::op::{Op, Verdict};
use steadfast_core::pending::Pending;
use steadfast_core::time::Time;
use steadfast_sim::case::Case;
use steadfast_sim::checkers::Promise;
use steadfast_sim::faults::Fault;
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::shrink::{RUNS_MAX, Shrunk, shrink_as};
use steadfast_sim::subject::Subject;
use steadfast_transport_mem::MemStore;

/// A node whose decisions are forged on their way out.
#[derive(Clone)]
struct Forged<const HOW: u8>(Node);

/// Forges the result of every success.
const ALWAYS: u8 = 0;
/// Forges the result of a success that needed more than one attempt.
const ONLY_LATER_ATTEMPTS: u8 = 1;
/// Panics before a success that needed more than one attempt.
const PANICS: u8 = 2;

impl<const HOW: u8> Forged<HOW> {
    fn forge(op: &mut Op) {
        let Op::Decide { verdict: Verdict::Complete { result, .. }, attempts, .. } = op else {
            return;
        };
        assert!(HOW != PANICS || *attempts < 2, "a machine that panics");
        if HOW == ALWAYS || *attempts > 1 {
            *result = steadfast_core::call::Payload::trusted("\"forged\"");
        }
    }
}

impl<const HOW: u8> Machine for Forged<HOW> {
    fn handle(&mut self, now: Time, input: Input) {
        self.0.handle(now, input);
    }

    fn poll(&mut self) -> Output {
        let mut output = self.0.poll();
        if let Output::Effect { effect: Effect::Execute { ops, .. }, .. } = &mut output {
            ops.iter_mut().for_each(Self::forge);
        }
        output
    }

    fn pending(&self) -> Vec<Pending> {
        self.0.pending()
    }

    fn fingerprint(&self, now: Time, into: &mut dyn Hasher) {
        self.0.fingerprint(now, into);
    }
}

impl<const HOW: u8> Subject for Forged<HOW> {
    fn start(id: NodeId, config: Config, seed: u64) -> Self {
        Self(<Node as Subject>::start(id, config, seed))
    }
}

/// Shrinks the first of these seeds that breaks the promise.
fn check<const HOW: u8>(scenario: &Scenario, promise: Promise) -> Shrunk {
    (0..20)
        .find_map(|seed| {
            shrink_as::<Forged<HOW>, MemStore>(scenario, seed, Some(promise), RUNS_MAX)
        })
        .expect("one of twenty seeds breaks the promise")
}

#[test]
fn what_breaks_each_call_needs_one_call_and_no_fault() {
    let shrunk = check::<ALWAYS>(&scenario::swarm(), Promise::DecidedOnce);
    let after = shrunk.after;
    assert_eq!((after.calls, after.faults, after.nodes, after.functions), (1, 0, 2, 1));
    assert!(shrunk.before.calls >= 100 && shrunk.before.faults > 0 && !shrunk.is_cut_short);
    assert!(after.events * 10 < shrunk.before.events, "{} is not much less", shrunk.after);
    assert!(!shrunk.case.script.mask.kinds().any(|_| true));
    assert!(shrunk.story.len() <= 20, "{:#?}", shrunk.story);
}

#[test]
fn what_needs_a_crash_keeps_one_crash_and_one_call() {
    let shrunk = check::<ONLY_LATER_ATTEMPTS>(&scenario::crash(), Promise::DecidedOnce);
    assert_eq!((shrunk.after.calls, shrunk.after.faults), (1, 1));
    let [(_, Fault::Crash { .. })] = shrunk.case.script.plan.steps.as_slice() else {
        panic!("the crash is gone: {:?}", shrunk.case.script.plan);
    };
    assert!(shrunk.after.nodes <= 3, "{}", shrunk.after);
    assert!(shrunk.case.length < Duration::from_secs(20), "{:?}", shrunk.case.length);
    assert!(shrunk.story.iter().any(|line| line.text.contains("killed")), "{:#?}", shrunk.story);
}

#[test]
fn a_panic_is_shrunk_like_a_broken_promise() {
    let shrunk = check::<PANICS>(&scenario::crash(), Promise::NeverPanics);
    assert!(shrunk.violation.what.contains("a machine that panics"));
    assert_eq!((shrunk.after.calls, shrunk.after.faults), (1, 1));
}

#[test]
fn a_seed_shrinks_to_the_same_case_each_time() {
    let first = check::<ONLY_LATER_ATTEMPTS>(&scenario::crash(), Promise::DecidedOnce);
    let second = check::<ONLY_LATER_ATTEMPTS>(&scenario::crash(), Promise::DecidedOnce);
    assert_eq!((first.case, first.runs, first.story), (second.case, second.runs, second.story));
}

#[test]
fn the_runs_are_bounded() {
    let scenario = scenario::crash();
    let shrunk = (0..20)
        .find_map(|seed| shrink_as::<Forged<ALWAYS>, MemStore>(&scenario, seed, None, 7))
        .expect("every seed breaks the promise");
    assert!(shrunk.runs <= 7 && shrunk.is_cut_short);
    assert_eq!(shrunk.violation.promise, shrunk.case.promise);
}

#[test]
fn a_good_seed_has_nothing_to_shrink() {
    assert!(shrink_as::<Node, MemStore>(&scenario::calm(), 1, None, RUNS_MAX).is_none());
}

#[test]
fn a_shrunk_case_breaks_the_promise_again_from_its_file() {
    let scenario = scenario::crash();
    let shrunk = check::<ONLY_LATER_ATTEMPTS>(&scenario, Promise::DecidedOnce);
    let directory = tempfile::tempdir().expect("a directory for the case");
    let path = directory.path().join("case.json");
    shrunk.case.write(&path).expect("the case is written");
    let read = Case::read(&path).expect("the case is read");
    assert_eq!(read, shrunk.case);
    assert_eq!(read.base().expect("a known scenario").name, scenario.name);
    let forged = read.play_as::<Forged<ONLY_LATER_ATTEMPTS>, MemStore>(&scenario, false);
    assert_eq!(forged.violations.first(), Some(&shrunk.violation));
    // And the production node keeps it.
    let node = read.play_as::<Node, MemStore>(&scenario, false);
    assert_eq!(node.violations, []);
}

#[test]
fn a_file_that_is_no_case_says_so() {
    let directory = tempfile::tempdir().expect("a directory for the case");
    let missing = Case::read(&directory.path().join("none.json")).expect_err("there is none");
    assert!(missing.to_string().contains("none.json"), "{missing}");
    let path = directory.path().join("bad.json");
    std::fs::write(&path, "{\"scenario\": 1}").expect("a file is written");
    let bad = Case::read(&path).expect_err("it is no case").to_string();
    assert!(bad.contains("not a case") && bad.contains("line 1"), "{bad}");
    let mut case = Case::whole(&scenario::mini(), 1, Promise::Liveness);
    case.scenario = "nowhere".into();
    assert!(case.base().expect_err("no such scenario").to_string().contains("nowhere"));
}
