//! What the commands that show a store have in common: reach it, look at it, print.

use crate::advice::on_error;
use crate::args::ShowArguments;
use crate::console::complain;
use crate::exit::Exit;
use crate::look::Look;
use crate::store::Store;
use crate::table::print;

/// The store of the command line, or the exit code where it names none.
pub(crate) fn store(arguments: &ShowArguments) -> Result<Store, Exit> {
    Store::named(&arguments.redis).map_err(|error| {
        complain(&error.to_string());
        Exit::Usage
    })
}

/// Looks at the store once, and prints what was seen as JSON or as a table.
pub(crate) async fn look_and_show(
    arguments: &ShowArguments,
    json: fn(&Look) -> serde_json::Result<String>,
    table: fn(&Look) -> String,
) -> anyhow::Result<Exit> {
    let store = match store(arguments) {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    match Look::at(&store, arguments.scope.as_deref(), arguments.timeout).await {
        Ok(look) if arguments.json => print(&json(&look)?)?,
        Ok(look) => print(&table(&look))?,
        Err(error) => {
            complain(&on_error(&error, &store));
            return Ok(Exit::Unavailable);
        }
    }
    Ok(Exit::Success)
}
