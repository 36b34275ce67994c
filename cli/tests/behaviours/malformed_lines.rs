//! A bad line costs nothing but itself.

use crate::binary::{Folder, Run, call, gist, run};

const ECHO: &str = "[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n\
                    parameters = [{ name = \"n\", type = \"number\", required = true }]\n\
                    [[function]]\nname = \"any\"\nbuiltin = \"echo\"\n";

#[test]
fn bad_lines_are_refused_by_number_and_the_others_go_on() {
    let folder = Folder::new(ECHO);
    let long = format!("{{\"function\":\"any\",\"input\":\"{}\"}}\n", "x".repeat(1 << 20));
    let longer = "x".repeat(3 << 20) + "\n";
    let lines = [
        call("first", "echo", r#"{"n":1}"#),
        "nonsense\n".into(),
        "\n".into(),
        "{}\n".into(),
        "\u{0}\n".into(),
        long,
        longer,
        call("nobody", "nobody", "1"),
        call("wrong", "echo", r#"{"n":"one"}"#),
        call("none", "echo", "{}"),
        call("", "any", "1"),
        call("last", "any", "[1]").trim_end().to_owned(),
    ];
    let finished = run(&folder.functions(), &lines.concat());
    assert_eq!(finished.code, Some(0), "{:?}", finished.messages);
    let mut outcomes = finished.outcomes;
    outcomes.sort_by_key(|outcome| outcome["line"].as_u64());
    let folder = folder.path("");
    let shown: Vec<String> = outcomes
        .iter()
        .map(|outcome| {
            let gist = gist(outcome).replace(folder.to_str().unwrap(), "");
            format!("{} {} {gist}\n", outcome["line"], outcome["call_id"])
        })
        .collect();
    insta::assert_snapshot!(shown.concat());
}

#[test]
fn lines_with_the_same_id_are_one_call() {
    let count = "n=$(cat count 2>/dev/null); echo x$n > count; cat count >&2; sleep 0.1; echo 7";
    let folder = Folder::new(&crate::binary::shell("count", count, ""));
    let finished = run(&folder.functions(), &call("same", "count", "1").repeat(20));
    assert_eq!(finished.outcomes.len(), 20);
    assert!(finished.outcomes.iter().all(|outcome| gist(outcome) == "success: 7"));
    assert_eq!(std::fs::read_to_string(folder.path("count")).unwrap(), "x\n");
}

#[test]
fn a_later_line_with_the_same_id_sees_the_first_outcome() {
    let folder = Folder::new(ECHO);
    let mut run = Run::start(&folder.functions(), &[]);
    for n in ["1", "2"] {
        run.send(&call("same", "any", n));
        assert_eq!(gist(&run.next_outcome()), "success: 1");
    }
    assert_eq!(run.finish().code, Some(0));
}
