//! The picture as SVG. Every element carries its place on the unscaled axis, for the page to zoom.

use std::fmt::{self, Display};

use steadfast_core::op::ConsumerStatus;

use super::layout::{Axis, Layout, ROW};
use super::markup::Tag;
use super::picture::{Arrow, ArrowKind, Bar, BarKind, Mark, MarkKind, Picture};
use crate::checkers::Violation;
use crate::moment::Moment;

/// Room above the lanes for the ruler and the violations' flags.
const HEAD: u32 = 46;

/// A picture with its places, written as an `svg` element.
pub(super) struct Drawing<'a> {
    picture: &'a Picture,
    violations: &'a [Violation],
    axis: Axis,
    layout: Layout,
    has_concern: bool,
}

impl<'a> Drawing<'a> {
    pub(super) fn of(picture: &'a Picture, violations: &'a [Violation], has_concern: bool) -> Self {
        let mut moments = picture.moments();
        moments.extend(violations.iter().map(|violation| violation.at));
        moments.sort();
        moments.dedup();
        let (axis, layout) = (Axis::of(&moments), Layout::of(picture, HEAD));
        Self { picture, violations, axis, layout, has_concern }
    }

    pub(super) const fn height(&self) -> u32 {
        self.layout.height
    }

    /// The lanes' names with their places, for the column that does not scroll.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, u32)> {
        let lines = self.layout.lanes.iter().map(|lane| lane.line);
        self.picture.lanes.iter().map(String::as_str).zip(lines)
    }

    /// Class names, with one for what is not about the violation.
    fn class(&self, class: &str, matters: bool) -> String {
        if self.has_concern && !matters { format!("{class} aside") } else { class.to_owned() }
    }

    fn span(&self, tag: Tag, from: Moment, until: Moment) -> Tag {
        let (a, b) = (self.axis.x(from), self.axis.x(until));
        tag.attr("x", a)
            .attr("width", b.saturating_sub(a).max(2))
            .attr("data-a", a)
            .attr("data-b", b)
    }

    fn bar(&self, index: usize, bar: &Bar) -> Tag {
        let (class, height) = match bar.kind {
            BarKind::Life => ("life", 4),
            BarKind::Consumer(status) => (status_class(status), ROW - 2),
            BarKind::Handler => ("handler", ROW - 2),
            BarKind::Fault(_) => ("fault", self.layout.lanes[bar.lane].height),
        };
        let tag = Tag::new("rect")
            .attr("class", self.class(class, bar.matters || bar.kind == BarKind::Life));
        self.span(tag, bar.from, bar.until)
            .attr("y", self.layout.bar_tops[index])
            .attr("height", height)
            .hover(&bar.words)
    }

    /// A message; one that never arrives ends half-way, with a cross.
    fn arrow(&self, arrow: &Arrow, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (x1, y1) = (self.axis.x(arrow.from.1), self.layout.lanes[arrow.from.0].line);
        let y2 = self.layout.lanes[arrow.to.0].line;
        let class = match arrow.kind {
            ArrowKind::Request => "request",
            ArrowKind::Answer => "answer",
        };
        let (x2, y2, class) = match arrow.to.1 {
            Some(at) => (self.axis.x(at), y2, class.to_owned()),
            None => (x1 + 14, u32::midpoint(y1, y2), format!("{class} lost")),
        };
        let line = Tag::new("line")
            .attr("class", self.class(&class, arrow.matters))
            .attr("x1", x1)
            .attr("y1", y1)
            .attr("x2", x2)
            .attr("y2", y2)
            .attr("data-a", x1)
            .attr("data-b", x2)
            .hover(&arrow.words);
        line.fmt(f)
    }

    fn mark(&self, mark: &Mark) -> Tag {
        let (class, path) = match mark.kind {
            MarkKind::Command => ("command", "M-4,-12 H4 L0,-4 Z"),
            MarkKind::Answer => ("told", "M-4,12 H4 L0,4 Z"),
            MarkKind::Event => ("event", "M0,-5 L5,0 L0,5 L-5,0 Z"),
            MarkKind::Failure => ("failure", "M-4,-4 L4,4 M-4,4 L4,-4"),
            MarkKind::Store => ("did", "M-3,-3 H3 V3 H-3 Z"),
            MarkKind::Fault => ("strike", "M2,-14 L-5,2 H0 L-2,14 L5,-2 H0 Z"),
        };
        self.shape(class, path, mark.at, self.layout.lanes[mark.lane].line, mark.matters)
            .hover(&mark.words)
    }

    fn shape(&self, class: &str, path: &str, at: Moment, y: u32, matters: bool) -> Tag {
        let x = self.axis.x(at);
        Tag::new("path")
            .attr("class", self.class(class, matters))
            .attr("d", path)
            .attr("transform", format_args!("translate({x},{y})"))
            .attr("data-a", x)
            .attr("data-y", y)
    }

    fn text(&self, class: &str, at: Moment, y: u32, text: String) -> Tag {
        let x = self.axis.x(at);
        Tag::new("text").attr("class", class).attr("x", x).attr("y", y).attr("data-a", x).text(text)
    }

    fn violation(&self, violation: &Violation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let x = self.axis.x(violation.at);
        let line = Tag::new("line")
            .attr("class", "violation")
            .attr("x1", x)
            .attr("x2", x)
            .attr("y1", 4)
            .attr("y2", self.height())
            .attr("data-a", x)
            .attr("data-b", x)
            .hover(violation.to_string());
        line.fmt(f)?;
        let words = format!("broken: {}", violation.promise);
        // Left of its line: after it there is not much.
        self.text("violated", violation.at, 14, words).hover(violation.to_string()).fmt(f)
    }
}

