//! Steadfast over a real redis-server beside a floor, in one run: `steadfast-bench redis`.

mod child;
mod closed_loop;
mod counted;
mod elsewhere;
mod floor;
mod idle;
mod load;
mod options;
mod ours;
mod peer;
mod server;
mod summary;
mod tables;
mod takeover;
mod work;

use anyhow::Result;

pub(crate) use options::{Options, USAGE};

use server::Server;
use summary::Summary;

/// Measures, and prints.
#[expect(clippy::print_stdout, reason = "the report is what this program is run for")]
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut servers = [Server::start()?, Server::start()?];
    let runs = load::measure(&mut servers, options)?;
    let [server, _] = &mut servers;
    let wire = load::count(server, options)?;
    let others = elsewhere::measure(server, options)?;
    let idle = idle::measure(server, options)?;
    let takeovers = takeover::measure(server, options)?;
    let summary = Summary::new(&runs, &wire, &others, idle, takeovers, server.version().to_owned());
    if options.json {
        println!("{}", tables::json(&summary));
    } else {
        println!("{}", tables::text(&summary));
    }
    Ok(())
}

/// Is one of the processes that [`run`] starts.
pub(crate) fn peer(spec: &str) -> Result<()> {
    peer::run(spec.parse()?)
}
