//! The reference store of Steadfast, and the in-memory transport over it.
//!
//! [`MemStore`] is a pure state machine: the reference for the Redis scripts, the store of the simulated
//! worlds. It has no clock and does no I/O; whoever drives it says what time it is. [`MemTransport`]
//! drives it with tokio's clock, for nodes of one process.

pub mod store;
mod transport;

pub use store::{MemStore, StoreConfig};
pub use transport::MemTransport;
