//! What a world runs: a machine that can be started, and a store that can be broken and looked into.

use steadfast_core::config::Config;
use steadfast_core::machine::{Machine, StoreMachine};
use steadfast_core::name::{FunctionId, NodeId};
use steadfast_core::probe::CountingSink;
use steadfast_core::time::StoreTime;

/// A machine that a world can start: the production node, or an exhibit.
pub trait Subject: Machine {
    /// A new incarnation, with everything to learn.
    fn start(id: NodeId, config: Config, seed: u64) -> Self;

    /// Passes in where its probes write, if it has any.
    #[must_use]
    fn probed(self, _sink: CountingSink) -> Self {
        self
    }
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

    /// Which consumers stand registered, a line for each: nobody does once every host has shut down.
    fn registered(&self, _now: StoreTime) -> Vec<String> {
        Vec::new()
    }

    /// Keeps from now on what it takes to go back to an earlier state.
    fn keep_past(&mut self) {}

    /// How many inputs it has taken since [`SimStore::keep_past`]: a place to go back to.
    fn place(&self) -> usize {
        0
    }

    /// Goes back to the state at that place, in another life and without sessions. A session id that was
    /// given since is not given again. Answers whether it could; otherwise nothing has happened.
    fn go_back(&mut self, _place: usize, _now: StoreTime) -> bool {
        false
    }

    /// Loses all data; the sessions stay.
    fn flush(&mut self, _now: StoreTime) {}

    /// Somebody deletes a function's stream, with its group.
    fn delete_stream(&mut self, _now: StoreTime, _function: &FunctionId) {}

    /// Somebody deletes a function's group.
    fn delete_group(&mut self, _now: StoreTime, _function: &FunctionId) {}

    /// What is wrong with its own indexes and sums; empty for a sound store.
    fn audit(&self) -> Vec<String> {
        Vec::new()
    }
}
