//! What a person sees on standard error: messages, and a progress line on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::AbortHandle;

use crate::tally::Tally;

/// The progress line is drawn anew this often.
const REDRAW: Duration = Duration::from_millis(100);

/// Says on standard error what went wrong, after the name of the binary.
pub(crate) fn complain(message: &str) {
    Console::plain().say(message);
}

/// Standard error. The progress line is there only on a terminal, and only while the outcomes do not go
/// to one: there they are progress enough.
#[derive(Debug)]
pub(crate) struct Console {
    progress: Option<(ProgressBar, AbortHandle)>,
}

impl Console {
    /// Messages only.
    pub(crate) fn plain() -> Self {
        Self { progress: None }
    }

    /// Begins to show the tally. Must be called within a runtime.
    pub(crate) fn start(tally: Tally) -> Self {
        if !io::stderr().is_terminal() || io::stdout().is_terminal() {
            return Self { progress: None };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}") {
            bar.set_style(style);
        }
        let drawn = bar.clone();
        let drawing = tokio::spawn(async move {
            let mut redraw = tokio::time::interval(REDRAW);
            loop {
                redraw.tick().await;
                drawn.set_message(tally.to_string());
                drawn.tick();
            }
        });
        Self { progress: Some((bar, drawing.abort_handle())) }
    }

    /// Shows a message, after the name of the binary.
    pub(crate) fn say(&self, message: &str) {
        self.show(&format!("steadfast: {message}\n"));
    }

    /// Shows text as it is. A standard error that is closed hears nothing.
    pub(crate) fn show(&self, text: &str) {
        let write = || {
            let _ = io::stderr().write_all(text.as_bytes());
        };
        match &self.progress {
            Some((bar, _)) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some((bar, drawing)) = &self.progress {
            drawing.abort();
            bar.finish_and_clear();
        }
    }
}
