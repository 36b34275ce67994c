//! The layout that Steadfast's processes share with each other, with older peers, and with processes of
//! other languages: key names, the fields of a call's stream entry, the text of a result.
//!
//! Pure functions without a store: the Redis adapter reads and writes with them, the reference store
//! reads older peers' entries with them.

mod entry;
mod keys;
mod result;

pub use entry::{CallEntry, MalformedEntry, OLDER_PEER_DEADLINE, fields};
pub use keys::{Keys, SLOTS, Shard, response_channel};
pub use result::{
    MalformedResult, begin_success, decode_result, encode_result, read_success_begin,
};
