//! What a store must offer beyond the simulator's needs to be explored.

use std::hash::Hasher;

use steadfast_core::time::StoreTime;
use steadfast_transport_mem::MemStore;

use crate::subject::SimStore;

/// A store whose states can be told apart.
pub trait ExploredStore: SimStore {
    /// Feeds what future answers depend on into a hasher, times relative to `now`.
    fn fingerprint(&self, now: StoreTime, into: &mut dyn Hasher);

    /// What is wrong within the store itself; empty for a sound one.
    fn flaws(&self) -> Vec<String>;
}

impl ExploredStore for MemStore {
    fn fingerprint(&self, now: StoreTime, into: &mut dyn Hasher) {
        Self::fingerprint(self, now, into);
    }

    fn flaws(&self) -> Vec<String> {
        Self::audit(self)
    }
}
