//! One small whole trace, as a reader sees it.

use std::time::Duration;

use steadfast_core::config::Config;
use steadfast_sim::run::judge_traced;
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::workload::Habits;

#[test]
fn one_call_from_start_to_shutdown() {
    // A short sweep interval makes a short quiet phase.
    let config = Config { sweep_interval: Duration::from_millis(300), ..Config::default() };
    let one_call = Scenario {
        habits: Habits::plain(1),
        config,
        length: Duration::from_millis(200),
        ..scenario::calm()
    };
    let report = judge_traced(one_call, 5);
    assert_eq!(report.calls, 1);
    insta::assert_snapshot!(report.trace.join("\n"));
}
