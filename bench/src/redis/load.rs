//! Both systems under load, in turn: first one, then the other, the next time the other way round.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::child::Child;
use super::closed_loop::Pace;
use super::options::Options;
use super::peer::{Role, Spec};
use super::server::Server;

/// Calls before anything is measured.
const WARM_UP: u64 = 400;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    /// See [`super::floor`].
    Floor,
    /// See [`super::ours`].
    Steadfast,
}

impl System {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Floor, Self::Steadfast];

    /// What tables call it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor-lua",
            Self::Steadfast => "steadfast",
        }
    }

    fn roles(self) -> [Role; 2] {
        match self {
            Self::Floor => [Role::FloorWorker, Role::FloorCaller],
            Self::Steadfast => [Role::Worker, Role::Caller],
        }
    }
}

/// One run of one system.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// What the caller saw.
    pub(crate) pace: Pace,
    /// CPU time per call of the server, the worker and the caller, in microseconds.
    pub(crate) cpu_us: [f64; 3],
    /// Connections to the server.
    pub(crate) connections: u64,
}

/// The runs of one system with so many calls in flight, in the order of the turns.
pub(crate) type Runs = BTreeMap<(u64, System), Vec<Run>>;
/// Commands on the wire per call.
pub(crate) type Wire = BTreeMap<(u64, System), f64>;

/// Two processes of a system that stand, over a server that was empty.
pub(crate) struct Pair {
    worker: Child,
    caller: Child,
    /// The number of the next call.
    next: u64,
}

impl Pair {
    /// Starts them, over a server that it empties; `counts` whether they count commands.
    pub(crate) fn start(
        server: &mut Server,
        system: System,
        options: &Options,
        counts: bool,
    ) -> Result<Self> {
        server.empty()?;
        let spec = |role| Spec { role, port: server.port(), io: options.io, counts };
        let [worker, caller] = system.roles().map(spec);
        let mut pair =
            Self { worker: Child::start(worker)?, caller: Child::start(caller)?, next: 0 };
        pair.run(WARM_UP.min(options.calls), 16)?;
        Ok(pair)
    }

    /// Makes calls.
    pub(crate) fn run(&mut self, calls: u64, in_flight: u64) -> Result<Pace> {
        let pace = self.caller.ask(&format!("run {} {calls} {in_flight}", self.next))?;
        self.next += calls;
        Ok(pace)
    }

    fn cpu_us(&self, server: &mut Server) -> Result<[f64; 3]> {
        Ok([server.cpu_us()?, self.worker.cpu_us()?, self.caller.cpu_us()?])
    }

    fn commands(&mut self) -> Result<u64> {
        Ok(self.worker.commands()? + self.caller.commands()?)
    }
}

/// Measures pass after pass, as many as the options ask for and their time allows, at least one. In each, both
/// systems stand side by side, each over a server of its own, and take turns that are short: what else the
/// machine does meanwhile falls on both.
pub(crate) fn measure(servers: &mut [Server; 2], options: &Options) -> Result<Runs> {
    let mut runs = Runs::new();
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    for pass in 0..options.passes {
        if pass > 0 && began.elapsed() + longest > options.load_time {
            break;
        }
        let pass_began = Instant::now();
        let mut pairs = Vec::new();
        for (server, system) in servers.iter_mut().zip(System::ALL) {
            pairs.push(Pair::start(server, system, options, false)?);
        }
        for in_flight in &options.in_flight {
            let calls = options.calls_at(*in_flight).div_ceil(options.turns);
            for turn in 0..options.turns {
                let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
                for place in order {
                    let run = one(&mut servers[place], &mut pairs[place], calls, *in_flight)?;
                    runs.entry((*in_flight, System::ALL[place])).or_default().push(run);
                }
            }
        }
        longest = longest.max(pass_began.elapsed());
    }
    Ok(runs)
}

fn one(server: &mut Server, pair: &mut Pair, calls: u64, in_flight: u64) -> Result<Run> {
    let before = pair.cpu_us(server)?;
    let pace = pair.run(calls, in_flight)?;
    let after = pair.cpu_us(server)?;
    let connections = server.connections()?;
    let per_call = |place: usize| (after[place] - before[place]) / calls as f64;
    Ok(Run { pace, cpu_us: [per_call(0), per_call(1), per_call(2)], connections })
}

/// Counts commands on the wire, in runs of their own, at the sockets of both processes.
pub(crate) fn count(server: &mut Server, options: &Options) -> Result<Wire> {
    let mut wire = Wire::new();
    for system in System::ALL {
        let mut pair = Pair::start(server, system, options, true)?;
        for in_flight in &options.in_flight {
            let calls = options.calls_at(*in_flight).div_ceil(2);
            let before = pair.commands()?;
            pair.run(calls, *in_flight)?;
            let commands = pair.commands()? - before;
            wire.insert((*in_flight, system), commands as f64 / calls as f64);
        }
    }
    Ok(wire)
}
