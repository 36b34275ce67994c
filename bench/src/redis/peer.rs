//! One process of a measurement: told what to be by its arguments, and what to do by its standard input.
//! It ends when its input does, so that nothing outlives the program that started it.
//!
//! | line in | line out |
//! |---|---|
//! | (nothing yet) | `{"ready_us": N}` once it stands, that long after its first line of code |
//! | `run FIRST CALLS IN_FLIGHT` | a [`Pace`](super::closed_loop::Pace) |
//! | `probe FUNCTIONS CALLS` | a [`PickUp`](super::ours::PickUp) |
//! | `strand` | `{}`, once a call is with a worker that never ends it |
//! | `rescued` | a [`Begun`](super::ours::Begun), once the stranded call has run elsewhere |
//! | `count` | `{"commands": N}`: commands on the wire so far |

use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use steadfast::{Caller, Host, IoPlacement};
use tokio::sync::mpsc;

use super::closed_loop;
use super::counted::Count;
use super::floor::{self, FloorCaller};
use super::ours::{self, Stranded};

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The floor's worker.
    FloorWorker,
    /// The floor's caller.
    FloorCaller,
    /// A host that serves the function of the closed loop.
    Worker,
    /// A host that serves nothing and calls.
    Caller,
    /// A host with so many functions that nobody calls.
    Idle(u64),
    /// A host whose handler never ends.
    Victim,
    /// A host that serves the same function, and answers.
    Heir,
}

/// Everything that a process is told at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    /// What it is.
    pub(crate) role: Role,
    /// The server's port on 127.0.0.1.
    pub(crate) port: u16,
    /// Where Steadfast drives its connections.
    pub(crate) io: IoPlacement,
    /// Commands on the wire are counted.
    pub(crate) counts: bool,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, functions) = match self.role {
            Role::FloorWorker => ("floor-worker", 0),
            Role::FloorCaller => ("floor-caller", 0),
            Role::Worker => ("worker", 0),
            Role::Caller => ("caller", 0),
            Role::Idle(functions) => ("idle", functions),
            Role::Victim => ("victim", 0),
            Role::Heir => ("heir", 0),
        };
        let io = if self.io == IoPlacement::OwnThread { "own" } else { "ambient" };
        write!(f, "{role} {functions} {} {io} {}", self.port, u8::from(self.counts))
    }
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [role, functions, port, io, counts] = words[..] else {
            bail!("`{text}` is not what a process is told at its start");
        };
        let role = match role {
            "floor-worker" => Role::FloorWorker,
            "floor-caller" => Role::FloorCaller,
            "worker" => Role::Worker,
            "caller" => Role::Caller,
            "idle" => Role::Idle(functions.parse()?),
            "victim" => Role::Victim,
            "heir" => Role::Heir,
            _ => bail!("`{role}` is no role"),
        };
        let io = if io == "own" { IoPlacement::OwnThread } else { IoPlacement::Ambient };
        Ok(Self { role, port: port.parse()?, io, counts: counts == "1" })
    }
}

/// Is such a process until its input ends.
pub(crate) fn run(spec: Spec) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(spec))
}

async fn serve(spec: Spec) -> Result<()> {
    let count = spec.counts.then(Count::default);
    let mut lines = lines();
    let mut peer = Peer { count, side: Side::None, stranded: None };
    let (port, count) = (spec.port, peer.count.clone());
    let began = std::time::Instant::now();
    let ready = || say(&json!({ "ready_us": began.elapsed().as_micros() as u64 }));
    match spec.role {
        Role::FloorWorker => {
            let work = floor::work(port, count.as_ref(), ready);
            tokio::select! {
                ended = work => return ended,
                answered = peer.answer_all(&mut lines) => return answered,
            }
        }
        Role::FloorCaller => {
            peer.side = Side::Floor(FloorCaller::connect(port, count.as_ref()).await?);
        }
        Role::Worker => {
            let host = ours::host(port, spec.io, count.as_ref()).await?;
            host.serve(ours::parcel()).await?;
            peer.side = Side::Ours(host);
        }
        Role::Caller => peer.side = Side::Ours(ours::host(port, spec.io, count.as_ref()).await?),
        Role::Victim | Role::Heir => {
            let host = ours::host(port, spec.io, count.as_ref()).await?;
            host.serve(ours::mortal(spec.role == Role::Victim)).await?;
            peer.side = Side::Ours(host);
        }
        Role::Idle(functions) => {
            let host = ours::host(port, spec.io, count.as_ref()).await?;
            peer.side = Side::Ours(ours::serve_idle(host, functions).await?);
        }
    }
    ready();
    peer.answer_all(&mut lines).await
}

