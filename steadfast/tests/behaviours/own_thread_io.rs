//! With its I/O on a thread of its own, a host still runs its handlers where it was built.

use steadfast::{Host, IoPlacement, function};

use crate::world::{Line, SECOND, World};

#[tokio::test]
async fn connections_have_their_thread_and_handlers_stay_here() {
    let line = Line::to(&World::new());
    let node = steadfast::NodeId::new("n1").unwrap();
    let host = Host::builder(line.clone())
        .seed(1)
        .node_id(node)
        .io(IoPlacement::OwnThread)
        .build()
        .await
        .unwrap();
    host.serve(
        function("where", "global")
            .handler(|_ctx, (): ()| async { Ok(std::thread::current().name().map(str::to_owned)) }),
    )
    .await
    .unwrap();
    let ran_on: Option<String> = host.caller().call("where", "global", &()).await.unwrap();
    assert_eq!(ran_on.as_deref(), std::thread::current().name());
    assert_eq!(line.threads(), ["steadfast n1".to_owned()].into());
    host.shutdown(SECOND).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_handler_that_blocks_its_thread_does_not_block_the_node() {
    let world = World::new();
    let host = Host::builder(world.store.clone())
        .seed(1)
        .io(IoPlacement::OwnThread)
        .build()
        .await
        .unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    host.serve(function("block", "global").handler(move |_ctx, (): ()| {
        // The one worker thread waits here until the node has answered below.
        let released = released.lock().unwrap().recv();
        async move { Ok(released.is_ok()) }
    }))
    .await
    .unwrap();
    let call = host.caller().request("block", "global").submit().await.unwrap();
    let function = "block:global".parse().unwrap();
    loop {
        // The question is asked, and answered, while the runtime's only worker is blocked.
        let state = host.caller().inspect(&function, &call).await.unwrap();
        if matches!(&state, steadfast::CallState::Open { place: steadfast::Place::Pending(_), .. })
        {
            break;
        }
    }
    release.send(()).unwrap();
    let record = host.caller().outcome(&function, &call, None).await.unwrap();
    assert_eq!(record.outcome.kind(), steadfast::OutcomeKind::Success);
}
