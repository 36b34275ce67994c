//! Tables for a person, and JSON for programs, on standard output.

use std::io::{self, Write as _};

use serde::Serialize;

/// Rows under their titles, as text.
#[derive(Clone, Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(titles: [&str; COLUMNS]) -> Self {
        Self { rows: vec![titles.map(str::to_owned)] }
    }

    /// One more row. Control characters, which could play tricks on a terminal, become spaces.
    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells.map(|cell| cell.replace(char::is_control, " ")));
    }

    /// The text, with a line end after each row and no space before it.
    pub(crate) fn render(&self) -> String {
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
        let line = |row: &[String; COLUMNS]| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}

/// Prints a text, as far as somebody reads it.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A value as JSON for reading, with a line end.
pub(crate) fn json_text(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

/// A time span for a person: the largest unit that fits, rounded down.
pub(crate) fn span(span_ms: u64) -> String {
    match span_ms {
        0..1_000 => format!("{span_ms}ms"),
        1_000..120_000 => format!("{}s", span_ms / 1_000),
        120_000..7_200_000 => format!("{}m", span_ms / 60_000),
        7_200_000..172_800_000 => format!("{}h", span_ms / 3_600_000),
        _ => format!("{}d", span_ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["A", "LONG", "C"]);
        table.row(["wide".into(), "é".into(), String::new()]);
        table.row(["x\u{1b}[2J\n".into(), "1".into(), "c".into()]);
        assert_eq!(table.render(), "A       LONG  C\nwide    é\nx [2J   1     c\n");
    }

    #[test]
    fn spans_have_one_unit() {
        let check = |span_ms, expect| assert_eq!(span(span_ms), expect);
        check(0, "0ms");
        check(999, "999ms");
        check(119_999, "119s");
        check(120_000, "2m");
        check(7_200_000, "2h");
        check(200_000_000, "2d");
    }
}
