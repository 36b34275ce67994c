//! P3 and P4: what ended each consumer.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::event::StopCause;
use steadfast_core::name::{ConsumerId, Epoch, FunctionId};
use steadfast_core::op::ConsumerStatus;

use super::{Promise, Violation};
use crate::history::{Fact, History, HostId};

/// What may end consumers, so far.
#[derive(Default)]
struct Reasons<'a> {
    stops: BTreeSet<(HostId, &'a ConsumerId, Epoch)>,
    retired: BTreeSet<(HostId, &'a FunctionId)>,
    shut_down: BTreeSet<HostId>,
    /// How often a function was served by a host.
    served: BTreeMap<(HostId, &'a FunctionId), u32>,
    /// Those that another node had removed, or that the store forgot.
    removed: BTreeSet<&'a ConsumerId>,
    epochs: BTreeMap<&'a ConsumerId, BTreeSet<Epoch>>,
}

/// Checks that each consumer that stopped had a reason of its own.
pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let mut reasons = Reasons::default();
    for (at, fact) in history.facts() {
        match fact {
            Fact::StopSent { host, consumer, epoch } => {
                reasons.stops.insert((*host, consumer, *epoch));
            }
            Fact::Retired { host, function } => {
                reasons.retired.insert((*host, function));
            }
            Fact::ShutdownSent { host } => {
                reasons.shut_down.insert(*host);
            }
            Fact::Served { host, function, .. } => {
                *reasons.served.entry((*host, function)).or_default() += 1;
            }
            Fact::Removed { consumer, .. } => {
                reasons.removed.insert(consumer);
            }
            Fact::Registered { consumer, epoch, .. } => {
                reasons.epochs.entry(consumer).or_default().insert(*epoch);
            }
            Fact::Lost { consumers, .. } => reasons.removed.extend(consumers),
            Fact::Status {
                host,
                function,
                consumer,
                status: status @ (ConsumerStatus::Stopping | ConsumerStatus::Stopped),
                cause,
                ..
            } => {
                let (promise, holds) = reasons.hold(*host, function, consumer, *cause);
                if !holds {
                    let cause = cause.map_or("no cause".to_owned(), |cause| cause.to_string());
                    found.push(Violation {
                        promise,
                        at: *at,
                        what: format!("{host}: {consumer} is {status} ({cause}), for no reason"),
                    });
                }
            }
            _ => {}
        }
    }
}

impl Reasons<'_> {
    fn hold(
        &self,
        host: HostId,
        function: &FunctionId,
        consumer: &ConsumerId,
        cause: Option<StopCause>,
    ) -> (Promise, bool) {
        let asked = self.shut_down.contains(&host)
            || self.retired.contains(&(host, function))
            || self.epochs.get(consumer).is_some_and(|epochs| {
                epochs.iter().any(|epoch| self.stops.contains(&(host, consumer, *epoch)))
            });
        let saved = self.served.get(&(host, function)).copied().unwrap_or(0) > 1;
        let fenced = self.removed.contains(consumer);
        match cause {
            Some(StopCause::Asked) => (Promise::StopNames, asked),
            Some(StopCause::Saved) => (Promise::NeverLeaves, saved),
            Some(StopCause::Fenced) => (Promise::NeverLeaves, fenced),
            _ => (Promise::NeverLeaves, asked || saved || fenced),
        }
    }
}
