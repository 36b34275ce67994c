//! The file that defines functions: what it says, checked, or where it is wrong.

pub(crate) mod duration;
mod problem;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steadfast_core::command::FunctionOptions;
use steadfast_core::definition::Parameter;
use steadfast_core::name::FunctionId;

use crate::builtin::Builtin;
use crate::program::Program;
use problem::Problem;

/// What runs a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Handler {
    /// A program, started for each attempt.
    Program(Program),
    /// A function of this binary.
    Builtin(Builtin),
}

/// One function of the file. Two are equal when saving one over the other would change nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FunctionSpec {
    pub(crate) function: FunctionId,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) description: String,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: u32,
    pub(crate) attempts_max: u32,
    pub(crate) handler: Handler,
}

/// The functions of a file, by name and scope.
pub(crate) type Functions = BTreeMap<FunctionId, FunctionSpec>;

/// Why a file gave no functions: a text for a person that ends in a newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadFile(String);

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads and checks a file.
pub(crate) fn read(path: &Path) -> Result<Functions, BadFile> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        BadFile(format!("steadfast: cannot read the functions file {}: {error}\n", path.display()))
    })?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let folder = std::path::absolute(&folder).map_err(|error| {
        BadFile(format!("steadfast: cannot find the folder {}: {error}\n", folder.display()))
    })?;
    parse(&text, &folder).map_err(|problems| BadFile(problem::render(path, &text, &problems)))
}

/// Checks the text of a file. Programs start in `folder`.
fn parse(text: &str, folder: &Path) -> Result<Functions, Vec<Problem>> {
    let file: text::File = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        vec![Problem::new(span, error.message())]
    })?;
    let mut problems = Vec::new();
    let mut functions = Functions::new();
    if file.function.is_empty() {
        problems.push(Problem::new(
            0..0,
            "the file defines no function; write a [[function]] table with a name and a handler",
        ));
    }
    for table in file.function {
        let name_span = table.get_ref().name.span();
        let Some(spec) = text::check(table, folder, &mut problems) else {
            continue;
        };
        let function = spec.function.clone();
        if functions.insert(function.clone(), spec).is_some() {
            problems.push(Problem::new(
                name_span,
                format!(
                    "function `{}` is defined twice in scope `{}`",
                    function.name(),
                    function.scope()
                ),
            ));
        }
    }
    problems.sort_by_key(|problem| problem.span.start);
    if problems.is_empty() { Ok(functions) } else { Err(problems) }
}

impl FunctionSpec {
    /// How a node runs it. A save lets what runs go on until its own timeout.
    pub(crate) fn options(&self) -> FunctionOptions {
        let defaults = FunctionOptions::default();
        FunctionOptions {
            concurrency: self.concurrency,
            timeout: self.timeout,
            attempts_max: self.attempts_max,
            drain: defaults.drain.max(self.timeout),
            ..defaults
        }
    }

    /// The deadline of a call whose line names none, where the usual one would end before its attempts
    /// could.
    pub(crate) fn deadline(&self, usual: Duration) -> Option<Duration> {
        let attempts = self.timeout.saturating_mul(self.attempts_max);
        (attempts > usual).then(|| attempts.saturating_add(usual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> FunctionSpec {
        let functions = parse(text, Path::new("/f")).unwrap();
        assert_eq!(functions.len(), 1);
        functions.into_values().next().unwrap()
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_the_design() {
        let spec = only("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
        let options = FunctionOptions::default();
        assert_eq!(spec.function.to_string(), "echo:global");
        assert_eq!(spec.options(), options);
        assert_eq!(spec.handler, Handler::Builtin(Builtin::Echo));
    }

    #[test]
    fn slow_attempts_have_a_later_deadline_and_a_longer_drain() {
        let usual = Duration::from_secs(300);
        let text = "[[function]]\nname = \"a\"\nbuiltin = \"echo\"\n";
        assert_eq!(only(text).deadline(usual), None);
        let slow = only(&format!("{text}timeout = \"1h\"\nmax_attempts = 2\n"));
        assert_eq!(slow.deadline(usual), Some(Duration::from_secs(7_500)));
        assert_eq!(slow.options().drain, Duration::from_secs(3_600));
    }

    #[test]
    fn two_scopes_may_hold_the_same_name() {
        let text = "[[function]]\nname = \"a\"\nbuiltin = \"echo\"\n\
                    [[function]]\nname = \"a\"\nscope = \"b\"\nbuiltin = \"fail\"\n";
        let functions = parse(text, Path::new("/f")).unwrap();
        let names: Vec<_> = functions.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["a:b", "a:global"]);
    }

    #[test]
    fn a_program_with_a_slash_is_found_from_the_files_folder() {
        let program = |exec: &str| match only(&format!(
            "[[function]]\nname = \"a\"\nexec = {exec}\n"
        ))
        .handler
        {
            Handler::Program(program) => program,
            Handler::Builtin(_) => unreachable!("the file names a program"),
        };
        assert_eq!(program(r#"["./x"]"#).path, Path::new("/f/./x"));
        assert_eq!(program(r#"["/x"]"#).path, Path::new("/x"));
        let python = program(r#"["python3", "x.py"]"#);
        assert_eq!(python.path, Path::new("python3"));
        assert_eq!(python.arguments, ["x.py"]);
        assert_eq!(python.folder, Path::new("/f"));
    }

    #[test]
    fn every_mistake_of_a_file_is_reported_at_once() {
        let text = "[[function]]\nname = \"a\"\nbuiltin = \"ecko\"\nconcurrency = 0\n\
                    [[function]]\nname = \"b\"\n";
        assert_eq!(parse(text, Path::new("/f")).unwrap_err().len(), 3);
    }
}
