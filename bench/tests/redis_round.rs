//! A tiny round of `steadfast-bench redis` over a server of its own: every call of both systems returns
//! with its own answer, and the report says so. No figure is judged.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_tiny_round_returns_every_call_with_its_own_answer() {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast-bench"))
        .args(["redis", "--quick", "--json", "--calls", "200", "--inflight", "1,8"])
        .args(["--passes", "2", "--idle", "2", "--idle-seconds", "1"])
        .output()
        .expect("the program can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("an object is printed");

    // Two systems, two passes: 25 calls with one in flight and 200 with eight.
    assert_eq!(report["calls"], 2 * 2 * (40 + 200));
    let load = report["load"].as_array().expect("a list");
    let lines: Vec<_> = load
        .iter()
        .map(|line| (line["in_flight"].as_u64().unwrap(), line["what"].as_str().unwrap()))
        .collect();
    let expect = [1, 8].map(|it| [(it, "floor-lua"), (it, "steadfast"), (it, "ratio")]);
    assert_eq!(lines, expect.concat());
    assert_eq!(report["idle"][0]["functions"], 2);
    assert_eq!(report["idle"][0]["pick_up"]["calls"], 30);
    assert_eq!(report["idle"][0]["pick_up_older_caller"]["calls"], 30);
}

#[test]
fn a_wrong_option_is_told_with_the_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast-bench"))
        .args(["redis", "--slow"])
        .output()
        .expect("the program can be started");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("`--slow` is no option") && errors.contains("usage:"), "{errors}");
}
