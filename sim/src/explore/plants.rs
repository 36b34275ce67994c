//! Planted mistakes: machines and stores with one each, which exploring must find on a shortest path.

use std::fmt;
use std::hash::Hasher;
use std::marker::PhantomData;

use steadfast_core::call::{Outcome, Record};
use steadfast_core::command::Command;
use steadfast_core::config::Config;
use steadfast_core::machine::{Input, Machine, Output, StoreMachine};
use steadfast_core::name::{FunctionId, NodeId, SessionId};
use steadfast_core::node::Node;
use steadfast_core::op::{Destination, Op, OpResult, Reply, Settlement, Verdict};
use steadfast_core::pending::Pending;
use steadfast_core::time::{StoreTime, Time};
use steadfast_core::transport::{Connected, Interest, TransportError, Wake};
use steadfast_transport_mem::MemStore;

use super::subject::ExploredStore;
use crate::subject::{SimStore, Subject};

/// One mistake in how a store applies operations.
pub trait Mistake: Clone + fmt::Debug {
    /// Applies an operation, wrongly where the mistake lies.
    fn apply(store: &mut MemStore, now: StoreTime, session: SessionId, op: &Op) -> OpResult;
}

/// A decision overwrites the one before it.
#[derive(Clone, Debug)]
pub struct LastDecisionWins;

impl Mistake for LastDecisionWins {
    fn apply(store: &mut MemStore, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        let result = store.apply(now, session, op);
        match (op, &result) {
            (
                Op::Decide { call, verdict: Verdict::Complete { result, .. }, attempts, .. },
                Ok(Reply::Settled(Settlement::Overruled(_))),
            ) => {
                let (call, outcome) = (call.clone(), Outcome::Success(result.clone()));
                let record = Record { call, outcome, attempts: *attempts, decided_at: now };
                store.older_peer_answer(now, record);
                Ok(Reply::Settled(Settlement::Done))
            }
            _ => result,
        }
    }
}

/// A release acknowledges the entry, and does not append it again.
#[derive(Clone, Debug)]
pub struct ReleaseAcknowledges;

impl Mistake for ReleaseAcknowledges {
    fn apply(store: &mut MemStore, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        match op {
            Op::Move { function, lease, to: Destination::Release, .. }
                if store.older_peer_acknowledge(now, function, lease.entry) =>
            {
                Ok(Reply::Settled(Settlement::Done))
            }
            _ => store.apply(now, session, op),
        }
    }
}

/// A submission looks for the open call, and not for the kept outcome.
#[derive(Clone, Debug)]
pub struct SubmitForgetsOutcomes;

impl Mistake for SubmitForgetsOutcomes {
    fn apply(store: &mut MemStore, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        if let Op::Submit(submission) = op {
            store.older_peer_take_result(now, &submission.call);
        }
        store.apply(now, session, op)
    }
}

/// A consumer that is found dead is kept, whatever was observed.
#[derive(Clone, Debug)]
pub struct TheDeadAreKept;

impl Mistake for TheDeadAreKept {
    fn apply(store: &mut MemStore, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        match op {
            Op::Remove { .. } => Ok(Reply::Kept),
            _ => store.apply(now, session, op),
        }
    }
}

/// The name of a consumer that leaves is deleted with all that is pending at it.
#[derive(Clone, Debug)]
pub struct NameGoesWithPending;

impl Mistake for NameGoesWithPending {
    fn apply(store: &mut MemStore, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        if let Op::Deregister { function, consumer, .. } | Op::Remove { function, consumer, .. } =
            op
        {
            store.delete_name(now, function, consumer);
        }
        store.apply(now, session, op)
    }
}

/// The reference store with one mistake.
#[derive(Clone, Debug)]
pub struct Mistaken<P> {
    store: MemStore,
    mistake: PhantomData<P>,
}

impl<P: Mistake> StoreMachine for Mistaken<P> {
    fn connect(&mut self, now: StoreTime) -> Connected {
        self.store.connect(now)
    }

    fn disconnect(&mut self, now: StoreTime, session: SessionId) {
        self.store.disconnect(now, session);
    }

    fn apply(&mut self, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        P::apply(&mut self.store, now, session, op)
    }

    fn watch(
        &mut self,
        now: StoreTime,
        session: SessionId,
        interest: &Interest,
    ) -> Option<Result<Wake, TransportError>> {
        self.store.watch(now, session, interest)
    }

    fn unwatch(&mut self, session: SessionId) {
        self.store.unwatch(session);
    }

    fn poll_wake(&mut self) -> Option<(SessionId, Result<Wake, TransportError>)> {
        self.store.poll_wake()
    }
}

impl<P: Mistake> SimStore for Mistaken<P> {
    fn empty(seed: u64) -> Self {
        Self { store: MemStore::empty(seed), mistake: PhantomData }
    }

    fn restart(&mut self, now: StoreTime) {
        self.store.restart(now);
    }

    fn leftovers(&self, now: StoreTime) -> Vec<String> {
        SimStore::leftovers(&self.store, now)
    }
}

impl<P: Mistake> ExploredStore for Mistaken<P> {
    fn fingerprint(&self, now: StoreTime, into: &mut dyn Hasher) {
        self.store.fingerprint(now, into);
    }

    fn flaws(&self) -> Vec<String> {
        self.store.audit()
    }
}

/// A node that obeys a stop without a look at whom it names: whoever serves the function stops.
#[derive(Clone, Debug)]
pub struct StopsWhoeverServes {
    node: Node,
    serves: Option<FunctionId>,
}

impl Subject for StopsWhoeverServes {
    fn start(id: NodeId, config: Config, seed: u64) -> Self {
        Self { node: Node::new(id, config, seed), serves: None }
    }
}

impl Machine for StopsWhoeverServes {
    fn handle(&mut self, now: Time, input: Input) {
        let input = match (input, &self.serves) {
            (Input::Command(Command::Serve { definition, options }), _) => {
                self.serves = Some(definition.function.clone());
                Input::Command(Command::Serve { definition, options })
            }
            (Input::Command(Command::Stop { drain, .. }), Some(function)) => {
                Input::Command(Command::Retire { function: function.clone(), drain })
            }
            (input, _) => input,
        };
        self.node.handle(now, input);
    }

    fn poll(&mut self) -> Output {
        self.node.poll()
    }

    fn pending(&self) -> Vec<Pending> {
        self.node.pending()
    }

    fn fingerprint(&self, now: Time, into: &mut dyn Hasher) {
        self.node.fingerprint(now, into);
    }
}
