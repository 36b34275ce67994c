//! The space-time diagram of a run: what it is made of, and that nothing breaks out of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use steadfast_core::config::Config;
use steadfast_core::name::FunctionId;
use steadfast_core::node::Node;
use steadfast_sim::case::Case;
use steadfast_sim::checkers::{Promise, Violation};
use steadfast_sim::diagram;
use steadfast_sim::history::Fact;
use steadfast_sim::run::Played;
use steadfast_sim::scenario::{self, Scenario};
use steadfast_sim::workload::Habits;
use steadfast_transport_mem::MemStore;

fn one_call() -> Scenario {
    // A short sweep interval makes a short quiet phase.
    let config = Config { sweep_interval: Duration::from_millis(300), ..Config::default() };
    Scenario {
        habits: Habits::plain(1),
        config,
        length: Duration::from_millis(200),
        ..scenario::calm()
    }
}

fn played(scenario: &Scenario, seed: u64) -> (Case, Played) {
    let case = Case::whole(scenario, seed, Promise::NoLostCall);
    let played = case.play_as::<Node, MemStore>(scenario, true);
    (case, played)
}

/// Forges a violation about this call, at the moment at which it was decided.
fn forge(played: &mut Played, what: &str) {
    let decided =
        played.run.history.facts().iter().find(|(_, fact)| matches!(fact, Fact::Decided { .. }));
    let (at, _) = *decided.expect("a call was decided");
    let promise = Promise::NoLostCall;
    played.violations = vec![Violation { promise, at, what: what.into() }];
}

/// How many elements there are of each name and class.
fn structure(page: &str) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let svg = page.split("<svg").skip(1).filter_map(|rest| rest.split("</svg>").next());
    for tag in svg.flat_map(|svg| svg.split('<').skip(1)).filter(|tag| !tag.starts_with('/')) {
        let name = tag.split([' ', '>']).next().unwrap_or_default();
        let class = tag.split("class=\"").nth(1).and_then(|rest| rest.split('"').next());
        *counts.entry(format!("{name} {}", class.unwrap_or("-"))).or_default() += 1;
    }
    counts.iter().fold(String::new(), |mut text, (element, count)| {
        let _ = writeln!(text, "{count:4} {element}");
        text
    })
}

#[test]
fn a_run_is_lanes_messages_bars_and_the_violation() {
    let (case, mut played) = played(&one_call(), 5);
    forge(&mut played, "c0 was lost");
    let page = diagram::html(&case, &played, "replay it");
    insta::assert_snapshot!(structure(&page));
}

#[test]
fn every_message_of_a_good_run_is_drawn_with_its_words() {
    let (case, played) = played(&one_call(), 5);
    let page = diagram::html(&case, &played, "replay it");
    assert!(page.contains("No promise is broken") && !page.contains("What led to it"));
    for words in [
        "[submit greet:global c0 (7 B)] accepted",
        "[complete c0 (20 B)] done",
        "c0 attempt 1 begins on",
        "it ends: success (20 B)",
        "t1 submit greet:global",
        "t2 outcome: c0 success(20 B) after 1",
    ] {
        assert!(page.contains(words), "{words} is not on the page");
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let (case, played) = played(&scenario::mini(), 3);
    let page = diagram::html(&case, &played, "replay it");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    let namespace = "http://www.w3.org/2000/svg";
    assert_eq!(page.matches("http").count(), page.matches("http-equiv").count() + 1);
    assert!(page.contains(namespace) && !page.contains("@import") && !page.contains(" src="));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn names_and_texts_are_escaped_wherever_they_stand() {
    let evil = "<script>alert(\"1\")</script>&'";
    let mut scenario = one_call();
    scenario.functions = vec![FunctionId::new("a<b>&\"c\"", "global").expect("any characters")];
    let (mut case, mut played) = played(&scenario, 5);
    case.scenario = evil.into();
    forge(&mut played, &format!("c0 {evil}"));
    let page = diagram::html(&case, &played, evil);
    assert_eq!(page.matches("<script").count(), 1, "a script of somebody else's");
    assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"));
    assert!(page.contains("a&lt;b&gt;&amp;&quot;c&quot;:global") && !page.contains("a<b>"));
}

#[test]
fn a_large_run_is_drawn_in_part_and_says_so() {
    let (case, mut played) = played(&scenario::ten_workers(), 1);
    let first = played.run.history.facts().iter().find_map(|(_, fact)| match fact {
        Fact::Admitted { call, .. } => Some(call.clone()),
        _ => None,
    });
    forge(&mut played, &format!("{} was lost", first.expect("a call was admitted")));
    let last = played.run.history.facts().last().expect("facts").0;
    played.violations[0].at = last;
    let page = diagram::html(&case, &played, "replay it");
    assert!(page.contains("messages about other calls are not drawn"), "{} bytes", page.len());
    assert!(page.len() < 12_000_000, "{} bytes", page.len());
}
