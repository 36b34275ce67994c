//! What the tests share: a server, and a node's connection to it.

mod world;

pub(crate) use steadfast_tests::RedisServer;
pub(crate) use steadfast_tests::ops::*;
pub(crate) use world::{World, line, transport_to};
