//! Tokens of deferred calls as text, to be handed to another process.

use steadfast_core::call::Token;
use thiserror::Error;

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the text is no token; pass on what `token_text` gave, unchanged")]
pub struct BadToken;

/// The token as one line of JSON, for another process to hand to [`parse_token`].
///
/// Who has it may complete, fail or touch the call: treat it as a secret of the call.
pub fn token_text(token: &Token) -> String {
    serde_json::to_string(token).expect("a token holds text only, which is always JSON")
}

/// The token that [`token_text`] wrote. The error quotes none of the text, as it may hold a secret.
pub fn parse_token(text: &str) -> Result<Token, BadToken> {
    serde_json::from_str(text).map_err(|_| BadToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_as_text_and_other_text_is_refused() {
        let token = Token {
            function: "sign:legal".parse().unwrap(),
            call: "c1".parse().unwrap(),
            nonce: "n1".into(),
        };
        let text = token_text(&token);
        assert_eq!(text, r#"{"function":"sign:legal","call":"c1","nonce":"n1"}"#);
        assert_eq!(parse_token(&text), Ok(token));
        assert_eq!(parse_token("c1"), Err(BadToken));
    }
}
