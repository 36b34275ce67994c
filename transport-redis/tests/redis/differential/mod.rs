//! The same operations to the reference store and to a real server: the answers must not differ.
//!
//! `STEADFAST_DIFFERENTIAL=100000 cargo test --release -p steadfast-transport-redis --test redis
//! differential -- --nocapture` runs so many sequences and prints what they covered.

mod coverage;
mod normal;
mod pair;
mod reference;
mod side;
mod step;

use std::cell::RefCell;

use proptest::test_runner::{Config, TestRunner};
use steadfast_transport_redis::KeyLayout;

use coverage::Coverage;
use pair::Pair;

use crate::support::RedisServer;

/// Sequences in an ordinary test run.
const SEQUENCES: u32 = 400;
/// So many see every operation with every answer.
const COVERING_SEQUENCES: u32 = 2_000;
/// Servers that share a run, every fourth in the cluster layout: most of the time is spent waiting for
/// short times to pass.
const SERVERS: u32 = 8;

#[test]
fn the_reference_and_a_real_server_answer_alike() {
    let asked = std::env::var("STEADFAST_DIFFERENTIAL").ok();
    let cases: u32 = asked.map_or(SEQUENCES, |asked| {
        asked.parse().expect("STEADFAST_DIFFERENTIAL is a number of sequences")
    });
    let share = |number| {
        let layout = if number % 4 == 0 { KeyLayout::Cluster } else { KeyLayout::Plain };
        std::thread::spawn(move || run(cases.div_ceil(SERVERS), layout))
    };
    let shares: Vec<_> = (0..SERVERS).map(share).collect();
    let mut coverage = Coverage::default();
    let mut divergences = Vec::new();
    for share in shares {
        let (seen, outcome) = share.join().expect("a share ends");
        coverage.add(seen);
        divergences.extend(outcome.err());
    }
    coverage.print(cases, divergences.len());
    assert_eq!(divergences, Vec::<String>::new());
    if cases >= COVERING_SEQUENCES {
        assert_eq!(coverage.missing(), Vec::<String>::new(), "never seen");
        assert_eq!(coverage.undemanded(), Vec::<String>::new(), "seen and not demanded");
    }
}

/// Runs so many sequences against a server of their own.
fn run(cases: u32, layout: KeyLayout) -> (Coverage, Result<(), String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = RedisServer::start();
    server.leaves("a sequence ends anywhere; that both sides hold the same is compared");
    let pair = RefCell::new(runtime.block_on(Pair::new(server, layout)));
    let coverage = RefCell::new(Coverage::default());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&step::sequences(), |sequence| {
        let mut pair = pair.borrow_mut();
        runtime.block_on(pair.run(&sequence, &mut coverage.borrow_mut()))
    });
    (coverage.into_inner(), outcome.map_err(|error| error.to_string()))
}
