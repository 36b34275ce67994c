//! Who lost a lease changes nothing, and a consumer that was removed does not come back.

use steadfast_core::call::Lease;
use steadfast_core::name::Epoch;
use steadfast_core::op::{Destination, Op};

use crate::support::{
    World, beat, begin, complete, consumer, fail, function, inspect, pulse, register, relocate,
    submit,
};

#[tokio::test]
async fn a_stale_epoch_or_owner_is_fenced() {
    let world = World::new().await;
    world.check(submit("c1"), "accepted").await;
    let (_, lease) = world.lease("w").await;
    world.register("other").await;
    let stale = Lease { epoch: Epoch(lease.epoch.0 - 1), ..lease.clone() };
    let foreign = Lease { consumer: consumer("other"), ..lease.clone() };
    for wrong in [&stale, &foreign] {
        world.check(fail("c1", wrong), "fenced").await;
        world.check(relocate("c1", wrong, Destination::Release), "fenced").await;
        world.check(begin("c1", wrong), "not begun: fenced").await;
    }
    world.check(inspect("c1"), "open, pending at w, attempt 1").await;
    // Success needs no proof.
    world.check(complete("c1", "1", None), "done").await;
}

#[tokio::test]
async fn a_removed_consumer_stays_removed() {
    let mut world = World::new().await;
    let epoch = world.register("w").await;
    let again = world.ask(register("w", world.session)).await;
    assert_eq!(again.to_string(), format!("registered {epoch}"));
    let deregister =
        |epoch| Op::Deregister { function: function(), consumer: consumer("w"), epoch };
    world.check(deregister(Epoch(1)), "deregistered, 0 released").await;
    world.check(beat(vec![pulse("w", epoch)], world.session), "beaten, 0 removed").await;
    world.check(deregister(epoch), "deregistered, 0 released").await;
    world.check(beat(vec![pulse("w", epoch)], world.session), "beaten, 1 removed").await;
    // A late copy of the registration.
    assert_eq!(world.register("w").await, epoch);
    world.check(beat(vec![pulse("w", epoch)], world.session), "beaten, 1 removed").await;
    let status: String = world.raw(&["HGET", "consumer:state:w", "status"]);
    assert_eq!(status, "stopped");
}

#[tokio::test]
async fn epochs_grow() {
    let world = World::new().await;
    let (first, second) = (world.register("w1").await, world.register("w2").await);
    assert!(first < second, "{first} {second}");
}
