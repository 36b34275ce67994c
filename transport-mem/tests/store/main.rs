//! The reference store, one behaviour per module.

mod bounds;
mod decide_once;
mod defer_and_token;
mod expiry;
mod faults;
mod fingerprints;
mod journal_replay;
mod laws;
mod leases_and_fencing;
mod older_peers;
mod replies;
mod result_streams;
mod retry_and_park;
mod submit_once;
mod sweep;
mod takeover;
mod watch_and_wake;
mod world;
