//! The root machine, one per process: connections, breaker, outbox, worker and caller as plain structs.
//!
//! Only the node emits effects. An input is handed to the part that it concerns, each of several in turn;
//! then every timer that is due fires; then the parts are pumped and the outbox sends what it may. What a
//! user is told has been persisted first: answers follow from the store's replies, never from what was sent.
//!
//! Architecture invariant: drivers have no branch on domain state; whatever a node does is decided here.

mod caller;
mod consumer;
mod desk;
mod holding;
mod links;
mod outbox;
mod reconciler;
mod status;
mod worker;

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::breaker::Breaker;
use crate::command::{BreakerCommand, Command};
use crate::config::Config;
use crate::entropy::Entropy;
use crate::event::Event;
use crate::machine::{Done, Effect, EffectId, Input, Machine, Output, Reason};
use crate::name::NodeId;
use crate::op::{Lane, Op, OpResult};
use crate::pending::{Matter, Pending, WaitsFor};
use crate::reachable;
use crate::time::Time;
use crate::timer::Timer;
use crate::transport::{Connected, ErrorKind, Link, TransportError, Wake};

use caller::Caller;
use consumer::ConsumerInput;
use desk::{Desk, Flight};
use links::Links;
use outbox::{Errand, Queued, Route};
use worker::Worker;

pub use links::ConnectionMetrics;

/// What a shutdown's drain time is exceeded by before the node ends without the store's answers.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Node {
    desk: Desk,
    links: Links,
    worker: Worker,
    caller: Caller,
    started: bool,
    shutting_down: Option<Time>,
    ended: bool,
}

impl Node {
    /// A node at its time zero. It opens its first connection upon its first input, a
    /// [`Input::Tick`] for instance.
    pub fn new(id: NodeId, config: Config, seed: u64) -> Self {
        let jitter = Entropy::new(seed).stream("breaker-jitter");
        let breaker = Breaker::new(config.breaker.clone(), jitter);
        Self {
            desk: Desk::new(id, config, seed),
            links: Links::default(),
            worker: Worker::default(),
            caller: Caller::new(breaker),
            started: false,
            shutting_down: None,
            ended: false,
        }
    }

    /// Passes in where the node's probes write.
    #[cfg(feature = "probes")]
    #[must_use]
    pub fn with_probes(mut self, sink: crate::probe::CountingSink) -> Self {
        self.desk.probes = Some(sink);
        self
    }

    /// The node's id.
    pub fn id(&self) -> &NodeId {
        &self.desk.node
    }

    /// It was shut down; no input has an effect any more.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Hands an input to the part that it concerns.
    fn take(&mut self, input: Input) {
        match input {
            Input::Command(command) => self.command(command),
            Input::Done { id, done } => self.done(id, done),
            Input::Several(inputs) => {
                for input in inputs {
                    if !self.ended {
                        self.take(input);
                    }
                }
            }
            Input::Tick => {}
        }
    }

    fn command(&mut self, command: Command) {
        let Self { desk, links, worker, caller, .. } = self;
        match command {
            Command::Serve { definition, options } => {
                if self.shutting_down.is_none() {
                    worker.serve(desk, *definition, options);
                } else {
                    desk.ignored_inputs += 1;
                }
            }
            Command::Retire { function, drain } => worker.retire(desk, &function, drain),
            Command::Stop { consumer, epoch, drain } => {
                worker.stop(desk, &consumer, epoch, drain);
            }
            Command::Submit { ticket, request } => {
                caller.submit(desk, links, worker, ticket, request);
            }
            Command::Call { ticket, request } => caller.call(desk, links, worker, ticket, request),
            Command::Await { ticket, function, call, timeout, on_timeout } => {
                caller.await_call(desk, links, ticket, (function, call), timeout, on_timeout);
            }
            Command::Abandon { ticket } => caller.abandon(desk, ticket),
            Command::Cancel { ticket, function, call } => {
                caller.cancel(desk, links, ticket, function, call);
            }
            Command::Publish { ticket, token, publication } => {
                caller.publish(desk, ticket, token, publication);
            }
            Command::Acknowledge { ticket, function, call } => {
                caller.acknowledge(desk, ticket, function, call);
            }
            Command::Recover { ticket, function } => {
                worker.look_now(desk);
                caller.recover(desk, worker, ticket, function);
            }
            Command::Requeue { ticket, function, letter } => {
                caller.requeue(desk, ticket, function, letter);
            }
            Command::Query { ticket, query } => caller.query(desk, ticket, query),
            Command::Breaker(command) => match command {
                BreakerCommand::ForceOpen => caller.breaker.force_open(desk.now),
                BreakerCommand::ForceClosed => caller.breaker.force_closed(desk.now),
                BreakerCommand::Reset => caller.breaker.reset(desk.now),
            },
            Command::Shutdown { drain } => self.shut_down(drain),
        }
    }

