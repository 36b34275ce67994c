//! What a node measures: plain counters, and latencies in histograms of bounded size.
//!
//! Nothing here decides anything; fingerprints leave it out.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::call::OutcomeKind;

/// The shortest latency told apart from zero, in µs.
const LATENCY_MIN_US: u64 = 1;
/// The longest latency told apart from longer ones, in µs: one hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;
/// Two significant digits: an error of at most 1 %, about 27 KiB.
const LATENCY_DIGITS: u8 = 2;

/// Latencies from 1 µs to 1 h with an error of at most 1 %; what lies outside counts as the bound. It
/// takes no memory before the first one.
#[derive(Clone, Debug, Default)]
pub struct LatencyHistogram(Option<Box<Recorded>>);

#[derive(Clone, Debug)]
struct Recorded {
    histogram: Histogram<u64>,
    sum_us: u64,
}

impl LatencyHistogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros())
            .unwrap_or(u64::MAX)
            .clamp(LATENCY_MIN_US, LATENCY_MAX_US);
        let recorded = self.0.get_or_insert_with(|| Box::new(Recorded::nothing()));
        recorded.histogram.saturating_record(micros);
        recorded.sum_us = recorded.sum_us.saturating_add(micros);
    }

    /// Adds everything another one counted.
    pub fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.0 else {
            return;
        };
        let mine = self.0.get_or_insert_with(|| Box::new(Recorded::nothing()));
        let merged = mine.histogram.add(&theirs.histogram);
        debug_assert!(merged.is_ok(), "both have the same bounds");
        mine.sum_us = mine.sum_us.saturating_add(theirs.sum_us);
    }

    /// The figures.
    pub fn summary(&self) -> LatencySummary {
        let Some(recorded) = &self.0 else {
            return LatencySummary::default();
        };
        let histogram = &recorded.histogram;
        LatencySummary {
            count: histogram.len(),
            min_us: histogram.min(),
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
            mean_us: recorded.sum_us / histogram.len().max(1),
        }
    }
}

impl Recorded {
    fn nothing() -> Self {
        let histogram = Histogram::new_with_bounds(LATENCY_MIN_US, LATENCY_MAX_US, LATENCY_DIGITS)
            .expect("constant bounds of a histogram are valid");
        Self { histogram, sum_us: 0 }
    }
}

/// The figures of a [`LatencyHistogram`]: microseconds, zeros where nothing was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct LatencySummary {
    /// How many were counted.
    pub count: u64,
    /// The shortest.
    pub min_us: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 90 % of them took no longer.
    pub p90_us: u64,
    /// 99 % of them took no longer.
    pub p99_us: u64,
    /// 99.9 % of them took no longer.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
    /// The mean.
    pub mean_us: u64,
}

/// What a node measures of one function it serves, over all its incarnations there.
#[derive(Clone, Debug, Default)]
pub struct FunctionMetrics {
    /// Deliveries received from the store, repeated ones included.
    pub delivered: u64,
    /// Attempts given to the host.
    pub started: u64,
    /// Attempts that ended with a result.
    pub succeeded: u64,
    /// Attempts that ended otherwise, whatever the reason and whether retried or not.
    pub failed: u64,
    /// Failed attempts whose call is tried again.
    pub retried: u64,
    /// Attempts that took longer than the processing timeout.
    pub timed_out: u64,
    /// Attempts whose handler panicked.
    pub panicked: u64,
    /// Calls whose attempts were exhausted.
    pub dead_lettered: u64,
    /// Calls found past their deadline.
    pub expired: u64,
    /// Deliveries given back before or during their attempt.
    pub released: u64,
    /// Attempts that are to be completed from elsewhere.
    pub deferred: u64,
    /// Attempts whose call was taken over by another consumer meanwhile.
    pub lost: u64,
    /// From a delivery's arrival at this node to its attempt's start.
    pub queue_latency: LatencyHistogram,
    /// From an attempt's start to its end.
    pub handler_latency: LatencyHistogram,
}

impl FunctionMetrics {
    /// Counts how long a delivery waited at this node for its attempt.
    pub fn record_queue_latency(&mut self, latency: Duration) {
        self.queue_latency.record(latency);
    }

    /// Counts how long an attempt took.
    pub fn record_handler_latency(&mut self, latency: Duration) {
        self.handler_latency.record(latency);
    }

