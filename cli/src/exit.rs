//! How a command ends, as its exit code tells.

use std::process::ExitCode;

/// How a command ended. The numbers are part of the interface: `--help` and scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for was done.
    Success,
    /// It was done and did not succeed: a call without a result, a function that nobody serves.
    Failure,
    /// It could not be begun: arguments, a file, an input.
    Usage,
    /// Its time was over.
    TimedOut,
    /// The store, or whoever serves the function, is not there.
    Unavailable,
}

impl Exit {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::TimedOut => 3,
            Self::Unavailable => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
