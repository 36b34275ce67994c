//! `steadfast functions`: what is registered.

use serde::Serialize;
use steadfast::{FunctionId, Parameter};

use crate::args::ShowArguments;
use crate::exit::Exit;
use crate::look::{Look, Seen};
use crate::show;
use crate::table::{Table, json_text};

/// One function, as `--json` shows it.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Seen(Shown<'a>),
    Unread { name: &'a str, scope: &'a str, error: String },
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    scope: &'a str,
    description: &'a str,
    parameters: &'a [Parameter],
    consumers: usize,
    open: u64,
    parked: u64,
}

/// Shows the functions, and ends.
pub(crate) async fn functions(arguments: &ShowArguments) -> anyhow::Result<Exit> {
    show::look_and_show(arguments, json, table).await
}

fn json(look: &Look) -> serde_json::Result<String> {
    let rows = look.functions.iter().map(|(function, seen)| match seen {
        Ok(seen) => Row::Seen(Shown::new(function, seen)),
        Err(error) => {
            Row::Unread { name: function.name(), scope: function.scope(), error: error.to_string() }
        }
    });
    json_text(&rows.collect::<Vec<_>>())
}

impl<'a> Shown<'a> {
    fn new(function: &'a FunctionId, seen: &'a Seen) -> Self {
        Self {
            name: function.name(),
            scope: function.scope(),
            description: &seen.definition.description,
            parameters: &seen.definition.parameters,
            consumers: seen.reading(),
            open: seen.open,
            parked: seen.parked,
        }
    }
}

fn table(look: &Look) -> String {
    let mut table = Table::new([
        "FUNCTION",
        "SCOPE",
        "CONSUMERS",
        "OPEN",
        "PARKED",
        "PARAMETERS",
        "DESCRIPTION",
    ]);
    for (function, seen) in &look.functions {
        let (name, scope) = (function.name().to_owned(), function.scope().to_owned());
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                let unknown = || "?".to_owned();
                let cannot = format!("cannot be read: {error}");
                table.row([name, scope, unknown(), unknown(), unknown(), unknown(), cannot]);
                continue;
            }
        };
        table.row([
            name,
            scope,
            seen.reading().to_string(),
            seen.open.to_string(),
            seen.parked.to_string(),
            parameters(&seen.definition.parameters),
            seen.definition.description.clone(),
        ]);
    }
    table.render()
}

/// The parameters in short: `n:number text?:string`.
fn parameters(parameters: &[Parameter]) -> String {
    let short = |parameter: &Parameter| {
        let needed = parameter.required && parameter.default_value.is_none();
        let mark = if needed { "" } else { "?" };
        let article_and_type = parameter.kind.to_string();
        let kind = article_and_type.split_once(' ').map_or("", |(_, kind)| kind);
        format!("{}{mark}:{kind}", parameter.name)
    };
    let short: Vec<_> = parameters.iter().map(short).collect();
    if short.is_empty() { "-".into() } else { short.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast::ParameterType;

    fn parameter(name: &str, required: bool, default: Option<serde_json::Value>) -> Parameter {
        Parameter {
            name: name.into(),
            kind: ParameterType::Object,
            required,
            description: String::new(),
            default_value: default,
        }
    }

    #[test]
    fn parameters_are_shown_in_short() {
        assert_eq!(parameters(&[]), "-");
        let all = [
            parameter("a", true, None),
            parameter("b", false, None),
            parameter("c", true, Some(serde_json::json!({}))),
        ];
        assert_eq!(parameters(&all), "a:object b?:object c?:object");
    }
}
