//! Lines to standard output, written by a thread of their own: a reader that is slow slows the calls,
//! and neither signals nor leases.

use std::io::{self, BufWriter, Write};

use tokio::sync::{mpsc, oneshot};

/// Lines that may wait to be written.
const WAITING_MAX: usize = 64;

/// Tells how writing ended.
pub(crate) type Written = oneshot::Receiver<io::Result<()>>;

/// Begins to write. The second half tells once writing has ended: with all lines written after the sender
/// is gone, or before that with an error.
pub(crate) fn start() -> io::Result<(mpsc::Sender<Vec<u8>>, Written)> {
    let (lines, mut waiting) = mpsc::channel(WAITING_MAX);
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new().name("standard output".into()).spawn(move || {
        let written = write_all(&mut waiting, io::stdout().lock());
        // Lines that wait for room must not wait for a writer that has ended.
        drop(waiting);
        let _ = ended.send(written);
    })?;
    Ok((lines, end))
}

/// Writes until the sender is gone, and flushes whenever nothing waits.
fn write_all(waiting: &mut mpsc::Receiver<Vec<u8>>, output: impl Write) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(64 * 1_024, output);
    while let Some(line) = waiting.blocking_recv() {
        output.write_all(&line)?;
        while let Ok(line) = waiting.try_recv() {
            output.write_all(&line)?;
        }
        output.flush()?;
    }
    Ok(())
}