    fn done(&mut self, id: EffectId, done: Done) {
        let Some(flight) = self.desk.flights.remove(&id) else {
            self.desk.ignored_inputs += 1;
            // A connection that was given up before it stood is of use to nobody.
            if let Done::Connected(Ok(connected)) = done {
                reachable!(self.desk.probes, "a connection given up stood late and was closed");
                self.desk.close(connected.session);
            }
            return;
        };
        self.desk.timers.disarm(Timer::ResponseTimeout(id));
        match (flight, done) {
            (Flight::Connect(link), Done::Connected(result)) => self.connected(link, result),
            (Flight::Batch(lane), Done::Executed(result)) => self.executed(id, lane, result),
            (Flight::Watch(link), Done::Watched(result)) => self.watched(link, result),
            (Flight::Run(key, attempt), Done::Ran(end)) => {
                let input = ConsumerInput::Ran { attempt, end };
                self.worker.tell(&mut self.desk, key, input);
            }
            // The answer to another kind of effect: as good as none.
            _ => self.desk.ignored_inputs += 1,
        }
    }

    fn connected(&mut self, link: Link, result: Result<Connected, TransportError>) {
        let before = self.links.run_id().cloned();
        let connected = self.links.connected(&mut self.desk, link, result);
        self.desk.sessions = self.links.sessions();
        let Some(connected) = connected else { return };
        if before.is_some_and(|before| before != connected.run_id) {
            reachable!(self.desk.probes, "the store lived another life after a reconnect");
            self.desk.tell(Event::StoreRestarted { run_id: connected.run_id });
        }
        if link == Link::Command {
            self.desk.outbox.release_all();
            let at = self.desk.now + self.desk.config.health_check_interval;
            self.desk.timers.arm(Timer::HealthCheck, at);
        }
        self.worker.link_up(&mut self.desk, link);
        self.caller.link_up(&mut self.desk, link);
    }

    /// A connection is dead: closed, what was under way on it put back, and opened again.
    fn lost(&mut self, link: Link, error: Option<TransportError>) {
        if !self.links.lost(&mut self.desk, link, error) {
            return;
        }
        self.desk.sessions = self.links.sessions();
        let flights = self.desk.flights.iter();
        let watches: Vec<_> = flights
            .filter(|(_, flight)| **flight == Flight::Watch(link))
            .map(|(id, _)| *id)
            .collect();
        for id in &watches {
            self.desk.flights.remove(id);
            self.desk.timers.disarm(Timer::ResponseTimeout(*id));
            let detail = format!("link {link} was lost");
            let error = TransportError::unknown(ErrorKind::Disconnected, detail);
            self.watch_ended(link, Err(error));
        }
        if link == Link::Command {
            for (lane, id, batch) in self.desk.outbox.take_all_in_flight() {
                reachable!(self.desk.probes, "a batch was put back with its connection lost");
                self.desk.flights.remove(&id);
                self.desk.timers.disarm(Timer::ResponseTimeout(id));
                self.put_back(lane, batch);
            }
        }
    }

