//! Hosts: incarnations of nodes, their clocks, their lives and deaths.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::time::Duration;

use steadfast_core::attempt::AttemptId;
use steadfast_core::breaker::BreakerState;
use steadfast_core::command::Command;
use steadfast_core::definition::Definition;
use steadfast_core::event::{Event, StopCause};
use steadfast_core::machine::{Done, Effect, EffectId, Input, Output};
use steadfast_core::name::{ConsumerId, FunctionId, NodeId, SessionId};
use steadfast_core::op::ConsumerStatus;
use steadfast_core::{reachable, sometimes};

use super::World;
use super::event::{Message, What};
use super::handlers::Running;
use crate::faults::{Closed, FaultKind, SlotId};
use crate::history::{Fact, HostId};
use crate::moment::{Moment, NodeClock};
use crate::subject::{SimStore, Subject};
use crate::trace::{Happening, Step, Who};

/// More outputs than any input causes.
const OUTPUTS_MAX: u32 = 100_000;

/// How long the store keeps the sessions of a machine that lost power.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// A node's place, whatever incarnation fills it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) is_worker: bool,
    /// The present incarnation, dead or alive.
    pub(super) host: Option<HostId>,
    pub(super) incarnations: u32,
    /// The way to the store is closed like this, by the partition of this number, since then.
    pub(super) closed: Option<(Closed, u32, Moment)>,
    pub(super) partitions: u32,
    /// Until then its functions are saved again whenever they are active.
    pub(super) resaved_until: Moment,
}

impl Slot {
    pub(super) fn new(slot: SlotId, is_worker: bool) -> Self {
        Self {
            name: format!("{}{}", if is_worker { "worker" } else { "caller" }, slot.0),
            is_worker,
            host: None,
            incarnations: 0,
            closed: None,
            partitions: 0,
            resaved_until: Moment::default(),
        }
    }
}

/// One incarnation of a node.
#[derive(Debug)]
pub(super) struct Host<M> {
    pub(super) slot: SlotId,
    pub(super) name: NodeId,
    /// Nothing where the process is dead.
    pub(super) machine: Option<M>,
    pub(super) clock: NodeClock,
    /// The earliest tick that is scheduled.
    tick_at: Option<Moment>,
    /// When the machine wants its tick.
    due_at: Option<Moment>,
    /// What happened while the process was paused.
    pub(super) paused: Option<Vec<What>>,
    pub(super) sessions: BTreeMap<SessionId, u32>,
    /// Every connection it ever asked for.
    pub(super) conns: Vec<u32>,
    pub(super) running: BTreeMap<AttemptId, Running>,
    pub(super) has_ended: bool,
    /// Each consumer's last status.
    statuses: BTreeMap<ConsumerId, ConsumerStatus>,
    /// Functions whose consumer was fenced, until the next one is active; and retired ones.
    fenced: BTreeSet<FunctionId>,
    pub(super) retired: BTreeSet<FunctionId>,
}

impl<M> Host<M> {
    /// The process lives, and its machine has not ended.
    pub(super) const fn is_running(&self) -> bool {
        self.machine.is_some() && !self.has_ended
    }

    /// It had this consumer, and said that it has stopped.
    pub(super) fn has_gone(&self, consumer: &ConsumerId) -> bool {
        self.statuses.get(consumer) == Some(&ConsumerStatus::Stopped)
    }
}

impl<M: Subject, S: SimStore> World<M, S> {
    /// Starts an incarnation in this place; a worker serves every function.
    pub(super) fn start_host(&mut self, slot: SlotId) {
        let host = HostId(self.hosts.len() as u32);
        let place = &mut self.slots[usize::from(slot.0)];
        place.incarnations += 1;
        place.host = Some(host);
        let (is_worker, text) = (place.is_worker, format!("{}.{}", place.name, place.incarnations));
        let name = NodeId::new(&text).expect("a generated node id is valid");
        let mut random = self.entropy.stream(&format!("node {text}"));
        let seed = random.next_u64();
        let span = u64::from(self.scenario.drift_ppm);
        let drift_ppm = random.below(2 * span + 1) as i32 - span as i32;
        self.hosts.push(Host {
            slot,
            name: name.clone(),
            machine: Some(
                M::start(name.clone(), self.scenario.config.clone(), seed)
                    .probed(self.probes.clone()),
            ),
            clock: NodeClock::new(self.now, drift_ppm),
            tick_at: None,
            due_at: None,
            paused: None,
            sessions: BTreeMap::new(),
            conns: Vec::new(),
            running: BTreeMap::new(),
            has_ended: false,
            statuses: BTreeMap::new(),
            fenced: BTreeSet::new(),
            retired: BTreeSet::new(),
        });
        self.fact(Fact::Started { host, node: name });
        if self.slots[usize::from(slot.0)].closed.is_some() {
            // It is born into a partition.
            let until = self.now + self.scenario.intensity.longest;
            self.fact(Fact::Disturbed { host: Some(host), kind: FaultKind::Partition, until });
        }
        self.note(|_| format!("{text} starts"));
        if is_worker {
            for function in 0..self.scenario.functions.len() {
                self.serve(host, function);
            }
        } else {
            self.deliver(host, Input::Tick);
        }
    }