enum Side {
    None,
    Floor(FloorCaller),
    Ours(Host),
}

struct Peer {
    count: Option<Count>,
    side: Side,
    stranded: Option<Stranded>,
}

impl Peer {
    async fn answer_all(&mut self, lines: &mut mpsc::UnboundedReceiver<String>) -> Result<()> {
        while let Some(line) = lines.recv().await {
            say(&self.answer(&line).await?);
        }
        Ok(())
    }

    async fn answer(&mut self, line: &str) -> Result<Value> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| -> Result<u64> { Ok(words[place].parse()?) };
        match (words[0], words.len()) {
            ("run", 4) => self.run(number(1)?, number(2)?, number(3)?).await,
            ("probe", 3) => {
                let found = ours::probe(&self.caller()?, number(1)?, number(2)?).await?;
                Ok(serde_json::to_value(found)?)
            }
            ("strand", 1) => {
                self.stranded = Some(ours::strand(&self.caller()?).await?);
                Ok(json!({}))
            }
            ("rescued", 1) => {
                let stranded = self.stranded.take().context("no call is stranded")?;
                Ok(serde_json::to_value(stranded.rescued().await?)?)
            }
            ("count", 1) => {
                let count = self.count.as_ref().context("nothing is counted here")?;
                Ok(json!({ "commands": count.load(std::sync::atomic::Ordering::Relaxed) }))
            }
            _ => bail!("`{line}` is nothing that can be done"),
        }
    }

    fn caller(&self) -> Result<Caller> {
        match &self.side {
            Side::Ours(host) => Ok(host.caller()),
            Side::None | Side::Floor(_) => bail!("only a process of Steadfast's calls so"),
        }
    }

    async fn run(&self, first: u64, calls: u64, in_flight: u64) -> Result<Value> {
        let pace = match &self.side {
            Side::Floor(caller) => {
                let caller = caller.clone();
                let call = move |number| {
                    let caller = caller.clone();
                    async move { caller.call(number).await }
                };
                closed_loop::run(first, calls, in_flight, call).await?
            }
            Side::Ours(host) => {
                let caller = host.caller();
                let call = move |number| ours::call(caller.clone(), number);
                closed_loop::run(first, calls, in_flight, call).await?
            }
            Side::None => bail!("a worker of the floor makes no calls"),
        };
        Ok(serde_json::to_value(pace)?)
    }
}

#[expect(
    clippy::print_stdout,
    reason = "its standard output is read by the program that started it"
)]
fn say(answer: &Value) {
    println!("{answer}");
}

/// The lines of the standard input; closed when it ends.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_read_as_it_was_written() {
        let roles = [
            Role::FloorWorker,
            Role::FloorCaller,
            Role::Worker,
            Role::Caller,
            Role::Idle(1_000),
            Role::Victim,
            Role::Heir,
        ];
        for (role, io) in
            roles.iter().zip([IoPlacement::Ambient, IoPlacement::OwnThread].iter().cycle())
        {
            let spec =
                Spec { role: *role, port: 6_379, io: *io, counts: *io == IoPlacement::Ambient };
            assert_eq!(spec.to_string().parse::<Spec>().expect("it was written"), spec);
        }
    }
}
