//! The README's example ends as the README says.

use std::fmt::Write as _;
use std::path::Path;

use crate::binary::{Finished, run};

fn example() -> Finished {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let calls = std::fs::read_to_string(examples.join("calls.jsonl")).unwrap();
    let finished = run(&examples.join("functions.toml"), &calls);
    assert_eq!(finished.outcomes.len(), calls.lines().count());
    finished
}

#[test]
fn every_line_of_the_example_has_the_outcome_that_is_expected() {
    let mut finished = example();
    assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
    finished.outcomes.sort_by_key(|outcome| outcome["line"].as_u64());
    let mut lines = String::new();
    for mut outcome in finished.outcomes {
        assert!(outcome["elapsed_ms"].is_u64());
        outcome["elapsed_ms"] = "[elapsed]".into();
        if let Some(message) = outcome["error"]["message"].as_str() {
            let folder = env!("CARGO_MANIFEST_DIR");
            outcome["error"]["message"] = message.replace(folder, "[cli]").into();
        }
        writeln!(lines, "{outcome}").unwrap();
    }
    insta::assert_snapshot!(lines);
}