    /// Tells a host to serve a function; a save where it does already.
    pub(super) fn serve(&mut self, host: HostId, function: usize) {
        let function = self.scenario.functions[function].clone();
        let options = self.scenario.options.clone();
        self.fact(Fact::Served { host, function: function.clone(), options: options.clone() });
        let definition = Box::new(Definition::new(function));
        self.deliver(host, Input::Command(Command::Serve { definition, options }));
    }

    /// The live incarnation in a place.
    pub(super) fn live_host(&self, slot: SlotId) -> Option<HostId> {
        self.slots[usize::from(slot.0)]
            .host
            .filter(|host| self.host(*host).machine.is_some() && !self.host(*host).has_ended)
    }

    pub(super) fn host(&self, host: HostId) -> &Host<M> {
        &self.hosts[host.0 as usize]
    }

    pub(super) fn host_mut(&mut self, host: HostId) -> &mut Host<M> {
        &mut self.hosts[host.0 as usize]
    }

    /// Keeps what a paused process cannot take yet; answers what it can.
    pub(super) fn unless_paused(&mut self, host: HostId, what: What) -> Option<What> {
        match &mut self.host_mut(host).paused {
            Some(backlog) => {
                backlog.push(what);
                None
            }
            None => Some(what),
        }
    }

    /// Tells a machine something, and does what it says.
    pub(super) fn deliver(&mut self, host: HostId, input: Input) {
        let Some(What::Input(_, input)) =
            self.unless_paused(host, What::Input(host, Box::new(input)))
        else {
            return;
        };
        let now = self.now;
        let subject = &mut self.hosts[host.0 as usize];
        let Some(machine) = &mut subject.machine else {
            return;
        };
        match &*input {
            // Each result was hashed where the store made it.
            Input::Done { id, done: Done::Executed(Ok(results)) } => {
                (host.0, id, results.len()).hash(&mut self.digest);
            }
            input => (host.0, input).hash(&mut self.digest),
        }
        if let Some(steps) = &mut self.trace {
            let who = Who { host, node: subject.name.clone() };
            steps.push(Step { at: now, what: Happening::Told { who, input: (*input).clone() } });
        }
        machine.handle(subject.clock.show(now), *input);
        self.drain(host);
    }

    fn drain(&mut self, host: HostId) {
        for _ in 0..OUTPUTS_MAX {
            let Some(machine) = &mut self.hosts[host.0 as usize].machine else {
                return;
            };
            match machine.poll() {
                Output::Effect { id, effect } => {
                    self.tell(|world| Happening::Wants {
                        who: world.who(host),
                        id,
                        effect: effect.clone(),
                    });
                    self.perform(host, id, effect);
                }
                Output::Event(event) => {
                    self.tell(|world| Happening::Says {
                        who: world.who(host),
                        event: event.clone(),
                    });
                    self.hear(host, event);
                }
                Output::Wait { until, .. } => {
                    let subject = &mut self.hosts[host.0 as usize];
                    subject.due_at = until.map(|until| {
                        subject.clock.moment_of(until).max(self.now + Duration::from_micros(1))
                    });
                    self.arm(host);
                    return;
                }
            }
        }
        self.events = u64::MAX;
    }

    /// A node's clock jumps forwards: what was due later may be due now.
    pub(super) fn jump_clock(&mut self, host: HostId, by: Duration) {
        let soon = self.now + Duration::from_micros(1);
        let subject = &mut self.hosts[host.0 as usize];
        subject.clock.jump(by);
        if subject.due_at.is_some() {
            subject.due_at = Some(soon);
            self.arm(host);
        }
    }

    /// Schedules a tick, unless an earlier one is on its way.
    fn arm(&mut self, host: HostId) {
        let subject = &mut self.hosts[host.0 as usize];
        if let Some(due) = subject.due_at
            && subject.tick_at.is_none_or(|at| at > due)
        {
            subject.tick_at = Some(due);
            self.queue.push(due, What::Tick(host));
        }
    }

    pub(super) fn tick(&mut self, host: HostId) {
        let now = self.now;
        let subject = self.host_mut(host);
        if subject.tick_at == Some(now) {
            subject.tick_at = None;
        }
        match subject.due_at {
            Some(due) if due <= now => {
                if subject.paused.is_none() {
                    subject.due_at = None;
                }
                self.deliver(host, Input::Tick);
            }
            Some(_) => self.arm(host),
            None => {}
        }
    }

