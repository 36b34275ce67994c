//! The signals that end a run.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::process_groups::ProcessGroups;

/// The signal that asked the run to end, once one has.
pub(crate) type Asked = watch::Receiver<Option<&'static str>>;

/// Begins to listen for SIGINT and SIGTERM: the first one asks the run to end, the second one ends the
/// process at once, with its programs.
pub(crate) fn listen(groups: ProcessGroups) -> io::Result<Asked> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (ask, asked) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let (name, number) = tokio::select! {
                _ = interrupt.recv() => ("SIGINT", 2),
                _ = terminate.recv() => ("SIGTERM", 15),
            };
            if ask.borrow().is_some() {
                groups.kill_all();
                std::process::exit(128 + number);
            }
            ask.send_replace(Some(name));
        }
    });
    Ok(asked)
}

/// Waits for the signal that asks the run to end, and names it.
pub(crate) async fn name(asked: &mut Asked) -> &'static str {
    match asked.wait_for(Option::is_some).await {
        Ok(name) => name.expect("waited for"),
        Err(_) => std::future::pending().await,
    }
}

/// Begins to listen for SIGHUP.
pub(crate) fn hang_ups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
