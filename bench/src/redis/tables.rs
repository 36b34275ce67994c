//! The report: tables that read well in a terminal and in Markdown, or one object.

use std::fmt::Write;

use serde_json::{Value, json};

use super::idle::Idle;
use super::summary::{Advantage, Line, Spread, Summary};

/// All tables.
pub(crate) fn text(summary: &Summary) -> String {
    let Summary { redis, turns, calls, .. } = summary;
    let mut text = format!(
        "Redis {redis}; {turns} turns, {calls} calls, each with its own answer.\n\
         Median of the turns (first to third quartile); a ratio is Steadfast's over the floor's, turn \
         by turn.\n\n"
    );
    let head = [
        "in flight",
        "",
        "calls/s",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "commands/call",
        "server µs/call",
        "worker µs/call",
        "caller µs/call",
        "connections",
    ];
    text += &table(&head, summary.lines.iter().map(load_row).collect());
    if summary.lines.iter().any(|line| line.commands.is_none()) {
        text += "\nThe systems without commands are measured by the harness of `--peers`, each over a server of \
                 its own, in the same run; it counts no commands on the wire.\n";
    }
    if !summary.advantages.is_empty() {
        text += "\nSteadfast took a turn right before and right after each of their runs; run by run it made so \
                 many times their calls:\n\n";
        let head = ["in flight", "beside", "Steadfast's calls/s", "times theirs"];
        text += &table(&head, summary.advantages.iter().map(advantage_row).collect());
    }
    if !summary.idle.is_empty() {
        let head = [
            "idle functions",
            "commands/s",
            "server µs/s",
            "connections",
            "resident MiB",
            "ready ms",
            "pick-up p50 µs",
            "p99 µs",
            "older caller's p50 µs",
            "p99 µs",
        ];
        text.push('\n');
        text += &table(&head, summary.idle.iter().map(idle_row).collect());
    }
    if let Some(takeovers) = &summary.takeovers {
        let took = takeovers.took_ms.iter().map(|ms| format!("{ms:.0}"));
        let took = took.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\nSIGKILL of a worker to execution elsewhere: {took} ms");
    }
    if !summary.targets.is_empty() {
        let rows = summary.targets.iter().map(|target| {
            let met = if target.met { "met" } else { "NOT met" };
            vec![
                target.figure.clone(),
                target.to_reach.clone(),
                target.reached.clone(),
                met.to_owned(),
            ]
        });
        text.push('\n');
        text += &table(&["figure", "to reach", "reached", ""], rows.collect());
    }
    text
}

/// The median and, in brackets, the quartiles.
fn show(spread: Spread, digits: usize) -> String {
    let Spread { median, lower, upper } = spread;
    format!("{median:.digits$} ({lower:.digits$}–{upper:.digits$})")
}

fn advantage_row(advantage: &Advantage) -> Vec<String> {
    let Advantage { in_flight, beside, per_second, ratio } = advantage;
    vec![in_flight.to_string(), (*beside).to_owned(), show(*per_second, 0), show(*ratio, 2)]
}

fn load_row(line: &Line) -> Vec<String> {
    let digits = if line.what == "ratio" { 2 } else { 0 };
    let cpu = digits.max(1);
    vec![
        line.in_flight.to_string(),
        line.what.to_owned(),
        show(line.per_second, digits),
        show(line.p50_us, digits),
        show(line.p99_us, digits),
        show(line.p999_us, digits),
        line.commands.map_or_else(|| "–".to_owned(), |it| format!("{it:.2}")),
        show(line.server_us, cpu),
        show(line.worker_us, cpu),
        show(line.caller_us, cpu),
        line.connections.map_or_else(|| "–".to_owned(), |it| format!("{it:.digits$}")),
    ]
}

fn idle_row(idle: &Idle) -> Vec<String> {
    vec![
        idle.functions.to_string(),
        format!("{:.1}", idle.commands_per_second),
        format!("{:.0}", idle.server_us_per_second),
        idle.connections.to_string(),
        format!("{:.1}", idle.resident_mib),
        format!("{:.0}", idle.ready_ms),
        format!("{:.0}", idle.lone.p50_us),
        format!("{:.0}", idle.lone.p99_us),
        format!("{:.0}", idle.older.p50_us),
        format!("{:.0}", idle.older.p99_us),
    ]
}

/// Columns as wide as their widest cell.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(|text| (*text).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows[0].len()).map(|it| width(it).unwrap_or(0).max(3)).collect();
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text += "|\n";
        if place == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}

/// One object with everything.
pub(crate) fn json(summary: &Summary) -> Value {
    let idle: Vec<Value> = summary
        .idle
        .iter()
        .map(|it| {
            json!({
                "functions": it.functions,
                "ready_ms": it.ready_ms,
                "resident_mib": it.resident_mib,
                "connections": it.connections,
                "commands_per_second": it.commands_per_second,
                "server_us_per_second": it.server_us_per_second,
                "pick_up": it.lone,
                "pick_up_older_caller": it.older,
            })
        })
        .collect();
    json!({
        "redis": summary.redis,
        "turns": summary.turns,
        "calls": summary.calls,
        "load": summary.lines,
        "beside": summary.advantages,
        "idle": idle,
        "takeovers": summary.takeovers,
        "targets": summary.targets,
    })
}
