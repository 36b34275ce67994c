//! The plan's steps, done to the world. A further kind of fault gets its arm here.

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast_core::command::Command;
use steadfast_core::config::Config;
use steadfast_core::entropy::Entropy;
use steadfast_core::machine::Input;
use steadfast_core::name::{CallId, FunctionId};
use steadfast_core::op::{Op, Reply};
use steadfast_core::sometimes;

use super::World;
use super::event::What;
use crate::faults::{Fault, FaultKind, Mask, Refusal, SlotId};
use crate::history::{Fact, HostId};
use crate::subject::{SimStore, Subject};
use crate::workload::Intent;

/// After it, a reset or a restart excuses nothing any more by itself.
const AFTERMATH: Duration = Duration::from_secs(12);

/// A host that saves without pause does so this long after its function is active.
const SAVED_AFTER: Duration = Duration::from_micros(20);

/// Makes the queues so small that they are full at times.
pub(super) fn narrow(config: &mut Config, entropy: Entropy) {
    let mut random = entropy.stream("faults/queue-limit");
    config.submit_queue_max = 2 + random.below(6) as usize;
    config.open_calls_max = 3 + random.below(12) as u32;
    config.waits_max = 20 + random.below(60) as usize;
    config.batch_ops_max = 1 + random.below(8) as usize;
    config.sweep_limit = 1 + random.below(4) as u32;
}

/// The calls whose handlers kill their worker: few, as each costs several workers. Drawn by number, so
/// that a call that is left out shifts no other.
pub(super) fn deadly(mask: Mask, entropy: Entropy, intents: &[Intent]) -> BTreeSet<CallId> {
    if !mask.has(FaultKind::PoisonCall) {
        return BTreeSet::new();
    }
    let mut random = entropy.stream("faults/poison-call");
    let drawn: Vec<String> = (0..2).map(|_| format!("c{}", random.below(100))).collect();
    let calls = intents.iter().filter_map(|intent| intent.request.call.clone());
    calls.filter(|call| drawn.iter().any(|name| call.as_str() == name)).collect()
}

impl<M: Subject, S: SimStore> World<M, S> {
    pub(super) fn inject(&mut self, step: u32) {
        if self.healed {
            return;
        }
        let fault = self.plan.steps[step as usize].1.clone();
        self.befall(fault);
    }

