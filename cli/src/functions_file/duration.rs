//! Durations as they are written in a functions file and on the command line.

use std::time::Duration;

/// The longest duration that may be written: what is longer is a mistake.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `500ms`, `30s`, `5m`, `1h`, or a whole number of milliseconds. The error says what to write.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim_start() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(not_a_duration(text)),
    };
    if number.is_empty() {
        return Err(not_a_duration(text));
    }
    let within = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
        .map(Duration::from_millis)
        .filter(|duration| *duration <= MOST);
    within.ok_or_else(|| format!("`{text}` is longer than a day"))
}

/// Like [`parse`], for what must not be zero.
pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err(format!("`{}` must be at least 1 ms", text.trim())),
        duration => Ok(duration),
    }
}

fn not_a_duration(text: &str) -> String {
    format!("`{text}` is no duration; write \"500ms\", \"30s\", \"5m\" or a number of milliseconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<u64, &str>) {
        let got = parse(text).map(|duration| u64::try_from(duration.as_millis()).unwrap());
        assert_eq!(got, expect.map_err(str::to_owned));
    }

    #[test]
    fn durations_have_units_and_bounds() {
        check("500ms", Ok(500));
        check("30s", Ok(30_000));
        check("5 m", Ok(300_000));
        check("24h", Ok(86_400_000));
        check("1500", Ok(1_500));
        check("25h", Err("`25h` is longer than a day"));
        check("99999999999999999999s", Err("`99999999999999999999s` is longer than a day"));
        for text in ["", "s", "-1s", "1.5s", "1 week"] {
            check(
                text,
                Err(&format!(
                    "`{text}` is no duration; write \"500ms\", \"30s\", \"5m\" or a number of \
                     milliseconds"
                )),
            );
        }
    }
}
