//! What lasts: incarnations, consumers, handlers and faults, from the history and the script.

use std::collections::BTreeMap;

use steadfast_core::name::{CallId, ConsumerId};
use steadfast_core::op::ConsumerStatus;

use super::picture::{Bar, BarKind, LaneId, Lanes, Mark, MarkKind, Picture};
use crate::faults::{Fault, FaultKind};
use crate::history::{Fact, HostId};
use crate::moment::Moment;
use crate::script::Script;
use crate::shrink::Concern;
use crate::world::Run;

/// Adds every bar to the picture, and the faults of a moment as marks.
pub(super) fn add(
    picture: &mut Picture,
    run: &Run,
    script: &Script,
    concern: &Concern,
    lanes: &Lanes,
) {
    let mut spans = Spans {
        bars: Vec::new(),
        concern,
        lanes,
        ended_at: run.ended_at,
        lives: BTreeMap::new(),
        consumers: BTreeMap::new(),
        handlers: BTreeMap::new(),
    };
    for (at, fact) in run.history.facts() {
        spans.follow(*at, fact);
    }
    spans.end_all();
    picture.bars.append(&mut spans.bars);
    add_faults(picture, run, script, lanes);
}

/// What has begun and not ended.
struct Spans<'a> {
    bars: Vec<Bar>,
    concern: &'a Concern,
    lanes: &'a Lanes,
    ended_at: Moment,
    lives: BTreeMap<HostId, (LaneId, String, Moment)>,
    consumers: BTreeMap<(HostId, &'a ConsumerId), (ConsumerStatus, Moment, String)>,
    handlers: BTreeMap<(HostId, &'a ConsumerId, &'a CallId), (Moment, String)>,
}

impl<'a> Spans<'a> {
    fn follow(&mut self, at: Moment, fact: &'a Fact) {
        match fact {
            Fact::Started { host, node } => {
                let name = node.to_string();
                self.lives.insert(*host, (self.lanes.of_node(&name), name, at));
            }
            Fact::Killed { host, .. } => self.kill(*host, at),
            Fact::Status { host, consumer, epoch, status, cause, .. } => {
                let epoch = epoch.map(|epoch| format!(" {epoch}")).unwrap_or_default();
                let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
                let words = format!("{at} {consumer}{epoch} is {status}{cause}");
                let now = (*status, at, words);
                if let Some(before) = self.consumers.insert((*host, consumer), now) {
                    self.consumer_bar(*host, before, at);
                }
            }
            Fact::Begun { host, consumer, epoch, call, attempt, .. } => {
                let words = format!("{at} {call} attempt {attempt} begins on {consumer} {epoch}");
                // Twice at once breaks a promise, and is to be seen.
                let twice = self.handlers.insert((*host, consumer, call), (at, words));
                if let Some((from, words)) = twice {
                    self.handler_bar(*host, from, at, format!("{words}\n{at} it begins again"));
                }
            }
            Fact::Ended { host, consumer, call, end } => {
                if let Some((from, words)) = self.handlers.remove(&(*host, consumer, call)) {
                    self.handler_bar(*host, from, at, format!("{words}\n{at} it ends: {end}"));
                }
            }
            Fact::Interrupted { host, consumer, call } => {
                if let Some((_, words)) = self.handlers.get_mut(&(*host, consumer, call)) {
                    *words += "\n";
                    *words += &at.to_string();
                    *words += " it is told to end";
                }
            }
            _ => {}
        }
    }

    fn lane(&self, host: HostId) -> LaneId {
        self.lives.get(&host).map_or(self.lanes.store, |(lane, ..)| *lane)
    }

    fn bar(&mut self, kind: BarKind, lane: LaneId, (from, until): (Moment, Moment), words: String) {
        let matters = self.concern.is_in(&words);
        self.bars.push(Bar { kind, lane, from, until, words, matters });
    }

    fn consumer_bar(
        &mut self,
        host: HostId,
        (status, from, words): (ConsumerStatus, Moment, String),
        until: Moment,
    ) {
        if status != ConsumerStatus::Stopped {
            self.bar(BarKind::Consumer(status), self.lane(host), (from, until), words);
        }
    }

