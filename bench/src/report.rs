//! The report: a table for a person, an object for a program.

use serde_json::json;

use crate::measure::Figure;

/// Prints a table; the last column compares each median with the first line's.
#[expect(clippy::print_stdout, reason = "the table is what this program is run for")]
pub(crate) fn table(figures: &[Figure]) {
    let yardstick = figures[0].median_ns;
    println!(
        "{:<58} {:>10} {:>10} {:>14} {:>8}",
        "", "median ns", "best ns", "per second", "ratio"
    );
    for figure in figures {
        let promise = match figure.limit_ns {
            Some(limit) if figure.holds() => format!("  (at most {limit:.0} ns: holds)"),
            Some(limit) => format!("  (at most {limit:.0} ns: BROKEN)"),
            None => String::new(),
        };
        println!(
            "{:<58} {:>10.1} {:>10.1} {:>14.0} {:>8.2}{promise}",
            figure.name,
            figure.median_ns,
            figure.best_ns,
            1e9 / figure.median_ns,
            figure.median_ns / yardstick,
        );
    }
}

/// Prints one object: `{"core":[{name, median_ns, best_ns, per_second, ratio, limit_ns, holds}]}`.
#[expect(clippy::print_stdout, reason = "the object is what this program is run for")]
pub(crate) fn json(figures: &[Figure]) {
    let yardstick = figures[0].median_ns;
    let lines: Vec<_> = figures
        .iter()
        .map(|figure| {
            json!({
                "name": figure.name,
                "median_ns": figure.median_ns,
                "best_ns": figure.best_ns,
                "per_second": 1e9 / figure.median_ns,
                "ratio": figure.median_ns / yardstick,
                "limit_ns": figure.limit_ns,
                "holds": figure.holds(),
            })
        })
        .collect();
    println!("{}", json!({ "core": lines }));
}
