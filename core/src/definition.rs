//! What a function is: its parameters, and the check of an input against them.
//!
//! The check reads the input's text and rewrites none of it: members that nobody declared, and numbers
//! that no machine type holds, pass byte for byte. Defaults are spliced into the text.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::call::Payload;
use crate::name::FunctionId;

/// A parameter's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParameterType {
    /// Text.
    String,
    /// Any JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Object => "an object",
            Self::Array => "an array",
        })
    }
}

impl ParameterType {
    /// The type of a JSON text without surrounding space, which begins with its type; none for `null`.
    fn of(json: &str) -> Option<Self> {
        match json.as_bytes().first()? {
            b'"' => Some(Self::String),
            b'{' => Some(Self::Object),
            b'[' => Some(Self::Array),
            b't' | b'f' => Some(Self::Boolean),
            b'n' => None,
            _ => Some(Self::Number),
        }
    }

    /// The type of a JSON value; none for `null`.
    pub fn of_value(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Null => None,
            serde_json::Value::Bool(_) => Some(Self::Boolean),
            serde_json::Value::Number(_) => Some(Self::Number),
            serde_json::Value::String(_) => Some(Self::String),
            serde_json::Value::Array(_) => Some(Self::Array),
            serde_json::Value::Object(_) => Some(Self::Object),
        }
    }
}

/// One parameter, as it stands in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// The member of the input object.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// The input must have it, unless there is a default; and it may not be `null`.
    #[serde(default)]
    pub required: bool,
    /// For a person.
    #[serde(default)]
    pub description: String,
    /// The value where the input has none, or `null` and the parameter is not required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<serde_json::Value>,
}

/// One bad parameter of an input.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParameterProblem {
    /// The parameter's name, or nothing where the whole input is at fault.
    pub parameter: Option<String>,
    /// What is wrong; it quotes none of the input.
    pub problem: String,
}

impl ParameterProblem {
    fn of(parameter: &Parameter, problem: String) -> Self {
        Self { parameter: Some(parameter.name.clone()), problem }
    }

    fn of_the_whole(problem: String) -> Self {
        Self { parameter: None, problem }
    }
}

impl fmt::Display for ParameterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parameter {
            Some(parameter) => write!(f, "parameter `{parameter}` {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

/// What a function is, as the registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Definition {
    /// The function.
    pub function: FunctionId,
    /// Its parameters; empty for a function that takes any input.
    pub parameters: Vec<Parameter>,
    /// For a person.
    pub description: String,
    /// Its code, where the host keeps code; shown to nobody by us.
    pub code: String,
    /// The workflow it belongs to, if any.
    pub workflow_id: String,
    /// The node of the workflow, if any.
    pub node_id: String,
}

impl Definition {
    /// A function that takes any input.
    pub fn new(function: FunctionId) -> Self {
        Self {
            function,
            parameters: Vec::new(),
            description: String::new(),
            code: String::new(),
            workflow_id: String::new(),
            node_id: String::new(),
        }
    }

