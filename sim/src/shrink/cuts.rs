//! The cuts: each makes candidates of the present best case, from the boldest to the finest.

use std::time::Duration;

use super::Shrinker;
use super::parts::{self, units};
use crate::case::Case;
use crate::faults::{Mask, SlotId};
use crate::moment::Moment;
use crate::script::STAGE_FROM;
use crate::subject::{SimStore, Subject};
use crate::workload::Intent;

/// Shorter than this, a fault is left as it is.
const SHORT: Duration = Duration::from_millis(20);

/// What is left of a pause between two lines of the script.
const BREATH: Duration = Duration::from_millis(500);

impl<M: Subject, S: SimStore> Shrinker<'_, M, S> {
    /// Every cut, once; whether one of them gave up before its end.
    pub(super) fn cut_all(&mut self) -> bool {
        let cuts: [fn(&mut Self); 10] = [
            Self::cut_what_comes_after,
            // Early: without chance, what is removed shifts nothing else.
            Self::cut_chance,
            Self::cut_kinds,
            Self::cut_calls,
            Self::cut_faults,
            Self::cut_nodes,
            Self::cut_functions,
            Self::cut_complications,
            Self::cut_waiting,
            Self::cut_lengths,
        ];
        cuts.into_iter().fold(false, |gave_up, cut| self.cut_within_share(cut) | gave_up)
    }

    /// What comes after the violation cannot have caused it, but healing it comes earlier then.
    fn cut_what_comes_after(&mut self) {
        let over = self.violation.at;
        let last = last_line(&self.best).min(over);
        for until in [last, over] {
            for breath in [BREATH, Duration::from_secs(5)] {
                let mut case = self.best.clone();
                let length = (until + breath).since(STAGE_FROM);
                if length >= case.length {
                    continue;
                }
                case.length = length;
                case.script.plan.steps.retain(|(at, _)| *at <= until);
                case.script.intents.retain(|intent| intent.at <= until);
                if self.attempt(case) {
                    return;
                }
            }
        }
    }

    /// All kinds of faults, and then each.
    fn cut_kinds(&mut self) {
        let mut none = self.best.clone();
        none.script.mask = Mask::default();
        none.script.plan.steps.clear();
        if self.attempt(none) {
            return;
        }
        for kind in self.best.script.mask.kinds().collect::<Vec<_>>() {
            let mut case = self.best.clone();
            let kept: Vec<_> = case.script.mask.kinds().filter(|other| *other != kind).collect();
            case.script.mask = Mask::of(&kept);
            case.script.plan.steps.retain(|(_, fault)| fault.kind() != kind);
            self.attempt(case);
        }
    }

    fn cut_faults(&mut self) {
        let units = units(&self.best.script.plan);
        remove_chunks(units, |kept| {
            let mut case = self.best.clone();
            case.script.plan = parts::plan_of(kept);
            self.attempt(case)
        });
    }

    fn cut_calls(&mut self) {
        let intents = self.best.script.intents.clone();
        remove_chunks(intents, |kept| {
            let mut case = self.best.clone();
            case.script.intents = kept.to_vec();
            self.attempt(case)
        });
    }

    /// Takes a node away, with its faults; a caller's calls go to another caller, or away.
    fn cut_nodes(&mut self) {
        for slot in (0..self.best.workers + self.best.callers).rev() {
            let gone = SlotId(slot);
            let is_worker = slot < self.best.workers;
            let alone = if is_worker { self.best.workers == 1 } else { self.best.callers == 1 };
            if alone {
                continue;
            }
            let first_caller = SlotId(self.best.workers - u16::from(is_worker));
            for heir in if is_worker { vec![None] } else { vec![Some(first_caller), None] } {
                let case = without_node(&self.best, gone, is_worker, heir);
                if self.attempt(case) {
                    break;
                }
            }
        }
    }

    fn cut_functions(&mut self) {
        for index in (0..self.best.functions.len()).rev() {
            if self.best.functions.len() == 1 {
                return;
            }
            let mut case = self.best.clone();
            let gone = case.functions.remove(index);
            case.script.intents.retain(|intent| intent.request.function != gone);
            parts::without_function(&mut case.script.plan, index as u16);
            self.attempt(case);
        }
    }

    /// What is left to chance: handlers, clocks, latencies.
    fn cut_chance(&mut self) {
        let cuts: [fn(&mut Case); 3] = [
            |case| case.plain_handlers = true,
            |case| case.drift_ppm = 0,
            |case| {
                let middle = (case.latency.0 + case.latency.1) / 2;
                case.latency = (middle, middle);
            },
        ];
        for cut in cuts {
            let mut case = self.best.clone();
            cut(&mut case);
            self.attempt(case);
        }
    }

    /// What makes a call more than a plain call.
    fn cut_complications(&mut self) {
        let cuts: [fn(&mut Intent); 6] = [
            |intent| intent.again = None,
            |intent| intent.cancel_at = None,
            |intent| intent.request.idempotency_key = None,
            |intent| intent.request.delay = Duration::ZERO,
            |intent| intent.request.deadline = None,
            |intent| {
                intent.request.timeout = None;
                intent.request.on_timeout = steadfast_core::command::OnTimeout::Abandon;
            },
        ];
        for cut in cuts {
            let mut all = self.best.clone();
            all.script.intents.iter_mut().for_each(cut);
            if self.attempt(all) {
                continue;
            }
            for index in 0..self.best.script.intents.len() {
                let mut one = self.best.clone();
                cut(&mut one.script.intents[index]);
                self.attempt(one);
            }
        }
    }

    /// Brings each line of the script nearer to the one before it.
    fn cut_waiting(&mut self) {
        for line in 0..lines(&self.best).len() {
            let at = lines(&self.best);
            let Some(present) = at.get(line).copied() else {
                return;
            };
            let before = if line == 0 { STAGE_FROM } else { at[line - 1] };
            let gap = present.since(before);
            for left in [BREATH, gap / 2] {
                if gap <= left + BREATH {
                    continue;
                }
                let case = moved_up(&self.best, present, gap.saturating_sub(left));
                if self.attempt(case) {
                    break;
                }
            }
        }
    }

    /// Makes each fault that lasts shorter, as often as that still breaks the promise.
    fn cut_lengths(&mut self) {
        for index in 0..units(&self.best.script.plan).len() {
            while self.shorten(index) {}
        }
    }

    /// Makes one fault shorter; whether that still breaks the promise.
    fn shorten(&mut self, index: usize) -> bool {
        let all = units(&self.best.script.plan);
        let healed_at = STAGE_FROM + self.best.length;
        let ended = all.get(index).map(|unit| unit.clone().ended(healed_at));
        let shorter = ended.map(|unit| unit.shortened(SHORT)).unwrap_or_default();
        shorter.into_iter().any(|unit| {
            let mut all = all.clone();
            all[index] = unit;
            let mut case = self.best.clone();
            case.script.plan = parts::plan_of(&all);
            self.attempt(case)
        })
    }
}

