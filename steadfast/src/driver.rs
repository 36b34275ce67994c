//! The driver: one task that owns the node, performs its effects and hands the results back.
//!
//! It has no branch on domain state. What it keeps beside the node is who waits for an answer (the
//! switchboard), the handlers under way (the runner), and which sessions are open, so that a dropped
//! host closes them.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use steadfast_core::attempt::AttemptEnd;
use steadfast_core::command::Command;
use steadfast_core::event::Event;
pub(crate) use steadfast_core::health::Health;
use steadfast_core::machine::{Done, Effect, EffectId, Input, Machine, Output, Reason};
use steadfast_core::name::SessionId;
use steadfast_core::node::Node;
use steadfast_core::time::Time;
use steadfast_core::transport::{ErrorKind, Transport, TransportError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use crate::attempt::Runner;
use crate::error::ServeError;
use crate::inbox::{Envelope, Message, answer};
use crate::switchboard::Switchboard;

/// How long the end waits for connections to close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// The most inputs that are handed to the node together. More would let all calls under way gather in one
/// batch, and store and processes wait for each other in turn (`cargo xtask bench redis`).
const GATHERED_MAX: usize = 24;

/// Refusals that a slow reader of [`Host::refusals`](crate::Host::refusals) may be behind before it misses some.
const REFUSALS_MAX: usize = 64;

/// How long to sleep where the node names no time.
const IDLE: Duration = Duration::from_secs(86_400);

type Performed = Pin<Box<dyn Future<Output = Option<(EffectId, Done)>> + Send>>;

/// What the host sees of its driver without asking it.
#[derive(Debug)]
pub(crate) struct Window {
    /// All events but answers.
    pub(crate) events: broadcast::Sender<Event>,
    /// Why the last connection attempt failed.
    pub(crate) connect_error: watch::Sender<Option<TransportError>>,
    /// What the store refused, where trying again does not mend it.
    pub(crate) refusals: broadcast::Sender<TransportError>,
}

/// See the module's documentation.
pub(crate) struct Driver {
    node: Node,
    transport: Arc<dyn Transport>,
    started: Instant,
    inbox: mpsc::UnboundedReceiver<Envelope>,
    /// Closed when the host is dropped.
    host: oneshot::Receiver<std::convert::Infallible>,
    window: Arc<Window>,
    runner: Runner,
    switchboard: Switchboard,
    performed: FuturesUnordered<Performed>,
    sessions: BTreeSet<SessionId>,
    /// What came and is yet to be handed to the node.
    gathered: Vec<Input>,
    /// What the node waits for, as of its last drain.
    until: Option<Time>,
    is_ended: bool,
    is_shutting_down: bool,
}

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) node: Node,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) inbox: mpsc::UnboundedReceiver<Envelope>,
    pub(crate) host: oneshot::Receiver<std::convert::Infallible>,
    pub(crate) window: Arc<Window>,
    pub(crate) runner: Runner,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            node: parts.node,
            transport: parts.transport,
            started: Instant::now(),
            inbox: parts.inbox,
            host: parts.host,
            window: parts.window,
            runner: parts.runner,
            switchboard: Switchboard::default(),
            performed: FuturesUnordered::new(),
            sessions: BTreeSet::new(),
            gathered: Vec::new(),
            until: None,
            is_ended: false,
            is_shutting_down: false,
        }
    }

    /// Drives the node until it has ended, or until the host is dropped.
    pub(crate) async fn run(mut self) {
        self.input(Input::Tick);
        let mut alarm = pin!(tokio::time::sleep(IDLE));
        let mut was_tick = true;
        while !self.is_ended {
            // A flood of inputs must not keep a timer from its turn, nor timers an input from its.
            let now = self.now();
            if !was_tick && self.until.is_some_and(|until| until <= now) {
                was_tick = true;
                self.input(Input::Tick);
                continue;
            }
            // An alarm that is too early costs a tick; one that is set anew for each call wakes the runtime.
            let wake_at = self.wake_at(now);
            if wake_at < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(wake_at);
            }
            was_tick = false;
            tokio::select! {
                biased;
                _ = &mut self.host => break,
                Some(performed) = self.performed.next() => {
                    self.end_of(performed);
                    self.gather();
                }
                Some(envelope) = self.inbox.recv() => {
                    self.take(envelope);
                    self.gather();
                }
                () = &mut alarm => {
                    was_tick = true;
                    self.input(Input::Tick);
                }
            }
        }
        self.end().await;
    }

    /// Takes what else is there already, and hands all of it to the node: what follows leaves together,
    /// not the first alone and the others once it is answered.
    fn gather(&mut self) {
        while self.gathered.len() < GATHERED_MAX {
            if let Some(Some(performed)) = self.performed.next().now_or_never() {
                self.end_of(performed);
            } else if let Ok(envelope) = self.inbox.try_recv() {
                self.take(envelope);
            } else {
                break;
            }
        }
        self.hand_over();
    }

    /// Hands what was gathered to the node.
    fn hand_over(&mut self) {
        match self.gathered.len() {
            0 => {}
            1 => {
                let only = self.gathered.remove(0);
                self.input(only);
            }
            _ => {
                let inputs = std::mem::take(&mut self.gathered);
                self.input(Input::Several(inputs));
            }
        }
    }

    /// An effect was performed; those without an end of their own tell nothing.
    fn end_of(&mut self, performed: Option<(EffectId, Done)>) {
        if let Some((id, done)) = performed {
            self.note(&done);
            self.gathered.push(Input::Done { id, done });
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.started.elapsed()
    }

    fn wake_at(&self, now: Time) -> Instant {
        let until = self.until.unwrap_or(now + IDLE).min(now + IDLE);
        self.started + until.since(Time::ZERO)
    }

    /// One input, and all that follows from it.
    fn input(&mut self, input: Input) {
        tracing::trace!(%input, "node");
        let now = self.now();
        self.node.handle(now, input);
        loop {
            match self.node.poll() {
                Output::Effect { id, effect } => {
                    tracing::trace!(%id, %effect, "node");
                    self.perform(id, effect);
                }
                Output::Event(event) => {
                    tracing::debug!(%event, "node");
                    self.is_ended |= event == Event::ShutDown;
                    if let Some(event) = self.switchboard.route(event) {
                        // Nobody needs to listen.
                        let _ = self.window.events.send(event);
                    }
                }
                Output::Wait { until, reason } => {
                    self.until = until;
                    self.is_ended |= reason == Reason::Ended;
                    return;
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.gathered.push(Input::Command(command));
    }

    fn perform(&mut self, id: EffectId, effect: Effect) {
        let transport = self.transport.clone();
        let performed: Performed = match effect {
            Effect::Connect(link) => {
                Box::pin(async move { Some((id, Done::Connected(transport.connect(link).await))) })
            }
            Effect::Close(session) => {
                self.sessions.remove(&session);
                Box::pin(async move {
                    transport.close(session).await;
                    None
                })
            }
            Effect::Execute { session, ops, .. } => Box::pin(async move {
                Some((id, Done::Executed(transport.execute(session, ops).await)))
            }),
            Effect::Watch { session, interest, block } => Box::pin(async move {
                let wake = transport.watch(session, interest, block).await;
                Some((id, Done::Watched(wake)))
            }),
            Effect::Abort(session) => Box::pin(async move {
                transport.abort(session).await;
                None
            }),
            Effect::Run(attempt) => match self.switchboard.handler(&attempt.function) {
                Some(handler) => {
                    let end = self.runner.run(attempt, handler);
                    Box::pin(async move { Some((id, Done::Ran(end.await))) })
                }
                // Nothing of a function that is not served here is run; its call goes elsewhere.
                None => Box::pin(async move { Some((id, Done::Ran(AttemptEnd::Interrupted))) }),
            },
            Effect::Interrupt { attempt, why } => return self.runner.interrupt(attempt, why),
        };
        self.performed.push(performed);
    }

    /// Remembers what the end, or whoever waits for the connection, will want to know.
    fn note(&mut self, done: &Done) {
        match done {
            Done::Connected(connected) => {
                if let Ok(connected) = connected {
                    self.sessions.insert(connected.session);
                }
                self.window.connect_error.send_replace(connected.as_ref().err().cloned());
            }
            Done::Executed(Ok(results)) => {
                results
                    .iter()
                    .filter_map(|it| it.as_ref().err())
                    .for_each(|it| self.window.note(it));
            }
            Done::Executed(Err(error)) | Done::Watched(Err(error)) => self.window.note(error),
            Done::Watched(Ok(_)) | Done::Ran(_) => {}
        }
    }

    fn take(&mut self, envelope: Envelope) {
        drop(envelope.permit);
        match envelope.message {
            Message::Serve { function, reply } => match function.checked() {
                Err(error) => answer(reply, Err(error)),
                Ok((definition, _)) if self.is_shutting_down => {
                    answer(reply, Err(ServeError::ShuttingDown { function: definition.function }));
                }
                Ok((definition, options)) => {
                    let handler = function.handler.clone();
                    self.switchboard.expect_active(&definition.function, handler, reply);
                    self.command(Command::Serve { definition: Box::new(definition), options });
                }
            },
            Message::Retire { function, drain, reply } => {
                self.switchboard.expect_stopped(&function, reply);
                self.command(Command::Retire { function, drain });
            }
            Message::Stop { consumer, epoch, drain, reply } => {
                self.command(Command::Stop { consumer, epoch, drain });
                answer(reply, ());
            }
            Message::Ask { ticket, command, reply } => {
                self.switchboard.expect_answer(ticket, reply);
                self.command(command);
            }
            Message::Forget { ticket, cancel } => {
                self.switchboard.forget_answer(ticket);
                if let Some((ticket, function, call)) = cancel {
                    self.command(Command::Cancel { ticket, function, call });
                }
                self.command(Command::Abandon { ticket });
            }
            Message::Breaker(command) => self.command(Command::Breaker(command)),
            Message::Health(reply) => {
                self.hand_over();
                answer(reply, self.node.health(self.now()));
            }
            Message::Pending(reply) => {
                self.hand_over();
                answer(reply, self.node.pending());
            }
            Message::WhenUp(reply) => self.switchboard.expect_link(reply),
            Message::Shutdown { drain, reply } => {
                self.is_shutting_down = true;
                self.switchboard.expect_end(reply);
                self.command(Command::Shutdown { drain });
            }
        }
    }

    /// Leaves nothing behind: handlers are dropped, connections closed.
    async fn end(self) {
        let Self {
            transport, sessions, runner, switchboard, mut performed, is_ended, inbox, ..
        } = self;
        drop((runner, inbox));
        let closing = join_all(sessions.iter().map(|session| transport.close(*session)));
        let _ = timeout(CLOSE_PATIENCE, async move {
            closing.await;
            // A node that has ended has closed what it had; a dropped one has reads that nobody ends.
            while is_ended && performed.next().await.is_some() {}
        })
        .await;
        switchboard.ended();
    }
}

/// The store is there, and does not do what is asked before somebody changes something.
fn is_for_good(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Denied | ErrorKind::Unsupported)
}

impl Window {
    pub(crate) fn new(events_max: usize) -> Self {
        Self {
            events: broadcast::Sender::new(events_max),
            connect_error: watch::Sender::new(None),
            refusals: broadcast::Sender::new(REFUSALS_MAX),
        }
    }

    /// Tells of an error that trying again does not mend.
    fn note(&self, error: &TransportError) {
        if is_for_good(error.kind) || error.kind == ErrorKind::WrongType {
            // Nobody needs to listen.
            let _ = self.refusals.send(error.clone());
        }
    }

    pub(crate) fn connect_error(&self) -> Option<TransportError> {
        self.connect_error.borrow().clone()
    }

    /// Waits until a connection attempt was refused in a way that trying again does not mend.
    pub(crate) async fn refusal(&self) -> TransportError {
        let mut errors = self.connect_error.subscribe();
        let refused = |error: &Option<TransportError>| {
            error.as_ref().is_some_and(|error| is_for_good(error.kind))
        };
        let refusal = errors.wait_for(refused).await.map(|error| error.clone());
        match refusal {
            Ok(Some(error)) => error,
            // The sender lives as long as this window.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}
