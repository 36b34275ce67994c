//! A functions file as it is written, and the checks that the types of TOML cannot make.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use steadfast_core::command::FunctionOptions;
use steadfast_core::definition::{Parameter, ParameterType};
use steadfast_core::name::FunctionId;
use toml::{Spanned, Value};

use super::problem::Problem;
use super::{FunctionSpec, Handler, duration};
use crate::builtin::Builtin;
use crate::program::Program;

/// The most attempts that may run at once in one function: each may hold a process.
const CONCURRENCY_MAX: u32 = 10_000;

/// The most attempts that a call may be given.
const ATTEMPTS_MAX: u32 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) function: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) name: Spanned<String>,
    scope: Option<Spanned<String>>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Vec<ParameterTable>,
    timeout: Option<Spanned<Value>>,
    concurrency: Option<Spanned<i64>>,
    max_attempts: Option<Spanned<i64>>,
    exec: Option<Spanned<Vec<String>>>,
    builtin: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterTable {
    name: Spanned<String>,
    #[serde(rename = "type")]
    kind: ParameterType,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    description: String,
    default: Option<Spanned<Value>>,
}

/// Checks one table; what is wrong is added to `problems`, and nothing is returned then.
pub(super) fn check(
    table: Spanned<Table>,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<FunctionSpec> {
    let Table {
        name,
        scope,
        description,
        parameters,
        timeout,
        concurrency,
        max_attempts,
        exec,
        builtin,
    } = table.into_inner();
    let defaults = FunctionOptions::default();
    let before = problems.len();
    let name_span = name.span();
    let function = check_name(&name, scope.as_ref(), problems);
    let parameters = check_parameters(parameters, problems);
    let timeout = check_timeout(timeout, defaults.timeout, problems);
    let concurrency =
        check_count("concurrency", concurrency, defaults.concurrency, CONCURRENCY_MAX, problems);
    let attempts_max =
        check_count("max_attempts", max_attempts, defaults.attempts_max, ATTEMPTS_MAX, problems);
    let handler = check_handler(exec, builtin, name_span, folder, problems);
    if problems.len() > before {
        return None;
    }
    Some(FunctionSpec {
        function: function?,
        parameters,
        description,
        timeout,
        concurrency,
        attempts_max,
        handler: handler?,
    })
}

fn check_name(
    name: &Spanned<String>,
    scope: Option<&Spanned<String>>,
    problems: &mut Vec<Problem>,
) -> Option<FunctionId> {
    if let Err(error) = FunctionId::new(name.get_ref(), "global") {
        problems.push(Problem::new(name.span(), error.to_string()));
        return None;
    }
    let Some(scope) = scope else {
        return FunctionId::new(name.get_ref(), "global").ok();
    };
    FunctionId::new(name.get_ref(), scope.get_ref())
        .map_err(|error| problems.push(Problem::new(scope.span(), error.to_string())))
        .ok()
}

fn check_parameters(tables: Vec<ParameterTable>, problems: &mut Vec<Problem>) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for table in tables {
        let span = table.name.span();
        let name = table.name.into_inner();
        if name.is_empty() {
            problems.push(Problem::new(span, "the parameter's name is empty"));
        } else if parameters.iter().any(|earlier| earlier.name == name) {
            problems.push(Problem::new(span, format!("parameter `{name}` is defined twice")));
        }
        let default_value = table.default.and_then(|default| {
            let span = default.span();
            check_default(default.into_inner(), &name, table.kind)
                .map_err(|message| problems.push(Problem::new(span, message)))
                .ok()
        });
        parameters.push(Parameter {
            name,
            kind: table.kind,
            required: table.required,
            description: table.description,
            default_value,
        });
    }
    parameters
}

fn check_default(
    value: Value,
    name: &str,
    kind: ParameterType,
) -> Result<serde_json::Value, String> {
    let json = to_json(value)?;
    let found = ParameterType::of_value(&json).expect("TOML has no null");
    if found == kind {
        return Ok(json);
    }
    Err(format!("the default of parameter `{name}` is {found}, and its type says {kind}"))
}

fn to_json(value: Value) -> Result<serde_json::Value, String> {
    Ok(match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => serde_json::Number::from_f64(number)
            .ok_or_else(|| format!("{number} is no JSON number"))?
            .into(),
        Value::Boolean(truth) => truth.into(),
        Value::Datetime(time) => time.to_string().into(),
        Value::Array(values) => {
            values.into_iter().map(to_json).collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Table(members) => members
            .into_iter()
            .map(|(key, value)| Ok((key, to_json(value)?)))
            .collect::<Result<serde_json::Map<_, _>, String>>()?
            .into(),
    })
}

fn check_timeout(
    timeout: Option<Spanned<Value>>,
    default: Duration,
    problems: &mut Vec<Problem>,
) -> Duration {
    let Some(timeout) = timeout else {
        return default;
    };
    let span = timeout.span();
    let parsed = match timeout.into_inner() {
        Value::Integer(number) => duration::parse(&number.to_string()),
        Value::String(text) => duration::parse(&text),
        _ => {
            Err("the timeout is neither text nor a number; write \"500ms\", \"30s\", \"5m\" or a \
                  number of milliseconds"
                .to_owned())
        }
    };
    match parsed {
        Ok(Duration::ZERO) => {
            problems.push(Problem::new(span, "the timeout is 0; give it at least 1 ms"));
        }
        Ok(timeout) => return timeout,
        Err(message) => problems.push(Problem::new(span, message)),
    }
    default
}

fn check_count(
    what: &str,
    count: Option<Spanned<i64>>,
    default: u32,
    most: u32,
    problems: &mut Vec<Problem>,
) -> u32 {
    let Some(count) = count else {
        return default;
    };
    match u32::try_from(*count.get_ref()) {
        Ok(within) if (1..=most).contains(&within) => within,
        _ => {
            problems.push(Problem::new(
                count.span(),
                format!("{what} is {}; it must be from 1 to {most}", count.get_ref()),
            ));
            default
        }
    }
}

fn check_handler(
    exec: Option<Spanned<Vec<String>>>,
    builtin: Option<Spanned<String>>,
    name_span: Range<usize>,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<Handler> {
    let checked = match (exec, builtin) {
        (Some(exec), None) => {
            let span = exec.span();
            check_program(exec.into_inner(), folder)
                .map(Handler::Program)
                .map_err(|message| Problem::new(span, message))
        }
        (None, Some(builtin)) => Builtin::named(builtin.get_ref())
            .map(Handler::Builtin)
            .map_err(|message| Problem::new(builtin.span(), message)),
        (Some(_), Some(builtin)) => Err(Problem::new(
            builtin.span(),
            "the function has two handlers; keep either `exec` or `builtin`",
        )),
        (None, None) => Err(Problem::new(
            name_span,
            "the function has no handler; give it `exec = [\"PROGRAM\", ..]` or `builtin = \"echo\"`",
        )),
    };
    checked.map_err(|problem| problems.push(problem)).ok()
}

fn check_program(exec: Vec<String>, folder: &Path) -> Result<Program, String> {
    if exec.iter().any(|argument| argument.contains('\0')) {
        return Err("exec holds a NUL character, which no program can be given".into());
    }
    let mut words = exec.into_iter();
    let Some(program) = words.next().filter(|program| !program.is_empty()) else {
        return Err("exec names no program; write exec = [\"PROGRAM\", \"ARGUMENT\", ..]".into());
    };
    let path = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    Ok(Program { path, arguments: words.collect(), folder: folder.to_owned() })
}