/// When the lines of the script are due, in order.
fn lines(case: &Case) -> Vec<Moment> {
    let mut at: Vec<Moment> = case.script.plan.steps.iter().map(|(at, _)| *at).collect();
    at.extend(case.script.intents.iter().map(|intent| intent.at));
    at.sort();
    at
}

fn last_line(case: &Case) -> Moment {
    let intents = case.script.intents.iter();
    let again = intents.clone().filter_map(|intent| intent.again.map(|(at, _)| at));
    let cancels = intents.filter_map(|intent| intent.cancel_at);
    lines(case).into_iter().chain(again).chain(cancels).max().unwrap_or(STAGE_FROM)
}

/// The case with everything from a moment on so much earlier.
fn moved_up(case: &Case, from: Moment, by: Duration) -> Case {
    let mut case = case.clone();
    let moved = |at: &mut Moment| {
        if *at >= from {
            *at = at.before(by);
        }
    };
    case.script.plan.steps.iter_mut().for_each(|(at, _)| moved(at));
    for intent in &mut case.script.intents {
        moved(&mut intent.at);
        if let Some((at, _)) = &mut intent.again {
            moved(at);
        }
        intent.cancel_at.iter_mut().for_each(moved);
    }
    case.length = case.length.saturating_sub(by);
    case
}

/// The case without this node; what it called, the heir calls, or nobody.
fn without_node(case: &Case, gone: SlotId, is_worker: bool, heir: Option<SlotId>) -> Case {
    let mut case = case.clone();
    if is_worker {
        case.workers -= 1;
    } else {
        case.callers -= 1;
    }
    let renamed = |slot: SlotId| match slot.0.cmp(&gone.0) {
        std::cmp::Ordering::Less => Some(slot),
        std::cmp::Ordering::Equal => heir,
        std::cmp::Ordering::Greater => Some(SlotId(slot.0 - 1)),
    };
    // Its faults befall nobody else.
    parts::rename_nodes(&mut case.script.plan, |slot| renamed(slot).filter(|_| slot != gone));
    case.script.intents.retain_mut(|intent| {
        intent.again = intent.again.and_then(|(at, slot)| Some((at, renamed(slot)?)));
        renamed(intent.slot).map(|slot| intent.slot = slot).is_some()
    });
    case
}

/// Removes ever smaller chunks of the items, as long as what is left passes.
fn remove_chunks<T: Clone>(mut items: Vec<T>, mut passes: impl FnMut(&[T]) -> bool) {
    let mut size = items.len();
    while size > 0 {
        let mut from = 0;
        while from < items.len() {
            let until = (from + size).min(items.len());
            let kept = [&items[..from], &items[until..]].concat();
            if passes(&kept) {
                items = kept;
            } else {
                from = until;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
}

#[cfg(test)]
mod tests {
    use super::remove_chunks;

    /// Shrinks `0..count` to what holds all of `needed`.
    fn check(count: u32, needed: &[u32]) {
        let (mut least, mut runs) = ((0..count).collect::<Vec<_>>(), 0);
        remove_chunks(least.clone(), |kept| {
            runs += 1;
            let passes = needed.iter().all(|item| kept.contains(item));
            if passes {
                least = kept.to_vec();
            }
            passes
        });
        assert_eq!(least, needed);
        assert!(runs <= 12 + needed.len() * 20, "{runs} runs for {needed:?} of {count}");
    }

    #[test]
    fn only_what_is_needed_is_left() {
        check(0, &[]);
        check(1, &[0]);
        check(200, &[]);
        check(200, &[199]);
        check(200, &[0, 77, 78, 150]);
    }
}