    fn befall(&mut self, fault: Fault) {
        match fault {
            Fault::Rough { kind, chance_ppm } => self.roughen(kind, chance_ppm),
            Fault::Kill(slot) => self.kill_connection(slot),
            Fault::Crash { slot, sessions_end, down } => self.crash_slot(slot, sessions_end, down),
            Fault::Pause(slot, lasts) => {
                if let Some(host) = self.live_host(slot) {
                    self.pause(host, lasts);
                }
            }
            Fault::Partition { slot, closed, lasts } => self.close_way(slot, closed, lasts),
            Fault::Restart { down } => {
                if self.store_up {
                    self.disturbed(None, FaultKind::StoreRestart, self.now + down + AFTERMATH);
                    self.restart_store(down);
                }
            }
            Fault::Save(slot) => self.save(slot),
            Fault::Resave(slot, lasts) => {
                self.note(|_| {
                    format!("the functions of {slot:?} are saved again and again for {lasts:?}")
                });
                self.slots[usize::from(slot.0)].resaved_until = self.now + lasts;
                self.save(slot);
            }
            Fault::Stop { slot, back, times } => self.stop(slot, back, times),
            Fault::Lose { kind, lag, down } => self.lose(kind, lag, down),
            Fault::Flush { restarts } => self.flush(restarts),
            Fault::DeleteStream(function) => self.delete_stream(function),
            Fault::DeleteGroup(function) => self.delete_group(function),
            Fault::Refuse(refusal, lasts) => self.refuse(refusal, lasts),
            Fault::Slow { by, lasts } => {
                let until = self.now + lasts;
                self.disturbed(None, FaultKind::SlowStore, until + AFTERMATH);
                self.note(|_| format!("the store is slow by {by:?} for {lasts:?}"));
                self.slow = Some((by, until));
            }
            Fault::StoreClock(by_micros) => self.jump_store_clock(by_micros),
            Fault::NodeClock(slot, by) => self.jump_node_clock(slot, by),
            Fault::Retire { slot, function, back_after } => self.retire(slot, function, back_after),
            Fault::PoisonMessage { function, way } => self.poison(function, way),
            Fault::Abandon { slot, back } => self.abandon(slot, back),
            Fault::Together(faults) => {
                self.injected.count(FaultKind::Cascade);
                for fault in faults {
                    self.befall(fault);
                }
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal, lasts: Duration) {
        if !self.store_up {
            return;
        }
        let until = self.now + lasts;
        let kind = match refusal {
            Refusal::Loading => FaultKind::Loading,
            Refusal::OutOfMemory => FaultKind::OutOfMemory,
            Refusal::ReadOnly => FaultKind::Failover,
        };
        self.disturbed(None, kind, until + AFTERMATH);
        self.note(|_| format!("the store refuses ({refusal:?}) for {lasts:?}"));
        if refusal == Refusal::Loading {
            self.restart_store(Duration::ZERO);
        }
        self.refusing = Some((refusal, until));
    }

    /// Forwards only where the store may also forget: an epoch that is neither kept nor ahead in time
    /// cannot but go back.
    fn jump_store_clock(&mut self, by_micros: i64) {
        let forgets = FaultKind::TAKE_FROM_THE_STORE.iter().any(|kind| self.mask.has(*kind));
        let by_micros = if forgets { by_micros.abs() } else { by_micros };
        if by_micros < 0 {
            self.store_back += Duration::from_micros(by_micros.unsigned_abs());
        }
        self.store_ahead_micros += by_micros;
        let ahead_micros = self.store_ahead_micros;
        let until = self.now + AFTERMATH + self.store_back;
        self.disturbed(None, FaultKind::StoreClock, until);
        self.note(|_| format!("the store's clock jumps by {by_micros} us"));
        self.fact(Fact::StoreClock { ahead_micros });
    }

    fn jump_node_clock(&mut self, slot: SlotId, by: Duration) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        self.disturbed(Some(host), FaultKind::NodeClock, self.now + AFTERMATH);
        self.note(|world| format!("the clock of {} jumps by {by:?}", world.host(host).name));
        self.jump_clock(host, by);
    }

    fn retire(&mut self, slot: SlotId, number: u16, back_after: Duration) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        self.injected.count(FaultKind::Retire);
        let function = self.scenario.functions[usize::from(number)].clone();
        self.fact(Fact::Retired { host, function: function.clone() });
        self.host_mut(host).retired.insert(function.clone());
        let drain = self.scenario.options.drain;
        self.deliver(host, Input::Command(Command::Retire { function, drain }));
        self.queue.push(self.now + back_after, What::Serve(slot, number));
    }

    /// Adds an entry that is no call, as a confused older peer would.
    fn poison(&mut self, function: u16, way: u8) {
        if !self.store_up {
            return;
        }
        let function = self.scenario.functions[usize::from(function)].clone();
        let fields: &[(&str, &str)] = match way {
            0 => &[("functionName", "greet")],
            1 => &[("callId", "poison")],
            2 => &[("callId", "poison"), ("input", "{not json")],
            3 => &[("callId", ""), ("input", "{}")],
            _ => &[("callId", "poison"), ("input", "{}"), ("deadline", "soon")],
        };
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let op = Op::OlderPeerAdd { function: function.clone(), fields };
        let now = self.store_now();
        if let Ok(Reply::Added(entry)) = self.store.apply(now, self.auditor, &op) {
            self.injected.count(FaultKind::PoisonMessage);
            self.note(|_| format!("somebody adds {entry}, which is no call, to {function}"));
            self.past.remember(self.now, || self.store.place());
            self.past.malformed(self.store.place(), function.clone(), entry);
            self.fact(Fact::Malformed { function, entry });
        }
        self.wake_others();
    }

    fn abandon(&mut self, slot: SlotId, back: u32) {
        let Some(host) = self.live_host(slot).filter(|host| self.host(*host).paused.is_none())
        else {
            return;
        };
        let of_host = self.tickets.iter().rev().filter(|(_, (asker, _))| *asker == host);
        let Some(ticket) = of_host.map(|(ticket, _)| *ticket).nth(back as usize) else {
            return;
        };
        self.injected.count(FaultKind::Abandon);
        self.tickets.remove(&ticket);
        self.fact(Fact::Abandoned { ticket });
        self.deliver(host, Input::Command(Command::Abandon { ticket }));
    }

