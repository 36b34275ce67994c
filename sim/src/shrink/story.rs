//! The story of a violation: what matters of a trace, from the first message to the broken promise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::machine::{Done, Effect, EffectId, Input};

use crate::checkers::Violation;
use crate::history::{Fact, HostId};
use crate::moment::Moment;
use crate::trace::{Happening, Step};
use crate::world::Run;

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryLine {
    /// When.
    pub at: Moment,
    /// What happened, for a person.
    pub text: String,
}

impl fmt::Display for StoryLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.text)
    }
}

/// What a violation is about: the calls that it names, or else the consumers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concern {
    names: BTreeSet<String>,
}

impl Concern {
    /// The calls that the violation's text names; the consumers where it names no call.
    pub fn of(run: &Run, violation: &Violation) -> Self {
        let words: BTreeSet<&str> = words(&violation.what).collect();
        let mut calls = BTreeSet::new();
        let mut consumers = BTreeSet::new();
        for (_, fact) in run.history.facts() {
            match fact {
                Fact::Admitted { call, .. } | Fact::Asked { call, .. } => {
                    calls.insert(call.to_string());
                }
                Fact::Status { consumer, .. } | Fact::Registered { consumer, .. } => {
                    consumers.insert(consumer.to_string());
                }
                _ => {}
            }
        }
        calls.retain(|call| words.contains(call.as_str()));
        consumers.retain(|consumer| words.contains(consumer.as_str()));
        Self { names: if calls.is_empty() { consumers } else { calls } }
    }

    /// Whether a line of text names one of them.
    pub fn is_in(&self, text: &str) -> bool {
        words(text).any(|word| self.names.contains(word))
    }

    /// Nothing is known of what the violation is about.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// The words of a text, as ids are written.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')))
        .map(|word| word.trim_end_matches(['.', ':']))
}

/// What matters of a traced run for this violation. An operation stands once, where the store
/// applied it; an identical line is told once.
pub fn story(run: &Run, violation: &Violation) -> Vec<StoryLine> {
    let concern = Concern::of(run, violation);
    let told = answered(&run.trace);
    let applied = applied(&run.trace);
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    let mut is_begun = false;
    for step in run.trace.iter().take_while(|step| step.at <= violation.at) {
        let is_remark = matches!(step.what, Happening::Remark(_));
        let Some(text) = text(step, &concern, &applied, &told) else {
            continue;
        };
        is_begun |= !is_remark;
        if (is_begun || is_remark) && seen.insert(text.clone()) {
            lines.push(StoryLine { at: step.at, text });
        }
    }
    // Remarks that were made long before anything mattered are about nodes that start.
    let first = lines.iter().position(|line| concern.is_in(&line.text)).unwrap_or(0);
    let mut index = 0;
    lines.retain(|line| {
        index += 1;
        index > first || !line.text.ends_with(" starts")
    });
    lines
}

/// Effects whose answers reached their machines.
fn answered(trace: &[Step]) -> BTreeSet<(HostId, EffectId)> {
    trace
        .iter()
        .filter_map(|step| match &step.what {
            Happening::Told { who, input: Input::Done { id, done } } => match done {
                Done::Connected(Err(_)) | Done::Executed(Err(_)) | Done::Watched(Err(_)) => None,
                _ => Some((who.host, *id)),
            },
            _ => None,
        })
        .collect()
}

/// Requests that reached the store, at least in part, and how much of them.
fn applied(trace: &[Step]) -> BTreeMap<(HostId, EffectId), usize> {
    let mut applied = BTreeMap::new();
    for step in trace {
        if let Happening::Applied { who, id: Some(id), .. } = &step.what {
            *applied.entry((who.host, *id)).or_insert(0) += 1;
        }
    }
    applied
}

/// What a step says, if it matters.
fn text(
    step: &Step,
    concern: &Concern,
    applied: &BTreeMap<(HostId, EffectId), usize>,
    told: &BTreeSet<(HostId, EffectId)>,
) -> Option<String> {
    let matters = |text: String| concern.is_in(&text).then_some(text);
    let unheard = |host: HostId, id: EffectId| {
        if told.contains(&(host, id)) { "" } else { " (the answer never arrives)" }
    };
    match &step.what {
        Happening::Remark(remark) => Some(remark.clone()),
        Happening::Applied { who, id, op, result, .. } => {
            let lost = id.map_or(" (a copy)", |id| unheard(who.host, id));
            matters(match result {
                Ok(reply) => format!("{} asks [{op}], store: {reply}{lost}", who.node),
                Err(error) => format!("{} asks [{op}], store refuses: {error}{lost}", who.node),
            })
        }
        Happening::Wants { who, id, effect: Effect::Execute { ops, .. } } => {
            // What the store applied stands there; here stands what never came.
            let came = applied.get(&(who.host, *id)).copied().unwrap_or(0);
            let lost: Vec<String> = ops.iter().skip(came).map(|op| format!("[{op}]")).collect();
            matters(format!("{} asks {}, and it never reaches the store", who.node, lost.join(" ")))
        }
        Happening::Wants {
            who,
            effect: effect @ (Effect::Run(_) | Effect::Interrupt { .. }),
            ..
        } => matters(format!("{} wants to {effect}", who.node)),
        Happening::Wakes { who, id, wake: Ok(wake), .. } => {
            matters(format!("store tells {}: {wake}{}", who.node, unheard(who.host, *id)))
        }
        Happening::Says { who, event } => matters(format!("{} says: {event}", who.node)),
        Happening::Told { who, input: Input::Command(command) } => {
            matters(format!("{} is to {command}", who.node))
        }
        Happening::Told { who, input: Input::Done { id, done: Done::Ran(end) } } => match end {
            AttemptEnd::Success(_) => None,
            end => Some(format!("{} is told {id}: {end}", who.node)).filter(|_| concern.is_empty()),
        },
        _ => None,
    }
}