    fn perform(&mut self, host: HostId, id: EffectId, effect: Effect) {
        match effect {
            Effect::Connect(link) => self.connect(host, id, link),
            Effect::Close(session) => self.close(host, session),
            Effect::Execute { session, ops, .. } => {
                let message = Message::Execute { effect: Some(id), ops, last: true, cut: None };
                self.request(host, session, id, message);
            }
            Effect::Watch { session, interest, block } => {
                let message = Message::Watch { effect: id, interest, block, cut: false };
                self.request(host, session, id, message);
            }
            Effect::Abort(session) => self.abort(host, session),
            Effect::Run(attempt) => self.run_handler(host, id, &attempt),
            Effect::Interrupt { attempt, why } => self.interrupt(host, attempt, why),
        }
    }

    /// Answers an effect without a connection, a moment later.
    pub(super) fn answer_soon(&mut self, host: HostId, id: EffectId, done: Done) {
        self.queue.push(
            self.now + Duration::from_micros(5),
            What::Input(host, Box::new(Input::Done { id, done })),
        );
    }

    fn hear(&mut self, host: HostId, event: Event) {
        match event {
            Event::Answer { ticket, answer } => self.hear_answer(host, ticket, &answer),
            Event::Consumer { function, consumer, epoch, status, cause } => {
                if let (ConsumerStatus::Active, Some(epoch)) = (status, epoch)
                    && self.seen.iter().all(|(_, _, seen, _)| *seen != consumer)
                {
                    let incarnation = (host, function.clone(), consumer.clone(), epoch);
                    self.seen.push(incarnation);
                }
                self.probe_status(host, &function, &consumer, status, cause);
                if status == ConsumerStatus::Active {
                    self.save_again(host, &function);
                }
                self.fact(Fact::Status { host, function, consumer, epoch, status, cause });
            }
            Event::Breaker { from, to } => {
                sometimes!(self.probes, to == BreakerState::Open, "the breaker opened");
                sometimes!(self.probes, to == BreakerState::Closed, "the breaker recovered");
                self.fact(Fact::Breaker { host, from, to });
            }
            Event::StoreRestarted { .. } => {
                reachable!(self.probes, "a node learnt that the store lives another life");
            }
            Event::TakenOver { entries, .. } => {
                sometimes!(self.probes, entries > 0, "a takeover gave calls back");
            }
            Event::ShutDown => self.host_mut(host).has_ended = true,
            _ => {}
        }
    }

    fn probe_status(
        &mut self,
        host: HostId,
        function: &FunctionId,
        consumer: &ConsumerId,
        status: ConsumerStatus,
        cause: Option<StopCause>,
    ) {
        let subject = &mut self.hosts[host.0 as usize];
        if cause == Some(StopCause::Fenced) {
            subject.fenced.insert(function.clone());
        }
        let before = subject.statuses.insert(consumer.clone(), status);
        if status != ConsumerStatus::Active {
            return;
        }
        let anew = before != Some(ConsumerStatus::Error);
        sometimes!(self.probes, !anew, "a consumer degraded by an error was active again");
        let succeeds = anew && subject.fenced.remove(function);
        sometimes!(self.probes, succeeds, "a fenced consumer was succeeded by a new incarnation");
        let comes_back = anew && subject.retired.remove(function);
        sometimes!(self.probes, comes_back, "a retired function was served again");
    }

    /// Kills the process: machine and handlers vanish; the kernel closes what it still can.
    pub(super) fn crash(&mut self, host: HostId, sessions_end: bool) {
        let subject = self.host_mut(host);
        subject.machine = None;
        subject.running.clear();
        subject.due_at = None;
        subject.sessions.clear();
        subject.paused = None;
        let conns = subject.conns.clone();
        self.fact(Fact::Killed { host, sessions_end });
        self.note(|world| format!("{} is killed", world.host(host).name));
        self.tickets.retain(|_, (asker, _)| *asker != host);
        for conn in conns {
            self.conns[conn as usize].abandon();
            if sessions_end {
                self.send_up(conn, Message::Fin);
            } else {
                self.conns[conn as usize].held_up.clear();
                self.queue.push(self.now + KEEPALIVE, What::SessionEnd(conn));
            }
        }
    }

    /// Stops a process for a while, as SIGSTOP does.
    pub(super) fn pause(&mut self, host: HostId, lasts: Duration) {
        if self.host(host).paused.is_some() {
            return;
        }
        let until = self.now + lasts;
        self.host_mut(host).paused = Some(Vec::new());
        self.disturbed(Some(host), FaultKind::Pause, until);
        self.note(|world| format!("{} is paused for {lasts:?}", world.host(host).name));
        self.queue.push(until, What::Resume(host));
    }

    pub(super) fn resume(&mut self, host: HostId) {
        let Some(backlog) = self.host_mut(host).paused.take() else {
            return;
        };
        self.note(|world| format!("{} goes on", world.host(host).name));
        let at = self.now;
        for what in backlog {
            self.queue.push(at, what);
        }
    }

    pub(super) fn restart_slot(&mut self, slot: SlotId) {
        if self.live_host(slot).is_none() {
            self.start_host(slot);
        }
    }
}
