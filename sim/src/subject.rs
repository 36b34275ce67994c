//! What a world runs: a machine that can be started, and a store that can be broken and looked into.

use steadfast_core::config::Config;
use steadfast_core::machine::{Machine, StoreMachine};
use steadfast_core::name::NodeId;
use steadfast_core::time::StoreTime;

/// A machine that a world can start: the production node, or an exhibit.
pub trait Subject: Machine {
    /// A new incarnation, with everything to learn.
    fn start(id: NodeId, config: Config, seed: u64) -> Self;
}

/// A store that a world can restart and look into.
pub trait SimStore: StoreMachine {
    /// A store that holds nothing, in a life named by this seed.
    fn empty(seed: u64) -> Self;

    /// Restarts the server with all its data: another run id, and every session gone.
    fn restart(&mut self, now: StoreTime);

    /// What is left of functions that nobody serves and calls that are decided, a line for each; empty
    /// after quiet (P7).
    fn leftovers(&self, now: StoreTime) -> Vec<String>;
}
