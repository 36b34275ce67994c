//! Where consumers read: those with a slot on a connection of their own, the others by one wait for
//! arrivals that they share, and a fetch when it names them.

use crate::machine::Effect;
use crate::name::{FunctionId, SessionId};
use crate::node::consumer::{Consumer, ConsumerInput, Reading};
use crate::node::desk::{Desk, Flight};
use crate::node::links::Links;
use crate::node::outbox::{Errand, Route};
use crate::node::worker::{ArrivalsWatch, Worker};
use crate::op::Op;
use crate::reachable;
use crate::timer::{ConsumerKey, Timer};
use crate::transport::{Interest, Link, TransportError, Wake};

impl Worker {
    pub(super) fn slot(&self, key: ConsumerKey) -> Option<u16> {
        let slot = self.slots.iter().position(|slot| *slot == Some(key))?;
        u16::try_from(slot).ok()
    }

    fn take_slot(&mut self, desk: &Desk, key: ConsumerKey) -> Option<u16> {
        self.slots.resize(usize::from(desk.config.fetch_links_max), None);
        let free = self.slots.iter().position(Option::is_none)?;
        self.slots[free] = Some(key);
        u16::try_from(free).ok()
    }

    /// A busy consumer without a slot gets that of a quiet one, as soon as the quiet one's read has ended.
    pub(super) fn claim_slot(&mut self, desk: &mut Desk, key: ConsumerKey) {
        if self.promised.values().any(|heir| *heir == key) {
            return;
        }
        let is_quiet = |owner: &ConsumerKey| {
            let consumer = self.consumers.get(owner);
            let quiet_for = consumer.map(|it| desk.now.since(it.delivered_at));
            quiet_for.is_some_and(|quiet_for| quiet_for >= desk.config.fetch_link_idle)
                && !self.promised.contains_key(owner)
        };
        let Some(owner) = self.slots.iter().flatten().copied().find(is_quiet) else {
            return;
        };
        reachable!(desk.probes, "a busy function claimed a quiet one's connection");
        self.promised.insert(owner, key);
        self.dirty.insert(owner);
        if let Some(consumer) = self.consumers.get_mut(&owner) {
            consumer.abort_read(desk);
        }
    }

    /// Hands a promised slot over, if no read is under way on it.
    fn hand_over(&mut self, key: ConsumerKey, slot: u16) -> bool {
        let reads = |it: &Consumer| it.reading != Reading::Idle;
        if self.consumers.get(&key).is_some_and(reads) {
            return false;
        }
        let Some(heir) = self.promised.remove(&key) else {
            return false;
        };
        self.slots[usize::from(slot)] = self.consumers.contains_key(&heir).then_some(heir);
        self.dirty.insert(heir);
        true
    }

    /// Lets one consumer read, if it is to.
    pub(super) fn place(&mut self, desk: &mut Desk, links: &mut Links, key: ConsumerKey) {
        let slot = self.slot(key).filter(|slot| !self.hand_over(key, *slot));
        let Some(consumer) = self.consumers.get_mut(&key) else {
            return;
        };
        let Some(count) = consumer.room() else {
            self.watched.remove(&key);
            if consumer.reading != Reading::Fetching {
                self.arrived.remove(&key);
            }
            return;
        };
        let Some(slot) = slot.or_else(|| self.take_slot(desk, key)) else {
            self.place_shared(desk, links, key, count);
            return;
        };
        self.watched.remove(&key);
        self.arrived.remove(&key);
        let link = Link::Fetch(slot);
        links.want(desk, link);
        let Some(session) = links.session(link) else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(&key) else {
            return;
        };
        let interest = Interest::Deliveries {
            function: consumer.function().clone(),
            consumer: consumer.id.clone(),
            count,
        };
        consumer.reading = Reading::Watching { session, aborted: false };
        watch(desk, links, link, session, interest);
    }

    fn place_shared(&mut self, desk: &mut Desk, links: &mut Links, key: ConsumerKey, count: u32) {
        let Some(consumer) = self.consumers.get_mut(&key) else {
            return;
        };
        links.want(desk, Link::Arrivals);
        if let Some(after) = consumer.watch_after {
            let before = self.watched.insert(key, (consumer.function().clone(), after));
            self.arrivals_stale |= before.is_none_or(|(_, before)| before != after);
            return;
        }
        self.watched.remove(&key);
        consumer.reading = Reading::Fetching;
        let op = Op::Fetch {
            function: consumer.function().clone(),
            consumer: consumer.id.clone(),
            count,
        };
        desk.outbox.push(desk.now, op, Route::Consumer(key, Errand::Fetch));
    }

    pub(super) fn watch_arrivals(&mut self, desk: &mut Desk, links: &mut Links) {
        match &mut self.arrivals {
            Some(watch) => {
                if self.arrivals_stale && !watch.aborted {
                    watch.aborted = true;
                    desk.emit(Effect::Abort(watch.session));
                }
            }
            None if self.watched.is_empty() || !self.arrived.is_empty() => {}
            None => {
                let Some(session) = links.session(Link::Arrivals) else {
                    return;
                };
                let interest =
                    Interest::Arrivals { after: self.watched.values().cloned().collect() };
                self.arrivals = Some(ArrivalsWatch { session, aborted: false });
                self.arrivals_stale = false;
                watch(desk, links, Link::Arrivals, session, interest);
            }
        }
    }

    /// A blocking read ended.
    pub(crate) fn watch_ended(
        &mut self,
        desk: &mut Desk,
        link: Link,
        result: Result<Wake, TransportError>,
    ) {
        match link {
            Link::Arrivals => {
                self.arrivals = None;
                if let Ok(Wake::Arrivals(functions)) = result {
                    self.arrived(&functions);
                }
            }
            Link::Fetch(slot) => {
                let Some(key) = self.slots.get(usize::from(slot)).copied().flatten() else {
                    return;
                };
                let input = match result {
                    Ok(Wake::Deliveries(deliveries)) => ConsumerInput::Delivered(deliveries),
                    Ok(_) => ConsumerInput::ReadEmpty { last: None },
                    Err(error) => ConsumerInput::ReadFailed(error),
                };
                self.tell(desk, key, input);
            }
            Link::Command | Link::Replies => {}
        }
    }

    fn arrived(&mut self, functions: &[FunctionId]) {
        debug_assert!(
            self.watched.iter().all(|(key, (function, _))| self.current.get(function) == Some(key)),
            "who waits for arrivals serves its function now"
        );
        for function in functions {
            let Some(key) = self.current.get(function).filter(|it| self.watched.contains_key(it))
            else {
                continue;
            };
            if let Some(consumer) = self.consumers.get_mut(key) {
                consumer.watch_after = None;
                self.arrived.insert(*key);
                self.dirty.insert(*key);
            }
        }
    }
}

fn watch(desk: &mut Desk, links: &mut Links, link: Link, session: SessionId, interest: Interest) {
    let block = desk.config.block;
    links.count_request(link);
    let id = desk.launch(Effect::Watch { session, interest, block }, Flight::Watch(link));
    desk.timers.arm(Timer::ResponseTimeout(id), desk.now + block + desk.config.watch_margin);
}
