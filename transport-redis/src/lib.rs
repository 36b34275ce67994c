//! Redis as Steadfast's store: [`RedisTransport`] speaks the layout of `steadfast_core::wire` to a server
//! of version 7.0 or later.
//!
//! Each operation is one atomic script of `lua/`, a batch is one pipeline of them, and submits or
//! decisions of one function share one script's call. Blocking reads have a connection of their own.
//!
//! The adapter decides nothing: what follows from an answer or an error is core's business.

mod answer;
mod arrivals;
mod builder;
mod choice;
mod command;
mod config;
mod confirm;
mod connection;
mod connector;
mod decode;
mod encode;
mod environment;
mod error;
mod layout;
mod listing;
mod read;
mod redis_url;
mod resp;
mod script;
mod session;
mod transport;
mod watching;

pub use builder::RedisBuilder;
pub use choice::{Durability, KeyLayout};
pub use config::{ConfigError, Endpoint, RedisConfig, Secret};
pub use confirm::TooFewReplicas;
pub use connector::{ByteStream, Connector};
pub use listing::{ScriptInfo, scripts};
pub use transport::RedisTransport;
