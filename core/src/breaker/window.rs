//! The sliding window of a closed breaker: failure times for the threshold, buckets for the rate.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::time::Time;

use super::settings::{BreakerConfig, FailureRate};

/// What counted lately.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// At most `failure_threshold` times, oldest first.
    failures: VecDeque<Time>,
    /// Only where a rate is configured.
    rate: Option<Box<Buckets>>,
}

impl Window {
    pub(super) fn new(config: &BreakerConfig) -> Self {
        Self {
            failures: VecDeque::new(),
            rate: config.failure_rate.map(|_| Box::new(Buckets::new(config.period()))),
        }
    }

    /// Counts one result, and tells whether a rule says to open.
    pub(super) fn record(&mut self, now: Time, failed: bool, config: &BreakerConfig) -> bool {
        let too_many = failed && config.failure_threshold > 0 && self.record_failure(now, config);
        let too_often = match (&mut self.rate, config.failure_rate) {
            (Some(buckets), Some(rate)) => buckets.record(now, failed, rate),
            _ => false,
        };
        too_many || too_often
    }

    fn record_failure(&mut self, now: Time, config: &BreakerConfig) -> bool {
        while self.failures.front().is_some_and(|oldest| now.since(*oldest) >= config.period()) {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        let threshold = config.failure_threshold as usize;
        debug_assert!(self.failures.len() <= threshold, "more failures than open it");
        self.failures.len() >= threshold
    }

    pub(super) fn fingerprint(&self, now: Time, config: &BreakerConfig, mut into: &mut dyn Hasher) {
        let ages = self.failures.iter().map(|failure| now.since(*failure));
        for age in ages.filter(|age| *age < config.period()) {
            (1_u8, age).hash(&mut into);
        }
        0_u8.hash(&mut into);
        if let Some(buckets) = &self.rate {
            buckets.fingerprint(now, into);
        }
    }
}

/// Into so many parts the monitoring period is cut: the rate's window slides in these steps.
const BUCKETS: u64 = 16;

/// Results of one part of the monitoring period.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Bucket {
    results: u64,
    failures: u64,
}

/// The results of the monitoring period, in a fixed number of parts, with their sum.
#[derive(Clone, Debug)]
struct Buckets {
    width_micros: u64,
    /// Number of the newest part, counted from the clock's zero.
    newest: u64,
    /// Part `n` stands at `n % BUCKETS`.
    ring: [Bucket; BUCKETS as usize],
    sum: Bucket,
}

impl Buckets {
    fn new(period: Duration) -> Self {
        let micros = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        Self {
            width_micros: micros.div_ceil(BUCKETS),
            newest: 0,
            ring: [Bucket::default(); BUCKETS as usize],
            sum: Bucket::default(),
        }
    }

    /// Counts one result, and tells whether the rate is reached.
    fn record(&mut self, now: Time, failed: bool, rate: FailureRate) -> bool {
        self.slide(now.as_micros() / self.width_micros);
        let bucket = &mut self.ring[(self.newest % BUCKETS) as usize];
        for counts in [bucket, &mut self.sum] {
            counts.results += 1;
            counts.failures += u64::from(failed);
        }
        self.sum.failures > 0
            && self.sum.results >= u64::from(rate.minimum_calls)
            && self.sum.failures * 100 >= u64::from(rate.percent) * self.sum.results
    }

    /// Drops the parts that left the period.
    fn slide(&mut self, part: u64) {
        let steps = part.saturating_sub(self.newest).min(BUCKETS);
        for step in 1..=steps {
            let left = std::mem::take(&mut self.ring[((self.newest + step) % BUCKETS) as usize]);
            self.sum.results -= left.results;
            self.sum.failures -= left.failures;
        }
        self.newest = self.newest.max(part);
    }

    fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        let part = now.as_micros() / self.width_micros;
        let mut seen = self.clone();
        seen.slide(part);
        for age in 0..BUCKETS.min(seen.newest + 1) {
            let bucket = seen.ring[((seen.newest - age) % BUCKETS) as usize];
            if bucket.results > 0 {
                (1_u8, age, bucket).hash(&mut into);
            }
        }
        0_u8.hash(&mut into);
        if seen.sum.results > 0 {
            (now.as_micros() % self.width_micros).hash(&mut into);
        }
    }
}