    /// Checks the definition itself: each parameter has a name of its own, and a default of its type.
    /// The error names every bad parameter.
    pub fn validate(&self) -> Result<(), Vec<ParameterProblem>> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        for (index, parameter) in self.parameters.iter().enumerate() {
            if parameter.name.is_empty() {
                let place = index + 1;
                problems.push(ParameterProblem::of_the_whole(format!(
                    "parameter number {place} has no name"
                )));
            } else if !names.insert(&parameter.name) {
                problems
                    .push(ParameterProblem::of(parameter, "is defined more than once".to_owned()));
            }
            if let Some(default) = &parameter.default_value
                && ParameterType::of_value(default) != Some(parameter.kind)
            {
                let problem = format!(
                    "has a default that must be {}, and is {}",
                    parameter.kind,
                    Shown(ParameterType::of_value(default))
                );
                problems.push(ParameterProblem::of(parameter, problem));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Checks an input against the parameters and fills in defaults.
    ///
    /// Without parameters any input passes as it is. With them it is an object, and `null` stands for
    /// an empty one. Members that are not parameters pass; a `null` counts as missing where the
    /// parameter is not required. The error names every bad parameter with what was expected and what
    /// came, and never shows a value.
    pub fn check(&self, input: &Payload) -> Result<Payload, Vec<ParameterProblem>> {
        if self.parameters.is_empty() {
            return Ok(input.clone());
        }
        let text = match input.as_str().trim_ascii() {
            "null" => "{}",
            text => text,
        };
        let members = members(text)?;
        let mut problems = Vec::new();
        let mut edits = Edits::default();
        for parameter in &self.parameters {
            let mut given =
                members.iter().filter(|(name, _)| *name == parameter.name).map(|(_, value)| *value);
            let problem = match (given.next(), given.next()) {
                (None, _) => check_missing(parameter, &mut edits),
                (Some(value), None) => check_given(parameter, value, &mut edits),
                (Some(_), Some(_)) => Some("is given more than once".to_owned()),
            };
            problems.extend(problem.map(|problem| ParameterProblem::of(parameter, problem)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        if edits.is_empty() && text == input.as_str() {
            return Ok(input.clone());
        }
        Ok(Payload::trusted(edits.apply(text, members.is_empty())))
    }
}

fn check_missing<'a>(parameter: &'a Parameter, edits: &mut Edits<'a>) -> Option<String> {
    match &parameter.default_value {
        Some(default) => edits.added.push((&parameter.name, default)),
        None if parameter.required => {
            return Some(format!("is missing; it must be {}", parameter.kind));
        }
        None => {}
    }
    None
}

fn check_given<'a>(
    parameter: &'a Parameter,
    value: &'a RawValue,
    edits: &mut Edits<'a>,
) -> Option<String> {
    match ParameterType::of(value.get()) {
        Some(kind) if kind == parameter.kind => {}
        None if !parameter.required => {
            if let Some(default) = &parameter.default_value {
                edits.replaced.push((value, default));
            }
        }
        other => return Some(format!("must be {}, got {}", parameter.kind, Shown(other))),
    }
    None
}

/// A type for a person; none is `null`.
struct Shown(Option<ParameterType>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(kind) => kind.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// The defaults to put into an input's text.
#[derive(Default)]
struct Edits<'a> {
    /// Values that stand in the text, and what takes their place.
    replaced: Vec<(&'a RawValue, &'a serde_json::Value)>,
    /// Members that are missing.
    added: Vec<(&'a str, &'a serde_json::Value)>,
}

impl Edits<'_> {
    fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.added.is_empty()
    }

    /// The text of an object with the edits made; `bare` where it has no member.
    fn apply(mut self, text: &str, bare: bool) -> String {
        let mut edited = String::with_capacity(text.len() + 32);
        let mut copied = 0;
        self.replaced.sort_by_key(|(value, _)| place(text, value));
        for (value, default) in &self.replaced {
            let start = place(text, value);
            edited.push_str(&text[copied..start]);
            edited.push_str(&default.to_string());
            copied = start + value.get().len();
        }
        debug_assert!(text.ends_with('}'), "the text of an object ends with its brace");
        edited.push_str(&text[copied..text.len() - 1]);
        let mut first = bare;
        for (name, default) in &self.added {
            if !first {
                edited.push(',');
            }
            first = false;
            edited.push_str(&serde_json::Value::from(*name).to_string());
            edited.push(':');
            edited.push_str(&default.to_string());
        }
        edited.push('}');
        edited
    }
}

/// Where a value that was borrowed from the text begins in it.
fn place(text: &str, value: &RawValue) -> usize {
    let start = value.get().as_ptr().addr() - text.as_ptr().addr();
    debug_assert!(start + value.get().len() < text.len(), "not borrowed from the text");
    start
}

/// The members of an object in their order, values as the text they are.
fn members(text: &str) -> Result<Vec<(String, &RawValue)>, Vec<ParameterProblem>> {
    if !text.starts_with('{') && !text.is_empty() {
        let problem =
            format!("the input must be an object, got {}", Shown(ParameterType::of(text)));
        return Err(vec![ParameterProblem::of_the_whole(problem)]);
    }
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(Members(members)) => Ok(members),
        Err(error) => {
            let problem = format!(
                "the input is not JSON: mistake at line {}, column {}",
                error.line(),
                error.column()
            );
            Err(vec![ParameterProblem::of_the_whole(problem)])
        }
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