    fn handler_bar(&mut self, host: HostId, from: Moment, until: Moment, words: String) {
        self.bar(BarKind::Handler, self.lane(host), (from, until), words);
    }

    /// Whatever the host has begun ends with it.
    fn kill(&mut self, host: HostId, at: Moment) {
        let lane = self.lane(host);
        let handlers: Vec<_> = self.handlers.keys().filter(|key| key.0 == host).copied().collect();
        for key in handlers {
            if let Some((from, words)) = self.handlers.remove(&key) {
                self.handler_bar(host, from, at, format!("{words}\n{at} killed with its host"));
            }
        }
        let consumers: Vec<_> =
            self.consumers.keys().filter(|key| key.0 == host).copied().collect();
        for key in consumers {
            if let Some(before) = self.consumers.remove(&key) {
                self.consumer_bar(host, before, at);
            }
        }
        if let Some((_, name, since)) = self.lives.remove(&host) {
            let words = format!("{name} from {since} to {at}, killed");
            self.bar(BarKind::Life, lane, (since, at), words);
        }
    }

    fn end_all(&mut self) {
        let hosts: Vec<HostId> = self.lives.keys().copied().collect();
        for host in hosts {
            let (lane, name, since) = self.lives[&host].clone();
            let consumers: Vec<_> =
                self.consumers.keys().filter(|key| key.0 == host).copied().collect();
            for key in consumers {
                if let Some(before) = self.consumers.remove(&key) {
                    self.consumer_bar(host, before, self.ended_at);
                }
            }
            let handlers: Vec<_> =
                self.handlers.keys().filter(|key| key.0 == host).copied().collect();
            for key in handlers {
                if let Some((from, words)) = self.handlers.remove(&key) {
                    self.handler_bar(host, from, self.ended_at, format!("{words}\nit never ends"));
                }
            }
            let words = format!("{name} from {since}");
            self.bar(BarKind::Life, lane, (since, self.ended_at), words);
        }
    }
}

/// Draws the script's faults: what lasts as a bar, what does not as a mark.
fn add_faults(picture: &mut Picture, run: &Run, script: &Script, lanes: &Lanes) {
    let healed = run.history.facts().iter().find(|(_, fact)| matches!(fact, Fact::Healed));
    let healed_at = healed.map_or(run.ended_at, |(at, _)| *at);
    let mut rough: BTreeMap<FaultKind, (Moment, u32)> = BTreeMap::new();
    let mut all: Vec<(Moment, &Fault)> = Vec::new();
    for (at, fault) in script.plan.steps.iter().filter(|(at, _)| *at < healed_at) {
        match fault {
            Fault::Together(faults) => all.extend(faults.iter().map(|fault| (*at, fault))),
            fault => all.push((*at, fault)),
        }
    }
    for (at, fault) in all {
        if let Fault::Rough { kind, chance_ppm } = fault {
            if let Some((from, chance)) = rough.remove(kind) {
                picture.bars.push(rough_bar(lanes, *kind, chance, (from, at)));
            }
            if *chance_ppm > 0 {
                rough.insert(*kind, (at, *chance_ppm));
            }
            continue;
        }
        let lane = fault.slot().map_or(lanes.store, |slot| lanes.of_slot(slot.0));
        let words = format!("{at} fault: {} {fault:?}", fault.kind());
        let matters = true;
        if let Some(lasts) = fault.lasts() {
            let (kind, until) = (BarKind::Fault(fault.kind()), (at + lasts).min(healed_at));
            picture.bars.push(Bar { kind, lane, from: at, until, words, matters });
        } else {
            picture.marks.push(Mark { kind: MarkKind::Fault, lane, at, words, matters });
        }
    }
    for (kind, (from, chance)) in rough {
        picture.bars.push(rough_bar(lanes, kind, chance, (from, healed_at)));
    }
}

fn rough_bar(
    lanes: &Lanes,
    kind: FaultKind,
    chance_ppm: u32,
    (from, until): (Moment, Moment),
) -> Bar {
    let words = format!("{from} to {until}: {kind} befalls messages, {chance_ppm} in a million");
    Bar { kind: BarKind::Fault(kind), lane: lanes.store, from, until, words, matters: true }
}
