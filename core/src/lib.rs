//! The sans-IO core of Steadfast: calls a named function in a scope, gets its result back, and never
//! loses the call.
//!
//! Everything that decides is here, as plain state machines; everything that does I/O is elsewhere. One
//! root machine per process, `Node`, takes an [`Input`](machine::Input) and is
//! drained of its [`Output`](machine::Output)s. What it wants of a store is data ([`op::Op`]); what a
//! store must do is written there.
//!
//! This crate has no clock, no randomness, no I/O, no tokio, no threads, and iterates over no hashed
//! map; it does not know Redis.

pub mod attempt;
pub mod backoff;
pub mod breaker;
pub mod call;
pub mod command;
pub mod config;
pub mod definition;
pub mod entropy;
pub mod event;
pub mod health;
pub mod machine;
pub mod metrics;
pub mod name;
pub mod node;
pub mod op;
pub mod pending;
pub mod probe;
pub mod time;
pub mod timer;
pub mod transport;
pub mod wire;
