//! A process's node: serves functions, makes calls, or both.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::command::BreakerCommand;
use steadfast_core::event::Event;
use steadfast_core::name::{ConsumerId, Epoch, FunctionId, NodeId};
use steadfast_core::op::ConsumerRecord;
use steadfast_core::pending::Pending;
use steadfast_core::transport::{Transport, TransportError};
use tokio::sync::{broadcast, oneshot};

use crate::attempt::{Board, Running};
use crate::builder::HostBuilder;
use crate::caller::Caller;
use crate::driver::{Health, Window};
use crate::error::{CallFailed, HostGone, ServeError, StopError};
use crate::function::Function;
use crate::inbox::{Message, Outlet};

/// An incarnation of a function that is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The function.
    pub function: FunctionId,
    /// The incarnation.
    pub consumer: ConsumerId,
    /// Its epoch.
    pub epoch: Epoch,
}

/// A process's node. Serves functions, makes calls, or both.
///
/// End it with [`Host::shutdown`]: it gives back what it holds, and drains what it runs. A host that is
/// only dropped ends at once: its handlers are dropped, its connections closed, and its calls run
/// elsewhere as after a crash.
pub struct Host {
    node: NodeId,
    caller: Caller,
    board: Arc<Board>,
    window: Arc<Window>,
    /// Dropped with the host, which ends the driver.
    _alive: oneshot::Sender<Infallible>,
}

impl Host {
    /// Sets up a host over a transport.
    pub fn builder(transport: impl Transport) -> HostBuilder {
        HostBuilder::new(transport)
    }

    pub(crate) fn new(
        node: NodeId,
        caller: Caller,
        board: Arc<Board>,
        window: Arc<Window>,
        alive: oneshot::Sender<Infallible>,
    ) -> Self {
        Self { node, caller, board, window, _alive: alive }
    }

    /// The node's id.
    pub fn node_id(&self) -> &NodeId {
        &self.node
    }

    /// Makes calls through this host. Cheap to clone; it does not keep the host alive.
    pub fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// Serves a function; returns once its consumer is active, which takes as long as the store is away.
    ///
    /// Where the function is served already, this is a save: the new incarnation starts at once, and
    /// the old one gives back what it has not begun and has its drain time for the rest. Of several
    /// saves at once the last one wins, and all of them return what became active.
    ///
    /// Dropping the future does not take the function back; [`Host::stop`] does.
    pub async fn serve(&self, function: Function) -> Result<Served, ServeError> {
        let function = Box::new(function);
        let served = self.ask(|reply| Message::Serve { function, reply });
        served.await?
    }

    /// Saves a function: [`Host::serve`] under the name of what it does to one that is served.
    pub async fn reload(&self, function: Function) -> Result<Served, ServeError> {
        self.serve(function).await
    }

    /// Serves a function no longer; returns once each of its incarnations here has stopped. What runs
    /// has `drain` to end, and goes elsewhere then. Of a function that is not served, nothing happens.
    pub async fn stop(&self, name: &str, scope: &str, drain: Duration) -> Result<(), StopError> {
        let function = FunctionId::new(name, scope)?;
        let stopped = self.ask(|reply| Message::Retire { function, drain, reply });
        Ok(stopped.await?)
    }

    /// Stops one incarnation, by its id and epoch. Late, repeated or meant for another, it does nothing.
    /// Returns once the node has taken it; [`Host::events`] tells when the incarnation has stopped.
    pub async fn stop_consumer(
        &self,
        consumer: &ConsumerId,
        epoch: Epoch,
        drain: Duration,
    ) -> Result<(), HostGone> {
        let consumer = consumer.clone();
        let taken = self.ask(|reply| Message::Stop { consumer, epoch, drain, reply });
        taken.await
    }

    /// Ends the host: stops each function, settles what is held, refuses what is new, closes every
    /// connection; returns once all of that is done. What runs has `drain` to end.
    pub async fn shutdown(&self, drain: Duration) -> Result<(), HostGone> {
        self.ask(|reply| Message::Shutdown { drain, reply }).await
    }

    /// How the node stands: connections, breaker, queues, consumers.
    pub async fn health(&self) -> Result<Health, HostGone> {
        self.ask(Message::Health).await
    }

    /// Each open matter of the node: what it waits for, and since when.
    pub async fn pending(&self) -> Result<Vec<Pending>, HostGone> {
        self.ask(Message::Pending).await
    }

    /// The attempts under way in this process, with what their handlers said of their progress.
    pub fn progress(&self) -> Vec<Running> {
        self.board.running()
    }

    /// Who serves a function, in any process, as the store knows.
    pub async fn active_consumers(
        &self,
        name: &str,
        scope: &str,
    ) -> Result<Vec<ConsumerRecord>, CallFailed> {
        self.caller.active_consumers(name, scope).await
    }

    /// What the node tells from now on: consumers, connections, breaker, settled attempts. A reader that
    /// is over a thousand events behind misses the oldest. Answers to requests are not among them.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.window.events.subscribe()
    }

    /// What the store refuses from now on, where trying again does not mend it: a permission that is missing,
    /// a key of another type, a command that it does not know. The node tries on all the same, as somebody
    /// may mend it. A call's own refusal is told to its caller too. A reader that is over sixty behind misses
    /// the oldest.
    pub fn refusals(&self) -> broadcast::Receiver<TransportError> {
        self.window.refusals.subscribe()
    }

    /// Operates the breaker.
    pub async fn breaker(&self, command: BreakerCommand) -> Result<(), HostGone> {
        self.outlet().send(Message::Breaker(command)).await
    }

    pub(crate) fn outlet(&self) -> &Outlet {
        self.caller.outlet()
    }

    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    async fn ask<R>(
        &self,
        message: impl FnOnce(oneshot::Sender<R>) -> Message,
    ) -> Result<R, HostGone> {
        let (reply, answer) = oneshot::channel();
        self.outlet().send(message(reply)).await?;
        answer.await.map_err(|_| HostGone)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.node)
    }
}
