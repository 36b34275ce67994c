//! Every kind of fault, a choice of them by seed: no promise breaks, every kind is injected, and every
//! situation that must be met is met.

use std::time::Duration;

use steadfast_core::call::{CallState, Outcome};
use steadfast_core::node::Node;
use steadfast_sim::faults::{FaultKind, Injected};
use steadfast_sim::history::Fact;
use steadfast_sim::probes::Tallies;
use steadfast_sim::run::judge;
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::world::World;
use steadfast_transport_mem::MemStore;

/// Runs seeds, expects no violation, and gives back what was injected and met.
fn check(scenario: &Scenario, seeds: std::ops::Range<u64>) -> (Injected, Tallies) {
    let (mut injected, mut probes) = (Injected::default(), Tallies::default());
    for seed in seeds {
        let report = judge(scenario.clone(), seed);
        let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        assert!(
            violations.is_empty(),
            "seed {seed}: {violations:#?}\nreplay: steadfast-sim replay --scenario {} --seed {seed}",
            scenario.name,
        );
        injected.add(&report.injected);
        probes.add(&report.probes);
    }
    (injected, probes)
}

/// The scenario with this one kind of fault in each seed, and nothing else wrong.
fn only(kind: FaultKind) -> Scenario {
    Scenario { faults: vec![kind], swarm: false, ..scenario::swarm() }
}

#[test]
fn two_hundred_seeds_break_no_promise_and_meet_everything() {
    let (injected, probes) = check(&scenario::swarm(), 0..200);
    for kind in FaultKind::ALL {
        assert!(injected.of(kind) >= 5, "{kind} was hardly injected: {}", injected.of(kind));
    }
    assert_eq!(probes.missing(), [""; 0], "never met");
}

#[test]
fn each_kind_alone_breaks_no_promise() {
    for kind in FaultKind::ALL {
        let (injected, _) = check(&only(kind), 1_000..1_002);
        assert!(injected.of(kind) > 0, "{kind} was not injected");
    }
}

#[test]
fn a_seed_is_a_minute_and_two_hundred_calls() {
    let swarm = scenario::swarm();
    assert!(swarm.length >= Duration::from_secs(60) && swarm.habits.calls >= 200);
    let report = judge(swarm, 3);
    assert!(report.simulated >= Duration::from_secs(60));
}

/// What a store that goes back takes with it, over these seeds: calls, decisions, consumers.
fn taken(kind: FaultKind, seeds: std::ops::Range<u64>) -> [usize; 3] {
    let mut taken = [0; 3];
    for seed in seeds {
        let run = World::<Node, MemStore>::new(only(kind), seed).run();
        for (_, fact) in run.history.facts() {
            if let Fact::Lost { calls, decisions, consumers, .. } = fact {
                for (sum, lost) in
                    taken.iter_mut().zip([calls.len(), decisions.len(), consumers.len()])
                {
                    *sum += lost;
                }
            }
        }
    }
    taken
}

#[test]
fn a_store_that_goes_back_takes_something_and_not_everything() {
    let [calls, decisions, _] = taken(FaultKind::Failover, 0..6);
    assert!(calls > 0 && decisions > 0, "{calls} calls and {decisions} decisions");
    let [calls, _, consumers] = taken(FaultKind::StoreFlush, 0..2);
    assert!(calls > 20 && consumers > 0, "{calls} calls and {consumers} consumers");
}

#[test]
fn a_call_that_kills_is_a_dead_letter_within_its_attempts() {
    let deadly = only(FaultKind::PoisonCall);
    let mut ended = 0;
    for seed in 0..4 {
        let run = World::<Node, MemStore>::new(deadly.clone(), seed).run();
        let facts = run.history.facts();
        let kills = |call| {
            facts.iter().any(|(_, fact)| matches!(fact, Fact::Poisonous { call: it } if it == call))
        };
        for (_, fact) in facts {
            if let Fact::Decided { call, state: CallState::Decided(record) } = fact
                && kills(call)
                && matches!(record.outcome, Outcome::DeadLettered(_))
            {
                ended += 1;
                assert!(record.attempts <= deadly.options.attempts_max);
            }
        }
    }
    assert!(ended > 0);
}
