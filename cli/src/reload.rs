//! Reading the functions file again while calls run.

use std::path::Path;

use futures_util::future::join_all;

use crate::console::Console;
use crate::functions_file;
use crate::hosting::Hosting;
use crate::roster::Roster;

/// Reads the file again and serves what it says now: changed functions are saved, new ones served,
/// removed ones take no new call. All at once: each waits for the store. A bad file changes nothing. What happened is said.
pub(crate) async fn reload(path: &Path, hosting: &Hosting, roster: &Roster, console: &Console) {
    let file = match functions_file::read(path) {
        Ok(file) => file,
        Err(bad) => {
            console.show(&bad.to_string());
            console.say("the functions served stay as they are");
            return;
        }
    };
    let changes = roster.changes(&file);
    let (saved, added, removed) = (changes.changed.len(), changes.new.len(), changes.removed.len());
    join_all(changes.changed.into_iter().chain(changes.new).map(async |spec| {
        match hosting.serve(&spec).await {
            Ok(()) => roster.put(spec),
            Err(error) => console.say(&format!("{} is not saved: {error}", spec.function)),
        }
    }))
    .await;
    for function in &changes.removed {
        roster.leave(function);
    }
    console.say(&format!(
        "read {} again: {saved} saved, {added} added, {removed} removed",
        path.display()
    ));
    retire_left(hosting, roster).await;
}

/// Ends the functions that were removed and whose last call is decided.
pub(crate) async fn retire_left(hosting: &Hosting, roster: &Roster) {
    for spec in roster.take_left() {
        hosting.retire(&spec.function, spec.options().drain).await;
    }
}
