//! Probes: statements about the running machine that a simulation checks and counts.
//!
//! A probe writes to a [`Sink`] that is passed in. Production passes [`NoSink`], whose methods are empty
//! and whose `enabled` is a constant `false`: the probe's condition is not even evaluated. A node's sink
//! is [`NodeSink`]: nothing, unless the feature `probes` is on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where probes write.
pub trait Sink {
    /// Whether probes are looked at; a constant `false` compiles them to nothing.
    fn enabled(&self) -> bool;

    /// One evaluation of a probe.
    fn record(&self, probe: Probe, held: bool);
}

/// A probe's name and place, fixed at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// Its kind.
    pub kind: ProbeKind,
    /// What it states.
    pub name: &'static str,
}

/// What a probe claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProbeKind {
    /// Holds at each evaluation; once false is a violation.
    Always,
    /// Holds at one evaluation at least, over a whole run of seeds.
    Sometimes,
    /// Is evaluated at least once, over a whole run of seeds.
    Reachable,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ProbeKind::Always => "always",
            ProbeKind::Sometimes => "sometimes",
            ProbeKind::Reachable => "reachable",
        };
        write!(f, "{kind}: {}", self.name)
    }
}

/// No sink: probes compile to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl Sink for NoSink {
    #[inline(always)]
    fn enabled(&self) -> bool {
        false
    }

    #[inline(always)]
    fn record(&self, _probe: Probe, _held: bool) {}
}

/// How often a probe was evaluated, and how often it held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Evaluations.
    pub seen: u64,
    /// Those at which it held.
    pub held: u64,
}

/// What a node's probes write to: nothing, since the feature `probes` is off.
#[cfg(not(feature = "probes"))]
pub type NodeSink = NoSink;

/// What a node's probes write to: a sink, where one was passed in.
#[cfg(feature = "probes")]
pub type NodeSink = Option<CountingSink>;

impl<S: Sink> Sink for Option<S> {
    fn enabled(&self) -> bool {
        self.as_ref().is_some_and(Sink::enabled)
    }

    fn record(&self, probe: Probe, held: bool) {
        if let Some(sink) = self {
            sink.record(probe, held);
        }
    }
}

/// A sink that counts; clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct CountingSink(Arc<Mutex<BTreeMap<Probe, Tally>>>);

impl CountingSink {
    /// All probes seen so far.
    pub fn tallies(&self) -> BTreeMap<Probe, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for CountingSink {
    fn enabled(&self) -> bool {
        true
    }

    fn record(&self, probe: Probe, held: bool) {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry(probe).or_default();
        tally.seen += 1;
        tally.held += u64::from(held);
    }
}

/// Claims that a condition holds whenever this line is passed.
#[macro_export]
macro_rules! always {
    ($sink:expr, $condition:expr, $name:literal) => {
        $crate::probe!($sink, Always, $condition, $name)
    };
}

/// Claims that a condition holds at least once when this line is passed, over many seeds.
#[macro_export]
macro_rules! sometimes {
    ($sink:expr, $condition:expr, $name:literal) => {
        $crate::probe!($sink, Sometimes, $condition, $name)
    };
}

/// Claims that this line is passed at least once, over many seeds.
#[macro_export]
macro_rules! reachable {
    ($sink:expr, $name:literal) => {
        $crate::probe!($sink, Reachable, true, $name)
    };
}

/// What the three probe macros share.
#[doc(hidden)]
#[macro_export]
macro_rules! probe {
    ($sink:expr, $kind:ident, $condition:expr, $name:literal) => {
        if $crate::probe::Sink::enabled(&$sink) {
            let probe = $crate::probe::Probe { kind: $crate::probe::ProbeKind::$kind, name: $name };
            $crate::probe::Sink::record(&$sink, probe, $condition);
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_counts_where_there_is_a_sink() {
        let sink = CountingSink::default();
        for number in 0..3 {
            sometimes!(sink, number == 2, "the last one came");
            reachable!(sink, "the loop ran");
        }
        let tallies: Vec<String> = sink
            .tallies()
            .iter()
            .map(|(probe, tally)| format!("{probe}: {} of {}", tally.held, tally.seen))
            .collect();
        assert_eq!(
            tallies,
            ["sometimes: the last one came: 1 of 3", "reachable: the loop ran: 3 of 3"]
        );
    }

    #[test]
    fn without_a_sink_the_condition_is_not_evaluated() {
        let evaluated = std::cell::Cell::new(false);
        always!(NoSink, evaluated.replace(true), "never looked at");
        assert!(!evaluated.get());
    }
}
