//! The parts of a plan: what belongs together, whom it befalls, how long it lasts.

use std::time::Duration;

use crate::faults::{Fault, Plan, SlotId};
use crate::moment::Moment;

/// A chance that is none.
const SURELY_PPM: u32 = 1_000_000;

/// Steps of a plan that stand and fall together: a fault, or the beginning and the end of a rough
/// time.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    steps: Vec<(Moment, Fault)>,
}

/// How many faults a plan holds: a rough time counts once, though it has a beginning and an end.
pub(crate) fn fault_count(plan: &Plan) -> usize {
    units(plan).len()
}

/// The units of a plan, in order of their beginnings.
pub(super) fn units(plan: &Plan) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (at, fault) in &plan.steps {
        let step = (*at, fault.clone());
        match (fault, units.iter_mut().rev().find(|unit| unit.is_ended_by(fault))) {
            (Fault::Rough { chance_ppm: 0, .. }, Some(unit)) => unit.steps.push(step),
            _ => units.push(Unit { steps: vec![step] }),
        }
    }
    units
}

/// The plan that these units make.
pub(super) fn plan_of(units: &[Unit]) -> Plan {
    let mut steps: Vec<_> = units.iter().flat_map(|unit| unit.steps.iter().cloned()).collect();
    steps.sort_by_key(|(at, _)| *at);
    Plan { steps }
}

impl Unit {
    /// The unit with an end of its own: a rough time without one lasts until the world heals.
    pub(super) fn ended(mut self, healed_at: Moment) -> Self {
        if let [(_, Fault::Rough { kind, .. })] = self.steps.as_slice() {
            let end = Fault::Rough { kind: *kind, chance_ppm: 0 };
            self.steps.push((healed_at, end));
        }
        self
    }

    fn is_ended_by(&self, end: &Fault) -> bool {
        matches!(self.steps.as_slice(), [(_, Fault::Rough { kind, chance_ppm: 1.. })]
            if *kind == end.kind())
    }

    /// The unit made shorter, each way that there is; none where it lasts no longer than `short`.
    pub(super) fn shortened(&self, short: Duration) -> Vec<Self> {
        let [(from, Fault::Rough { kind, chance_ppm }), (until, end)] = self.steps.as_slice()
        else {
            let mut shorter = self.clone();
            let halves = shorter.steps.iter_mut().map(|(_, fault)| fault.halve(short));
            let was_long = halves.fold(false, |long, half| long | half);
            return if was_long { vec![shorter] } else { Vec::new() };
        };
        let middle = *from + until.since(*from) / 2;
        let rough = |from: Moment, until: Moment, chance_ppm: u32| Self {
            steps: vec![(from, Fault::Rough { kind: *kind, chance_ppm }), (until, end.clone())],
        };
        if until.since(*from) > short {
            return vec![rough(*from, middle, *chance_ppm), rough(middle, *until, *chance_ppm)];
        }
        // Within so short a time one message suffers, or a few: then surely, and not by chance.
        if *chance_ppm < SURELY_PPM { vec![rough(*from, *until, SURELY_PPM)] } else { Vec::new() }
    }
}

/// Gives the nodes of a plan other names; what befalls a node without one is removed.
pub(super) fn rename_nodes(plan: &mut Plan, name: impl Fn(SlotId) -> Option<SlotId>) {
    plan.steps.retain_mut(|(_, fault)| fault.rename_nodes(&name));
}

/// Removes what befalls one function; those after it move up.
pub(super) fn without_function(plan: &mut Plan, gone: u16) {
    plan.steps.retain_mut(|(_, fault)| fault.move_up_after(gone));
}

impl Fault {
    /// The node that it befalls, if it befalls one.
    pub const fn slot(&self) -> Option<SlotId> {
        match self {
            Self::Kill(slot)
            | Self::Crash { slot, .. }
            | Self::Pause(slot, _)
            | Self::Resave(slot, _)
            | Self::Partition { slot, .. }
            | Self::NodeClock(slot, _)
            | Self::Retire { slot, .. }
            | Self::Abandon { slot, .. }
            | Self::Save(slot)
            | Self::Stop { slot, .. } => Some(*slot),
            Self::Rough { .. }
            | Self::Restart { .. }
            | Self::Lose { .. }
            | Self::Flush { .. }
            | Self::DeleteStream(_)
            | Self::DeleteGroup(_)
            | Self::Refuse(..)
            | Self::Slow { .. }
            | Self::StoreClock(_)
            | Self::PoisonMessage { .. }
            | Self::Together(_) => None,
        }
    }

