//! The node's connections: opened where wanted, given up when silent, opened again with backoff, reported
//! down after many attempts and probed on for ever. Closing one never closes another.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use crate::event::{Event, LinkState};
use crate::machine::{Effect, EffectId};
use crate::name::{RunId, SessionId};
use crate::node::desk::{Desk, Flight};
use crate::pending::{Matter, Pending, WaitsFor};
use crate::time::Time;
use crate::timer::Timer;
use crate::transport::{Connected, Link, TransportError};

/// Connection attempts that keep the first, short timeout; it doubles with each one after them.
const QUICK_ATTEMPTS: u32 = 5;

/// What a connection did since its node started, or all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionMetrics {
    /// Attempts to connect.
    pub attempted: u64,
    /// Attempts that succeeded.
    pub connected: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that succeeded after an earlier connection was lost.
    pub reconnected: u64,
    /// Connections lost.
    pub lost: u64,
    /// Connections that stand.
    pub active: u64,
    /// Requests carried.
    pub requests: u64,
    /// When one was last established, by the node's clock.
    pub last_connect: Option<Time>,
    /// When one last failed or was lost, by the node's clock.
    pub last_failure: Option<Time>,
}

impl ConnectionMetrics {
    /// The share of requests that found their connection standing, in thousandths.
    pub const fn reuse_per_mille(&self) -> u64 {
        let reused = self.requests.saturating_sub(self.connected);
        match reused.saturating_mul(1_000).checked_div(self.requests) {
            Some(share) => share,
            None => 0,
        }
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Waiting,
    Connecting(EffectId),
    Up { session: SessionId, since: Time },
}

#[derive(Clone, Debug)]
struct LinkMachine {
    phase: Phase,
    retries: u32,
    since: Time,
    last_error: Option<TransportError>,
    metrics: ConnectionMetrics,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    machines: BTreeMap<Link, LinkMachine>,
    run_id: Option<RunId>,
    sees_sessions: bool,
}

impl Links {
    /// Opens a connection if it is not wanted yet.
    pub(crate) fn want(&mut self, desk: &mut Desk, link: Link) {
        if self.machines.contains_key(&link) {
            return;
        }
        let machine = LinkMachine {
            phase: Phase::Waiting,
            retries: 0,
            since: desk.now,
            last_error: None,
            metrics: ConnectionMetrics::default(),
        };
        self.machines.insert(link, machine);
        self.connect(desk, link);
    }

    /// The session of a connection that stands.
    pub(crate) fn session(&self, link: Link) -> Option<SessionId> {
        match self.machines.get(&link)?.phase {
            Phase::Up { session, .. } => Some(session),
            Phase::Waiting | Phase::Connecting(_) => None,
        }
    }

    /// All sessions that stand, in order.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        let mut sessions: Vec<_> =
            self.machines.keys().filter_map(|link| self.session(*link)).collect();
        sessions.sort_unstable();
        sessions
    }

    /// Since when a connection stands.
    pub(crate) fn up_since(&self, link: Link) -> Option<Time> {
        match self.machines.get(&link)?.phase {
            Phase::Up { since, .. } => Some(since),
            Phase::Waiting | Phase::Connecting(_) => None,
        }
    }

    /// The store's life when a connection was last established.
    pub(crate) fn run_id(&self) -> Option<&RunId> {
        self.run_id.as_ref()
    }

    /// The store can tell which sessions live.
    pub(crate) fn sees_sessions(&self) -> bool {
        self.sees_sessions
    }

    /// Counts a request on a link.
    pub(crate) fn count_request(&mut self, link: Link) {
        if let Some(machine) = self.machines.get_mut(&link) {
            machine.metrics.requests += 1;
        }
    }

    fn connect(&mut self, desk: &mut Desk, link: Link) {
        let Some(machine) = self.machines.get_mut(&link) else {
            return;
        };
        debug_assert!(matches!(machine.phase, Phase::Waiting), "{link} connects twice");
        let effect = desk.launch(Effect::Connect(link), Flight::Connect(link));
        machine.phase = Phase::Connecting(effect);
        machine.metrics.attempted += 1;
        let doublings = machine.retries.saturating_sub(QUICK_ATTEMPTS).min(16);
        let timeout = desk.config.connect_timeout_first.saturating_mul(1 << doublings);
        let timeout = timeout.min(desk.config.connect_timeout);
        desk.timers.arm(Timer::ConnectTimeout(link), desk.now + timeout);
        desk.tell(Event::Link { link, state: LinkState::Connecting });
    }

