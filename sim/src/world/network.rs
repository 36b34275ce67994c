//! Connections: ordered within themselves, racing among each other, and mortal.

use std::time::Duration;

use steadfast_core::machine::{Done, EffectId, Input};
use steadfast_core::name::{ConsumerId, SessionId};
use steadfast_core::transport::{ErrorKind, Link, TransportError};

use super::World;
use super::event::{Message, What};
use crate::faults::{Closed, FaultKind, Refusal, SlotId};
use crate::history::HostId;
use crate::moment::Moment;
use crate::subject::{SimStore, Subject};
use crate::trace::Happening;

/// The longest that a delayed message is late.
const LATE: Duration = Duration::from_secs(3);

/// A partition that lasts longer leaves no connection alive: retransmission gives up.
const RETRANSMISSION: Duration = Duration::from_secs(15);

/// The chances, in a million, that a message suffers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Roughness {
    pub(super) request_lost: u32,
    pub(super) answer_lost: u32,
    pub(super) duplicate: u32,
    pub(super) delay: u32,
}

/// A connection, from both sides.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) host: HostId,
    pub(super) link: Link,
    /// How the store knows it.
    pub(super) session: SessionId,
    pub(super) opened_at: Moment,
    /// The node may use it.
    node_open: bool,
    /// The store's side lives.
    pub(super) store_open: bool,
    /// What arrives next arrives after this, in each direction.
    up_free: Moment,
    down_free: Moment,
    /// Requests without an answer yet, as the node sees it.
    outstanding: Vec<EffectId>,
    /// What waits for a partition to end.
    pub(super) held_up: Vec<Message>,
    held_down: Vec<(EffectId, Box<Done>)>,
    /// The blocking read under way at the store; whether its answer is to be lost.
    pub(super) watch: Option<(EffectId, bool)>,
    /// The consumer that it reads for, where it is a read of deliveries.
    pub(super) reader: Option<ConsumerId>,
    /// A wish to end a blocking read came before the read itself.
    pub(super) aborted: Option<EffectId>,
    /// Results of the batch that has come in part.
    pub(super) partial: Vec<steadfast_core::op::OpResult>,
}

impl Conn {
    /// The request that waits for its answer here: on a connection of its own there is one at most.
    pub(super) fn under_way(&self) -> Option<EffectId> {
        self.outstanding.first().copied()
    }

    /// The node's process is gone: nobody listens here any more.
    pub(super) fn abandon(&mut self) {
        self.node_open = false;
        self.outstanding.clear();
        self.held_down.clear();
    }
}

fn disconnected(applied: bool) -> TransportError {
    if applied {
        TransportError::unknown(ErrorKind::Disconnected, "")
    } else {
        TransportError::not_applied(ErrorKind::Disconnected, "")
    }
}

impl<M: Subject, S: SimStore> World<M, S> {
    pub(super) fn conn(&mut self, conn: u32) -> &mut Conn {
        &mut self.conns[conn as usize]
    }

    /// The time that a message takes when nothing is wrong.
    fn travel(&mut self) -> Duration {
        let (least, most) = self.scenario.latency;
        least + self.latency.up_to(most.saturating_sub(least))
    }

    /// The time that a message takes now.
    fn rough_travel(&mut self) -> Duration {
        let plain = self.travel();
        if self.rough.delay > 0 && self.faults.chance_ppm(self.rough.delay) {
            self.injected.count(FaultKind::Delay);
            plain + self.faults.up_to(LATE)
        } else {
            plain
        }
    }

    /// How the way between this host and the store is closed, if it is.
    fn closed(&self, host: HostId) -> Option<Closed> {
        let slot = self.host(host).slot;
        self.slots[usize::from(slot.0)].closed.map(|(closed, ..)| closed)
    }

    pub(super) fn is_closed_up(&self, host: HostId) -> bool {
        self.closed(host).is_some_and(Closed::up)
    }

    fn is_closed_down(&self, host: HostId) -> bool {
        self.closed(host).is_some_and(Closed::down)
    }

    /// The node opens a connection.
    pub(super) fn connect(&mut self, host: HostId, id: EffectId, link: Link) {
        if self.closed(host).is_some() {
            return; // Nothing answers; the machine gives up by its own timer.
        }
        let at = self.now + self.rough_travel();
        self.queue.push(at, What::ConnectAtStore(host, id, link));
    }

