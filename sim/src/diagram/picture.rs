//! What is to be drawn: lanes, messages, bars and marks, each with its time and its words.

use std::collections::BTreeMap;

use steadfast_core::event::Event;
use steadfast_core::machine::{Done, Effect, EffectId, Input};
use steadfast_core::op::ConsumerStatus;

use super::spans;
use crate::faults::FaultKind;
use crate::history::{Fact, HostId};
use crate::moment::Moment;
use crate::script::Script;
use crate::shrink::Concern;
use crate::trace::{Happening, Step, Who};
use crate::world::Run;

/// Which lane of the picture.
pub(super) type LaneId = usize;

/// A message between a node and the store.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    pub(super) kind: ArrowKind,
    pub(super) from: (LaneId, Moment),
    /// Where and when it arrived; a lost message has no time there.
    pub(super) to: (LaneId, Option<Moment>),
    pub(super) words: String,
    pub(super) matters: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArrowKind {
    /// A node asks.
    Request,
    /// The store answers.
    Answer,
}

/// Something that lasts, on a lane.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) kind: BarKind,
    pub(super) lane: LaneId,
    pub(super) from: Moment,
    pub(super) until: Moment,
    pub(super) words: String,
    pub(super) matters: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BarKind {
    /// An incarnation of the node lives.
    Life,
    /// A consumer, in one status.
    Consumer(ConsumerStatus),
    /// A handler runs.
    Handler,
    /// Something is wrong with the lane's node, or with the store.
    Fault(FaultKind),
}

/// Something that happens at one moment, on a lane.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) kind: MarkKind,
    pub(super) lane: LaneId,
    pub(super) at: Moment,
    pub(super) words: String,
    pub(super) matters: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// The host commands.
    Command,
    /// The machine answers its host.
    Answer,
    /// The machine tells something else.
    Event,
    /// A request turned out to have failed.
    Failure,
    /// The store did something that no node waits for: a copy, the end of a session.
    Store,
    /// A fault of a moment.
    Fault,
}

/// Everything that is drawn, before anybody knows where.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    /// The lanes' names, from above.
    pub(super) lanes: Vec<String>,
    pub(super) arrows: Vec<Arrow>,
    pub(super) bars: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
    /// Messages that were left out, since there are too many.
    pub(super) left_out: usize,
}

/// More messages than a browser draws with ease.
const ARROWS_MAX: usize = 4_000;

impl Picture {
    /// What happened between two moments of a traced run.
    pub(super) fn of(
        run: &Run,
        script: &Script,
        concern: &Concern,
        (from, until): (Moment, Moment),
    ) -> Self {
        let mut painter = Painter::new(run, concern);
        for step in &run.trace {
            painter.paint(step);
        }
        painter.hand_in_requests();
        let Painter { mut picture, lanes, .. } = painter;
        spans::add(&mut picture, run, script, concern, &lanes);
        picture.keep_between(from, until);
        picture
    }

    fn keep_between(&mut self, from: Moment, until: Moment) {
        let inside = |at: Moment| (from..=until).contains(&at);
        self.arrows.retain(|arrow| inside(arrow.from.1));
        self.marks.retain(|mark| inside(mark.at));
        self.bars.retain_mut(|bar| {
            let is_seen = bar.from <= until && bar.until >= from;
            bar.from = bar.from.max(from);
            bar.until = bar.until.min(until);
            is_seen
        });
        if self.arrows.len() > ARROWS_MAX {
            let before = self.arrows.len();
            let mut room = ARROWS_MAX;
            self.arrows.retain(|arrow| {
                let is_kept = arrow.matters || room > 0;
                room = room.saturating_sub(1);
                is_kept
            });
            self.left_out = before - self.arrows.len();
        }
    }

    /// Every moment at which something begins, ends or happens.
    pub(super) fn moments(&self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = Vec::new();
        for arrow in &self.arrows {
            moments.push(arrow.from.1);
            moments.extend(arrow.to.1);
        }
        moments.extend(self.bars.iter().flat_map(|bar| [bar.from, bar.until]));
        moments.extend(self.marks.iter().map(|mark| mark.at));
        moments.sort();
        moments.dedup();
        moments
    }
}