    fn put_back(&mut self, lane: Lane, batch: Vec<Queued>) {
        for queued in &batch {
            if let Route::Ticket(ticket) = queued.route {
                self.caller.unanswered(self.desk.now, ticket);
            }
        }
        self.desk.outbox.put_back(lane, batch, self.desk.now);
    }

    fn watched(&mut self, link: Link, result: Result<Wake, TransportError>) {
        let dead = matches!(
            &result,
            Err(error) if matches!(error.kind, ErrorKind::Disconnected | ErrorKind::Timeout)
        );
        let error = result.as_ref().err().cloned();
        self.watch_ended(link, result);
        if dead {
            self.lost(link, error);
        }
    }

    fn watch_ended(&mut self, link: Link, result: Result<Wake, TransportError>) {
        match link {
            Link::Replies => self.caller.watch_ended(&mut self.desk, result),
            Link::Arrivals | Link::Fetch(_) => {
                self.worker.watch_ended(&mut self.desk, link, result);
            }
            Link::Command => debug_assert!(false, "nothing watches on the command link"),
        }
    }

    fn executed(
        &mut self,
        id: EffectId,
        lane: Lane,
        result: Result<Vec<OpResult>, TransportError>,
    ) {
        let batch = self.desk.outbox.take_batch(lane, id, self.desk.now);
        match result {
            Ok(results) if results.len() == batch.len() => {
                self.answered(lane, batch.into_iter().zip(results));
            }
            Ok(results) => {
                let detail = format!("{} answers to {} operations", results.len(), batch.len());
                let error = TransportError::unknown(ErrorKind::Protocol, detail);
                self.put_back(lane, batch);
                self.lost(Link::Command, Some(error));
            }
            Err(error) if matches!(error.kind, ErrorKind::Disconnected | ErrorKind::Timeout) => {
                self.put_back(lane, batch);
                self.lost(Link::Command, Some(error));
            }
            Err(error) => {
                let results = vec![error; batch.len()].into_iter().map(Err);
                self.answered(lane, batch.into_iter().zip(results));
            }
        }
    }

    /// Each operation's answer goes to whoever asked, unless it is better asked again.
    fn answered(&mut self, lane: Lane, answers: impl Iterator<Item = (Queued, OpResult)>) {
        let mut again = Vec::new();
        for (queued, result) in answers {
            match result {
                Err(error) if is_asked_again(&queued.route, &error) => again.push(queued),
                result => self.route(queued.route, &queued.op, result),
            }
        }
        if again.is_empty() {
            self.desk.outbox.succeeded(lane);
            return;
        }
        self.put_back(lane, again);
        reachable!(self.desk.probes, "operations were held back and sent again");
        let retries = self.desk.outbox.hold_back(lane);
        let jitter = &mut self.desk.streams.reconnect_jitter;
        let delay = self.desk.config.reconnect.delay(retries, jitter);
        self.desk.timers.arm(Timer::LaneBackoff(lane), self.desk.now + delay);
    }

    fn route(&mut self, route: Route, op: &Op, result: OpResult) {
        let Self { desk, links, worker, caller, .. } = self;
        match route {
            Route::Consumer(key, errand) => worker.answered(desk, key, errand, result),
            Route::Beat(keys) => worker.beaten(desk, &keys, result),
            Route::Survey => worker.surveyed(desk, links, &result),
            Route::Remove(function, consumer) => {
                worker.reconciler.removed(desk, function, consumer, &result);
            }
            Route::Ticket(ticket) => caller.answered(desk, ticket, op, result),
            Route::Awaited(call) => caller.inspected(desk, &call, op, result),
            Route::Replies => caller.replies_kept(desk, &result),
            Route::SignOff => caller.signed_off(),
            Route::Leftovers(call) => caller.cleared(&call),
            Route::Ping => {}
        }
    }

