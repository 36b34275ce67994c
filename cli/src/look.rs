//! One look at a store: who is registered, who serves, what is open. It registers nothing and leaves
//! nothing behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use steadfast::{ConsumerRecord, ConsumerStatus, Definition, FunctionId, TransportError};
use steadfast_core::name::RunId;
use steadfast_core::op::{FunctionSurvey, Op, OpResult, Reply, Survey};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Connected, ErrorKind, Link, Transport};

use crate::store::Store;

/// Pings whose median is told.
const PINGS: usize = 5;

/// The most functions that one survey asks for.
const SURVEY_MAX: usize = 64;

/// What one look saw.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) run_id: RunId,
    /// The store's time at its last survey.
    pub(crate) now: StoreTime,
    /// The store tells which sessions live.
    pub(crate) sees_sessions: bool,
    /// The time that a ping takes, the median of a few.
    pub(crate) ping: Duration,
    /// The functions that are registered, by name and scope, each as it was seen or with why it cannot be
    /// read.
    pub(crate) functions: BTreeMap<FunctionId, Result<Seen, TransportError>>,
}

/// What was seen of one function.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) definition: Definition,
    /// Calls that are not decided.
    pub(crate) open: u64,
    /// Of these, retries and deferred calls whose time has not come.
    pub(crate) parked: u64,
    pub(crate) consumers: Vec<SeenConsumer>,
}

/// What was seen of one consumer.
#[derive(Clone, Debug)]
pub(crate) struct SeenConsumer {
    pub(crate) record: ConsumerRecord,
    /// A session of its node lives; nothing where the store cannot tell.
    pub(crate) is_connected: Option<bool>,
}

impl Seen {
    /// Consumers that read calls, as far as anybody can tell.
    pub(crate) fn reading(&self) -> usize {
        self.consumers.iter().filter(|consumer| consumer.reads()).count()
    }
}

impl SeenConsumer {
    fn reads(&self) -> bool {
        let reads = matches!(self.record.status, ConsumerStatus::Starting | ConsumerStatus::Active);
        reads && self.is_connected != Some(false)
    }
}

impl Look {
    /// Looks at the functions of a scope, or at all, for at most `patience`.
    pub(crate) async fn at(
        store: &Store,
        scope: Option<&str>,
        patience: Duration,
    ) -> Result<Self, TransportError> {
        let looked = tokio::time::timeout(patience, look(store.transport(), scope)).await;
        looked.unwrap_or_else(|_elapsed| {
            let detail = format!("{} within {patience:?}", store.place());
            Err(TransportError::not_applied(ErrorKind::Timeout, detail))
        })
    }
}

async fn look(transport: &dyn Transport, scope: Option<&str>) -> Result<Look, TransportError> {
    let connected = transport.connect(Link::Command).await?;
    let looked = ask_all(transport, &connected, scope).await;
    transport.close(connected.session).await;
    looked
}

async fn ask_all(
    transport: &dyn Transport,
    connected: &Connected,
    scope: Option<&str>,
) -> Result<Look, TransportError> {
    let ask = async |op: Op| -> OpResult {
        let mut results = transport.execute(connected.session, vec![op]).await?;
        results.pop().unwrap_or_else(|| Err(nonsense("no answer to a batch of one")))
    };
    let mut pings = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begun = Instant::now();
        ask(Op::Ping).await?;
        pings.push(begun.elapsed());
    }
    pings.sort_unstable();
    let discovered = ask(Op::Discover { scope: scope.map(Into::into) }).await?;
    let Reply::Discovered { definitions, unread } = discovered else {
        return Err(nonsense("no definitions"));
    };
    let mut look = Look {
        run_id: connected.run_id.clone(),
        now: connected.now,
        sees_sessions: connected.sees_sessions,
        ping: pings[PINGS / 2],
        functions: unread.into_iter().map(|it| (it.function, Err(it.error))).collect(),
    };
    for definitions in definitions.chunks(SURVEY_MAX) {
        let functions = definitions.iter().map(|it| it.function.clone()).collect();
        let Reply::Surveyed(survey) = ask(Op::Survey { functions }).await? else {
            return Err(nonsense("no survey"));
        };
        if survey.functions.len() + survey.unread.len() != definitions.len() {
            return Err(nonsense("a survey of other functions"));
        }
        look.now = survey.now;
        for function in &survey.functions {
            let definition = definitions.iter().find(|it| it.function == function.function);
            let definition = definition.ok_or_else(|| nonsense("a survey of other functions"))?;
            let seen = seen(definition.clone(), function, &survey);
            look.functions.insert(function.function.clone(), Ok(seen));
        }
        look.functions.extend(survey.unread.into_iter().map(|it| (it.function, Err(it.error))));
    }
    Ok(look)
}

fn seen(definition: Definition, function: &FunctionSurvey, survey: &Survey) -> Seen {
    let consumers = function.consumers.iter().map(|record| SeenConsumer {
        record: record.clone(),
        is_connected: is_connected(record, survey),
    });
    let (open, parked) = (function.open, function.parked);
    Seen { definition, open, parked, consumers: consumers.collect() }
}

/// A node whose connections the server does not show names none.
fn is_connected(record: &ConsumerRecord, survey: &Survey) -> Option<bool> {
    let alive = survey.sessions.as_ref().filter(|_| !record.sessions.is_empty())?;
    let lives = record.sessions.iter().any(|it| alive.contains(it));
    Some(record.run_id == survey.run_id && lives)
}

fn nonsense(what: &str) -> TransportError {
    TransportError::unknown(ErrorKind::Protocol, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn look_at(store: &Store, scope: Option<&str>) -> Look {
        Look::at(store, scope, PATIENCE).await.unwrap()
    }

    #[tokio::test]
    async fn a_look_sees_who_serves_in_a_scope() {
        let store = Store::embedded();
        assert_eq!(look_at(&store, None).await.functions.len(), 0);
        let host = store.host(PATIENCE).await.unwrap();
        for scope in ["global", "shop"] {
            let echo = steadfast::function("echo", scope);
            let served = host.serve(echo.handler_json(|_ctx, input| async move { Ok(input) }));
            served.await.unwrap();
        }
        let all = look_at(&store, None).await;
        let names: Vec<_> = all.functions.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["echo:global", "echo:shop"]);
        let shop = look_at(&store, Some("shop")).await;
        assert_eq!(shop.functions.len(), 1);
        let seen = shop.functions.values().next().unwrap().as_ref().unwrap();
        assert_eq!((seen.reading(), seen.open, seen.parked), (1, 0, 0));
        host.shutdown(Duration::ZERO).await.unwrap();
        let after = look_at(&store, Some("shop")).await;
        let seen = after.functions.values().flatten();
        assert_eq!(seen.map(Seen::reading).sum::<usize>(), 0);
    }
}
