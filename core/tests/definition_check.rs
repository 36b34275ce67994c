//! An input against the parameters of its function: what passes, what is filled in, what is said.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use steadfast_core::call::Payload;
use steadfast_core::definition::{Definition, Parameter, ParameterType};
use steadfast_core::name::FunctionId;

fn definition(parameters: &Value) -> Definition {
    let mut definition = Definition::new(FunctionId::new("greet", "global").unwrap());
    definition.parameters = serde_json::from_value(parameters.clone()).unwrap();
    definition
}

/// Name and age are required, greeting and the rest are not.
fn greet() -> Definition {
    definition(&json!([
        {"name": "name", "type": "string", "required": true},
        {"name": "age", "type": "number", "required": true, "defaultValue": 30},
        {"name": "greeting", "type": "string", "defaultValue": "hello"},
        {"name": "loud", "type": "boolean"},
        {"name": "tags", "type": "array"},
        {"name": "extra", "type": "object"},
    ]))
}

fn checked(definition: &Definition, input: &str) -> Result<String, String> {
    match definition.check(&Payload::trusted(input)) {
        Ok(payload) => Ok(payload.as_str().to_owned()),
        Err(problems) => {
            Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
    }
}

fn passes(input: &str, expect: &str) {
    assert_eq!(checked(&greet(), input), Ok(expect.to_owned()), "{input}");
}

fn fails(input: &str, expect: &str) {
    assert_eq!(checked(&greet(), input), Err(expect.to_owned()), "{input}");
}

#[test]
fn without_parameters_any_input_passes_as_it_is() {
    let anything = Definition::new(FunctionId::new("any", "global").unwrap());
    for input in ["null", "0", "false", "\"\"", " [1, 2] ", "{\"a\":1,\"a\":2}"] {
        assert_eq!(checked(&anything, input), Ok(input.to_owned()));
    }
}

#[test]
fn defaults_are_put_into_the_text_and_nothing_else_is_touched() {
    passes(
        r#"{"name":"Ada","age":36,"greeting":"hi"}"#,
        r#"{"name":"Ada","age":36,"greeting":"hi"}"#,
    );
    passes(r#"{"name":"Ada"}"#, r#"{"name":"Ada","age":30,"greeting":"hello"}"#);
    passes(
        " { \"name\" : \"Ada\" , \"age\":1 }\n",
        "{ \"name\" : \"Ada\" , \"age\":1 ,\"greeting\":\"hello\"}",
    );
    passes(
        r#"{"age":12345678901234567890123.4567890123456789,"name":"\u0041","z":1e400,"greeting":""}"#,
        r#"{"age":12345678901234567890123.4567890123456789,"name":"\u0041","z":1e400,"greeting":""}"#,
    );
}

#[test]
fn null_is_missing_only_where_the_parameter_is_not_required() {
    passes(
        r#"{"greeting": null ,"name":"Ada","age":1,"loud":null}"#,
        r#"{"greeting": "hello" ,"name":"Ada","age":1,"loud":null}"#,
    );
    fails(
        r#"{"name":null,"age":null}"#,
        "parameter `name` must be a string, got null; parameter `age` must be a number, got null",
    );
}

#[test]
fn null_stands_for_an_empty_object() {
    let optional = definition(&json!([
        {"name": "a", "type": "array", "defaultValue": [1, "x"]},
        {"name": "b\"", "type": "object", "defaultValue": {"k": null}},
    ]));
    let expect = r#"{"a":[1,"x"],"b\"":{"k":null}}"#;
    for input in ["null", "{}", " null ", " { } "] {
        let output = checked(&optional, input).unwrap();
        assert_eq!(output.replace(' ', ""), expect, "{input}");
    }
    let plain = definition(&json!([{"name": "a", "type": "array"}]));
    assert_eq!(checked(&plain, "null"), Ok("{}".to_owned()));
}

#[test]
fn a_member_is_found_however_its_name_is_written() {
    passes(
        r#"{"\u006eame":"Ada","age":1,"greeting":"x"}"#,
        r#"{"\u006eame":"Ada","age":1,"greeting":"x"}"#,
    );
}

#[test]
fn each_bad_parameter_is_named_with_what_was_expected_and_what_came() {
    fails(
        r#"{"age":"36","greeting":1,"loud":"yes","tags":{},"extra":[]}"#,
        "parameter `name` is missing; it must be a string; \
         parameter `age` must be a number, got a string; \
         parameter `greeting` must be a string, got a number; \
         parameter `loud` must be a boolean, got a string; \
         parameter `tags` must be an array, got an object; \
         parameter `extra` must be an object, got an array",
    );
    fails(r#"{"name":true,"age":1}"#, "parameter `name` must be a string, got a boolean");
    fails(r#"{"name":"a","age":1,"name":"b"}"#, "parameter `name` is given more than once");
}

#[test]
fn an_input_that_is_no_object_is_refused_as_a_whole() {
    fails("[1]", "the input must be an object, got an array");
    fails("\"text\"", "the input must be an object, got a string");
    fails("-1", "the input must be an object, got a number");
    fails("true", "the input must be an object, got a boolean");
    fails("{\"name\":secret}", "the input is not JSON: mistake at line 1, column 9");
    fails("", "the input is not JSON: mistake at line 1, column 0");
    fails("{} {}", "the input is not JSON: mistake at line 1, column 4");
}

#[test]
fn a_problem_never_shows_a_value() {
    let text = r#"{"name":["hunter2"],"age":"hunter2","tags":"hunter2"}"#;
    let problems = greet().check(&Payload::trusted(text)).unwrap_err();
    assert_eq!(problems.len(), 3);
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn a_definition_names_each_parameter_once_and_defaults_fit() {
    let check = |parameters: Value, expect: &[&str]| {
        let problems = definition(&parameters).validate().err().unwrap_or_default();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, expect);
    };
    check(json!([]), &[]);
    check(json!([{"name": "a", "type": "string", "defaultValue": "x"}]), &[]);
    check(
        json!([
            {"name": "a", "type": "string", "defaultValue": 1},
            {"name": "", "type": "string"},
            {"name": "a", "type": "number", "defaultValue": []},
            {"name": "b", "type": "array", "defaultValue": {}},
        ]),
        &[
            "parameter `a` has a default that must be a string, and is a number",
            "parameter number 2 has no name",
            "parameter `a` is defined more than once",
            "parameter `a` has a default that must be a number, and is an array",
            "parameter `b` has a default that must be an array, and is an object",
        ],
    );
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            members(inner).prop_map(Value::Object),
        ]
    })
}

fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-f\"]{1,2}", value, 0..5).prop_map(Map::from_iter)
}

