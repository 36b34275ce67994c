//! The phases of a seed: faults, healing, liveness, quiet, the end.

use std::fmt::Write;
use std::time::Duration;

use steadfast_core::command::Command;
use steadfast_core::machine::Input;
use steadfast_core::name::CallId;

use super::World;
use super::event::What;
use super::network::Roughness;
use crate::faults::{FaultKind, SlotId};
use crate::history::{Fact, HostId};
use crate::moment::Moment;
use crate::subject::{SimStore, Subject};

/// How long a healed world may take for each decision, beside what the calls themselves take.
const RECOVERY: Duration = Duration::from_secs(30);

/// Between two looks at what is still open.
const LOOK: Duration = Duration::from_millis(250);

/// After the last decision, awaiters may take so long to hear of it: the longest poll and its answer.
const HEARING: Duration = Duration::from_secs(12);

impl<M: Subject, S: SimStore> World<M, S> {
    pub(super) fn begin(&mut self) {
        if self.mask.has(FaultKind::QueueLimit) {
            self.injected.count(FaultKind::QueueLimit);
        }
        for slot in 0..self.slots.len() as u16 {
            self.start_host(SlotId(slot));
        }
        for (index, (at, _)) in self.plan.steps.iter().enumerate() {
            self.queue.push(*at, What::Fault(index as u32));
        }
        for (index, intent) in self.intents.iter().enumerate() {
            let number = index as u32;
            self.queue.push(intent.at, What::Make(number));
            if let Some((at, _)) = intent.again {
                self.queue.push(at, What::MakeAgain(number));
            }
            if let Some(at) = intent.cancel_at {
                self.queue.push(at, What::Cancel(number));
            }
        }
    }

