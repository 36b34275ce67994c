//! A wall clock for a process of a test's own, that the test moves.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use tempfile::TempDir;

/// What is preloaded into the process. Like the linker of these tests, its compiler is `cc`.
const SOURCE: &str = include_str!("shifted_clock.c");

/// A clock that stands off from the machine's by what it was told last.
#[derive(Debug)]
pub(crate) struct ShiftedClock {
    folder: TempDir,
    offset: File,
}

impl ShiftedClock {
    /// One that does not stand off yet.
    pub(crate) fn new() -> io::Result<Self> {
        let folder = TempDir::new()?;
        std::fs::write(folder.path().join("clock.c"), SOURCE)?;
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o", "clock.so", "clock.c"])
            .current_dir(folder.path())
            .output()
            .map_err(|error| io::Error::other(format!("cc: {error}; apt-get install gcc")))?;
        if !compiled.status.success() {
            let told = String::from_utf8_lossy(&compiled.stderr);
            return Err(io::Error::other(format!("the clock does not compile: {told}")));
        }
        let clock = Self { offset: File::create(folder.path().join("offset"))?, folder };
        clock.shift(0)?;
        Ok(clock)
    }

    /// Stands off by so many seconds from now on.
    pub(crate) fn shift(&self, offset_s: i64) -> io::Result<()> {
        self.offset.write_all_at(&(offset_s * 1_000_000).to_ne_bytes(), 0)
    }

    /// What a process must find in its environment that is to go by it.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 2] {
        let path = |name: &str| self.folder.path().join(name).into_os_string();
        [("LD_PRELOAD", path("clock.so")), ("SHIFTED_CLOCK_FILE", path("offset"))]
    }
}
