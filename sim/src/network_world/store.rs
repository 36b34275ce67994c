//! The store's process: the front over the reference store, on the simulated network.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use steadfast_transport_mem::{MemStore, StoreConfig};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use turmoil::net::TcpListener;

use super::connector::PORT;
use super::recorder::Recorder;
use super::witness::{Ledger, StoreWitness};
use crate::moment::store_time;
use crate::resp::{Front, serve};

/// A client that is silent for so long is gone: what keep-alive probes would find.
const SILENCE: Duration = Duration::from_secs(60);

/// The front over an empty store; its clock is the world's.
pub(super) fn front(seed: u64, recorder: &Recorder, ledger: &Ledger) -> Front<MemStore> {
    let store = MemStore::new(StoreConfig { seed, ..StoreConfig::default() });
    let witness = StoreWitness { recorder: recorder.clone(), ledger: ledger.clone() };
    let clock = recorder.clone();
    Front::new(store, move || store_time(clock.now()), witness)
}

/// Ends one life of the store's process. Clones end the same one.
pub(super) type Death = Arc<Notify>;

/// One life of the store's process: it keeps its data, and knows no session and no script at first.
pub(super) async fn live(front: Front<MemStore>, death: Death) -> turmoil::Result {
    front.with_store(MemStore::restart);
    front.forget_scripts();
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?;
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = death.notified() => break,
            accepted = listener.accept() => accepted?.0,
        };
        connections.retain(|connection| !connection.is_finished());
        connections.push(tokio::spawn(serve(front.clone(), stream, SILENCE)));
    }
    // In one order, as a kernel closes a dead process's streams.
    for connection in connections {
        connection.abort();
        // What it says of its end is that it was ended.
        let _ = connection.await;
    }
    std::future::pending().await
}