    /// Ends every fault, and brings back enough of the world to finish.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.rough = Roughness::default();
        self.refusing = None;
        self.slow = None;
        self.fact(Fact::Healed);
        self.note(|_| "--- faults are over ---".into());
        for slot in 0..self.slots.len() as u16 {
            if let Some((_, number, _)) = self.slots[usize::from(slot)].closed {
                self.reopen(SlotId(slot), number);
            }
        }
        if !self.store_up {
            self.store_comes_up();
        }
        for host in 0..self.hosts.len() as u32 {
            self.resume(HostId(host));
            if self.host(HostId(host)).machine.is_none() {
                for conn in self.host(HostId(host)).conns.clone() {
                    self.end_session(conn);
                }
            }
        }
        self.revive();
        self.observe_everything();
    }

    /// Starts a random part of what is dead: at least one worker and one caller are there.
    fn revive(&mut self) {
        for workers in [true, false] {
            let slots: Vec<SlotId> = (0..self.slots.len() as u16)
                .filter(|slot| self.slots[usize::from(*slot)].is_worker == workers)
                .map(SlotId)
                .collect();
            for slot in &slots {
                if self.live_host(*slot).is_none() && self.wandering.below(2) == 0 {
                    self.start_host(*slot);
                }
            }
            if slots.iter().all(|slot| self.live_host(*slot).is_none()) {
                let which = self.wandering.below(slots.len() as u64) as usize;
                self.start_host(slots[which]);
            }
        }
    }

    /// Two hosts await every admitted call.
    fn observe_everything(&mut self) {
        let calls: Vec<CallId> = self.admitted.keys().cloned().collect();
        for call in calls {
            for _ in 0..2 {
                if let Some(host) = self.anybody() {
                    self.observe_call(host, &call);
                }
            }
        }
    }

    /// The latest moment at which every call must be decided.
    fn due(&self) -> Moment {
        let (options, config) = (&self.scenario.options, &self.scenario.config);
        let attempts = options.attempts_max;
        // An attempt may run to its timeout, or be deferred, touched and forgotten.
        let attempt = options.timeout + self.scenario.policy.lease * 2;
        let backoffs = options.backoff.most * attempts;
        let delays = Duration::from_secs(6);
        let bound = RECOVERY + attempt * attempts + backoffs + config.consumer_timeout + delays;
        // What is parked until a time by the store's clock waits until that has caught up.
        let due = self.now + bound + self.store_back;
        // A call whose body was deleted can only expire, and whoever sees it overdue expires it.
        let expire = self
            .bodies_lost
            .iter()
            .any(|call| self.admitted.get(call).is_some_and(|standing| !standing.decided));
        if expire { due + config.deadline } else { due }
    }

    /// Goes on until every call is decided and every awaiter was told; reports those that are not.
    pub(super) fn live(&mut self) {
        let due = self.due();
        while (self.open > 0 || !self.tickets.is_empty()) && self.now < due && !self.ran_away() {
            self.run_until(self.now + LOOK);
            self.recount(None);
        }
        if self.open == 0 && !self.tickets.is_empty() {
            self.run_until(self.now + HEARING);
        }
        self.recount(None);
        self.report_stuck();
    }

    fn report_stuck(&mut self) {
        let stuck: Vec<CallId> = self
            .admitted
            .iter()
            .filter(|(_, standing)| !standing.decided)
            .map(|(call, _)| call.clone())
            .collect();
        for call in stuck {
            let function = self.admitted[&call].function.clone();
            let mut why = format!("{}", self.look(&function, &call));
            for host in &self.hosts {
                let Some(machine) = &host.machine else {
                    continue;
                };
                for pending in machine.pending().iter().take(12) {
                    let _ = write!(why, "; {}: {pending}", host.name);
                }
            }
            self.note(|_| format!("{call} is stuck: {why}"));
            self.fact(Fact::Stuck { call, why });
        }
    }

    /// Lets everything that has a time to live or a heartbeat come to rest.
    pub(super) fn quiet(&mut self) {
        let config = &self.scenario.config;
        let rest = if self.mask.kinds().next().is_some() {
            config.consumer_timeout.max(config.stateless_idle) + config.sweep_interval * 3
        } else {
            config.sweep_interval
        };
        // Names are idle by the store's clock, which has to catch up where it was set back.
        self.run_until(self.now + rest + self.store_back);
        self.note_leftovers();
    }

    fn note_leftovers(&mut self) {
        for what in self.store.leftovers(self.store_now()) {
            self.note(|_| format!("left over: {what}"));
            self.fact(Fact::LeftOver { what });
        }
    }

    /// Shuts every host down, and looks at what is left.
    pub(super) fn end(&mut self) {
        self.note(|_| "--- shutdown ---".into());
        let drain = self.scenario.options.drain;
        for slot in 0..self.slots.len() as u16 {
            if let Some(host) = self.live_host(SlotId(slot)) {
                self.fact(Fact::ShutdownSent { host });
                self.deliver(host, Input::Command(Command::Shutdown { drain }));
            }
        }
        let due = self.now + drain + Duration::from_secs(10);
        while self.hosts.iter().any(super::Host::is_running) && self.now < due && !self.ran_away() {
            self.run_until(self.now + LOOK);
        }
        self.recount(None);
        let admitted: Vec<CallId> = self.admitted.keys().cloned().collect();
        for call in admitted {
            let function = self.admitted[&call].function.clone();
            let state = self.look(&function, &call);
            self.fact(Fact::Final { call, state });
        }
        for what in self.store.audit() {
            self.fact(Fact::LeftOver { what: format!("the store is unsound: {what}") });
        }
        self.note_leftovers();
        for what in self.store.registered(self.store_now()) {
            self.fact(Fact::LeftOver { what: format!("registered though all signed off: {what}") });
        }
        let running: Vec<HostId> = (0..self.hosts.len() as u32)
            .map(HostId)
            .filter(|host| self.host(*host).is_running())
            .collect();
        for host in running {
            self.fact(Fact::LeftOver { what: format!("{host} has not ended after its shutdown") });
        }
        if self.ran_away() {
            let events = self.events;
            self.fact(Fact::Runaway { events });
        }
    }
}
