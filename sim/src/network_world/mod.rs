//! The network world: the tokio host and the Redis adapter's real bytes over turmoil's simulated TCP,
//! against the reference store behind a RESP front. Judged by the same checkers as the discrete-event
//! world.
//!
//! Turmoil runs each process (worker, caller, store) on a paused runtime of its own and moves their
//! messages: delays them, holds them, drops them, ends whole processes. What a process does is the
//! production code from the host's interface down to the bytes; only the streams are turmoil's.
//!
//! The same seed gives the same events: turmoil, hosts and workload are seeded, every `select!` is
//! `biased`, and nothing iterates over a hashed map. [`Run::digest`] is the rolling hash that proves it.
//!
//! A turmoil partition drops messages for good, and a stream with a hole in it never moves again: who
//! uses it must find it dead by its own timeouts. A hold only delays. A crash runs destructors, so it
//! closes connections as a killed process's kernel does; a crash behind a partition is a lost machine.

mod caller;
mod connector;
mod process;
mod recorder;
mod run;
mod scenario;
mod script;
mod store;
mod tokens;
mod troubles;
mod witness;
mod worker;

pub use run::{Run, run};
pub use scenario::{NetworkScenario, all, named};
pub use script::{Trouble, TroubleKind};