    /// Counts a call that was found decided when its attempt was to begin.
    pub fn count_outcome(&mut self, kind: OutcomeKind) {
        match kind {
            OutcomeKind::Expired => self.expired += 1,
            OutcomeKind::DeadLettered => self.dead_lettered += 1,
            OutcomeKind::Success | OutcomeKind::Error | OutcomeKind::Cancelled => {}
        }
    }

    /// The figures, as they are shown.
    pub fn report(&self) -> FunctionReport {
        FunctionReport {
            delivered: self.delivered,
            started: self.started,
            succeeded: self.succeeded,
            failed: self.failed,
            retried: self.retried,
            timed_out: self.timed_out,
            panicked: self.panicked,
            dead_lettered: self.dead_lettered,
            expired: self.expired,
            released: self.released,
            deferred: self.deferred,
            lost: self.lost,
            queue_latency: self.queue_latency.summary(),
            handler_latency: self.handler_latency.summary(),
        }
    }
}

/// The figures of [`FunctionMetrics`], whose fields have the same names and meanings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct FunctionReport {
    /// See [`FunctionMetrics::delivered`].
    pub delivered: u64,
    /// See [`FunctionMetrics::started`].
    pub started: u64,
    /// See [`FunctionMetrics::succeeded`].
    pub succeeded: u64,
    /// See [`FunctionMetrics::failed`].
    pub failed: u64,
    /// See [`FunctionMetrics::retried`].
    pub retried: u64,
    /// See [`FunctionMetrics::timed_out`].
    pub timed_out: u64,
    /// See [`FunctionMetrics::panicked`].
    pub panicked: u64,
    /// See [`FunctionMetrics::dead_lettered`].
    pub dead_lettered: u64,
    /// See [`FunctionMetrics::expired`].
    pub expired: u64,
    /// See [`FunctionMetrics::released`].
    pub released: u64,
    /// See [`FunctionMetrics::deferred`].
    pub deferred: u64,
    /// See [`FunctionMetrics::lost`].
    pub lost: u64,
    /// See [`FunctionMetrics::queue_latency`].
    pub queue_latency: LatencySummary,
    /// See [`FunctionMetrics::handler_latency`].
    pub handler_latency: LatencySummary,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies_us: impl IntoIterator<Item = u64>) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        for micros in latencies_us {
            histogram.record(Duration::from_micros(micros));
        }
        histogram
    }

    /// Within the 1 % that two digits leave.
    fn check_near(value: u64, expect: u64) {
        assert!(value.abs_diff(expect) * 100 <= expect, "{value} is not {expect}");
    }

    #[test]
    fn quantiles_are_right_within_one_percent() {
        let summary = of(1..=10_000).summary();
        assert_eq!(summary.count, 10_000);
        check_near(summary.min_us, 1);
        check_near(summary.p50_us, 5_000);
        check_near(summary.p90_us, 9_000);
        check_near(summary.p99_us, 9_900);
        check_near(summary.p999_us, 9_990);
        check_near(summary.max_us, 10_000);
        check_near(summary.mean_us, 5_000);
    }

    #[test]
    fn what_lies_outside_the_bounds_counts_as_the_bound() {
        let summary = of([0, u64::MAX]).summary();
        assert_eq!(summary.count, 2);
        assert_eq!(summary.min_us, LATENCY_MIN_US);
        check_near(summary.max_us, LATENCY_MAX_US);
    }

    #[test]
    fn before_the_first_latency_there_is_no_memory_and_no_figure() {
        let idle = LatencyHistogram::default();
        assert!(idle.0.is_none());
        assert_eq!(idle.summary(), LatencySummary::default());
    }

    #[test]
    fn merging_is_counting_both() {
        let check = |left: &[u64], right: &[u64]| {
            let mut merged = of(left.iter().copied());
            merged.merge(&of(right.iter().copied()));
            let both = of(left.iter().chain(right).copied());
            assert_eq!(merged.summary(), both.summary());
        };
        check(&[], &[]);
        check(&[5], &[]);
        check(&[], &[7, 7]);
        check(&[1, 2_000], &[3_000_000]);
    }

    #[test]
    fn the_summary_of_a_function_is_readable_json() {
        let mut metrics =
            FunctionMetrics { delivered: 3, retried: 1, ..FunctionMetrics::default() };
        metrics.handler_latency.record(Duration::from_millis(2));
        insta::assert_snapshot!(serde_json::to_string_pretty(&metrics.report()).unwrap());
    }
}
