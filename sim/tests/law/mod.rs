//! Operations with answers, and the wire that both must survive.

pub(crate) mod ops;
pub(crate) mod results;
pub(crate) mod wire;