/// Lanes by node: callers above, the store in the middle, workers below.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    places: Vec<String>,
    pub(super) store: LaneId,
}

impl Lanes {
    fn of(run: &Run) -> Self {
        let mut sorted: Vec<String> = run
            .history
            .facts()
            .iter()
            .filter_map(|(_, fact)| match fact {
                Fact::Started { node, .. } => Some(place(&node.to_string())),
                _ => None,
            })
            .collect();
        sorted.sort_by_key(|place| {
            let kind = place.trim_end_matches(char::is_numeric);
            (kind.to_owned(), place[kind.len()..].parse::<u32>().unwrap_or(0))
        });
        sorted.dedup();
        let callers = sorted.iter().take_while(|place| place.starts_with("caller")).count();
        sorted.insert(callers, "store".into());
        Self { places: sorted, store: callers }
    }

    /// The lane of a node's incarnation.
    pub(super) fn of_node(&self, node: &str) -> LaneId {
        self.of_place(&place(node))
    }

    /// The lane of a place such as `worker0`; the store's where there is none.
    pub(super) fn of_place(&self, place: &str) -> LaneId {
        self.places.iter().position(|known| known == place).unwrap_or(self.store)
    }

    /// The lane of the place with this number, whoever fills it.
    pub(super) fn of_slot(&self, slot: u16) -> LaneId {
        let number = |place: &String| place.trim_start_matches(char::is_alphabetic).parse::<u16>();
        self.places.iter().position(|known| number(known) == Ok(slot)).unwrap_or(self.store)
    }
}

/// A node's place, without the number of the incarnation.
fn place(node: &str) -> String {
    node.rsplit_once('.').map_or(node, |(place, _)| place).to_owned()
}

/// A request on its way to the store and back.
#[derive(Debug)]
struct Request {
    lane: LaneId,
    sent_at: Moment,
    asked: String,
    /// When the store got the first and the last of it.
    arrived: Option<(Moment, Moment)>,
    /// What the store did.
    did: Vec<String>,
    /// When the store answered, if that is not when the last of it was applied.
    woke_at: Option<Moment>,
    told: Option<Moment>,
}

struct Painter<'a> {
    concern: &'a Concern,
    picture: Picture,
    lanes: Lanes,
    requests: BTreeMap<(HostId, EffectId), Request>,
}

impl<'a> Painter<'a> {
    fn new(run: &Run, concern: &'a Concern) -> Self {
        let lanes = Lanes::of(run);
        let picture = Picture { lanes: lanes.places.clone(), ..Picture::default() };
        Self { concern, picture, lanes, requests: BTreeMap::new() }
    }

    fn mark(&mut self, kind: MarkKind, lane: LaneId, at: Moment, words: String) {
        let matters = self.concern.is_in(&words);
        self.picture.marks.push(Mark { kind, lane, at, words, matters });
    }

    fn lane(&self, who: &Who) -> LaneId {
        self.lanes.of_node(&who.node.to_string())
    }

    fn request(&mut self, who: &Who, id: EffectId) -> Option<&mut Request> {
        self.requests.get_mut(&(who.host, id))
    }