    fn fire(&mut self, timer: Timer) {
        let Self { desk, links, worker, caller, .. } = self;
        match timer {
            Timer::Reconnect(link) => links.reconnect(desk, link),
            Timer::ConnectTimeout(link) => links.connect_timed_out(desk, link),
            Timer::ResponseTimeout(id) => self.response_timed_out(id),
            Timer::LaneBackoff(lane) => desk.outbox.release(lane),
            Timer::HealthCheck => {
                if links.session(Link::Command).is_some() {
                    desk.outbox.push(desk.now, Op::Ping, Route::Ping);
                    let at = desk.now + desk.config.health_check_interval;
                    desk.timers.arm(Timer::HealthCheck, at);
                }
            }
            Timer::Beat => worker.beat(desk),
            Timer::Renew => worker.renew(desk),
            Timer::Survey => worker.survey(desk, links),
            Timer::Sweep(key) => worker.sweep(desk, key),
            Timer::ConsumerBackoff(key) => {
                worker.tell(desk, key, ConsumerInput::BackoffOver);
            }
            Timer::Drain(key) => {
                worker.tell(desk, key, ConsumerInput::DrainOver);
            }
            Timer::Attempt(key, attempt) => {
                worker.tell(desk, key, ConsumerInput::AttemptDue { attempt });
            }
            Timer::KeepReplies => caller.keep_replies(desk),
            Timer::Poll(ticket) => caller.poll_due(desk, ticket),
            Timer::Patience(ticket) => caller.patience_over(desk, ticket),
            Timer::Deadline(ticket) => caller.deadline_passed(desk, ticket),
            Timer::Breaker => caller.breaker.advance(desk.now),
            Timer::Shutdown => self.end(),
        }
    }

    fn response_timed_out(&mut self, id: EffectId) {
        let link = match self.desk.flights.get(&id) {
            Some(Flight::Batch(_)) => Link::Command,
            Some(Flight::Watch(link)) => *link,
            Some(Flight::Connect(_) | Flight::Run(..)) | None => return,
        };
        let detail = format!("link {link} was silent");
        let error = TransportError::unknown(ErrorKind::Timeout, detail);
        self.lost(link, Some(error));
    }

    /// Lets every part go on, and sends what may be sent.
    fn pump(&mut self) {
        self.worker.pump(&mut self.desk, &mut self.links);
        self.caller.pump(&mut self.desk, &mut self.links);
        if self.shutting_down.is_some() && self.is_drained() {
            self.caller.sign_off(&mut self.desk);
        }
        self.flush();
        while let Some((from, to)) = self.caller.breaker.poll_transition() {
            self.desk.tell(Event::Breaker { from, to });
        }
        match self.caller.breaker.next_deadline() {
            Some(at) => self.desk.timers.arm(Timer::Breaker, at),
            None => self.desk.timers.disarm(Timer::Breaker),
        }
        if self.shutting_down.is_some() && self.is_drained() && self.is_signed_off() {
            self.end();
        }
    }

    fn flush(&mut self) {
        let Some(session) = self.links.session(Link::Command) else {
            return;
        };
        for lane in Lane::ALL {
            let Some(ops) = self.desk.outbox.next_batch(lane, &self.desk.config) else {
                continue;
            };
            let count = ops.len();
            self.links.count_request(Link::Command);
            let effect = Effect::Execute { session, lane, ops };
            let id = self.desk.launch(effect, Flight::Batch(lane));
            self.desk.outbox.sent(lane, id, count);
            let at = self.desk.now + self.desk.config.response_timeout;
            self.desk.timers.arm(Timer::ResponseTimeout(id), at);
        }
    }

    fn shut_down(&mut self, drain: Duration) {
        let end = self.desk.now + drain + SHUTDOWN_MARGIN;
        self.shutting_down.get_or_insert(self.desk.now);
        self.caller.shut_down();
        self.worker.retire_all(&mut self.desk, drain);
        self.desk.timers.arm_no_later(Timer::Shutdown, end);
    }