fn kind_of(value: &Value) -> Option<ParameterType> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(ParameterType::Boolean),
        Value::Number(_) => Some(ParameterType::Number),
        Value::String(_) => Some(ParameterType::String),
        Value::Array(_) => Some(ParameterType::Array),
        Value::Object(_) => Some(ParameterType::Object),
    }
}

/// A parameter, often of the type of some value that an input may have.
fn parameter() -> impl Strategy<Value = Parameter> {
    ("[a-f\"]{1,2}", value(), any::<bool>(), any::<bool>()).prop_map(
        |(name, example, required, has_default)| Parameter {
            name,
            kind: kind_of(&example).unwrap_or(ParameterType::String),
            required,
            description: String::new(),
            default_value: (has_default && !example.is_null()).then_some(example),
        },
    )
}

/// The check on values in place of text: which parameters are bad, or the input with defaults.
fn expected(
    parameters: &[Parameter],
    input: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let mut output = input.clone();
    let mut bad = Vec::new();
    for parameter in parameters {
        let given = input.get(&parameter.name);
        let missing = given.is_none_or(|value| value.is_null() && !parameter.required);
        if missing {
            match &parameter.default_value {
                Some(default) => drop(output.insert(parameter.name.clone(), default.clone())),
                None if parameter.required => bad.push(parameter.name.clone()),
                None => {}
            }
        } else if given.and_then(kind_of) != Some(parameter.kind) {
            bad.push(parameter.name.clone());
        }
    }
    if bad.is_empty() { Ok(output) } else { Err(bad) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_text_says_what_the_values_say(
        parameters in prop::collection::vec(parameter(), 1..5),
        input in members(value()),
        pretty in any::<bool>(),
    ) {
        let mut definition = Definition::new(FunctionId::new("f", "global").unwrap());
        definition.parameters = parameters;
        prop_assume!(definition.validate().is_ok());
        let text = if pretty {
            serde_json::to_string_pretty(&input).unwrap()
        } else {
            serde_json::to_string(&input).unwrap()
        };
        match (definition.check(&Payload::trusted(text)), expected(&definition.parameters, &input)) {
            (Ok(output), Ok(expect)) => {
                let value: Value = serde_json::from_str(output.as_str()).unwrap();
                prop_assert_eq!(value, Value::Object(expect));
                prop_assert_eq!(definition.check(&output), Ok(output), "once is enough");
            }
            (Err(problems), Err(bad)) => {
                let named: Vec<String> = problems.into_iter().filter_map(|it| it.parameter).collect();
                prop_assert_eq!(named, bad);
            }
            (output, expect) => prop_assert!(false, "{:?} is not {:?}", output, expect),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[{}\\[\\]:,\"a-c0-9 nul]{0,20}") {
        let definition = definition(&json!([{"name": "a", "type": "array", "defaultValue": []}]));
        if let Ok(output) = definition.check(&Payload::trusted(text)) {
            prop_assert!(Payload::parse(output.as_str()).is_ok());
        }
    }
}
