//! From single runs to figures: medians and quartiles, ratios turn by turn, and what was to be reached.

use std::fmt;

use serde::Serialize;

use super::closed_loop::Pace;
use super::elsewhere::{Encounter, Others, SYSTEMS};
use super::idle::Idle;
use super::load::{Run, Runs, System, Wire};
use super::takeover::Takeovers;

/// The median of some samples, and the quartiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The one in the middle.
    pub(crate) median: f64,
    /// A quarter of them is below.
    pub(crate) lower: f64,
    /// A quarter of them is above.
    pub(crate) upper: f64,
}

impl Spread {
    /// Of at least one sample.
    pub(crate) fn of(mut samples: Vec<f64>) -> Self {
        debug_assert!(!samples.is_empty(), "nothing was measured");
        samples.sort_by(f64::total_cmp);
        // Between two samples as far as the quantile lies between them.
        let at = |quarters: usize| {
            let fourths = (samples.len() - 1) * quarters;
            let (below, above) = (samples[fourths / 4], samples[fourths.div_ceil(4)]);
            below + (above - below) * (fourths % 4) as f64 / 4.0
        };
        Self { median: at(2), lower: at(1), upper: at(3) }
    }
}

/// A system with so many calls in flight, or the ratio of both there.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// Calls in flight.
    pub(crate) in_flight: u64,
    /// Which system, or `ratio` (Steadfast's figure over the floor's).
    pub(crate) what: &'static str,
    /// Calls per second.
    pub(crate) per_second: Spread,
    /// Latencies, in microseconds.
    pub(crate) p50_us: Spread,
    /// See [`Line::p50_us`].
    pub(crate) p99_us: Spread,
    /// See [`Line::p50_us`].
    pub(crate) p999_us: Spread,
    /// Commands on the wire per call, where they were counted.
    pub(crate) commands: Option<f64>,
    /// CPU time per call, in microseconds.
    pub(crate) server_us: Spread,
    /// See [`Line::server_us`].
    pub(crate) worker_us: Spread,
    /// See [`Line::server_us`].
    pub(crate) caller_us: Spread,
    /// Connections to the server, of both processes, where they were counted.
    pub(crate) connections: Option<f64>,
}

/// What was to be reached, and what was.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Target {
    /// What was measured.
    pub(crate) figure: String,
    /// What was to be reached.
    pub(crate) to_reach: String,
    /// What was reached.
    pub(crate) reached: String,
    /// Whether it was.
    pub(crate) met: bool,
}

/// How many times as many calls per second Steadfast makes as another system.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Advantage {
    /// Calls in flight.
    pub(crate) in_flight: u64,
    /// The other system.
    pub(crate) beside: &'static str,
    /// Steadfast's calls per second, in its turns before and after.
    pub(crate) per_second: Spread,
    /// Run by run.
    pub(crate) ratio: Spread,
}

impl Advantage {
    fn new(in_flight: u64, beside: &'static str, encounters: &[Encounter]) -> Self {
        let of =
            |figure: fn(&Encounter) -> f64| Spread::of(encounters.iter().map(figure).collect());
        Self { in_flight, beside, per_second: of(|it| it.steadfast), ratio: of(Encounter::ratio) }
    }

    /// Where issue 3 says how many times it shall be.
    fn target(&self) -> Option<Target> {
        let least = match (self.beside, self.in_flight) {
            ("bullmq-node", 64 | 256) => 10.0,
            ("bullmq-rust", 64 | 256) => 4.0,
            _ => return None,
        };
        let reached = self.ratio.median;
        Some(Target {
            figure: format!("calls/s at {} in flight, beside {}", self.in_flight, self.beside),
            to_reach: format!("at least {least} × its"),
            reached: format!("{reached:.2} × its"),
            met: reached >= least,
        })
    }
}

/// Everything that is reported.
pub(crate) struct Summary {
    /// The server's version.
    pub(crate) redis: String,
    /// Turns of each system that the time allowed.
    pub(crate) turns: usize,
    /// Calls that returned with their own answer, of both systems.
    pub(crate) calls: u64,
    /// Under load.
    pub(crate) lines: Vec<Line>,
    /// Beside other systems.
    pub(crate) advantages: Vec<Advantage>,
    /// Idle.
    pub(crate) idle: Vec<Idle>,
    /// Workers that were killed.
    pub(crate) takeovers: Option<Takeovers>,
    /// Issue 3's, as far as this program measures them.
    pub(crate) targets: Vec<Target>,
}

impl Summary {
    /// Takes all that was measured together.
    pub(crate) fn new(
        runs: &Runs,
        wire: &Wire,
        others: &Others,
        idle: Vec<Idle>,
        takeovers: Option<Takeovers>,
        redis: String,
    ) -> Self {
        let mut lines = Vec::new();
        let (mut advantages, mut targets) = (Vec::new(), Vec::new());
        let mut in_flight: Vec<u64> = runs.keys().map(|(in_flight, _)| *in_flight).collect();
        in_flight.dedup();
        for in_flight in in_flight {
            let of = |system| &runs[&(in_flight, system)][..];
            let [floor, ours] = System::ALL.map(of);
            let wire = |system| wire[&(in_flight, system)];
            let own = System::ALL.map(|it| line(in_flight, it.as_str(), of(it), wire(it)));
            lines.extend(own);
            let [floor_wire, wire] = System::ALL.map(wire);
            let ratio = ratio(in_flight, floor, ours, wire / floor_wire);
            targets.extend(load_targets(&ratio, wire));
            lines.push(ratio);
            for system in SYSTEMS {
                let Some(encounters) = others.get(&(in_flight, system)) else {
                    continue;
                };
                lines.push(told(in_flight, system, encounters));
                let advantage = Advantage::new(in_flight, system, encounters);
                targets.extend(advantage.target());
                advantages.push(advantage);
            }
        }
        if let Some(longest_ms) = takeovers.as_ref().map(Takeovers::longest_ms) {
            let figure = "SIGKILL of a worker to execution elsewhere, the longest";
            targets.push(at_most(figure, 3_000.0, longest_ms, " ms"));
        }
        targets.extend(idle.iter().filter(|it| it.functions >= 1_000).flat_map(idle_targets));
        Self {
            redis,
            turns: runs.values().map(Vec::len).max().unwrap_or_default(),
            calls: runs.values().flatten().map(|run| run.pace.calls).sum(),
            lines,
            advantages,
            idle,
            takeovers,
            targets,
        }
    }
}

