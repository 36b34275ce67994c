//! Connections of the exhaustive world: ordered within themselves, in any order among each other.

use std::cell::Cell;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use steadfast_core::machine::{Done, EffectId};
use steadfast_core::op::{Lane, Op, OpResult};
use steadfast_core::transport::{Interest, Link};

use crate::explore::print::Print;
use crate::moment::Moment;

/// Something shared, with its print.
#[derive(Debug)]
pub(super) struct Printed<T: ?Sized> {
    pub(super) it: Arc<T>,
    pub(super) print: Print,
}

impl<T: ?Sized> Clone for Printed<T> {
    fn clone(&self) -> Self {
        Self { it: self.it.clone(), print: self.print }
    }
}

impl<T: Hash + ?Sized> Printed<T> {
    pub(super) fn new(it: impl Into<Arc<T>>) -> Self {
        let it = it.into();
        let print = Print::of(|hasher| it.hash(hasher));
        Self { it, print }
    }
}

/// On its way to the store.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// A batch; the store answers each operation in a step of its own.
    Execute {
        /// Whose answer it is; a second copy has none.
        effect: Option<EffectId>,
        lane: Lane,
        ops: Printed<[Op]>,
        /// The answers to the operations that were applied.
        results: Vec<OpResult>,
    },
    /// A blocking read.
    Watch { effect: EffectId, interest: Printed<Interest>, until: Moment },
    /// The node closed the connection.
    Fin,
}

/// On its way to the node.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// An effect's end.
    Done(EffectId, Printed<Done>),
    /// The connection is dead: whatever is under way on it fails.
    Broken,
}

/// What kind of answer the node awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Awaited {
    Batch(Lane),
    Watch,
}

/// A connection, from both sides.
#[derive(Clone, Debug)]
pub(super) struct Conn {
    pub(super) node: u8,
    pub(super) link: Link,
    pub(super) opened_at: Moment,
    pub(super) up: VecDeque<Request>,
    pub(super) down: VecDeque<Answer>,
    /// The blocking read at the store, and when its time is over.
    pub(super) watch: Option<(EffectId, Moment)>,
    /// A wish to end this blocking read is on its way.
    pub(super) aborting: Option<EffectId>,
    /// That wish came before the read itself.
    pub(super) aborted: Option<EffectId>,
    /// What the node has no answer to yet.
    pub(super) outstanding: Vec<(EffectId, Awaited)>,
    /// The store's side lives.
    pub(super) store_open: bool,
    /// The node may use it.
    pub(super) node_open: bool,
    /// Of all but what depends on time, until something changes.
    print: Cell<Option<Print>>,
}

impl Conn {
    pub(super) fn new(node: u8, link: Link, opened_at: Moment) -> Self {
        Self {
            node,
            link,
            opened_at,
            up: VecDeque::new(),
            down: VecDeque::new(),
            watch: None,
            aborting: None,
            aborted: None,
            outstanding: Vec::new(),
            store_open: true,
            node_open: true,
            print: Cell::new(None),
        }
    }

    /// Something travels on it, in one direction or the other.
    pub(super) fn is_busy(&self) -> bool {
        self.store_open && !(self.up.is_empty() && self.down.is_empty())
    }

    /// Neither side has any use for it.
    pub(super) fn is_over(&self) -> bool {
        !self.node_open && !self.store_open
    }

    /// What a batch would need to be applied a second time: the one that arrives next, whole.
    pub(super) fn next_batch(&self) -> Option<&Printed<[Op]>> {
        match self.up.front()? {
            Request::Execute { effect: Some(_), ops, results, .. } if results.is_empty() => {
                Some(ops)
            }
            _ => None,
        }
    }

    /// It is about to change.
    pub(super) fn touch(&mut self) -> &mut Self {
        self.print.set(None);
        self
    }

    /// Feeds all of it, times relative to `now`.
    pub(super) fn feed(&self, now: Moment, into: &mut impl Hasher) {
        let remaining = self.watch.map(|(_, until)| until.since(now));
        let print = self.print.get().unwrap_or_else(|| {
            let print = Print::of(|hasher| self.feed_lasting(hasher));
            self.print.set(Some(print));
            print
        });
        (now.since(self.opened_at), remaining, print).hash(into);
    }

    /// Feeds all of it but times and the effects' ids: a lane has one batch in flight and a connection
    /// one blocking read, so that the ids name nothing that is not told anyhow.
    fn feed_lasting(&self, into: &mut impl Hasher) {
        (self.node, self.link, self.store_open, self.node_open).hash(into);
        (self.aborting.is_some(), self.aborted.is_some()).hash(into);
        for request in &self.up {
            match request {
                Request::Execute { effect, lane, ops, results } => {
                    (0u8, effect.is_some(), lane, ops.print, results).hash(into);
                }
                Request::Watch { interest, .. } => (1u8, interest.print).hash(into),
                Request::Fin => 2u8.hash(into),
            }
        }
        for answer in &self.down {
            match answer {
                Answer::Done(effect, done) => {
                    let awaited = self.outstanding.iter().find(|(id, _)| id == effect);
                    (3u8, awaited.map(|(_, awaited)| awaited), done.print).hash(into);
                }
                Answer::Broken => 4u8.hash(into),
            }
        }
        for (_, awaited) in &self.outstanding {
            awaited.hash(into);
        }
    }
}
