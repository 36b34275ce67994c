//! Blocked sessions: who waits for what, in the order in which they blocked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use steadfast_core::call::CallerId;
use steadfast_core::name::{FunctionId, SessionId};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{ErrorKind, Interest, TransportError, Wake};

use super::State;
use super::work::delivered;

/// How a watch is answered.
pub(super) type Woken = Result<Wake, TransportError>;

/// A key that changed, so that sessions blocked on it are to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ready {
    /// A function's stream or group.
    Calls(FunctionId),
    /// A caller's reply stream.
    Replies(CallerId),
}

/// One blocked session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) session: SessionId,
    pub(super) interest: Interest,
}

/// All blocked sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Watches {
    next: u64,
    blocked: BTreeMap<u64, Watch>,
    by_session: BTreeMap<SessionId, u64>,
    by_key: BTreeMap<Ready, BTreeSet<u64>>,
}

/// What an interest waits for.
fn keys(interest: &Interest) -> Vec<Ready> {
    match interest {
        Interest::Deliveries { function, .. } => vec![Ready::Calls(function.clone())],
        Interest::Arrivals { after } => {
            after.iter().map(|(function, _)| Ready::Calls(function.clone())).collect()
        }
        Interest::Replies { caller, .. } => vec![Ready::Replies(caller.clone())],
    }
}

impl Watches {
    pub(super) fn is_blocked(&self, session: SessionId) -> bool {
        self.by_session.contains_key(&session)
    }

    /// The blocked sessions, first blocked first.
    pub(super) fn blocked(&self) -> impl Iterator<Item = &Watch> {
        self.blocked.values()
    }

    fn block(&mut self, session: SessionId, interest: &Interest) {
        let order = self.next;
        self.next += 1;
        for key in keys(interest) {
            self.by_key.entry(key).or_default().insert(order);
        }
        self.by_session.insert(session, order);
        self.blocked.insert(order, Watch { session, interest: interest.clone() });
    }

    /// Ends a session's watch; answers whether it had one.
    pub(super) fn unblock(&mut self, session: SessionId) -> bool {
        let Some(watch) =
            self.by_session.remove(&session).map(|order| (order, self.blocked.remove(&order)))
        else {
            return false;
        };
        if let (order, Some(watch)) = watch {
            for key in keys(&watch.interest) {
                if let Some(orders) = self.by_key.get_mut(&key) {
                    orders.remove(&order);
                    if orders.is_empty() {
                        self.by_key.remove(&key);
                    }
                }
            }
        }
        true
    }

    pub(super) fn clear(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }
}

impl State {
    /// Starts a watch: answers at once where something is there, and blocks the session otherwise.
    pub(super) fn watch(
        &mut self,
        now: StoreTime,
        session: SessionId,
        interest: &Interest,
    ) -> Option<Woken> {
        if let Some(error) = self.unknown(session) {
            return Some(Err(error));
        }
        if self.watches.is_blocked(session) {
            return Some(Err(TransportError::not_applied(
                ErrorKind::Busy,
                format!("{session} waits already; it can watch one thing at a time"),
            )));
        }
        let answer = self.look(now, interest, None);
        if answer.is_none() {
            self.watches.block(session, interest);
        }
        answer
    }

    /// What there is for this interest. A blocked session is answered for the key that changed alone.
    fn look(
        &mut self,
        now: StoreTime,
        interest: &Interest,
        changed: Option<&Ready>,
    ) -> Option<Woken> {
        match interest {
            Interest::Deliveries { function, consumer, count } => {
                let stream = self
                    .functions
                    .get_mut(function)
                    .and_then(|it| it.stream.as_mut())
                    .filter(|stream| stream.group().is_some());
                let Some(stream) = stream else {
                    return Some(Err(no_group("read", function)));
                };
                if changed.is_some() && !stream.has_undelivered() {
                    return None;
                }
                let ids = stream.deliver(now, consumer, *count as usize);
                let deliveries: Vec<_> =
                    ids.into_iter().filter_map(|id| delivered(now, stream, id)).collect();
                (!deliveries.is_empty()).then_some(Ok(Wake::Deliveries(deliveries)))
            }
            Interest::Arrivals { after } => {
                let arrived: Vec<FunctionId> = after
                    .iter()
                    .filter(|(function, _)| {
                        changed.is_none_or(
                            |key| matches!(key, Ready::Calls(changed) if changed == function),
                        )
                    })
                    .filter(|(function, after)| {
                        self.functions
                            .get(function)
                            .and_then(|it| it.stream.as_ref())
                            .is_some_and(|stream| stream.has_after(*after))
                    })
                    .map(|(function, _)| function.clone())
                    .collect();
                (!arrived.is_empty()).then_some(Ok(Wake::Arrivals(arrived)))
            }
            Interest::Replies { caller, after } => self.replies.read(now, caller, *after).map(Ok),
        }
    }

    /// Answers the sessions that are blocked on what changed: key by key in the order of the changes,
    /// the sessions of a key in the order in which they blocked.
    pub(super) fn serve(
        &mut self,
        now: StoreTime,
        ready: Vec<Ready>,
        wakes: &mut VecDeque<(SessionId, Woken)>,
    ) {
        for key in ready {
            let Some(orders) = self.watches.by_key.get(&key).cloned() else {
                continue;
            };
            for order in orders {
                let Some(watch) = self.watches.blocked.get(&order).cloned() else {
                    continue;
                };
                if let Some(answer) = self.look(now, &watch.interest, Some(&key)) {
                    self.watches.unblock(watch.session);
                    wakes.push_back((watch.session, answer));
                }
            }
        }
    }
}

/// Stream or group are missing.
pub(super) fn no_group(attempted: &str, function: &FunctionId) -> TransportError {
    TransportError::not_applied(
        ErrorKind::NoGroup,
        format!(
            "{attempted} of {function}: its stream or group is missing; ensure or register first"
        ),
    )
}