    /// The store accepts it, or its port is closed.
    pub(super) fn connect_at_store(&mut self, host: HostId, id: EffectId, link: Link) {
        let travel = self.rough_travel();
        let is_loading =
            self.refusing.is_some_and(|(what, until)| what == Refusal::Loading && self.now < until);
        if !self.store_up || (is_loading && self.faults.below(2) == 0) {
            let error = if self.store_up {
                TransportError::not_applied(ErrorKind::Loading, "")
            } else {
                disconnected(false)
            };
            let done = Done::Connected(Err(error));
            let input = Input::Done { id, done };
            self.queue.push(self.now + travel, What::Input(host, Box::new(input)));
            return;
        }
        let connected = self.open_session();
        let conn = self.conns.len() as u32;
        self.conns.push(Conn {
            host,
            link,
            session: connected.session,
            opened_at: self.now,
            node_open: false,
            store_open: true,
            up_free: Moment::ZERO,
            down_free: self.now + travel,
            outstanding: vec![id],
            held_up: Vec::new(),
            held_down: Vec::new(),
            watch: None,
            reader: None,
            aborted: None,
            partial: Vec::new(),
        });
        self.sessions.insert(connected.session, conn);
        self.tell(|world| Happening::Opened {
            who: world.who(host),
            session: connected.session,
            id,
            link,
        });
        if self.host(host).machine.is_none() {
            self.queue.push(self.now + travel, What::SessionEnd(conn));
            return;
        }
        self.host_mut(host).conns.push(conn);
        let done = Box::new(Done::Connected(Ok(connected)));
        self.send_down_at(conn, id, done, travel);
    }

    /// The node sends a request on a session.
    pub(super) fn request(
        &mut self,
        host: HostId,
        session: SessionId,
        effect: EffectId,
        message: Message,
    ) {
        let open = self.host(host).sessions.get(&session).copied();
        let Some(conn) = open.filter(|conn| self.conns[*conn as usize].node_open) else {
            self.answer_soon(host, effect, failed(&message, false));
            return;
        };
        self.conn(conn).outstanding.push(effect);
        self.suffer(conn, message);
    }

    /// Sends a request that may be lost, cut, split or doubled.
    fn suffer(&mut self, conn: u32, mut message: Message) {
        let rough = self.rough;
        if rough.request_lost > 0 && self.faults.chance_ppm(rough.request_lost) {
            self.injected.count(FaultKind::RequestLost);
            let at = self.now + self.travel();
            self.queue.push(at, What::Reset(conn));
            return;
        }
        let lost = rough.answer_lost > 0 && self.faults.chance_ppm(rough.answer_lost);
        if lost {
            self.injected.count(FaultKind::AnswerLost);
            match &mut message {
                Message::Execute { ops, cut, .. } => {
                    *cut = Some(1 + self.faults.below(ops.len() as u64) as usize);
                }
                Message::Watch { cut, .. } => *cut = true,
                Message::Fin => {}
            }
        }
        let doubled = rough.duplicate > 0 && self.faults.chance_ppm(rough.duplicate);
        let copy = match &message {
            Message::Execute { ops, .. } if doubled && !lost => {
                self.injected.count(FaultKind::Duplicate);
                Some(Message::Execute { effect: None, ops: ops.clone(), last: true, cut: None })
            }
            _ => None,
        };
        self.send_in_parts(conn, message, lost);
        if let Some(copy) = copy {
            self.send_up(conn, copy);
        }
    }

    /// Sends a batch at once or in two parts, between which other connections get their turn.
    fn send_in_parts(&mut self, conn: u32, message: Message, whole: bool) {
        match message {
            Message::Execute { effect, mut ops, .. }
                if !whole && ops.len() > 1 && self.latency.below(4) == 0 =>
            {
                let rest = ops.split_off(1 + self.latency.below(ops.len() as u64 - 1) as usize);
                for (ops, last) in [(ops, false), (rest, true)] {
                    let cut = None;
                    self.send_up(conn, Message::Execute { effect, ops, last, cut });
                }
            }
            message => self.send_up(conn, message),
        }
    }

    /// Puts a message on the way to the store, behind those before it.
    pub(super) fn send_up(&mut self, conn: u32, message: Message) {
        if self.is_closed_up(self.conns[conn as usize].host) {
            self.conn(conn).held_up.push(message);
            return;
        }
        let slow = self.slow.filter(|(_, until)| self.now < *until);
        let arrives = self.now + self.rough_travel() + slow.map_or(Duration::ZERO, |(by, _)| by);
        let conn_state = self.conn(conn);
        let at = arrives.max(conn_state.up_free + Duration::from_micros(1));
        conn_state.up_free = at;
        self.queue.push(at, What::Arrive(conn, Box::new(message)));
    }

    /// Puts an answer on the way to the node, behind those before it.
    pub(super) fn send_down(&mut self, conn: u32, effect: EffectId, done: Done) {
        let travel = self.rough_travel();
        self.send_down_at(conn, effect, Box::new(done), travel);
    }

    fn send_down_at(&mut self, conn: u32, effect: EffectId, done: Box<Done>, travel: Duration) {
        if self.is_closed_down(self.conns[conn as usize].host) {
            self.conn(conn).held_down.push((effect, done));
            return;
        }
        let arrives = self.now + travel;
        let state = self.conn(conn);
        let at = arrives.max(state.down_free + Duration::from_micros(1));
        state.down_free = at;
        self.queue.push(at, What::Answer(conn, effect, done));
    }

