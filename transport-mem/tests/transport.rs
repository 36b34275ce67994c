//! The in-memory transport under paused time: watches, aborts, severed and refused connections.

use std::time::Duration;

use steadfast_core::call::Payload;
use steadfast_core::name::{CallId, ConsumerId, EntryId, FunctionId, SessionId};
use steadfast_core::op::{Op, Reply, Submission};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{ErrorKind, Interest, Link, Transport, TransportError, Wake};
use steadfast_transport_mem::{MemTransport, StoreConfig};

const START: StoreTime = StoreTime::from_millis(1_700_000_000_000);
const BLOCK: Duration = Duration::from_secs(5);

fn function() -> FunctionId {
    FunctionId::new("greet", "global").unwrap()
}

fn submit(id: &str) -> Op {
    Op::Submit(Submission {
        function: function(),
        call: CallId::new(id).unwrap(),
        input: Payload::null(),
        deadline: Duration::from_secs(300),
        delay: Duration::ZERO,
        idempotency_key: None,
        reply_to: None,
        traceparent: None,
        result_stream: false,
        open_max: 100,
    })
}

fn deliveries() -> Interest {
    Interest::Deliveries {
        function: function(),
        consumer: ConsumerId::new("w").unwrap(),
        count: 10,
    }
}

fn arrivals() -> Interest {
    let after = vec![(function(), EntryId::ZERO)];
    Interest::Arrivals { after }
}

/// A transport whose function has stream and group, and two sessions.
async fn connected() -> (MemTransport, SessionId, SessionId) {
    let transport = MemTransport::starting_at(StoreConfig::default(), START);
    let commands = transport.connect(Link::Command).await.unwrap().session;
    let reader = transport.connect(Link::Fetch(0)).await.unwrap().session;
    let ensure = Op::Ensure { function: function() };
    transport.execute(commands, vec![ensure]).await.unwrap()[0].as_ref().unwrap();
    (transport, commands, reader)
}

fn spawn_watch(
    transport: &MemTransport,
    session: SessionId,
) -> tokio::task::JoinHandle<Result<Wake, TransportError>> {
    let transport = transport.clone();
    tokio::spawn(async move { transport.watch(session, deliveries(), BLOCK).await })
}

/// Until a session is blocked.
async fn blocked(transport: &MemTransport) {
    while transport.with_store(|store, _| store.blocked().is_empty()) {
        tokio::task::yield_now().await;
    }
}

