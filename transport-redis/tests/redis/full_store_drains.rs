//! Where memory is out, submits are refused before any write, and everything else goes on.

use steadfast_core::transport::{Applied, ErrorKind};

use crate::support::{World, complete, inspect, relocate, submit};

#[tokio::test]
async fn a_full_store_drains() {
    let mut world = World::new().await;
    world.server.leaves("the call for which there was room again");
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    let () = world.raw(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = world.apply(submit("c2")).await.unwrap_err();
    assert_eq!((error.kind, error.applied), (ErrorKind::OutOfMemory, Applied::No));
    world.check(inspect("c2"), "absent").await;
    let to = steadfast_core::op::Destination::Release;
    world.check(relocate("c1", &lease, to), "done").await;
    world.fetch_one("w").await;
    world.check(complete("c1", "1", None), "done").await;
    let () = world.raw(&["CONFIG", "SET", "maxmemory", "0"]);
    world.check(submit("c2"), "accepted").await;
}