    /// Sets the chance with which messages suffer from now on.
    fn roughen(&mut self, kind: FaultKind, chance_ppm: u32) {
        match kind {
            FaultKind::RequestLost => self.rough.request_lost = chance_ppm,
            FaultKind::AnswerLost => self.rough.answer_lost = chance_ppm,
            FaultKind::Duplicate => self.rough.duplicate = chance_ppm,
            FaultKind::Delay => self.rough.delay = chance_ppm,
            _ => debug_assert!(false, "{kind} is no fault of messages"),
        }
        self.note(|_| format!("from now on {kind} at {chance_ppm} ppm"));
        let until = self.now + AFTERMATH + self.scenario.length;
        let until = if chance_ppm == 0 { self.now + AFTERMATH } else { until };
        // Counted where a message suffers, not here.
        self.fact(Fact::Disturbed { host: None, kind, until });
    }

    fn kill_connection(&mut self, slot: SlotId) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        let open: Vec<u32> = self
            .host(host)
            .conns
            .iter()
            .copied()
            .filter(|conn| self.conns[*conn as usize].store_open)
            .collect();
        if open.is_empty() {
            return;
        }
        let conn = open[self.faults.below(open.len() as u64) as usize];
        self.disturbed(Some(host), FaultKind::ConnectionKill, self.now + AFTERMATH);
        self.reset(conn);
    }

    fn crash_slot(&mut self, slot: SlotId, sessions_end: bool, down: Duration) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        self.injected.count(if self.slots[usize::from(slot.0)].is_worker {
            FaultKind::WorkerCrash
        } else {
            FaultKind::CallerCrash
        });
        self.crash(host, sessions_end);
        self.queue.push(self.now + down, What::Restart(slot));
    }

    /// A process dies of a call that it began, and is started again soon.
    pub(super) fn die(&mut self, host: HostId) {
        if self.host(host).is_running() {
            let slot = self.host(host).slot;
            self.crash(host, true);
            let down = Duration::from_millis(100) + self.wandering.up_to(Duration::from_secs(1));
            self.queue.push(self.now + down, What::Restart(slot));
        }
    }

    fn save(&mut self, slot: SlotId) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        self.injected.count(FaultKind::Save);
        self.saves += 1;
        let function = (self.saves as usize / 20) % self.scenario.functions.len();
        self.serve(host, function);
    }

    /// Saves a function of which an incarnation has just become active, where that is done over and over.
    pub(super) fn save_again(&mut self, host: HostId, function: &FunctionId) {
        let slot = self.host(host).slot;
        if self.healed || self.slots[usize::from(slot.0)].resaved_until <= self.now {
            return;
        }
        if let Some(function) = self.scenario.functions.iter().position(|it| it == function) {
            self.injected.count(FaultKind::Resave);
            self.queue.push(self.now + SAVED_AFTER, What::Serve(slot, function as u16));
        }
    }

    /// Sends a stop that names somebody from the past, a present one, or somebody else's.
    fn stop(&mut self, slot: SlotId, back: u32, times: u32) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        let Some(index) = self.seen.len().checked_sub(1 + back as usize) else {
            return;
        };
        let (owner, function, consumer, epoch) = self.seen[index].clone();
        let is_past = owner != host || self.host(host).has_gone(&consumer);
        sometimes!(self.probes, is_past, "a stop from the past did nothing");
        for _ in 0..times {
            self.injected.count(FaultKind::Stop);
            self.fact(Fact::StopSent { host, consumer: consumer.clone(), epoch });
            let command = Command::Stop {
                consumer: consumer.clone(),
                epoch,
                drain: self.scenario.options.drain,
            };
            self.deliver(host, Input::Command(command));
        }
        // If it was a present one, somebody must serve the function again.
        let function = self.scenario.functions.iter().position(|known| *known == function);
        if let Some(function) = function {
            let at = self.now + Duration::from_secs(2);
            self.queue.push(at, What::Serve(slot, function as u16));
        }
    }

    /// Serves a function where the host's last incarnation of it was stopped.
    pub(super) fn serve_again(&mut self, slot: SlotId, function: u16) {
        if let Some(host) = self.live_host(slot) {
            self.serve(host, usize::from(function));
        }
    }
}
