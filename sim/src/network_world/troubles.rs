//! Troubles as turmoil makes them.

use std::collections::VecDeque;
use std::time::Duration;

use steadfast_transport_mem::MemStore;
use turmoil::Sim;

use super::connector::STORE;
use super::process::{Order, Yard};
use super::script::{Trouble, TroubleKind};
use super::store::Death;
use crate::faults::{FaultKind, SlotId};
use crate::history::Fact;
use crate::moment::Moment;
use crate::resp::Front;

/// A connection that a partition cut is found dead, and another one opened, within this.
const AFTER_CUT: Duration = Duration::from_secs(12);
/// What a closed connection, a restart or a long wait takes to be over.
const AFTER_CLOSE: Duration = Duration::from_secs(5);
/// The longest that a message takes on an uneven link.
const JITTER: Duration = Duration::from_millis(400);

/// One thing to do at a moment.
#[derive(Clone, Debug)]
enum Act {
    Begin(Trouble),
    End(Trouble),
    Save(SlotId, usize),
}

/// The troubles of a world, in order of time.
#[derive(Debug)]
pub(super) struct Troubles {
    acts: VecDeque<(Moment, Act)>,
    latency: Duration,
    store: Death,
    front: Front<MemStore>,
}

impl Troubles {
    pub(super) fn new(
        troubles: &[Trouble],
        latency: Duration,
        store: Death,
        front: Front<MemStore>,
    ) -> Self {
        let mut acts = Vec::new();
        for trouble in troubles {
            acts.push((trouble.from, Act::Begin(trouble.clone())));
            if trouble.kind == TroubleKind::Save {
                let (function, times) = trouble.saves;
                for time in 0..times {
                    let at = trouble.from + Duration::from_millis(100) * time;
                    acts.push((at, Act::Save(trouble.slot, function)));
                }
            } else {
                acts.push((trouble.until, Act::End(trouble.clone())));
            }
        }
        // Stable: what was drawn first comes first.
        acts.sort_by_key(|(at, _)| *at);
        Self { acts: acts.into(), latency, store, front }
    }

    /// When the last of them is over.
    pub(super) fn end(&self) -> Moment {
        self.acts.back().map_or(Moment::ZERO, |(at, _)| *at)
    }

    /// Does what is due.
    pub(super) fn play(&mut self, now: Moment, sim: &mut Sim<'_>, yard: &Yard) {
        while self.acts.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, act)) = self.acts.pop_front() else { return };
            match act {
                Act::Begin(trouble) => self.begin(&trouble, sim, yard),
                Act::End(trouble) => self.finish(&trouble, sim, yard),
                Act::Save(slot, function) => yard.order(slot, Order::Save(function)),
            }
        }
    }

    fn begin(&self, trouble: &Trouble, sim: &mut Sim<'_>, yard: &Yard) {
        let node = Yard::name(trouble.slot);
        yard.recorder.event(&trouble.kind.to_string(), || format!("{node}: {trouble}"));
        if let Some((kind, after)) = excuse(trouble.kind) {
            let is_everybodys = trouble.kind == TroubleKind::StoreRestart;
            let host = if is_everybodys { None } else { yard.alive(trouble.slot) };
            yard.recorder.fact(Fact::Disturbed { host, kind, until: trouble.until + after });
        }
        match trouble.kind {
            TroubleKind::WorkerCrash | TroubleKind::CallerCrash => {
                kill(trouble.slot, sim, yard, true);
            }
            TroubleKind::MachineLost => {
                sim.partition(node, STORE);
                kill(trouble.slot, sim, yard, false);
            }
            TroubleKind::StoreRestart => {
                self.store.notify_one();
                step(sim);
                sim.crash(STORE);
            }
            TroubleKind::ToStoreLost => {
                sim.partition_oneway(node, STORE);
            }
            TroubleKind::FromStoreLost => {
                sim.partition_oneway(STORE, node);
            }
            TroubleKind::AllLost => {
                sim.partition(node, STORE);
            }
            TroubleKind::Hold => {
                sim.hold(node, STORE);
            }
            TroubleKind::Jitter => {
                sim.set_link_max_message_latency(node, STORE, JITTER);
            }
            TroubleKind::ScriptFlush => self.front.forget_scripts(),
            TroubleKind::Save => {}
        }
    }

    fn finish(&self, trouble: &Trouble, sim: &mut Sim<'_>, yard: &Yard) {
        let node = Yard::name(trouble.slot);
        yard.recorder.event(&trouble.kind.to_string(), || format!("{node}: {trouble} is over"));
        match trouble.kind {
            TroubleKind::WorkerCrash | TroubleKind::CallerCrash => sim.bounce(node),
            TroubleKind::MachineLost => {
                sim.repair(node.as_str(), STORE);
                sim.bounce(node);
            }
            TroubleKind::StoreRestart => sim.bounce(STORE),
            TroubleKind::ToStoreLost => sim.repair_oneway(node, STORE),
            TroubleKind::FromStoreLost => sim.repair_oneway(STORE, node),
            TroubleKind::AllLost => sim.repair(node, STORE),
            TroubleKind::Hold => sim.release(node, STORE),
            TroubleKind::Jitter => sim.set_link_max_message_latency(node, STORE, self.latency),
            TroubleKind::Save | TroubleKind::ScriptFlush => {}
        }
    }
}

/// What a history calls a trouble that excuses delays, and for how long after its end it does.
const fn excuse(kind: TroubleKind) -> Option<(FaultKind, Duration)> {
    match kind {
        TroubleKind::WorkerCrash | TroubleKind::MachineLost => {
            Some((FaultKind::WorkerCrash, AFTER_CLOSE))
        }
        TroubleKind::CallerCrash => Some((FaultKind::CallerCrash, AFTER_CLOSE)),
        TroubleKind::StoreRestart => Some((FaultKind::StoreRestart, AFTER_CLOSE)),
        TroubleKind::ToStoreLost | TroubleKind::FromStoreLost | TroubleKind::AllLost => {
            Some((FaultKind::Partition, AFTER_CUT))
        }
        TroubleKind::Hold => Some((FaultKind::Delay, AFTER_CUT)),
        TroubleKind::Jitter => Some((FaultKind::Delay, AFTER_CLOSE)),
        TroubleKind::Save | TroubleKind::ScriptFlush => None,
    }
}

/// Ends the process in a slot: first its streams, in one step of the network, then all else. What its
/// destructors do is not told: a killed process has none.
fn kill(slot: SlotId, sim: &mut Sim<'_>, yard: &Yard, sessions_end: bool) {
    if let Some(host) = yard.alive(slot) {
        yard.recorder.fact(Fact::Killed { host, sessions_end });
        yard.kill(slot);
        step(sim);
    }
    sim.crash(Yard::name(slot));
}

/// One step of the network. A process that fails by itself could not even start: nothing of such a
/// world is to be believed.
pub(super) fn step(sim: &mut Sim<'_>) {
    if let Err(error) = sim.step() {
        panic!("a simulated process failed: {error}");
    }
}
