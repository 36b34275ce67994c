//! The one queue into the driver: bounded, and in order.
//!
//! Each message holds a permit until the driver takes it, so the queue is bounded. Only the notice that
//! an asker went away has none: there is at most one for each request, and it must never be lost.
//! One queue rather than two, so that such a notice always comes after its request.

use std::sync::Arc;

use steadfast_core::command::{BreakerCommand, Command, Ticket};
use steadfast_core::event::{Answer, CallError};
use steadfast_core::name::{CallId, ConsumerId, Epoch, FunctionId};
use steadfast_core::pending::Pending;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::driver::Health;
use crate::error::{HostGone, ServeError};
use crate::function::Function;
use crate::host::Served;

/// What reaches the driver from outside.
pub(crate) enum Message {
    Serve {
        function: Box<Function>,
        reply: oneshot::Sender<Result<Served, ServeError>>,
    },
    Retire {
        function: FunctionId,
        drain: std::time::Duration,
        reply: oneshot::Sender<()>,
    },
    Stop {
        consumer: ConsumerId,
        epoch: Epoch,
        drain: std::time::Duration,
        reply: oneshot::Sender<()>,
    },
    Ask {
        ticket: Ticket,
        command: Command,
        reply: oneshot::Sender<Result<Answer, CallError>>,
    },
    /// The asker went away; `cancel` names the call that is to end with it.
    Forget {
        ticket: Ticket,
        cancel: Option<(Ticket, FunctionId, CallId)>,
    },
    Breaker(BreakerCommand),
    Health(oneshot::Sender<Health>),
    Pending(oneshot::Sender<Vec<Pending>>),
    /// Answered once the command link stands.
    WhenUp(oneshot::Sender<()>),
    Shutdown {
        drain: std::time::Duration,
        reply: oneshot::Sender<()>,
    },
}

pub(crate) struct Envelope {
    pub(crate) message: Message,
    /// Given back when the driver takes the message.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// The senders' end.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    queue: mpsc::UnboundedSender<Envelope>,
    permits: Arc<Semaphore>,
    capacity: usize,
}

/// Why a message was not queued; it is given back.
pub(crate) enum NotSent {
    Full(Box<Message>),
    Gone,
}

/// Answers whoever asked; nobody minds where they have gone.
pub(crate) fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    let _ = reply.send(answer);
}

/// A queue for at most `capacity` messages.
pub(crate) fn inbox(capacity: usize) -> (Outlet, mpsc::UnboundedReceiver<Envelope>) {
    let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
    let (queue, receiver) = mpsc::unbounded_channel();
    let permits = Arc::new(Semaphore::new(capacity));
    (Outlet { queue, permits, capacity }, receiver)
}

impl Outlet {
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Queues a message at once, or not at all.
    pub(crate) fn offer(&self, message: Message) -> Result<(), NotSent> {
        match self.permits.clone().try_acquire_owned() {
            Ok(permit) => self.put(message, Some(permit)).map_err(|HostGone| NotSent::Gone),
            Err(_) if self.queue.is_closed() => Err(NotSent::Gone),
            Err(_) => Err(NotSent::Full(Box::new(message))),
        }
    }

    /// Queues a message once there is room.
    pub(crate) async fn send(&self, message: Message) -> Result<(), HostGone> {
        let permit = self.permits.clone().acquire_owned().await;
        self.put(message, permit.ok())
    }

    /// Queues the notice that an asker went away.
    pub(crate) fn forget(&self, ticket: Ticket, cancel: Option<(Ticket, FunctionId, CallId)>) {
        // A host that has ended has forgotten already.
        let _ = self.put(Message::Forget { ticket, cancel }, None);
    }

    fn put(&self, message: Message, permit: Option<OwnedSemaphorePermit>) -> Result<(), HostGone> {
        self.queue.send(Envelope { message, permit }).map_err(|_| HostGone)
    }
}
