//! Another process of a program of this crate: what it prints, and where that first differs from here.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::iter;
use std::process::{Command, Stdio};

/// What a program prints; an error where it cannot be started. It may well exit with a failure: a
/// seed that breaks a promise does.
pub(super) fn ask(program: &OsStr, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let cannot = |error| io::Error::other(format!("cannot run {}: {error}", program.display()));
    String::from_utf8(output.map_err(cannot)?.stdout).map_err(io::Error::other)
}

/// Prints the first line in which two traces differ, one of them perhaps by its end.
pub(super) fn print_first_difference<'a>(
    ours: &'a [String],
    theirs: impl Iterator<Item = &'a str>,
    out: &mut impl Write,
) -> io::Result<()> {
    let theirs = theirs.map(Some).chain(iter::repeat(None));
    let ours = ours.iter().map(|line| Some(line.as_str())).chain(iter::once(None));
    for (index, (mine, other)) in ours.zip(theirs).enumerate() {
        if mine != other {
            writeln!(out, "first difference, in line {} of the trace:", index + 1)?;
            writeln!(out, "  here:  {}", mine.unwrap_or("(the end)"))?;
            return writeln!(out, "  there: {}", other.unwrap_or("(the end)"));
        }
    }
    writeln!(out, "the traces' lines do not differ: what differs is not shown in them")
}
