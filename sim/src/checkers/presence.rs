//! P4, its silent half: a consumer that nobody ended is there and reads.

use std::collections::BTreeMap;

use steadfast_core::name::{ConsumerId, FunctionId};
use steadfast_core::op::ConsumerStatus;

use super::{Promise, Terms, Violation};
use crate::history::{Fact, History, HostId};
use crate::moment::Moment;

#[derive(Default)]
struct Presence<'a> {
    /// Functions that a host is to serve, and since when.
    expected: BTreeMap<(HostId, &'a FunctionId), Moment>,
    statuses: BTreeMap<(HostId, &'a FunctionId), BTreeMap<&'a ConsumerId, ConsumerStatus>>,
    healed_at: Option<Moment>,
}

/// Checks, when a host is told to end after a time without faults, that it serves what it was told to.
pub(super) fn check(history: &History, terms: &Terms, found: &mut Vec<Violation>) {
    let mut presence = Presence::default();
    for (at, fact) in history.facts() {
        match fact {
            Fact::Healed => presence.healed_at = Some(*at),
            Fact::Served { host, function, .. } => {
                presence.expected.insert((*host, function), *at);
            }
            Fact::Retired { host, function } => {
                presence.expected.remove(&(*host, function));
            }
            Fact::Killed { host, .. } => {
                presence.expected.retain(|(expected, _), _| expected != host);
            }
            // It may have named the present incarnation: until it is served again nobody need be there.
            Fact::StopSent { host, consumer, .. } => presence.stopped(*host, consumer),
            Fact::Status { host, function, consumer, status, .. } => {
                let statuses = presence.statuses.entry((*host, function)).or_default();
                statuses.insert(consumer, *status);
            }
            Fact::ShutdownSent { host } => presence.judge(*at, *host, terms, found),
            _ => {}
        }
    }
}

impl Presence<'_> {
    fn stopped(&mut self, host: HostId, consumer: &ConsumerId) {
        let statuses = &self.statuses;
        self.expected.retain(|(expected, function), _| {
            *expected != host
                || !statuses.get(&(host, function)).is_some_and(|it| it.contains_key(consumer))
        });
    }

    fn judge(&self, at: Moment, host: HostId, terms: &Terms, found: &mut Vec<Violation>) {
        let quiet = terms.consumer_timeout;
        if self.healed_at.is_none_or(|healed| at.since(healed) < quiet) {
            return;
        }
        let expected = self.expected.iter().filter(|((expected, _), _)| *expected == host);
        for ((_, function), since) in expected {
            let statuses = self.statuses.get(&(host, *function));
            let is_there =
                statuses.is_some_and(|it| it.values().any(|it| *it == ConsumerStatus::Active));
            if !is_there && at.since(*since) >= quiet {
                let what =
                    format!("{host} was told to serve {function}, and does not: {statuses:?}");
                found.push(Violation { promise: Promise::NeverLeaves, at, what });
            }
        }
    }
}
