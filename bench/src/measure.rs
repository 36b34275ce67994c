//! How a figure is taken: many samples of about equal length, of which the median and the best count.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// One line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What one operation is.
    pub(crate) name: &'static str,
    /// Nanoseconds per operation in the median sample.
    pub(crate) median_ns: f64,
    /// Nanoseconds per operation in the best sample: what the machine's other work disturbed least.
    pub(crate) best_ns: f64,
    /// The most it may take, where there is a promise.
    pub(crate) limit_ns: Option<f64>,
}

const SAMPLES: usize = 25;
const SAMPLE: Duration = Duration::from_millis(8);

impl Figure {
    /// Measures `work`, which does one operation each time it is called.
    pub(crate) fn of(name: &'static str, mut work: impl FnMut()) -> Self {
        let per_sample = operations_per_sample(&mut work);
        let mut samples: Vec<f64> = (0..SAMPLES)
            .map(|_| time(per_sample, &mut work).as_nanos() as f64 / per_sample as f64)
            .collect();
        samples.sort_by(f64::total_cmp);
        Self { name, median_ns: samples[SAMPLES / 2], best_ns: samples[0], limit_ns: None }
    }

    /// The same with a promise to hold.
    pub(crate) fn at_most(self, limit_ns: f64) -> Self {
        Self { limit_ns: Some(limit_ns), ..self }
    }

    /// The promise is kept, or there is none. The best sample decides: a busy machine breaks no promise.
    pub(crate) fn holds(&self) -> bool {
        self.limit_ns.is_none_or(|limit| self.best_ns <= limit)
    }
}

fn time(operations: u64, work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..operations {
        work();
    }
    start.elapsed()
}

/// Doubles until a sample is long enough; what comes before is the warm-up.
fn operations_per_sample(work: &mut impl FnMut()) -> u64 {
    let mut operations = 1;
    while time(operations, work) < SAMPLE {
        operations *= 2;
    }
    operations
}

/// What every other figure is compared with: an insertion into a map of 64 numbers, and a removal.
pub(crate) fn yardstick() -> Figure {
    let mut map: BTreeMap<u64, u64> = (0..64).map(|key| (key, key)).collect();
    let mut next = 64;
    Figure::of("yardstick: insert and remove in a map of 64", || {
        map.insert(next, next);
        black_box(map.pop_first());
        next += 1;
    })
}
