//! Stores whose registry goes wrong: heartbeats, removals, names and epochs.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::call::Lease;
use steadfast_core::name::{ConsumerId, Epoch, FunctionId, SessionId};
use steadfast_core::op::{Authority, Op, OpResult, PulseAnswer, Reply, Verdict};

use super::flawed::{At, Flaw};

/// A heartbeat writes the consumer's state, whether or not it was removed.
#[derive(Clone, Debug, Default)]
pub struct BeatResurrects;

impl Flaw for BeatResurrects {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let mut result = at.apply(op);
        if let (Op::Beat { pulses, .. }, Ok(Reply::Beaten(answers))) = (op, &mut result) {
            for (pulse, answer) in pulses.iter().zip(answers) {
                if *answer == PulseAnswer::Removed {
                    let pending = at.store.pending_entries(&pulse.function).into_iter();
                    let pending = pending.filter(|it| it.owner == pulse.consumer);
                    *answer = PulseAnswer::Alive { pending: pending.map(|it| it.entry).collect() };
                }
            }
        }
        result
    }
}

/// Whoever was found dead a while ago is removed now, without another look.
#[derive(Clone, Debug, Default)]
pub struct ChecksThenActs;

impl Flaw for ChecksThenActs {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        if let Op::Remove { function, consumer, .. } = op {
            let present = at.store.consumers(at.now, function);
            if let Some(record) = present.into_iter().find(|record| record.consumer == *consumer) {
                return at.apply(&Op::Remove {
                    function: function.clone(),
                    consumer: record.consumer,
                    epoch: record.epoch,
                    heartbeat: record.heartbeat,
                    sessions: record.sessions,
                });
            }
        }
        at.apply(op)
    }
}

/// A consumer signs off from the registry, and its name stays in the group: nobody removes such names.
#[derive(Clone, Debug, Default)]
pub struct NamesLeft {
    gone: BTreeSet<(FunctionId, ConsumerId)>,
}

impl Flaw for NamesLeft {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let result = at.apply(op);
        match op {
            Op::Deregister { function, consumer, .. } => {
                self.gone.insert((function.clone(), consumer.clone()));
            }
            Op::Sweep { .. } => {}
            _ => return result,
        }
        for (function, consumer) in self.gone.iter().cloned() {
            // A read that takes nothing leaves the name as it was.
            let _ = at.apply(&Op::Fetch { function, consumer, count: 0 });
        }
        result
    }
}

/// XGROUP DELCONSUMER for a consumer that is removed, and what is pending at it goes with the name.
#[derive(Clone, Debug, Default)]
pub struct DropsPending;

impl Flaw for DropsPending {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        if let Op::Remove { function, consumer, .. } | Op::Deregister { function, consumer, .. } =
            op
        {
            at.store.delete_name(at.now, function, consumer);
        }
        at.apply(op)
    }
}

/// Who takes over from the dead holds a lock without a time to live; whoever dies with it keeps it.
#[derive(Clone, Debug, Default)]
pub struct LockWithoutTtl {
    holder: Option<SessionId>,
}

impl Flaw for LockWithoutTtl {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        match op {
            Op::Remove { .. } if self.holder.is_some_and(|holder| holder != at.session) => {
                Ok(Reply::Kept)
            }
            Op::Remove { .. } => {
                self.holder = Some(at.session);
                at.apply(op)
            }
            // The pass is over with the next look around.
            Op::Survey { .. } if self.holder == Some(at.session) => {
                self.holder = None;
                at.apply(op)
            }
            op => at.apply(op),
        }
    }
}

/// Epochs are counted from one in each life of the server.
#[derive(Clone, Debug, Default)]
pub struct FenceResets {
    next: BTreeMap<FunctionId, u64>,
    /// What each consumer was told, and the epoch that the reference knows it by.
    told: BTreeMap<ConsumerId, (Epoch, Epoch)>,
}

impl FenceResets {
    fn real(&self, consumer: &ConsumerId, told: Epoch) -> Epoch {
        match self.told.get(consumer) {
            Some((known, real)) if *known == told => *real,
            _ => told,
        }
    }

    fn real_lease(&self, lease: &Lease) -> Lease {
        Lease { epoch: self.real(&lease.consumer, lease.epoch), ..lease.clone() }
    }

    fn real_authority(&self, by: &Authority) -> Authority {
        match by {
            Authority::Lease(lease) => Authority::Lease(self.real_lease(lease)),
            Authority::Token(nonce) => Authority::Token(nonce.clone()),
        }
    }

    fn real_op(&self, op: &Op) -> Op {
        let mut op = op.clone();
        match &mut op {
            Op::Begin { lease, .. } | Op::Move { lease, .. } | Op::Reject { lease, .. } => {
                *lease = self.real_lease(lease);
            }
            Op::Decide { verdict, .. } => match verdict {
                Verdict::Fail { by, .. } | Verdict::DeadLetter { by, .. } => {
                    *by = self.real_authority(by);
                }
                Verdict::Complete { .. } | Verdict::Cancel | Verdict::Expire => {}
            },
            Op::Beat { pulses, .. } => {
                for pulse in pulses {
                    pulse.epoch = self.real(&pulse.consumer, pulse.epoch);
                }
            }
            Op::Deregister { consumer, epoch, .. } => *epoch = self.real(consumer, *epoch),
            _ => {}
        }
        op
    }
}

impl Flaw for FenceResets {
    fn apply(&mut self, at: &mut At<'_>, op: &Op) -> OpResult {
        let result = at.apply(&self.real_op(op));
        if let (Op::Register { definition, consumer, .. }, Ok(Reply::Registered { epoch })) =
            (op, &result)
        {
            let told = match self.told.get(consumer) {
                Some((told, real)) if real == epoch => *told,
                _ => {
                    let next = self.next.entry(definition.function.clone()).or_default();
                    *next += 1;
                    Epoch(*next)
                }
            };
            self.told.insert(consumer.clone(), (told, *epoch));
            return Ok(Reply::Registered { epoch: told });
        }
        result
    }

    fn restarted(&mut self) {
        self.next.clear();
    }
}

/// Functions of which a consumer was ever registered.
#[derive(Clone, Debug, Default)]
pub(super) struct EverServed(BTreeSet<FunctionId>);

impl EverServed {
    /// Answers whether this registration is the function's first.
    pub(super) fn is_first(&mut self, op: &Op) -> Option<FunctionId> {
        let Op::Register { definition, .. } = op else {
            return None;
        };
        self.0.insert(definition.function.clone()).then(|| definition.function.clone())
    }
}
