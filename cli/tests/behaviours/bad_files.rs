//! A functions file with a mistake is refused, with the place and the reason.

use std::fmt::Write as _;
use std::process::Stdio;

use crate::binary::{Folder, steadfast};

/// What the binary says of a file, with the folder cut out; it must exit with 2 and call nothing.
fn said(functions: &str) -> String {
    let folder = Folder::new(functions);
    let output = steadfast()
        .args(["run", "functions.toml"])
        .current_dir(folder.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{functions}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

const FUNCTION: &str = "[[function]]\nname = \"a\"\nbuiltin = \"echo\"\n";

#[test]
fn each_mistake_is_shown_where_it_stands() {
    let with = |line: &str| format!("{FUNCTION}{line}\n");
    let parameter = |table: &str| with(&format!("parameters = [{{ {table} }}]"));
    let table = [
        ("nothing", String::new()),
        ("no TOML", "[[function]\n".into()),
        ("unknown table", "[[functions]]\nname = \"a\"\n".into()),
        ("unknown key", with("concurency = 3")),
        ("no name", "[[function]]\nbuiltin = \"echo\"\n".into()),
        ("empty name", "[[function]]\nname = \"\"\nbuiltin = \"echo\"\n".into()),
        ("colon in scope", with("scope = \"a:b\"")),
        ("defined twice", format!("{FUNCTION}\n{FUNCTION}")),
        ("no handler", "[[function]]\nname = \"a\"\n".into()),
        ("two handlers", with("exec = [\"true\"]")),
        ("unknown builtin", "[[function]]\nname = \"a\"\nbuiltin = \"ecko\"\n".into()),
        ("empty exec", "[[function]]\nname = \"a\"\nexec = []\n".into()),
        ("exec is text", "[[function]]\nname = \"a\"\nexec = \"true\"\n".into()),
        ("concurrency 0", with("concurrency = 0")),
        ("concurrency is text", with("concurrency = \"many\"")),
        ("negative attempts", with("max_attempts = -1")),
        ("bad duration", with("timeout = \"soon\"")),
        ("timeout 0", with("timeout = 0")),
        ("timeout of another type", with("timeout = [1]")),
        ("parameter without type", parameter("name = \"n\"")),
        ("unknown type", parameter("name = \"n\", type = \"int\"")),
        ("wrong default", parameter("name = \"n\", type = \"number\", default = \"1\"")),
        ("default is no JSON", parameter("name = \"n\", type = \"number\", default = nan")),
        (
            "parameter twice",
            with(
                "parameters = [{ name = \"n\", type = \"number\" }, { name = \"n\", type = \"array\" }]",
            ),
        ),
        (
            "several mistakes",
            "[[function]]\nname = \"é\"\ntimeout = \"1x\"\nconcurrency = 0 # é\n".into(),
        ),
    ];
    let mut shown = String::new();
    for (what, functions) in table {
        write!(shown, "== {what}\n{}", said(&functions)).unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output =
        steadfast().args(["run", "/nowhere/functions.toml"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "steadfast: cannot read the functions file /nowhere/functions.toml: No such file or directory \
         (os error 2)\n"
    );
}
