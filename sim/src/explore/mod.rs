//! The exhaustive world: everything that can happen to a few production nodes over the reference store.
//!
//! A world of two workers, a caller, a few calls and a [`Budget`] of saves, stops, crashes, duplicated
//! batches and cut connections is taken through every order of events. States are told apart by
//! 128-bit prints of every machine, the store, all messages on their way and what the checkers remember
//! of the past; the search is breadth first, so that a broken promise comes with a shortest path to it.
//! The same checkers judge as in the discrete-event world: P1 to P4 and the bounds after every step, and
//! every promise once a world without open matters was shut down.
//!
//! What is abstracted: time stands still while anything is on its way (but for [`Budget::haste`]),
//! connections open at once, and a handler that runs ends before time passes. So timeouts racing with
//! answers are the discrete-event world's business.
//!
//! ```
//! use steadfast_core::node::Node;
//! use steadfast_sim::explore::{Budget, Options, explore};
//! use steadfast_transport_mem::MemStore;
//!
//! let budget = Budget { calls: 1, ..Budget::default() };
//! let explored = explore::<Node, MemStore>(&Options { budget, ..Options::base() });
//! assert!(explored.is_proof(), "{explored:?}");
//! ```

mod laws;
mod options;
pub mod plants;
mod print;
mod report;
mod search;
mod subject;
mod world;

pub use laws::Tally;
pub use options::{Budget, Options};
pub use print::{Print, PrintHasher};
pub use report::{report, tell};
pub use search::{Breach, Explored, Step, explore};
pub use subject::ExploredStore;