    /// Every consumer is gone, and every decision and submission has its answer.
    fn is_drained(&self) -> bool {
        let lanes = [Lane::Settle, Lane::Submit];
        self.worker.is_empty() && lanes.into_iter().all(|lane| self.desk.outbox.len(lane) == 0)
    }

    /// Its reply stream is gone, or the store is: then its time to live ends it.
    fn is_signed_off(&self) -> bool {
        !self.caller.is_signing_off() || self.links.session(Link::Command).is_none()
    }

    fn end(&mut self) {
        self.caller.end(&mut self.desk);
        self.links.close_all(&mut self.desk);
        self.desk.tell(Event::ShutDown);
        self.ended = true;
    }
}

/// Whether an operation that failed is sent again rather than answered: whoever has a backoff of its own,
/// or would rather know, is answered; nobody is answered what waiting mends.
fn is_asked_again(route: &Route, error: &TransportError) -> bool {
    if !error.kind.can_retry_help() || error.kind == ErrorKind::NoGroup {
        return false;
    }
    match route {
        Route::Consumer(_, Errand::Begin(_) | Errand::Settle(_) | Errand::Deregister)
        | Route::Leftovers(_) => true,
        Route::Consumer(..)
        | Route::Beat(_)
        | Route::Survey
        | Route::Remove(..)
        | Route::Awaited(_)
        | Route::Replies
        | Route::SignOff
        | Route::Ping => false,
        Route::Ticket(_) => !matches!(error.kind, ErrorKind::OutOfMemory | ErrorKind::Full),
    }
}

impl Machine for Node {
    fn handle(&mut self, now: Time, input: Input) {
        debug_assert!(now >= self.desk.now, "time went back from {} to {now}", self.desk.now);
        self.desk.now = self.desk.now.max(now);
        if self.ended {
            self.desk.ignored_inputs += 1;
            return;
        }
        if !self.started {
            self.started = true;
            self.links.want(&mut self.desk, Link::Command);
        }
        self.take(input);
        while !self.ended {
            let Some(timer) = self.desk.timers.pop_due(self.desk.now) else {
                break;
            };
            self.fire(timer);
        }
        if !self.ended {
            self.pump();
        }
    }

    fn poll(&mut self) -> Output {
        if let Some(output) = self.desk.outputs.pop_front() {
            return output;
        }
        match self.desk.timers.next() {
            _ if self.ended => Output::Wait { until: None, reason: Reason::Ended },
            Some((at, timer)) => Output::Wait { until: Some(at), reason: Reason::Timer(timer) },
            None => Output::Wait { until: None, reason: Reason::Idle },
        }
    }

    fn pending(&self) -> Vec<Pending> {
        let mut pending = Vec::new();
        if self.ended {
            return pending;
        }
        if let Some(since) = self.shutting_down {
            let (matter, waits_for) = (Matter::Shutdown, WaitsFor::Drain);
            pending.push(Pending { matter, waits_for, since });
        }
        self.links.pending(&mut pending);
        for (lane, since) in self.desk.outbox.unanswered() {
            let (matter, waits_for) = (Matter::Lane(lane), WaitsFor::Answer);
            pending.push(Pending { matter, waits_for, since });
        }
        self.worker.pending(&mut pending);
        self.caller.pending(&mut pending);
        pending
    }

    fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        // Effects go by what they are for: their ids tell no more than how many there were before.
        self.desk.timers.fingerprint(now, |id| self.desk.flights.get(&id).copied(), into);
        self.desk.outbox.fingerprint(into);
        self.links.fingerprint(now, into);
        self.worker.fingerprint(now, into);
        self.caller.fingerprint(now, into);
        self.desk.flights.values().collect::<BTreeSet<_>>().hash(&mut into);
        (self.started, self.shutting_down.is_some(), self.ended).hash(&mut into);
    }
}