    fn paint(&mut self, step: &Step) {
        let at = step.at;
        match &step.what {
            Happening::Told { who, input } => self.hears(who, input, at),
            Happening::Wants { who, id, effect } => self.wants(who, *id, effect, at),
            Happening::Says { who, event } => {
                let kind = match event {
                    Event::Answer { .. } => MarkKind::Answer,
                    // Told by the consumers' bars.
                    Event::Consumer { .. } | Event::Link { .. } => return,
                    _ => MarkKind::Event,
                };
                self.mark(kind, self.lane(who), at, format!("{at} {} says: {event}", who.node));
            }
            Happening::Opened { who, id, .. } => {
                let words = format!("{at} {}", step.what);
                self.did(who, *id, at, words);
            }
            Happening::SessionEnds { .. } => {
                self.mark(MarkKind::Store, self.lanes.store, at, step.to_string());
            }
            Happening::Applied { who, id: Some(id), .. } => {
                self.did(who, *id, at, step.to_string());
            }
            Happening::Applied { who, id: None, .. } => {
                let words = format!("{step}\n(a copy of what {} sent)", who.node);
                self.mark(MarkKind::Store, self.lanes.store, at, words);
            }
            Happening::Watches { who, id, .. } => self.did(who, *id, at, step.to_string()),
            Happening::Wakes { who, id, .. } => {
                let words = step.to_string();
                if let Some(request) = self.request(who, *id) {
                    request.woke_at = Some(at);
                    request.did.push(words);
                }
            }
            // Faults are drawn from the script, lives from the history.
            Happening::Remark(_) => {}
        }
    }

    fn hears(&mut self, who: &Who, input: &Input, at: Moment) {
        match input {
            Input::Tick => {}
            Input::Command(command) => {
                let words = format!("{at} {} is to {command}", who.node);
                self.mark(MarkKind::Command, self.lane(who), at, words);
            }
            Input::Done { id, done } => self.told(who, *id, done, at),
            Input::Several(inputs) => {
                for input in inputs {
                    self.hears(who, input, at);
                }
            }
        }
    }

    fn wants(&mut self, who: &Who, id: EffectId, effect: &Effect, at: Moment) {
        if matches!(effect, Effect::Execute { .. } | Effect::Watch { .. } | Effect::Connect(_)) {
            let asked = format!("{at} {} > {id} {effect}", who.node);
            let lane = self.lane(who);
            let request = Request {
                lane,
                sent_at: at,
                asked,
                arrived: None,
                did: Vec::new(),
                woke_at: None,
                told: None,
            };
            self.requests.insert((who.host, id), request);
        }
    }

    fn did(&mut self, who: &Who, id: EffectId, at: Moment, words: String) {
        if let Some(request) = self.request(who, id) {
            let first = request.arrived.map_or(at, |(first, _)| first);
            request.arrived = Some((first, at));
            request.did.push(words);
        }
    }

    fn told(&mut self, who: &Who, id: EffectId, done: &Done, at: Moment) {
        let error = match done {
            Done::Connected(Err(error))
            | Done::Executed(Err(error))
            | Done::Watched(Err(error)) => error,
            Done::Ran(_) => return,
            _ => {
                if let Some(request) = self.request(who, id) {
                    request.told = Some(at);
                }
                return;
            }
        };
        let asked = self.request(who, id).map(|request| request.asked.clone()).unwrap_or_default();
        let words = format!("{at} {} < {id} failed: {error}\n{asked}", who.node);
        self.mark(MarkKind::Failure, self.lane(who), at, words);
    }

    /// Makes arrows of the requests.
    fn hand_in_requests(&mut self) {
        let store = self.lanes.store;
        for request in std::mem::take(&mut self.requests).into_values() {
            let words = [&[request.asked][..], &request.did].concat().join("\n");
            let matters = self.concern.is_in(&words);
            self.picture.arrows.push(Arrow {
                kind: ArrowKind::Request,
                from: (request.lane, request.sent_at),
                to: (store, request.arrived.map(|(first, _)| first)),
                words: words.clone(),
                matters,
            });
            // A watch that still waits has no answer to lose.
            let is_watch = words.contains(" watches for ");
            let left =
                request.woke_at.or(request.arrived.map(|(_, last)| last).filter(|_| !is_watch));
            if let Some(left) = left {
                self.picture.arrows.push(Arrow {
                    kind: ArrowKind::Answer,
                    from: (store, left),
                    to: (request.lane, request.told),
                    words,
                    matters,
                });
            }
        }
        self.picture.arrows.sort_by_key(|arrow| arrow.from.1);
    }
}
