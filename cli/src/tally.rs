//! How many lines ended how.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::outcome_line::Status;

/// The count of a run. A clone is the same count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    read: u64,
    ended: BTreeMap<Status, u64>,
}

impl Tally {
    /// A line was read.
    pub(crate) fn read(&self) {
        self.lock().read += 1;
    }

    /// A line ended.
    pub(crate) fn ended(&self, status: Status) {
        *self.lock().ended.entry(status).or_default() += 1;
    }

    /// Lines whose call was not decided: said so, or still open.
    pub(crate) fn undecided(&self) -> u64 {
        let counts = self.lock();
        let said = counts.ended.get(&Status::Undecided).copied().unwrap_or_default();
        said + counts.open()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn open(&self) -> u64 {
        self.read.saturating_sub(self.ended.values().sum())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.lock();
        let lines = if counts.read == 1 { "line" } else { "lines" };
        write!(f, "{} {lines}", counts.read)?;
        let mut separator = ": ";
        for (status, count) in &counts.ended {
            write!(f, "{separator}{count} {status}")?;
            separator = ", ";
        }
        match counts.open() {
            0 => Ok(()),
            open => write!(f, "{separator}{open} open"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast_core::call::OutcomeKind;

    #[test]
    fn a_tally_reads_as_a_sentence() {
        let tally = Tally::default();
        assert_eq!(tally.to_string(), "0 lines");
        for _ in 0..4 {
            tally.read();
        }
        tally.ended(Status::Refused);
        tally.ended(Status::Decided(OutcomeKind::Success));
        assert_eq!(tally.to_string(), "4 lines: 1 success, 1 refused, 2 open");
        assert_eq!(tally.undecided(), 2);
        tally.ended(Status::Undecided);
        assert_eq!(tally.undecided(), 2);
    }
}