    /// A connection attempt ended. Answers the connection if it stands now.
    pub(crate) fn connected(
        &mut self,
        desk: &mut Desk,
        link: Link,
        result: Result<Connected, TransportError>,
    ) -> Option<Connected> {
        desk.timers.disarm(Timer::ConnectTimeout(link));
        match result {
            Ok(connected) => {
                let machine = self.machines.get_mut(&link)?;
                machine.phase = Phase::Up { session: connected.session, since: desk.now };
                machine.retries = 0;
                machine.since = desk.now;
                machine.last_error = None;
                machine.metrics.reconnected += u64::from(machine.metrics.connected > 0);
                machine.metrics.connected += 1;
                machine.metrics.active = 1;
                machine.metrics.last_connect = Some(desk.now);
                self.run_id = Some(connected.run_id.clone());
                self.sees_sessions = connected.sees_sessions;
                desk.tell(Event::Link { link, state: LinkState::Up });
                Some(connected)
            }
            Err(error) => {
                self.failed(desk, link, Some(error));
                None
            }
        }
    }

    /// The attempt takes too long: it is forgotten, and its late connection will be closed.
    pub(crate) fn connect_timed_out(&mut self, desk: &mut Desk, link: Link) {
        if let Some(Phase::Connecting(effect)) = self.machines.get(&link).map(|it| it.phase.clone())
        {
            desk.flights.remove(&effect);
            self.failed(desk, link, None);
        }
    }

    /// The connection is dead or suspect: closed, and opened again. Answers whether it stood.
    pub(crate) fn lost(
        &mut self,
        desk: &mut Desk,
        link: Link,
        error: Option<TransportError>,
    ) -> bool {
        let Some(session) = self.session(link) else {
            return false;
        };
        desk.close(session);
        if let Some(machine) = self.machines.get_mut(&link) {
            machine.metrics.lost += 1;
            machine.metrics.active = 0;
        }
        self.failed(desk, link, error);
        true
    }

    fn failed(&mut self, desk: &mut Desk, link: Link, error: Option<TransportError>) {
        let Some(machine) = self.machines.get_mut(&link) else {
            return;
        };
        let was_connecting = matches!(machine.phase, Phase::Connecting(_));
        machine.phase = Phase::Waiting;
        machine.since = desk.now;
        machine.last_error = error;
        machine.metrics.failed += u64::from(was_connecting);
        machine.metrics.last_failure = Some(desk.now);
        machine.retries += 1;
        let delay =
            desk.config.reconnect.delay(machine.retries, &mut desk.streams.reconnect_jitter);
        desk.timers.arm(Timer::Reconnect(link), desk.now + delay);
        let reported = machine.retries >= desk.config.connect_attempts_reported;
        let state = if reported { LinkState::Down } else { LinkState::Waiting };
        desk.tell(Event::Link { link, state });
    }

    /// The backoff of a connection passed.
    pub(crate) fn reconnect(&mut self, desk: &mut Desk, link: Link) {
        let waits = self.machines.get(&link).is_some_and(|it| matches!(it.phase, Phase::Waiting));
        if waits {
            self.connect(desk, link);
        }
    }

    /// Closes every connection, for good.
    pub(crate) fn close_all(&mut self, desk: &mut Desk) {
        for session in self.sessions() {
            desk.close(session);
        }
        for link in std::mem::take(&mut self.machines).into_keys() {
            desk.timers.disarm(Timer::Reconnect(link));
            desk.timers.disarm(Timer::ConnectTimeout(link));
            desk.tell(Event::Link { link, state: LinkState::Closed });
        }
    }

    /// A connection's state, for health.
    pub(crate) fn states(
        &self,
        reported_after: u32,
    ) -> impl Iterator<Item = (Link, LinkState, ConnectionMetrics, Option<&TransportError>)> {
        self.machines.iter().map(move |(link, machine)| {
            let state = match machine.phase {
                Phase::Up { .. } => LinkState::Up,
                _ if machine.retries >= reported_after => LinkState::Down,
                Phase::Connecting(_) => LinkState::Connecting,
                Phase::Waiting => LinkState::Waiting,
            };
            (*link, state, machine.metrics, machine.last_error.as_ref())
        })
    }

    pub(crate) fn pending(&self, into: &mut Vec<Pending>) {
        for (link, machine) in &self.machines {
            let waits_for = match machine.phase {
                Phase::Up { .. } => continue,
                Phase::Connecting(_) => WaitsFor::Connection,
                Phase::Waiting => WaitsFor::Backoff,
            };
            into.push(Pending { matter: Matter::Link(*link), waits_for, since: machine.since });
        }
    }

    pub(crate) fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        for (link, machine) in &self.machines {
            let (phase, stood_for) = match machine.phase {
                Phase::Waiting => (0_u8, None),
                Phase::Connecting(_) => (1, None),
                Phase::Up { since, .. } => (2, Some(now.since(since))),
            };
            (link, phase, stood_for, machine.retries).hash(&mut into);
        }
    }
}
