//! Steadfast in the same two roles: a host that serves, and a caller.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use steadfast::{
    Caller, Function, FunctionId, HandlerError, Host, IoPlacement, Outcome, Payload, function,
};
use steadfast_transport_redis::RedisTransport;
use tokio::task::JoinSet;

use super::closed_loop::quantile_us;
use super::counted::{Count, CountedConnector};
use super::work::{handle, payload, wall_micros};

const NAME: &str = "parcel";
const SCOPE: &str = "global";

/// A host connected to the server on 127.0.0.1; its commands are counted where a count is given.
pub(crate) async fn host(port: u16, io: IoPlacement, count: Option<&Count>) -> Result<Host> {
    let mut builder = RedisTransport::builder(&format!("redis://127.0.0.1:{port}"))?;
    if let Some(count) = count {
        builder = builder.connector(CountedConnector { port, count: count.clone() });
    }
    Ok(Host::builder(builder.build()?).io(io).build().await?)
}

/// The function of the closed loop.
pub(crate) fn parcel() -> Function {
    function(NAME, SCOPE).concurrency(256).prefetch(256).handler_json(
        |_context, input| async move {
            let answer = handle(input.as_str().as_bytes())
                .ok_or_else(|| HandlerError::new("the input is not as it should be".to_owned()))?;
            Ok(Payload::trusted(answer))
        },
    )
}

/// Makes a call of the closed loop.
pub(crate) async fn call(caller: Caller, number: u64) -> Result<String> {
    let request = caller.request(NAME, SCOPE).payload(Payload::trusted(payload(number)));
    success(request.record().await?.outcome)
}

fn success(outcome: Outcome) -> Result<String> {
    match outcome {
        Outcome::Success(result) => Ok(result.as_str().to_owned()),
        other => bail!("a call ended as {:?}", other.kind()),
    }
}

/// The name of one of many idle functions.
pub(crate) fn idle_name(number: u64) -> FunctionId {
    FunctionId::new(&format!("idle-{number}"), SCOPE).expect("a good name")
}

/// Serves so many functions, all at once, whose handlers tell when they began.
pub(crate) async fn serve_idle(host: Host, functions: u64) -> Result<Host> {
    let host = Arc::new(host);
    let mut serving = JoinSet::new();
    for number in 0..functions {
        let host = host.clone();
        serving.spawn(async move {
            let idle = function(idle_name(number).name(), SCOPE);
            let begun = |_context, _input| async { Ok(begun_now()) };
            host.serve(idle.handler_json(begun)).await.map(drop)
        });
    }
    while let Some(served) = serving.join_next().await {
        served??;
    }
    Arc::into_inner(host).context("every task that serves has ended")
}

fn begun_now() -> Payload {
    Payload::from_value(&json!({ "begun_us": wall_micros() }))
}

/// What the handler told of when it began, from the text of its result.
pub(crate) fn begun_us(result: &str) -> Result<u64> {
    let value: serde_json::Value = serde_json::from_str(result)?;
    value["begun_us"].as_u64().context("the handler tells when it began")
}

/// Latencies of lone calls, in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PickUp {
    /// Calls made.
    pub(crate) calls: usize,
    /// From the request to the begin of the handler: half of the calls had at most this.
    pub(crate) p50_us: f64,
    /// The same for 99 of 100.
    pub(crate) p99_us: f64,
}

impl PickUp {
    /// From single latencies.
    pub(crate) fn of(mut latencies_us: Vec<u64>) -> Self {
        for latency in &mut latencies_us {
            *latency *= 1_000;
        }
        Self {
            calls: latencies_us.len(),
            p50_us: quantile_us(&mut latencies_us, 500),
            p99_us: quantile_us(&mut latencies_us, 990),
        }
    }
}

/// Numbers that look random, the same in every run.
pub(crate) struct Picks(u64);

impl Picks {
    /// Begins at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `0..most`.
    pub(crate) fn next(&mut self, most: u64) -> u64 {
        let step = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = step.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    /// How long a lone call waits for its turn: nothing else is under way then.
    pub(crate) fn pause(&mut self) -> Duration {
        Duration::from_millis(10 + self.next(20))
    }
}

/// Makes lone calls to functions picked out of so many; the first of all opens what a caller needs.
pub(crate) async fn probe(caller: &Caller, functions: u64, calls: u64) -> Result<PickUp> {
    let mut picks = Picks::new(functions);
    let mut latencies_us = Vec::new();
    for place in 0..=calls {
        tokio::time::sleep(picks.pause()).await;
        let target = idle_name(picks.next(functions));
        let sent_us = wall_micros();
        let record = caller.request(target.name(), target.scope()).record().await?;
        let begun = begun_us(&success(record.outcome)?)?;
        if place > 0 {
            latencies_us.push(begun.saturating_sub(sent_us));
        }
    }
    Ok(PickUp::of(latencies_us))
}

/// When a handler began, by the wall clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// In microseconds since 1970.
    pub(crate) begun_us: u64,
}

const MORTAL: &str = "mortal";

/// No answer for so long: the call is with the host whose handler never ends.
const STRANDED: Duration = Duration::from_millis(250);

/// The function of a worker that is to be killed, whose handler never ends, or of the one that is to take
/// its calls over.
pub(crate) fn mortal(is_victim: bool) -> Function {
    function(MORTAL, SCOPE).handler_json(move |_context, _input| async move {
        if is_victim {
            std::future::pending::<()>().await;
        }
        Ok(begun_now())
    })
}

/// A call that a worker has begun and never ends.
pub(crate) struct Stranded(tokio::task::JoinHandle<Result<String>>);

impl Stranded {
    /// When it began elsewhere.
    pub(crate) async fn rescued(self) -> Result<Begun> {
        Ok(Begun { begun_us: begun_us(&self.0.await??)? })
    }
}

/// Makes one call after the other until the victim has one.
pub(crate) async fn strand(caller: &Caller) -> Result<Stranded> {
    for _ in 0..100 {
        let request = caller.request(MORTAL, SCOPE);
        let mut made = tokio::spawn(async move { success(request.record().await?.outcome) });
        match tokio::time::timeout(STRANDED, &mut made).await {
            Ok(answered) => drop(answered??),
            Err(_) => return Ok(Stranded(made)),
        }
    }
    bail!("100 calls, and the victim took none of them")
}