    /// How long it lasts, if it does.
    pub const fn lasts(&self) -> Option<Duration> {
        match self {
            Self::Crash { down: lasts, .. }
            | Self::Pause(_, lasts)
            | Self::Resave(_, lasts)
            | Self::Partition { lasts, .. }
            | Self::Restart { down: lasts }
            | Self::Lose { down: lasts, .. }
            | Self::Refuse(_, lasts)
            | Self::Slow { lasts, .. }
            | Self::Retire { back_after: lasts, .. } => Some(*lasts),
            Self::Rough { .. }
            | Self::Kill(_)
            | Self::Flush { .. }
            | Self::DeleteStream(_)
            | Self::DeleteGroup(_)
            | Self::StoreClock(_)
            | Self::NodeClock(..)
            | Self::PoisonMessage { .. }
            | Self::Abandon { .. }
            | Self::Together(_)
            | Self::Save(_)
            | Self::Stop { .. } => None,
        }
    }

    const fn slot_mut(&mut self) -> Option<&mut SlotId> {
        match self {
            Self::Kill(slot)
            | Self::Crash { slot, .. }
            | Self::Pause(slot, _)
            | Self::Resave(slot, _)
            | Self::Partition { slot, .. }
            | Self::NodeClock(slot, _)
            | Self::Retire { slot, .. }
            | Self::Abandon { slot, .. }
            | Self::Save(slot)
            | Self::Stop { slot, .. } => Some(slot),
            _ => None,
        }
    }

    const fn lasts_mut(&mut self) -> Option<&mut Duration> {
        match self {
            Self::Crash { down: lasts, .. }
            | Self::Pause(_, lasts)
            | Self::Resave(_, lasts)
            | Self::Partition { lasts, .. }
            | Self::Restart { down: lasts }
            | Self::Lose { down: lasts, .. }
            | Self::Refuse(_, lasts)
            | Self::Slow { lasts, .. }
            | Self::Retire { back_after: lasts, .. } => Some(lasts),
            _ => None,
        }
    }

    const fn function_mut(&mut self) -> Option<&mut u16> {
        match self {
            Self::DeleteStream(function)
            | Self::DeleteGroup(function)
            | Self::Retire { function, .. }
            | Self::PoisonMessage { function, .. } => Some(function),
            _ => None,
        }
    }

    /// Gives its node another name; whether anything of it is left.
    fn rename_nodes(&mut self, name: &impl Fn(SlotId) -> Option<SlotId>) -> bool {
        if let Self::Together(faults) = self {
            faults.retain_mut(|fault| fault.rename_nodes(name));
            return !faults.is_empty();
        }
        self.slot_mut().is_none_or(|slot| name(*slot).map(|name| *slot = name).is_some())
    }

    /// Moves up behind a function that is removed; whether anything of it is left.
    fn move_up_after(&mut self, gone: u16) -> bool {
        if let Self::Together(faults) = self {
            faults.retain_mut(|fault| fault.move_up_after(gone));
            return !faults.is_empty();
        }
        self.function_mut().is_none_or(|function| {
            let is_kept = *function != gone;
            if *function > gone {
                *function -= 1;
            }
            is_kept
        })
    }

    /// Halves how long it lasts; whether it was longer than `short`.
    fn halve(&mut self, short: Duration) -> bool {
        if let Self::Together(faults) = self {
            // Each of them, also behind the first that is long.
            return faults.iter_mut().fold(false, |long, fault| fault.halve(short) | long);
        }
        self.lasts_mut().is_some_and(|lasts| {
            let is_long = *lasts > short;
            *lasts /= 2;
            is_long
        })
    }
}
