//! Between payloads and the types of handlers and callers. No message quotes a payload.

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::call::Payload;

/// Reads a payload as `T`, or says where it does not fit.
pub(crate) fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(payload.as_str());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let problem = without_values(&error.inner().to_string());
        if path == "." { problem } else { format!("at `{path}`: {problem}") }
    })
}

/// Writes a value as a payload, or says why it has no JSON.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, String> {
    serde_json::to_string(value)
        .map(Payload::trusted)
        .map_err(|error| format!("{:?} error", error.classify()).to_lowercase())
}

/// What serde says of a mismatch, less the value that it quotes.
fn without_values(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let about_fields = ["missing field ", "unknown field ", "duplicate field "];
    if about_fields.iter().any(|start| message.starts_with(start)) {
        return message.into();
    }
    let about_values = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    let kind = about_values.iter().find(|start| message.starts_with(**start));
    // serde's own wording puts the value first and what it wants last.
    match (kind, message.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {expected}"),
        (Some(kind), None) => (*kind).into(),
        (None, _) => "the value was refused by its type".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Plan {
        Free,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Account {
        #[serde(default)]
        ages: Vec<u8>,
        plan: Plan,
    }

    fn check(text: &str, expect: &str) {
        let got = match decode::<Account>(&Payload::trusted(text)) {
            Ok(account) => format!("{account:?}"),
            Err(problem) => problem,
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn a_mismatch_names_its_path_and_quotes_no_value() {
        check(r#"{"plan":"free"}"#, "Account { ages: [], plan: Free }");
        check(r#"{"ages":[1]}"#, "missing field `plan`");
        check(r#"{"ages":[1,"hunter2"]}"#, "at `ages[1]`: invalid type, expected u8");
        check(r#"{"ages":[300]}"#, "at `ages[0]`: invalid value, expected u8");
        check(
            r#"{"plan":"hunter2, expected hunter3"}"#,
            "at `plan`: unknown variant, expected `free`",
        );
        check(r#"{"x":1}"#, "at `x`: unknown field `x`, expected `ages` or `plan`");
        check(r#""hunter2""#, "invalid type, expected struct Account");
    }
}
