//! One line of standard input: a call, or what is wrong with it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use steadfast_core::call::Payload;
use steadfast_core::name::{CallId, FunctionId, IdempotencyKey};

/// A call as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallLine {
    pub(crate) function: FunctionId,
    pub(crate) input: Payload,
    pub(crate) id: Option<CallId>,
    /// The call's deadline, from its submission.
    pub(crate) deadline: Option<Duration>,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

/// The text of a call line. Numbers and strings of the input are passed on as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a call, which is a JSON object")]
struct Written<'line> {
    function: String,
    scope: Option<String>,
    #[serde(borrow)]
    input: &'line RawValue,
    id: Option<CallId>,
    timeout_ms: Option<u64>,
    idempotency_key: Option<IdempotencyKey>,
}

impl CallLine {
    /// Reads a line. The error says what is wrong, and where if it is not JSON; it quotes no input.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, String> {
        let line = std::str::from_utf8(line).map_err(|error| {
            format!("the line is not UTF-8 at byte {}", error.valid_up_to() + 1)
        })?;
        // Fields by position, which serde reads too, are not offered.
        if line.trim_start().starts_with('[') {
            return Err("a call is a JSON object, not an array".into());
        }
        let written: Written<'_> = serde_json::from_str(line).map_err(|error| {
            let text = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let reason = text.strip_suffix(&place).unwrap_or(&text);
            if error.is_data() {
                format!("{reason} (column {})", error.column())
            } else {
                format!("the line is not JSON at column {}: {reason}", error.column())
            }
        })?;
        let scope = written.scope.as_deref().unwrap_or("global");
        if written.timeout_ms == Some(0) {
            return Err("`timeout_ms` is 0; give the call at least 1 ms".into());
        }
        Ok(Self {
            function: FunctionId::new(&written.function, scope)
                .map_err(|error| error.to_string())?,
            input: Payload::trusted(written.input.get()),
            id: written.id,
            deadline: written.timeout_ms.map(Duration::from_millis),
            idempotency_key: written.idempotency_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_error(line: &str, expect: &str) {
        assert_eq!(CallLine::parse(line.as_bytes()).unwrap_err(), expect, "{line}");
    }

    #[test]
    fn a_whole_call_is_read() {
        let line = br#" {"function":"f","scope":"s","input":{"n": 1.0},"id":"c","timeout_ms":7,"idempotency_key":"k"} "#;
        let call = CallLine::parse(line).unwrap();
        assert_eq!(call.function.to_string(), "f:s");
        assert_eq!(call.input.as_str(), r#"{"n": 1.0}"#);
        assert_eq!(call.id.unwrap().as_str(), "c");
        assert_eq!(call.deadline, Some(Duration::from_millis(7)));
        assert_eq!(call.idempotency_key.unwrap().as_str(), "k");
    }

    #[test]
    fn an_input_is_passed_on_as_it_is_written() {
        for input in ["0", "false", "\"\"", "null", "1e400", "123456789012345678901234567890"] {
            let call = CallLine::parse(format!(r#"{{"function":"f","input":{input}}}"#).as_bytes());
            assert_eq!(call.unwrap().input.as_str(), input);
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        check_error("{", "the line is not JSON at column 1: EOF while parsing an object");
        check_error("nope", "the line is not JSON at column 2: expected ident");
        check_error(
            r#"{"function":"f","input":1} {}"#,
            "the line is not JSON at column 28: trailing characters",
        );
        check_error(r#"{"function":"f"}"#, "missing field `input` (column 16)");
        check_error(
            r#"{"fun":"f"}"#,
            "unknown field `fun`, expected one of `function`, `scope`, `input`, `id`, `timeout_ms`, \
             `idempotency_key` (column 6)",
        );
        check_error(
            r#"{"function":"","input":1}"#,
            "function name is empty; give it at least one character",
        );
        check_error(
            r#"{"function":"f","scope":"a:b","input":1}"#,
            "scope `a:b` contains `:`; a scope may hold any character but a colon",
        );
        check_error(
            r#"{"function":"f","input":1,"timeout_ms":0}"#,
            "`timeout_ms` is 0; give the call at least 1 ms",
        );
        check_error(r#"["f","global",1,null,null,null]"#, "a call is a JSON object, not an array");
        check_error(
            "7",
            "invalid type: integer `7`, expected a call, which is a JSON object (column 1)",
        );
        let not_text = CallLine::parse(b"{\"function\":\"\xff\"}").unwrap_err();
        assert_eq!(not_text, "the line is not UTF-8 at byte 14");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Err(reason) = CallLine::parse(&line) {
                prop_assert!(!reason.is_empty());
            }
        }
    }
}