    pub(super) fn answer_arrives(&mut self, conn: u32, effect: EffectId, done: Box<Done>) {
        let host = self.conn(conn).host;
        let Some(What::Answer(_, _, done)) =
            self.unless_paused(host, What::Answer(conn, effect, done))
        else {
            return;
        };
        if self.host(host).machine.is_none() {
            return;
        }
        if let Done::Connected(Ok(connected)) = &*done {
            let session = connected.session;
            self.conn(conn).node_open = true;
            self.host_mut(host).sessions.insert(session, conn);
        }
        let outstanding = &mut self.conn(conn).outstanding;
        let Some(place) = outstanding.iter().position(|id| *id == effect) else {
            return;
        };
        outstanding.swap_remove(place);
        self.deliver(host, Input::Done { id: effect, done: *done });
    }

    /// The node closes a session: what is under way fails, what is sent still arrives.
    pub(super) fn close(&mut self, host: HostId, session: SessionId) {
        if let Some(conn) = self.host_mut(host).sessions.remove(&session) {
            self.fail_outstanding(conn);
            self.send_up(conn, Message::Fin);
        }
    }

    /// The node's side learns that the connection is dead.
    pub(super) fn break_at_node(&mut self, conn: u32) {
        let host = self.conn(conn).host;
        if self.unless_paused(host, What::Broken(conn)).is_none()
            || self.is_closed_down(host)
            || !self.conns[conn as usize].node_open
        {
            return;
        }
        self.note(|world| {
            let conn = &world.conns[conn as usize];
            format!("{} x {} is dead", world.host(host).name, conn.link)
        });
        self.fail_outstanding(conn);
    }

    fn fail_outstanding(&mut self, conn: u32) {
        let state = self.conn(conn);
        state.node_open = false;
        state.held_down.clear();
        let host = state.host;
        for id in std::mem::take(&mut state.outstanding) {
            // The machine knows what it asked for; the world need not: a batch and a watch fail alike.
            let done = self.failure_of(conn, id);
            self.answer_soon(host, id, done);
        }
    }

    /// A connection dies on both sides: the store's at once, the node's when it hears of it.
    pub(super) fn reset(&mut self, conn: u32) {
        self.end_session(conn);
        let at = self.now + self.travel();
        self.queue.push(at, What::Broken(conn));
    }

    /// A partition begins.
    pub(super) fn close_way(&mut self, slot: SlotId, closed: Closed, lasts: Duration) {
        let place = &mut self.slots[usize::from(slot.0)];
        if place.closed.is_some() {
            return;
        }
        place.partitions += 1;
        let number = place.partitions;
        place.closed = Some((closed, number, self.now));
        let host = place.host;
        self.disturbed(host, FaultKind::Partition, self.now + lasts);
        self.note(|world| {
            let name = &world.slots[usize::from(slot.0)].name;
            format!("{name} is cut off ({closed:?}) for {lasts:?}")
        });
        self.queue.push(self.now + lasts, What::Reopen(slot, number));
    }

    /// A partition ends: what was held flows on, or the connection turns out dead.
    pub(super) fn reopen(&mut self, slot: SlotId, number: u32) {
        let place = &mut self.slots[usize::from(slot.0)];
        let Some((_, _, since)) = place.closed.filter(|(_, present, _)| *present == number) else {
            return;
        };
        place.closed = None;
        self.note(|world| {
            let name = &world.slots[usize::from(slot.0)].name;
            format!("{name} is no longer cut off")
        });
        let over = self.now.since(since) > RETRANSMISSION;
        for conn in 0..self.conns.len() as u32 {
            let state = &self.conns[conn as usize];
            if self.host(state.host).slot != slot || !(state.store_open || state.node_open) {
                continue;
            }
            let stalled = !(state.held_up.is_empty() && state.held_down.is_empty());
            let dies = stalled && (over || self.faults.below(2) == 0);
            let state = self.conn(conn);
            let (up, down) =
                (std::mem::take(&mut state.held_up), std::mem::take(&mut state.held_down));
            if dies || !state.store_open {
                self.reset(conn);
                continue;
            }
            for message in up {
                self.send_up(conn, message);
            }
            for (effect, done) in down {
                self.send_down(conn, effect, *done);
            }
        }
    }
}

/// The failure of a request, in the words of its kind.
pub(super) fn failed(message: &Message, applied: bool) -> Done {
    match message {
        Message::Watch { .. } => Done::Watched(Err(disconnected(applied))),
        Message::Execute { .. } | Message::Fin => Done::Executed(Err(disconnected(applied))),
    }
}

impl<M: Subject, S: SimStore> World<M, S> {
    /// The failure of a request under way, by what its connection is for: commands share one, and each
    /// blocking read has its own.
    fn failure_of(&self, conn: u32, _effect: EffectId) -> Done {
        let conn = &self.conns[conn as usize];
        if conn.link == Link::Command {
            Done::Executed(Err(disconnected(true)))
        } else {
            Done::Watched(Err(disconnected(true)))
        }
    }
}
