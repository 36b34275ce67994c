//! Keeps passwords out of what clap says of arguments that it quotes.

/// The text, with whatever stands before the last `@` of a word replaced, but for a URL's scheme. Behind a
/// scheme the last `@` of the line counts: a password may have spaces.
pub(crate) fn redact(text: &str) -> String {
    text.split_inclusive('\n').map(redact_line).collect()
}

fn redact_line(line: &str) -> String {
    match line.split_once("://") {
        Some((before, after)) if after.contains('@') => {
            let words = before.split_inclusive(char::is_whitespace).map(redact_word);
            let at = after.rfind('@').unwrap_or_default();
            format!("{}://***{}", words.collect::<String>(), &after[at..])
        }
        _ => line.split_inclusive(char::is_whitespace).map(redact_word).collect(),
    }
}

fn redact_word(word: &str) -> String {
    let Some(at) = word.rfind('@') else {
        return word.to_owned();
    };
    let scheme = word[..at].find("://").map(|place| place + 3);
    let quote = || word.find(|character| !matches!(character, '\'' | '"' | '`')).unwrap_or(0);
    let kept = scheme.unwrap_or_else(quote);
    format!("{}***{}", &word[..kept], &word[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(redact(text), expect);
    }

    #[test]
    fn what_stands_before_a_host_is_not_shown() {
        check("argument 'redis://me:pw@h:1/0' found\n", "argument 'redis://***@h:1/0' found\n");
        check("'redis://:p@ss/w@rd@h'", "'redis://***@h'");
        check("'me:pw@h'", "'***@h'");
        check("--redis=rediss://:pw@h x@y", "--redis=rediss://***@y");
        check("'redis://me:p w@h' found\na@b c", "'redis://***@h' found\n***@b c");
        check("'redis://h:1' was given, 1 > 0", "'redis://h:1' was given, 1 > 0");
        check("@", "***@");
    }
}