const fn is_fault(bar: &Bar) -> bool {
    matches!(bar.kind, BarKind::Fault(_))
}

const fn status_class(status: ConsumerStatus) -> &'static str {
    match status {
        ConsumerStatus::Starting => "starting",
        ConsumerStatus::Active => "active",
        ConsumerStatus::Stopping => "stopping",
        ConsumerStatus::Stopped => "stopped",
        ConsumerStatus::Error => "error",
    }
}

impl Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = (self.axis.width(), self.height());
        writeln!(
            f,
            "<svg id=\"world\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" \
             height=\"{height}\" data-width=\"{width}\" role=\"img\" \
             aria-label=\"Nodes and the store over time\">"
        )?;
        writeln!(f, "{HEADS}")?;
        // Behind everything: faults, the ruler, the lanes' own lines.
        let bars = || self.picture.bars.iter().enumerate();
        for (index, bar) in bars().filter(|(_, bar)| is_fault(bar)) {
            self.bar(index, bar).fmt(f)?;
            if let BarKind::Fault(kind) = bar.kind {
                let y = self.layout.bar_tops[index] + 10;
                self.text("fault-name", bar.from, y, format!(" {kind}")).fmt(f)?;
            }
        }
        for (at, x) in self.axis.ruler(110) {
            self.text("time", at, HEAD - 8, format!("{at} s")).fmt(f)?;
            let tick = Tag::new("line").attr("class", "tick").attr("x1", x).attr("x2", x);
            let tick = tick.attr("y1", HEAD - 4).attr("y2", height);
            tick.attr("data-a", x).attr("data-b", x).fmt(f)?;
        }
        for lane in &self.layout.lanes {
            let line = Tag::new("line").attr("class", "lane").attr("x1", 0).attr("x2", width);
            let line = line.attr("y1", lane.line).attr("y2", lane.line);
            line.attr("data-a", 0).attr("data-b", width).fmt(f)?;
        }
        for (index, bar) in bars().filter(|(_, bar)| !is_fault(bar)) {
            self.bar(index, bar).fmt(f)?;
            if bar.kind == BarKind::Life {
                let name = bar.words.split(' ').next().unwrap_or_default();
                let y = self.layout.lanes[bar.lane].line - 6;
                self.text("incarnation", bar.from, y, name.into()).fmt(f)?;
            }
        }
        // What matters lies above what does not.
        for matters in [false, true] {
            for arrow in self.picture.arrows.iter().filter(|arrow| arrow.matters == matters) {
                self.arrow(arrow, f)?;
            }
            for mark in self.picture.marks.iter().filter(|mark| mark.matters == matters) {
                self.mark(mark).fmt(f)?;
            }
        }
        for violation in self.violations {
            self.violation(violation, f)?;
        }
        writeln!(f, "</svg>")
    }
}

/// The arrows' heads, and the cross of a message that never arrives.
const HEADS: &str = r#"<defs>
<marker id="head-request" class="head-request" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 Z"/></marker>
<marker id="head-answer" class="head-answer" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 Z"/></marker>
<marker id="head-lost" class="head-lost" viewBox="-5 -5 10 10" refX="0" refY="0" markerWidth="9" markerHeight="9"><path d="M-4,-4 L4,4 M-4,4 L4,-4"/></marker>
</defs>"#;