/// The figures of a run that every system has, in the order of [`spread`].
fn figures(run: &Run) -> [f64; 7] {
    let Pace { calls: _, per_second, p50_us, p99_us, p999_us } = run.pace;
    let [server, worker, caller] = run.cpu_us;
    [per_second, p50_us, p99_us, p999_us, server, worker, caller]
}

fn line(in_flight: u64, what: &'static str, runs: &[Run], commands: f64) -> Line {
    let connections = runs.iter().map(|run| run.connections as f64).collect();
    let connections = Spread::of(connections).median;
    let samples: Vec<_> = runs.iter().map(figures).collect();
    spread(in_flight, what, &samples, Some(commands), Some(connections))
}

/// What a harness told of another system.
fn told(in_flight: u64, what: &'static str, encounters: &[Encounter]) -> Line {
    let samples: Vec<_> = encounters.iter().map(|it| it.told.figures()).collect();
    spread(in_flight, what, &samples, None, None)
}

/// Turn by turn, so that what else the machine does falls on both.
fn ratio(in_flight: u64, floor: &[Run], ours: &[Run], commands: f64) -> Line {
    let of_turn = |(floor, ours): (&Run, &Run)| {
        let (floor, ours) = (figures(floor), figures(ours));
        std::array::from_fn(|place| ours[place] / floor[place])
    };
    let turns = || floor.iter().zip(ours);
    let connections =
        turns().map(|(floor, ours)| ours.connections as f64 / floor.connections as f64);
    let connections = Spread::of(connections.collect()).median;
    let samples: Vec<_> = turns().map(of_turn).collect();
    spread(in_flight, "ratio", &samples, Some(commands), Some(connections))
}

fn spread(
    in_flight: u64,
    what: &'static str,
    samples: &[[f64; 7]],
    commands: Option<f64>,
    connections: Option<f64>,
) -> Line {
    let of = |place: usize| Spread::of(samples.iter().map(|sample| sample[place]).collect());
    Line {
        in_flight,
        what,
        per_second: of(0),
        p50_us: of(1),
        p99_us: of(2),
        p999_us: of(3),
        commands,
        server_us: of(4),
        worker_us: of(5),
        caller_us: of(6),
        connections,
    }
}

fn at_most(figure: impl fmt::Display, limit: f64, reached: f64, unit: &str) -> Target {
    Target {
        figure: figure.to_string(),
        to_reach: format!("at most {limit}{unit}"),
        reached: format!("{reached:.2}{unit}"),
        met: reached <= limit,
    }
}

fn load_targets(ratio: &Line, wire: f64) -> Vec<Target> {
    let in_flight = ratio.in_flight;
    let mut targets = Vec::new();
    if in_flight == 1 {
        for (name, spread) in [("p50", ratio.p50_us), ("p99", ratio.p99_us)] {
            targets.push(at_most(
                format!("{name} at 1 in flight"),
                1.25,
                spread.median,
                " × floor",
            ));
        }
    }
    if in_flight == 64 || in_flight == 256 {
        let reached = ratio.per_second.median;
        targets.push(Target {
            figure: format!("calls/s at {in_flight} in flight"),
            to_reach: "at least 1 × floor".to_owned(),
            reached: format!("{reached:.2} × floor"),
            met: reached >= 1.0,
        });
    }
    if in_flight == 64 {
        targets.push(at_most("commands on the wire per call at 64", 1.5, wire, ""));
        let server = ratio.server_us.median;
        targets.push(at_most("Redis CPU per call at 64", 1.3, server, " × floor"));
    }
    targets
}

fn idle_targets(idle: &Idle) -> Vec<Target> {
    let Idle { functions, .. } = idle;
    let ms = |us: f64| us / 1_000.0;
    vec![
        at_most(format!("{functions} idle: commands/s"), 5.0, idle.commands_per_second, ""),
        at_most(format!("{functions} idle: connections"), 20.0, idle.connections as f64, ""),
        at_most(format!("{functions} idle: p50 of a pick-up"), 2.0, ms(idle.lone.p50_us), " ms"),
        at_most(
            format!("{functions} idle: p50 of a pick-up, older caller"),
            2.0,
            ms(idle.older.p50_us),
            " ms",
        ),
        at_most(format!("{functions} functions: ready"), 2_000.0, idle.ready_ms, " ms"),
        at_most(format!("{functions} functions: resident"), 100.0, idle.resident_mib, " MiB"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let expect = Spread { median: 2.5, lower: 1.75, upper: 4.5 };
        assert_eq!(Spread::of(vec![9.0, 1.0, 2.0, 3.0]), expect);
        assert!((Spread::of(vec![7.0]).median - 7.0).abs() < f64::EPSILON);
    }
}
