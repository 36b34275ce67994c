//! What happened, told by whoever saw it: the store's side, the handlers, the callers.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast_core::call::Record;
use steadfast_core::command::Ticket;
use steadfast_core::event::CallError;
use steadfast_core::name::{CallId, NodeId};
use steadfast_core::wire::{decode_result, encode_result};

use crate::digest::Digest;
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

/// Writes the history, the digest and, where it is wanted, a line for each event. Clones write the same.
#[derive(Clone, Debug)]
pub(super) struct Recorder(Arc<Mutex<Log>>);

#[derive(Debug)]
struct Log {
    now: Moment,
    history: History,
    digest: Digest,
    events: u64,
    lines: Option<Vec<String>>,
    hosts: u32,
    /// Hosts whose process is gone: what still runs of them is destructors.
    dead: BTreeSet<HostId>,
    tickets: u64,
    open_tickets: BTreeSet<(Ticket, HostId)>,
}

impl Recorder {
    pub(super) fn new(wants_lines: bool) -> Self {
        Self(Arc::new(Mutex::new(Log {
            now: Moment::ZERO,
            history: History::default(),
            digest: Digest::default(),
            events: 0,
            lines: wants_lines.then(Vec::new),
            hosts: 0,
            dead: BTreeSet::new(),
            tickets: 0,
            open_tickets: BTreeSet::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // A panic elsewhere while the lock was held left a whole log behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world's time. Processes run one after the other within a step of the network, so that what
    /// one sees may lie before what another has seen: time stands still then.
    pub(super) fn pass(&self, elapsed: Duration) -> Moment {
        let mut log = self.lock();
        log.now = log.now.max(Moment::ZERO + elapsed);
        log.now
    }

    /// The time by the simulated process that this runs in.
    pub(super) fn now(&self) -> Moment {
        match turmoil::sim_elapsed() {
            Some(elapsed) => self.pass(elapsed),
            None => self.lock().now,
        }
    }

    /// Something that the digest and the trace tell, and no checker asks for.
    pub(super) fn event(&self, what: &(impl Hash + ?Sized), line: impl FnOnce() -> String) {
        let now = self.now();
        let mut log = self.lock();
        what.hash(&mut log.digest);
        log.count(now, line);
    }

    pub(super) fn fact(&self, fact: Fact) {
        let now = self.now();
        let mut log = self.lock();
        let fact = as_on_the_wire(fact);
        let told = format!("{fact:?}");
        log.digest.write(told.as_bytes());
        log.count(now, || told);
        let is_new = match &fact {
            Fact::Killed { host, .. } => log.dead.insert(*host),
            _ => true,
        };
        if is_new {
            log.history.push(now, fact);
        }
    }

    /// A fact of a host, unless its process is gone.
    pub(super) fn fact_of(&self, host: HostId, fact: Fact) {
        if !self.lock().dead.contains(&host) {
            self.fact(fact);
        }
    }

    pub(super) fn start(&self, node: &NodeId) -> HostId {
        let host = {
            let mut log = self.lock();
            log.hosts += 1;
            HostId(log.hosts - 1)
        };
        self.fact(Fact::Started { host, node: node.clone() });
        host
    }

    /// A request about a call, or where it `makes` the call for it.
    pub(super) fn ask(&self, host: HostId, call: &CallId, makes: bool) -> Ticket {
        let ticket = {
            let mut log = self.lock();
            log.tickets += 1;
            let ticket = Ticket(log.tickets);
            log.open_tickets.insert((ticket, host));
            ticket
        };
        self.fact_of(host, Fact::Asked { host, ticket, call: call.clone(), makes });
        ticket
    }

    pub(super) fn answer(&self, host: HostId, ticket: Ticket, error: Option<CallError>) {
        self.lock().open_tickets.remove(&(ticket, host));
        self.fact_of(host, Fact::Answered { host, ticket, error });
    }

    /// The host ended before it answered, and said so.
    pub(super) fn abandon(&self, host: HostId, ticket: Ticket) {
        self.lock().open_tickets.remove(&(ticket, host));
        self.fact_of(host, Fact::Abandoned { ticket });
    }

    /// Somebody who lives waits for an answer.
    pub(super) fn is_waited(&self) -> bool {
        let log = self.lock();
        log.open_tickets.iter().any(|(_, host)| !log.dead.contains(host))
    }

    /// Ends the record.
    pub(super) fn take(&self) -> Recorded {
        let mut log = self.lock();
        Recorded {
            history: std::mem::take(&mut log.history),
            digest: log.digest.finish(),
            events: log.events,
            lines: log.lines.take().unwrap_or_default(),
            ended_at: log.now,
        }
    }
}

/// All that was recorded.
pub(super) struct Recorded {
    pub(super) history: History,
    pub(super) digest: u64,
    pub(super) events: u64,
    pub(super) lines: Vec<String>,
    pub(super) ended_at: Moment,
}

impl Log {
    fn count(&mut self, now: Moment, line: impl FnOnce() -> String) {
        self.events += 1;
        now.as_micros().hash(&mut self.digest);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{now} {}", line()));
        }
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("events", &self.events).finish_non_exhaustive()
    }
}

/// Records as every process reads them: the wire has whole milliseconds.
fn as_on_the_wire(fact: Fact) -> Fact {
    use steadfast_core::call::CallState;
    let read = |record: Record| decode_result(&encode_result(&record)).unwrap_or(record);
    match fact {
        Fact::Decided { call, state: CallState::Decided(record) } => {
            Fact::Decided { call, state: CallState::Decided(read(record)) }
        }
        Fact::Final { call, state: CallState::Decided(record) } => {
            Fact::Final { call, state: CallState::Decided(read(record)) }
        }
        other => other,
    }
}