fn blocked_count(transport: &MemTransport) -> usize {
    transport.with_store(|store, _| store.blocked().len())
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_applied_in_order() {
    let (transport, commands, _) = connected().await;
    let ops = vec![submit("c1"), submit("c1"), Op::Ping];
    let results = transport.execute(commands, ops).await.unwrap();
    let lines: Vec<String> =
        results.into_iter().map(|result| result.unwrap().to_string()).collect();
    assert_eq!(lines, ["accepted", "already open", "pong mem-0-1-0"]);
}

#[tokio::test(start_paused = true)]
async fn the_stores_clock_is_tokios() {
    let (transport, commands, _) = connected().await;
    tokio::time::advance(Duration::from_secs(7)).await;
    let results = transport.execute(commands, vec![Op::Ping]).await.unwrap();
    let Ok(Reply::Pong { now, .. }) = results[0] else {
        panic!("no pong");
    };
    assert_eq!(now, START + Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_nothing_after_its_block_time() {
    let (transport, _, reader) = connected().await;
    let before = transport.now();
    let wake = transport.watch(reader, deliveries(), BLOCK).await;
    assert_eq!(wake, Ok(Wake::Nothing));
    assert_eq!(transport.now().since(before), BLOCK);
    assert_eq!(blocked_count(&transport), 0);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_watch_is_woken_by_a_submit_on_another_session() {
    let (transport, commands, reader) = connected().await;
    let watch = spawn_watch(&transport, reader);
    blocked(&transport).await;
    transport.execute(commands, vec![submit("c1")]).await.unwrap();
    let Ok(Wake::Deliveries(deliveries)) = watch.await.unwrap() else {
        panic!("not woken");
    };
    assert_eq!(deliveries.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wake_that_comes_with_the_timeout_is_not_lost() {
    let (transport, commands, reader) = connected().await;
    let watch = spawn_watch(&transport, reader);
    blocked(&transport).await;
    // Both have happened before the watch is polled again.
    transport.execute(commands, vec![submit("c1")]).await.unwrap();
    tokio::time::advance(BLOCK * 2).await;
    assert!(matches!(watch.await.unwrap(), Ok(Wake::Deliveries(_))));
}

#[tokio::test(start_paused = true)]
async fn an_aborted_watch_answers_nothing_and_takes_nothing() {
    let (transport, commands, reader) = connected().await;
    let watch = spawn_watch(&transport, reader);
    blocked(&transport).await;
    transport.abort(reader).await;
    assert_eq!(watch.await.unwrap(), Ok(Wake::Nothing));
    // Without a watch it does nothing.
    transport.abort(reader).await;
    transport.execute(commands, vec![submit("c1")]).await.unwrap();
    let pending = transport.with_store(|store, _| store.pending_entries(&function()));
    assert_eq!(pending, []);
}

#[tokio::test(start_paused = true)]
async fn an_abort_after_a_wake_does_not_lose_the_deliveries() {
    let (transport, commands, reader) = connected().await;
    let watch = spawn_watch(&transport, reader);
    blocked(&transport).await;
    transport.execute(commands, vec![submit("c1")]).await.unwrap();
    transport.abort(reader).await;
    assert!(matches!(watch.await.unwrap(), Ok(Wake::Deliveries(_))));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_watch_is_unwatched_and_its_session_lives() {
    let (transport, commands, reader) = connected().await;
    let watch = spawn_watch(&transport, reader);
    blocked(&transport).await;
    watch.abort();
    assert!(watch.await.unwrap_err().is_cancelled());
    assert_eq!(blocked_count(&transport), 0);
    transport.execute(commands, vec![submit("c1")]).await.unwrap();
    let wake = transport.watch(reader, deliveries(), BLOCK).await;
    assert!(matches!(wake, Ok(Wake::Deliveries(_))));
}

#[tokio::test(start_paused = true)]
async fn closing_a_session_ends_its_watch_and_no_other() {
    let (transport, commands, reader) = connected().await;
    let watch = spawn_watch(&transport, reader);
    blocked(&transport).await;
    transport.close(SessionId(999)).await;
    transport.close(reader).await;
    let error = watch.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    let error = transport.watch(reader, arrivals(), BLOCK).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    assert!(transport.execute(commands, vec![Op::Ping]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn severed_sessions_end_and_the_data_stays() {
    let (transport, commands, reader) = connected().await;
    transport.execute(commands, vec![submit("c1")]).await.unwrap();
    transport.with_store(|store, now| {
        use steadfast_core::machine::StoreMachine;
        let session = store.connect(now).session;
        store.disconnect(now, session);
    });
    let waiting = {
        let transport = transport.clone();
        let later = arrivals_after_all();
        tokio::spawn(async move { transport.watch(reader, later, BLOCK).await })
    };
    blocked(&transport).await;
    transport.sever_all();
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    let error = transport.execute(commands, vec![Op::Ping]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    let again = transport.connect(Link::Command).await.unwrap();
    let results = transport.execute(again.session, vec![submit("c1")]).await;
    assert_eq!(results.unwrap()[0].as_ref().unwrap().to_string(), "already open");
}

fn arrivals_after_all() -> Interest {
    let last = EntryId { ms: u64::MAX, seq: 0 };
    Interest::Arrivals { after: vec![(function(), last)] }
}

#[tokio::test(start_paused = true)]
async fn a_restart_changes_the_run_id() {
    let (transport, _, _) = connected().await;
    let before = transport.with_store(|store, _| store.run_id().clone());
    transport.restart();
    let connected = transport.connect(Link::Command).await.unwrap();
    assert_ne!(connected.run_id, before);
}

#[tokio::test(start_paused = true)]
async fn refused_connections_say_so_and_standing_ones_are_left_alone() {
    let (transport, commands, _) = connected().await;
    transport.refuse_connections(true);
    let error = transport.connect(Link::Replies).await.unwrap_err();
    assert_eq!(error.to_string(), "disconnected: connect replies: the store refuses connections");
    assert!(transport.execute(commands, vec![Op::Ping]).await.is_ok());
    transport.refuse_connections(false);
    assert!(transport.connect(Link::Replies).await.is_ok());
}
