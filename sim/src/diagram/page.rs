//! The page around the drawing: what was broken, the story, the legend, and how to look closer.

use std::fmt::{self, Display};

use super::markup::{Escaped, Tag};
use super::svg::Drawing;
use crate::case::Case;
use crate::checkers::Violation;
use crate::shrink::StoryLine;

/// More lines of a story than a page shows.
const STORY_MAX: usize = 200;

/// More violations than a page lists.
const VIOLATIONS_MAX: usize = 10;

/// What the page shows.
pub(super) struct Page<'a> {
    pub(super) case: &'a Case,
    pub(super) violations: &'a [Violation],
    pub(super) story: &'a [StoryLine],
    pub(super) command: &'a str,
    pub(super) drawing: &'a Drawing<'a>,
}

impl Page<'_> {
    /// The page as text; `left_out` messages are not drawn.
    pub(super) fn write(&self, left_out: usize) -> String {
        let title = format!("{} seed {}", self.case.scenario, self.case.seed);
        let note = match left_out {
            0 => String::new(),
            count => format!(" {count} messages about other calls are not drawn."),
        };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
             {}<style>\n{STYLE}</style>\n</head>\n<body>\n{}{}{}{}{}\
             <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
            Tag::new("title").text(&title),
            self.head(&title),
            Legend(&note),
            self.frame(),
            Tag::new("pre").attr("id", "detail").text(HINT),
            self.telling(),
        )
    }

    fn head(&self, title: &str) -> String {
        let mut head = Tag::new("h1").text(title).to_string();
        if self.violations.is_empty() {
            head += &Tag::new("p").attr("class", "kept").text("No promise is broken.").to_string();
        }
        for violation in self.violations.iter().take(VIOLATIONS_MAX) {
            head += &Tag::new("p").attr("class", "broken").text(violation.to_string()).to_string();
        }
        if let Some(more) = self.violations.len().checked_sub(VIOLATIONS_MAX + 1) {
            head += &Tag::new("p").text(format!("and {} more", more + 1)).to_string();
        }
        head + &Tag::new("pre").attr("class", "replay").text(self.command).to_string()
    }

    /// The names beside the drawing that scrolls.
    fn frame(&self) -> String {
        let mut names = String::new();
        for (name, y) in self.drawing.names() {
            let name = Tag::new("text").attr("x", 88).attr("y", y + 4).text(name);
            names += &name.to_string();
        }
        let height = self.drawing.height();
        format!(
            "<div id=\"frame\"><svg id=\"names\" width=\"96\" height=\"{height}\" \
             aria-hidden=\"true\">\n{names}</svg><div id=\"scroll\">{}</div></div>\n",
            self.drawing
        )
    }

    fn telling(&self) -> String {
        if self.story.is_empty() {
            return String::new();
        }
        let lines = self.story.iter().take(STORY_MAX);
        let lines: String =
            lines.map(|line| Tag::new("li").text(line.to_string()).to_string()).collect();
        let rest = self.story.len().saturating_sub(STORY_MAX);
        let rest = if rest == 0 {
            String::new()
        } else {
            Tag::new("p").text(format!("and {rest} more lines")).to_string()
        };
        format!("<h2>What led to it</h2>\n<ol>\n{lines}</ol>\n{rest}")
    }
}

/// What the colours and shapes mean, and the means to zoom.
struct Legend<'a>(&'a str);

impl Display for Legend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<div id=\"legend\">")?;
        for (class, meaning) in [
            ("request", "request"),
            ("answer", "answer"),
            ("lost", "never arrives"),
            ("handler", "handler runs"),
            ("starting", "consumer starting"),
            ("active", "active"),
            ("stopping", "stopping"),
            ("error", "error"),
            ("fault", "fault"),
        ] {
            write!(f, "<span class=\"key\"><i class=\"{class}\"></i>{meaning}</span> ")?;
        }
        write!(
            f,
            "<span class=\"zoom\"><button id=\"out\" title=\"zoom out\">&minus;</button>\
             <button id=\"in\" title=\"zoom in\">+</button><button id=\"fit\">fit</button>\
             <button id=\"flag\">to the violation</button></span></div>\n\
             <p class=\"note\">Time runs to the right and is squeezed: long waits are drawn \
             short.{} Ctrl and wheel zoom.</p>\n",
            Escaped(self.0)
        )
    }
}

const HINT: &str = "Point at anything to read about it; click to keep it.";

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = include_str!("page.js");
