//! The plan's steps, done to the world. A further kind of fault gets its arm here.

use std::time::Duration;

use steadfast_core::command::Command;
use steadfast_core::machine::Input;

use super::World;
use super::event::What;
use crate::faults::{Fault, FaultKind, SlotId};
use crate::history::Fact;
use crate::subject::{SimStore, Subject};

/// After it, a reset or a restart excuses nothing any more by itself.
const AFTERMATH: Duration = Duration::from_secs(12);

impl<M: Subject, S: SimStore> World<M, S> {
    pub(super) fn inject(&mut self, step: u32) {
        if self.healed {
            return;
        }
        let fault = self.plan.steps[step as usize].1.clone();
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
            Fault::Stop { slot, back, times } => self.stop(slot, back, times),
        }
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

    fn save(&mut self, slot: SlotId) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        self.injected.count(FaultKind::Save);
        self.saves += 1;
        let function = (self.saves as usize / 20) % self.scenario.functions.len();
        self.serve(host, function);
    }

    /// Sends a stop that names somebody from the past, a present one, or somebody else's.
    fn stop(&mut self, slot: SlotId, back: u32, times: u32) {
        let Some(host) = self.live_host(slot) else {
            return;
        };
        let Some(index) = self.seen.len().checked_sub(1 + back as usize) else {
            return;
        };
        let (_, function, consumer, epoch) = self.seen[index].clone();
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
