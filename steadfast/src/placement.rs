//! Where the driver's task lives.

/// Where connections are driven. Handlers run on the runtime that called
/// [`build`](crate::HostBuilder::build) in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoPlacement {
    /// On the runtime that called `build`, beside the handlers. The least overhead.
    #[default]
    Ambient,
    /// On a thread of its own, with a runtime of its own: leases are renewed and heartbeats sent even
    /// while handlers block every thread of theirs.
    OwnThread,
}
