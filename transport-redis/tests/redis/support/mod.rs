//! What the tests share: a server, a node's connection to it, and short names for operations.

mod ops;
mod server;
mod world;

pub(crate) use ops::*;
pub(crate) use server::Server;
pub(crate) use world::World;
