//! What is wrong with a functions file, shown with the line it stands in.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

/// One mistake: where in the text it stands, in bytes, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

/// Renders problems as a compiler would: `FILE:LINE:COLUMN: message`, then the line with a mark under
/// the place. Lines and columns count from 1, columns in characters.
pub(crate) fn render(file: &Path, text: &str, problems: &[Problem]) -> String {
    let mut rendered = String::new();
    for problem in problems {
        let start = text.floor_char_boundary(problem.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let number = text[..line_start].matches('\n').count() + 1;
        let before = &text[line_start..start];
        let column = before.chars().count() + 1;
        let line = text[line_start..line_end].trim_end_matches('\r');
        let end = text.floor_char_boundary(problem.span.end.clamp(start, line_end));
        let marks = text[start..end].chars().count().max(1);
        let indent: String =
            before.chars().map(|character| if character == '\t' { '\t' } else { ' ' }).collect();
        let gutter = " ".repeat(number.to_string().len());
        let _ = write!(
            rendered,
            "{}:{number}:{column}: {}\n{gutter} |\n{number} | {line}\n{gutter} | {indent}{}\n",
            file.display(),
            problem.message,
            "^".repeat(marks),
        );
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, span: Range<usize>, expect: &str) {
        let problem = Problem::new(span, "wrong");
        assert_eq!(render(Path::new("f.toml"), text, &[problem]), expect);
    }

    #[test]
    fn the_mark_stands_under_the_place() {
        check("a = 1\nb = 22\n", 10..12, "f.toml:2:5: wrong\n  |\n2 | b = 22\n  |     ^^\n");
        check("é\té = 3", 3..5, "f.toml:1:3: wrong\n  |\n1 | é\té = 3\n  |  \t^\n");
    }

    #[test]
    fn a_place_at_or_over_the_end_still_has_a_mark() {
        check("", 0..0, "f.toml:1:1: wrong\n  |\n1 | \n  | ^\n");
        check("a", 7..9, "f.toml:1:2: wrong\n  |\n1 | a\n  |  ^\n");
        check("a = [\n1]\n", 4..8, "f.toml:1:5: wrong\n  |\n1 | a = [\n  |     ^\n");
    }
}
