//! What a function is: its parameters, and the check of an input against them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::FunctionId;

/// A parameter's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// One parameter, as it stands in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// The member of the input object.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// The input must have it, unless there is a default.
    #[serde(default)]
    pub required: bool,
    /// For a person.
    #[serde(default)]
    pub description: String,
    /// The value where the input has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<serde_json::Value>,
}

/// One bad parameter of an input.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParameterProblem {
    /// The parameter's name, or nothing where the whole input is at fault.
    pub parameter: Option<String>,
    /// What is wrong.
    pub problem: String,
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
}
