//! The work, the same for every system: about 200 bytes of JSON in, about 100 bytes out.

use std::time::{SystemTime, UNIX_EPOCH};

/// The input of the call with this number.
pub(crate) fn payload(number: u64) -> String {
    format!(
        "{{\"parcel\":\"P-{number:012}\",\"sender\":{{\"id\":{},\"name\":\"Grace Hopper\",\
         \"mail\":\"grace@example.org\"}},\"lines\":[{{\"article\":\"MUG-{:06}\",\"count\":3,\
         \"cents\":1495}}],\"remark\":\"second floor, please knock\",\"fill\":\"........\"}}",
        number % 100_000,
        number % 1_000_000,
    )
}

/// What the handler answers: it reads the input, and quotes from it.
pub(crate) fn handle(input: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(input).ok()?;
    let parcel = value.get("parcel")?.as_str()?;
    Some(format!(
        "{{\"ok\":true,\"parcel\":\"{parcel}\",\"cents\":4485,\"due\":\"2030-01-01T10:00:00Z\",\
         \"remark\":\"taken\"}}"
    ))
}

/// The answer is the one to this call and to no other.
pub(crate) fn is_answer_to(number: u64, answer: &str) -> bool {
    answer.len() > 60 && answer.contains(&format!("\"P-{number:012}\""))
}

/// Microseconds since 1970 by this machine's clock, which all processes here share.
pub(crate) fn wall_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_said_and_answers_name_their_call() {
        let input = payload(1_234);
        assert!((180..=240).contains(&input.len()), "{} bytes in", input.len());
        let answer = handle(input.as_bytes()).expect("the input is JSON");
        assert!((90..=120).contains(&answer.len()), "{} bytes out", answer.len());
        assert!(is_answer_to(1_234, &answer));
        assert!(!is_answer_to(1_235, &answer));
    }
}
