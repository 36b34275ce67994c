//! A worker is killed while it runs a call: how soon the call runs elsewhere.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::child::Child;
use super::options::Options;
use super::ours::Begun;
use super::peer::{Role, Spec};
use super::server::Server;
use super::work::wall_micros;

/// An observer judges by sessions once its own link has stood for so long.
const OBSERVER_SETTLES: Duration = Duration::from_secs(11);

/// From each SIGKILL until the call of the killed worker began elsewhere, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Takeovers {
    /// Each of them, in order.
    pub(crate) took_ms: Vec<f64>,
}

impl Takeovers {
    /// The longest.
    pub(crate) fn longest_ms(&self) -> f64 {
        self.took_ms.iter().copied().fold(0.0, f64::max)
    }
}

/// Kills one worker after the other, each with a call that it has begun; nothing where no round is asked
/// for.
pub(crate) fn measure(server: &mut Server, options: &Options) -> Result<Option<Takeovers>> {
    if options.kills == 0 {
        return Ok(None);
    }
    server.empty()?;
    let spec = |role| Spec { role, port: server.port(), io: options.io, counts: false };
    let _heir = Child::start(spec(Role::Heir))?;
    let mut caller = Child::start(spec(Role::Caller))?;
    sleep(OBSERVER_SETTLES);
    let mut took_ms = Vec::new();
    for _ in 0..options.kills {
        let victim = Child::start(spec(Role::Victim))?;
        let _: Value = caller.ask("strand")?;
        let killed_us = wall_micros();
        victim.kill()?;
        let Begun { begun_us } = caller.ask("rescued")?;
        ensure!(begun_us > killed_us, "the call that was to be stranded ran before the kill");
        took_ms.push((begun_us - killed_us) as f64 / 1_000.0);
    }
    Ok(Some(Takeovers { took_ms }))
}
