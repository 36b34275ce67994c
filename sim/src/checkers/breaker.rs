//! P8: a breaker changes only as it may, and is not stuck.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::breaker::BreakerState::{self, Closed, HalfOpen, Open};

use super::{Promise, Terms, Violation};
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

/// A node's clock drifts, and its timers come a little late.
const MARGIN: Duration = Duration::from_secs(2);

/// Checks every change of every breaker, and that none is open for longer than its recovery timeout.
/// The world forces none.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut states: BTreeMap<HostId, (BreakerState, Moment)> = BTreeMap::new();
    for (at, fact) in history.facts() {
        let what = match fact {
            Fact::Breaker { host, from, to } => {
                let before = states.insert(*host, (*to, *at)).map_or(Closed, |(state, _)| state);
                if before != *from {
                    format!("{host}: the breaker was {before}, and went from {from} to {to}")
                } else if !is_legal(*from, *to) {
                    format!("{host}: the breaker went from {from} to {to}")
                } else {
                    continue;
                }
            }
            // Who is told to end has had its time to recover.
            Fact::ShutdownSent { host } => match states.get(host) {
                Some((Open, since)) if at.since(*since) > terms.breaker_recovery + MARGIN => {
                    format!("{host}: the breaker is open since {since}")
                }
                _ => continue,
            },
            _ => continue,
        };
        found.push(Violation { promise: Promise::BreakerLegal, at: *at, what });
    }
}

const fn is_legal(from: BreakerState, to: BreakerState) -> bool {
    matches!((from, to), (Closed | HalfOpen, Open) | (Open, HalfOpen) | (HalfOpen, Closed))
}
