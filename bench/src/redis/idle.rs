//! Functions that nobody calls: what they cost, and how soon a lone call to one of them begins.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::child::Child;
use super::options::Options;
use super::ours::{PickUp, Picks, begun_us, idle_name};
use super::peer::{Role, Spec};
use super::server::Server;
use super::work::wall_micros;

/// An older caller's result is there by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// One process with so many idle functions.
#[derive(Clone, Debug)]
pub(crate) struct Idle {
    /// Functions in the process.
    pub(crate) functions: u64,
    /// From the process's start until each of its functions was active, in milliseconds.
    pub(crate) ready_ms: f64,
    /// Memory of the process, in MiB.
    pub(crate) resident_mib: f64,
    /// Its connections.
    pub(crate) connections: u64,
    /// Commands on the wire per second.
    pub(crate) commands_per_second: f64,
    /// CPU time of the server per second, in microseconds.
    pub(crate) server_us_per_second: f64,
    /// Lone calls by another process of ours.
    pub(crate) lone: PickUp,
    /// Lone calls by an older caller's XADD.
    pub(crate) older: PickUp,
}

/// Measures one process after the other.
pub(crate) fn measure(server: &mut Server, options: &Options) -> Result<Vec<Idle>> {
    options.idle.iter().map(|functions| one(server, options, *functions)).collect()
}

fn one(server: &mut Server, options: &Options, functions: u64) -> Result<Idle> {
    server.empty()?;
    let spec =
        Spec { role: Role::Idle(functions), port: server.port(), io: options.io, counts: true };
    let mut worker = Child::start(spec)?;
    sleep(options.settle_time);
    let (commands, cpu_us) = (worker.commands()?, server.cpu_us()?);
    let began = Instant::now();
    sleep(options.idle_time);
    let commands = (worker.commands()? - commands) as f64 / began.elapsed().as_secs_f64();
    let cpu_us = (server.cpu_us()? - cpu_us) / began.elapsed().as_secs_f64();
    let connections = server.connections()?;
    let resident_mib = worker.resident_mib()?;
    let older = older_calls(server, functions, options.lone_calls)?;
    let mut caller = Child::start(Spec { role: Role::Caller, counts: false, ..spec })?;
    let lone = caller.ask(&format!("probe {functions} {}", options.lone_calls))?;
    Ok(Idle {
        functions,
        ready_ms: worker.ready().as_secs_f64() * 1e3,
        resident_mib,
        connections,
        commands_per_second: commands,
        server_us_per_second: cpu_us,
        lone,
        older,
    })
}

/// An older caller adds an entry, and polls for the result; it tells nobody else.
fn older_calls(server: &mut Server, functions: u64, calls: u64) -> Result<PickUp> {
    let mut picks = Picks::new(functions + 1);
    let mut latencies_us = Vec::new();
    for place in 0..calls {
        sleep(picks.pause());
        let function = idle_name(picks.next(functions));
        let id = format!("older-{place}");
        let sent_us = wall_micros();
        let mut add = redis::cmd("XADD");
        add.arg(format!("function_calls:{function}")).arg("*").arg("callId").arg(&id);
        add.arg("functionName").arg(function.name()).arg("input").arg("{}");
        add.arg("item").arg("{}").arg("responseChannel").arg(format!("function:response:{id}"));
        add.arg("timestamp").arg(sent_us / 1_000);
        let _: String = add.query(server.connection())?;
        let record: Value = serde_json::from_str(&poll(server, &id)?)?;
        let result = record["result"].as_str().context("a success has a result")?;
        latencies_us.push(begun_us(result)?.saturating_sub(sent_us));
    }
    Ok(PickUp::of(latencies_us))
}

fn poll(server: &mut Server, id: &str) -> Result<String> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let mut take = redis::cmd("GETDEL");
        let record: Option<String> = take.arg(format!("result:{id}")).query(server.connection())?;
        if let Some(record) = record {
            return Ok(record);
        }
        sleep(Duration::from_millis(1));
    }
    bail!("an older caller's {id} has no result after {PATIENCE:?}")
}
