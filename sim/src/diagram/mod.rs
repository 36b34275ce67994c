//! A run as a self-contained page: a space-time diagram with the broken promise marked.
//!
//! Nodes and the store are lanes, messages are arrows, handlers and consumers are bars, faults are
//! shaded. Hovering shows what the trace says of it. The time axis is squeezed: long waits are
//! short.

mod layout;
mod markup;
mod page;
mod picture;
mod spans;
mod svg;

use crate::case::Case;
use crate::checkers::Violation;
use crate::moment::Moment;
use crate::run::Played;
use crate::shrink::{Concern, StoryLine, story};

use page::Page;
use picture::Picture;
use svg::Drawing;

/// More steps than this, and only what is near the violation is drawn.
const STEPS_MAX: usize = 6_000;

/// How much is drawn around the violation's story, where not everything is.
const AROUND: std::time::Duration = std::time::Duration::from_millis(500);

/// The most violations that are marked.
const VIOLATIONS_MAX: usize = 3;

/// Draws a traced run of a case as a page; `command` is how to replay it.
pub fn html(case: &Case, played: &Played, command: &str) -> String {
    let violation = played.violations.iter().find(|found| found.promise == case.promise);
    let violation = violation.or(played.violations.first());
    let concern = violation.map(|found| Concern::of(&played.run, found)).unwrap_or_default();
    let story = violation.map(|found| story(&played.run, found)).unwrap_or_default();
    let window = window(played, violation, &story);
    let picture = Picture::of(&played.run, &case.script, &concern, window);
    let marked: Vec<Violation> = violation
        .into_iter()
        .chain(played.violations.iter().filter(|other| Some(*other) != violation))
        .filter(|found| found.at >= window.0 && found.at <= window.1)
        .take(VIOLATIONS_MAX)
        .cloned()
        .collect();
    let drawing = Drawing::of(&picture, &marked, !concern.is_empty());
    Page { case, violations: &played.violations, story: &story, command, drawing: &drawing }
        .write(picture.left_out)
}

/// What is drawn: everything of a small run, else what surrounds the violation's story.
fn window(played: &Played, violation: Option<&Violation>, story: &[StoryLine]) -> (Moment, Moment) {
    let Some(violation) = violation else {
        return (Moment::ZERO, played.run.ended_at);
    };
    let until = violation.at + AROUND;
    let before = played.run.trace.iter().take_while(|step| step.at <= until).count();
    match story.first() {
        Some(first) if before > STEPS_MAX => (first.at.before(AROUND), until),
        _ => (Moment::ZERO, until),
    }
}
