//! A front that speaks Redis' protocol before a store: what the Redis adapter sends is decoded into
//! operations, the store applies them, and its results are encoded as the scripts would answer.
//!
//! So the adapter's real bytes meet the reference store. A script is recognised by the hash of its source
//! ([`steadfast_transport_redis::scripts`]); what each one takes and answers is documented at the head of
//! its file in `transport-redis/lua/`. `call.rs` is the one place that decodes scripts, `reply.rs` the
//! one that encodes their answers; a law in `tests/resp_law.rs` holds both against the adapter's own.

mod call;
mod connection;
mod delivery;
mod frame;
mod front;
mod names;
mod record;
mod reply;
mod words;

pub use connection::serve;
pub use front::{Front, Witness};
