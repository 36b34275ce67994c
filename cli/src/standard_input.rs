//! Lines of standard input, read by a thread of their own and no faster than calls end.

use std::io::{self, BufReader};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::line_reader::{Line, next_line};

/// The input that open calls may hold together, in KiB: a few long lines weigh as many short ones.
const HELD_KIB: u32 = 64 * 1_024;

/// A line, and its place in the window until it is dropped.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) line: Line,
    pub(crate) place: Place,
}

/// A place in the window; a line holds it until its outcome is handed to standard output.
#[derive(Debug)]
pub(crate) struct Place {
    _call: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

/// The bound on what is open at once: so many lines, and so many bytes of input.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    lines: u32,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Window {
    /// A window for `lines` lines.
    pub(crate) fn new(lines: u32) -> Self {
        Self {
            lines,
            calls: Arc::new(Semaphore::new(lines as usize)),
            bytes: Arc::new(Semaphore::new(HELD_KIB as usize)),
        }
    }

    /// Waits for a place for a line of so many bytes.
    pub(crate) async fn place(&self, bytes: usize) -> Place {
        let open = "the window is never closed";
        let kib = u32::try_from(bytes / 1_024).unwrap_or(HELD_KIB).clamp(1, HELD_KIB);
        Place {
            _call: self.calls.clone().acquire_owned().await.expect(open),
            _bytes: self.bytes.clone().acquire_many_owned(kib).await.expect(open),
        }
    }

    /// Waits until every place is free. Lines that ask for one meanwhile come after.
    pub(crate) async fn empty(&self) {
        let all = self.calls.acquire_many(self.lines).await;
        drop(all.expect("the window is never closed"));
    }
}

/// Begins to read standard input. An error of reading is the last item.
pub(crate) fn start(
    window: Window,
    line_max_bytes: usize,
) -> io::Result<mpsc::Receiver<io::Result<Arrived>>> {
    let (lines, arrivals) = mpsc::channel(1);
    let runtime = Handle::current();
    std::thread::Builder::new().name("standard input".into()).spawn(move || {
        let mut reader = BufReader::with_capacity(64 * 1_024, io::stdin().lock());
        let mut number = 0;
        loop {
            let line = match next_line(&mut reader, line_max_bytes) {
                Ok(Some(line)) => line,
                Ok(None) => return,
                Err(error) => {
                    let _ = lines.blocking_send(Err(error));
                    return;
                }
            };
            number += 1;
            let bytes = match &line {
                Line::Text(text) if text.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Text(text) => text.len(),
                Line::TooLong(_) => 0,
            };
            let arrived = Arrived { number, line, place: runtime.block_on(window.place(bytes)) };
            if lines.blocking_send(Ok(arrived)).is_err() {
                return;
            }
        }
    })?;
    Ok(arrivals)
}
