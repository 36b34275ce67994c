//! The open hash of many calls is no list, which the server would search from its begin for each call, whether they
//! come alone or together.

use steadfast_core::op::{Op, Submission};

use crate::support::{World, node, register, submission};

/// A call whose record is as short as it gets.
fn short(number: usize) -> Op {
    Op::Submit(Submission { reply_to: Some(node("m")), ..submission(&format!("c{number}")) })
}

async fn check(
    world: &mut World,
    expect: &[(usize, &str)],
    submit: impl AsyncFn(&World, usize, usize),
) {
    world.server.leaves("calls that nobody is to run");
    world.ask(register("w", world.session)).await;
    let mut there = 0;
    for (calls, encoding) in expect {
        submit(world, there, *calls).await;
        there = *calls;
        let open = "function_open:greet:global";
        assert_eq!(world.raw::<usize>(&["HLEN", open]), *calls);
        assert_eq!(world.raw::<String>(&["OBJECT", "ENCODING", open]), *encoding, "{calls} open");
    }
}

const EXPECT: [(usize, &str); 3] = [(2, "listpack"), (15, "listpack"), (17, "hashtable")];

#[tokio::test]
async fn of_calls_that_come_alone() {
    let mut world = World::new().await;
    check(&mut world, &EXPECT, async |world, from, to| {
        for number in from..to {
            world.check(short(number), "accepted").await;
        }
    })
    .await;
}

#[tokio::test]
async fn of_calls_that_come_together() {
    let mut world = World::new().await;
    check(&mut world, &EXPECT, async |world, from, to| {
        world.apply_all((from..to).map(short).collect()).await;
    })
    .await;
}
