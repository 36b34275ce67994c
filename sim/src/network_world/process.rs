//! Processes: which incarnation fills each slot, and how it is told what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast::{Host, IoPlacement};
use steadfast_core::entropy::Entropy;
use steadfast_core::event::Event;
use steadfast_core::name::{CallId, FunctionId, NodeId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, mpsc};

use super::caller::await_calls;
use super::connector::{Streams, transport};
use super::recorder::Recorder;
use super::scenario::NetworkScenario;
use crate::faults::SlotId;
use crate::history::{Fact, HostId};

/// A host waits for its store as long as it takes.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What the world tells a process.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Serve this function again.
    Save(usize),
    /// Await these calls too.
    Await(Vec<(FunctionId, CallId)>),
    /// Say what is pending.
    Tell,
    /// Shut down.
    Shutdown,
}

/// What every process of a world knows. Clones share it.
#[derive(Clone)]
pub(super) struct Yard {
    pub(super) scenario: Arc<NetworkScenario>,
    pub(super) entropy: Entropy,
    pub(super) recorder: Recorder,
    slots: Arc<Mutex<BTreeMap<SlotId, Filled>>>,
}

/// The incarnation in a slot.
struct Filled {
    incarnation: u32,
    host: HostId,
    orders: mpsc::UnboundedSender<Order>,
    death: Arc<Notify>,
    said: Vec<String>,
    has_ended: bool,
}

/// A host that stands, and the orders that come for it.
pub(super) struct Process {
    pub(super) id: HostId,
    pub(super) host: Arc<Host>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
}

impl fmt::Debug for Yard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yard").field("scenario", &self.scenario.name).finish_non_exhaustive()
    }
}

impl Yard {
    pub(super) fn new(scenario: NetworkScenario, entropy: Entropy, recorder: Recorder) -> Self {
        Self { scenario: Arc::new(scenario), entropy, recorder, slots: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SlotId, Filled>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a slot on the network.
    pub(super) fn name(slot: SlotId) -> String {
        format!("n{}", slot.0)
    }

    /// Fills a slot with a new incarnation, and waits until it is connected.
    pub(super) async fn start(&self, slot: SlotId) -> Result<Process, Box<dyn std::error::Error>> {
        let incarnation = self.lock().get(&slot).map_or(0, |filled| filled.incarnation + 1);
        let node = NodeId::new(format!("{}-{incarnation}", Self::name(slot)))?;
        let id = self.recorder.start(&node);
        let (sender, orders) = mpsc::unbounded_channel();
        let (death, streams) = (Arc::new(Notify::new()), Streams::default());
        drop(tokio::spawn(die(death.clone(), streams.clone())));
        let filled = Filled {
            incarnation,
            host: id,
            orders: sender,
            death,
            said: Vec::new(),
            has_ended: false,
        };
        self.lock().insert(slot, filled);
        let seed = self.entropy.stream(&format!("network/{node}")).next_u64();
        let host = Host::builder(transport(streams)?)
            .node_id(node)
            .config(self.scenario.config.clone())
            .seed(seed)
            .io(IoPlacement::Ambient)
            .patience(PATIENCE)
            .build()
            .await?;
        let host = Arc::new(host);
        drop(tokio::spawn(listen(self.recorder.clone(), id, host.events())));
        Ok(Process { id, host, orders })
    }

    /// The incarnation that lives in a slot.
    pub(super) fn alive(&self, slot: SlotId) -> Option<HostId> {
        self.lock().get(&slot).filter(|filled| !filled.has_ended).map(|filled| filled.host)
    }

    /// The process in a slot has ended by itself.
    pub(super) fn ended(&self, slot: SlotId) {
        if let Some(filled) = self.lock().get_mut(&slot) {
            filled.has_ended = true;
        }
    }

    /// The process in a slot is being killed: within the next step of the network its streams close.
    pub(super) fn kill(&self, slot: SlotId) {
        if let Some(filled) = self.lock().get_mut(&slot) {
            filled.death.notify_one();
            filled.has_ended = true;
        }
    }

    pub(super) fn order(&self, slot: SlotId, order: Order) {
        if let Some(filled) = self.lock().get(&slot) {
            // A process that has ended takes no orders.
            let _ = filled.orders.send(order);
        }
    }

    pub(super) fn say(&self, slot: SlotId, lines: Vec<String>) {
        if let Some(filled) = self.lock().get_mut(&slot) {
            filled.said = lines;
        }
    }

    /// What the processes said last.
    pub(super) fn said(&self) -> Vec<String> {
        let slots = self.lock();
        let lines = slots.iter().flat_map(|(slot, filled)| {
            filled.said.iter().map(|line| format!("{}: {line}", Self::name(*slot)))
        });
        lines.collect()
    }
}

/// Closes a process's streams when it is killed.
async fn die(death: Arc<Notify>, streams: Streams) {
    death.notified().await;
    streams.close_all();
}

/// Tells what a host says of its consumers and its breaker.
async fn listen(
    recorder: Recorder,
    host: HostId,
    mut events: tokio::sync::broadcast::Receiver<Event>,
) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        recorder.event(&event, || format!("{host} {event}"));
        match event {
            Event::Consumer { function, consumer, epoch, status, cause } => {
                let status = Fact::Status { host, function, consumer, epoch, status, cause };
                recorder.fact_of(host, status);
            }
            Event::Breaker { from, to } => recorder.fact_of(host, Fact::Breaker { host, from, to }),
            _ => {}
        }
    }
}

impl Process {
    /// Does as the world orders until it is told to shut down; `save` serves a function again.
    pub(super) async fn obey(mut self, yard: &Yard, slot: SlotId, save: impl Fn(&Self, usize)) {
        while let Some(order) = self.orders.recv().await {
            match order {
                Order::Save(number) => save(&self, number),
                Order::Await(calls) => await_calls(yard, self.id, &self.host, calls),
                Order::Tell => yard.say(slot, self.pending().await),
                Order::Shutdown => {
                    self.shut_down(yard).await;
                    break;
                }
            }
        }
        yard.ended(slot);
    }

    /// Ends the host as its user does.
    async fn shut_down(&self, yard: &Yard) {
        yard.recorder.fact_of(self.id, Fact::ShutdownSent { host: self.id });
        let drain = yard.scenario.options.drain;
        if let Err(gone) = self.host.shutdown(drain).await {
            yard.recorder.event("gone", || format!("{}: {gone}", self.id));
        }
    }

    /// What the node says it waits for.
    pub(super) async fn pending(&self) -> Vec<String> {
        let pending = self.host.pending().await.unwrap_or_default();
        pending.iter().take(12).map(ToString::to_string).collect()
    }
}
