//! A function's name may hold any character.

use steadfast_core::call::Lease;
use steadfast_core::definition::Definition;
use steadfast_core::name::{EntryId, FunctionId};
use steadfast_core::op::{Admission, Op, Reply, Settlement, Submission, Verdict};

use crate::support::{World, call, consumer, failure, node, submission};

fn discovered(definitions: Vec<Definition>) -> Reply {
    Reply::Discovered { definitions, unread: Vec::new() }
}

async fn round_trip(name: &str) {
    let mut world = World::new().await;
    let function = FunctionId::new(name, "wf 1").unwrap();
    let caller = node("me and : you");
    let definition = Definition { description: "é\n".into(), ..Definition::new(function.clone()) };
    let register = Op::Register {
        definition: definition.clone(),
        consumer: consumer("w : 1"),
        node: node("n : 1"),
        sessions: vec![world.session],
    };
    let Reply::Registered { epoch } = world.ask(register).await else { panic!("not registered") };
    let discover = Op::Discover { scope: Some("wf 1".into()) };
    assert_eq!(world.ask(discover).await, discovered(vec![definition]));
    let discover = Op::Discover { scope: Some("1".into()) };
    assert_eq!(world.ask(discover).await, discovered(Vec::new()));
    let submit = Op::Submit(Submission {
        function: function.clone(),
        reply_to: Some(caller.clone()),
        ..submission("c : 1")
    });
    assert_eq!(world.ask(submit).await, Reply::Submitted(Admission::Accepted));
    let fetch = Op::Fetch { function: function.clone(), consumer: consumer("w : 1"), count: 1 };
    let Reply::Fetched { deliveries, .. } = world.ask(fetch).await else { panic!("not fetched") };
    let lease = Lease { entry: deliveries[0].entry(), consumer: consumer("w : 1"), epoch };
    let keep = Op::KeepReplies { caller: caller.clone(), after: EntryId::ZERO };
    world.check(keep, "replies kept, created: true").await;
    let verdict = Verdict::Fail {
        failure: failure(steadfast_core::call::FailureKind::Handler),
        by: steadfast_core::op::Authority::Lease(lease),
    };
    let fail = Op::Decide { function, call: call("c : 1"), verdict, attempts: 1 };
    assert_eq!(world.ask(fail).await, Reply::Settled(Settlement::Done));
    assert_eq!(world.raw::<u64>(&["XLEN", "replies:me and : you"]), 1);
}

#[tokio::test]
async fn any_name_is_served() {
    for name in ["a:b c", "{x}", "%d %s", "é*?[", ":"] {
        round_trip(name).await;
    }
}
