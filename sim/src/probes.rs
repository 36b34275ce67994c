//! Situations that a run of many seeds must meet: a checker that never saw one has proven nothing.

use std::collections::BTreeMap;
use std::fmt;

use steadfast_core::probe::{CountingSink, Probe, ProbeKind, Tally};

/// What a run of the swarm over a thousand seeds must have met at least once.
pub const REQUIRED: [&str; 41] = [
    "a busy node gave a request back",
    "a call expired",
    "a call joined another by its key",
    "a call of a killed worker was counted before it began",
    "a call that kills its workers was dead-lettered",
    "a call was given back by a save or a stop before it began",
    "a call was overdue when it was to begin",
    "a call whose decision the store lost was decided again",
    "a cancelled call was running",
    "a consumer degraded by an error was active again",
    "a deferral ended without completion",
    "a deferred call was completed by its token",
    "a drain was over while a handler ran",
    "a fenced consumer was succeeded by a new incarnation",
    "a function had as many open calls as it may",
    "a handler answered twice",
    "a message that is no call became a dead letter",
    "a node learnt that the store lives another life",
    "a processing timeout was over",
    "a read found stream or group missing",
    "a removal came too late: the consumer had beaten",
    "a reply stream was created anew",
    "a retired function was served again",
    "a robbed attempt decided its call",
    "a settlement was fenced",
    "a settlement was overruled",
    "a stop from the past did nothing",
    "a submission was not confirmed in time",
    "a submission was repeated after the decision",
    "a submission was repeated while the call was open",
    "a takeover gave calls back",
    "an awaiter was told that the outcome is forgotten",
    "an awaiter's patience ended",
    "an entry whose answer was cut off was adopted",
    "the breaker opened",
    "the breaker recovered",
    "the breaker refused a request",
    "the janitor removed a name without a consumer",
    "the store answered that it loads",
    "the store answered that it may not write",
    "the store answered that its memory is used up",
];

/// How often each probe was looked at, over one seed or many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies(BTreeMap<Probe, Tally>);

impl Tallies {
    /// What a sink has counted.
    pub fn of(sink: &CountingSink) -> Self {
        Self(sink.tallies())
    }

    /// Adds another seed's.
    pub fn add(&mut self, other: &Self) {
        for (probe, theirs) in &other.0 {
            let mine = self.0.entry(*probe).or_default();
            mine.seen += theirs.seen;
            mine.held += theirs.held;
        }
    }

    /// How often the probe of this name held.
    pub fn held(&self, name: &str) -> u64 {
        let named = self.0.iter().filter(|(probe, _)| probe.name == name);
        named.map(|(_, tally)| tally.held).sum()
    }

    /// The required probes that never held.
    pub fn missing(&self) -> Vec<&'static str> {
        REQUIRED.into_iter().filter(|name| self.held(name) == 0).collect()
    }

    /// The `always` probes that once did not hold.
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self
            .0
            .iter()
            .filter(|(probe, tally)| probe.kind == ProbeKind::Always && tally.held < tally.seen);
        broken.map(|(probe, _)| probe.name).collect()
    }

    /// How many probes held at least once.
    pub fn hit(&self) -> usize {
        self.0.values().filter(|tally| tally.held > 0).count()
    }
}

impl fmt::Display for Tallies {
    /// A line for each probe, with how often it held.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, (probe, tally))| {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "{:>9} {probe}", tally.held)
        })
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::{always, sometimes};

    use super::*;

    #[test]
    fn what_was_never_met_is_missing_and_what_once_failed_is_broken() {
        let sink = CountingSink::default();
        sometimes!(sink, true, "the breaker opened");
        sometimes!(sink, false, "the breaker recovered");
        always!(sink, true, "a pass");
        always!(sink, false, "a failure");
        let mut tallies = Tallies::of(&sink);
        tallies.add(&Tallies::of(&sink));
        assert_eq!(tallies.held("the breaker opened"), 2);
        assert_eq!(tallies.missing().len(), REQUIRED.len() - 1);
        assert!(tallies.missing().contains(&"the breaker recovered"));
        assert_eq!(tallies.broken(), ["a failure"]);
        assert!(REQUIRED.is_sorted());
    }
}
