//! The closed loop: so many calls in flight, the next is sent when one returns.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::work::is_answer_to;

/// What a run of the loop measured, in microseconds but for the rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pace {
    /// Calls that returned; each with its own answer, or the run would have failed.
    pub(crate) calls: u64,
    /// Calls per second.
    pub(crate) per_second: f64,
    /// Latency that half of the calls had at most.
    pub(crate) p50_us: f64,
    /// The same for 99 of 100.
    pub(crate) p99_us: f64,
    /// The same for 999 of 1,000.
    pub(crate) p999_us: f64,
}

/// Makes `calls` calls with `in_flight` at a time, numbered from `first` on; `call` answers with the
/// result's text. A call that fails or returns another's answer fails the run.
pub(crate) async fn run<F, Fut>(first: u64, calls: u64, in_flight: u64, call: F) -> Result<Pace>
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String>> + Send + 'static,
{
    let call = Arc::new(call);
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..in_flight.min(calls) {
        let (call, next) = (call.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies_ns = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= calls {
                    return anyhow::Ok(latencies_ns);
                }
                let sent = Instant::now();
                let answer = call(first + place).await?;
                latencies_ns.push(sent.elapsed().as_nanos() as u64);
                let place = first + place;
                ensure!(is_answer_to(place, &answer), "call {place} got another answer: {answer}");
            }
        }));
    }
    let mut latencies_ns = Vec::new();
    for task in tasks {
        latencies_ns.extend(task.await??);
    }
    let took = began.elapsed();
    ensure!(latencies_ns.len() as u64 == calls, "of {calls} calls {}", latencies_ns.len());
    let quantile = |per_mille| quantile_us(&mut latencies_ns, per_mille);
    let at = [500, 990, 999].map(quantile);
    Ok(Pace {
        calls,
        per_second: calls as f64 / took.as_secs_f64(),
        p50_us: at[0],
        p99_us: at[1],
        p999_us: at[2],
    })
}

/// The latency that so many of a thousand had at most, in microseconds; sorts them.
pub(crate) fn quantile_us(latencies_ns: &mut [u64], per_mille: usize) -> f64 {
    latencies_ns.sort_unstable();
    let last = latencies_ns.len().saturating_sub(1);
    let place = (latencies_ns.len() * per_mille / 1_000).min(last);
    latencies_ns.get(place).map_or(f64::NAN, |ns| *ns as f64 / 1_000.0)
}
