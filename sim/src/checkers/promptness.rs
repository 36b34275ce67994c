//! P5: where only saves happen, no call waits.

use std::collections::BTreeMap;

use steadfast_core::name::CallId;

use super::{Promise, Terms, Violation};
use crate::history::{Fact, History};
use crate::moment::Moment;

/// Checks each call that was admitted while nothing but saves went on.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut touched: BTreeMap<&CallId, Moment> = BTreeMap::new();
    let mut excuses: Vec<(Moment, Moment)> = Vec::new();
    let margin = terms.observer_settle;
    for (at, fact) in history.facts() {
        match fact {
            Fact::Begun { call, .. } | Fact::Decided { call, .. } => {
                touched.entry(call).or_insert(*at);
            }
            Fact::Disturbed { until, .. } => excuses.push((*at, *until + margin)),
            Fact::Killed { .. }
            | Fact::StopSent { .. }
            | Fact::Retired { .. }
            | Fact::Lost { .. }
            | Fact::BodiesLost { .. } => excuses.push((*at, *at + margin * 4)),
            Fact::ShutdownSent { .. } => excuses.push((*at, *at + margin * 100)),
            _ => {}
        }
    }
    for (at, fact) in history.facts() {
        let Fact::Admitted { call, not_before, .. } = fact else {
            continue;
        };
        let due = *not_before + terms.prompt;
        let is_disturbed = excuses.iter().any(|(from, until)| *from <= due && *until >= *at);
        let late = touched.get(call).is_none_or(|begun| *begun > due);
        if late && !is_disturbed {
            found.push(Violation {
                promise: Promise::SaveStallsNothing,
                at: due,
                what: format!("{call} was accepted at {at}, and is not begun"),
            });
        }
    }
}
