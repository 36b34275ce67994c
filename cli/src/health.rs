//! `steadfast health`: whether the store answers, and every function is served.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use steadfast::{Caller, ConsumerStatus, FunctionId, MissingReason, TransportError};

use crate::advice::{on_build_error, on_error};
use crate::args::ShowArguments;
use crate::console::complain;
use crate::exit::Exit;
use crate::look::{Look, Seen};
use crate::show;
use crate::store::Store;
use crate::table::{Table, json_text, print};

/// How the whole stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// Every function is served, and no consumer is in error.
    Healthy,
    /// Every function is served, and some consumer is in error.
    Degraded,
    /// Some function cannot be read, and all others are served.
    Unread,
    /// Some function is not served.
    Unserved,
    /// The server has fewer replicas than are to confirm a write.
    NotDurable,
    /// The store cannot be reached.
    Unavailable,
}

/// How one function stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// It cannot be read, for this reason: whether anybody serves it is not known.
    Unread(String),
    Served,
    Missing(MissingReason),
    /// Its consumers beat not long ago, and none has a connection any more.
    Disconnected,
}

/// The health of a store, as `--json` shows it.
#[derive(Serialize)]
struct Health<'a> {
    store: String,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    ping_ms: Option<f64>,
    run_id: Option<&'a str>,
    death_judged_by: Option<&'static str>,
    /// What the durability asks for and the server lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_durable: Option<String>,
    functions: Vec<FunctionHealth<'a>>,
}

#[derive(Serialize)]
struct FunctionHealth<'a> {
    name: &'a str,
    scope: &'a str,
    state: &'static str,
    reason: Option<String>,
    consumers: Option<usize>,
    in_error: Option<usize>,
    open: Option<u64>,
}

/// Shows the health, and ends with what it says.
pub(crate) async fn health(arguments: &ShowArguments) -> anyhow::Result<Exit> {
    let store = match show::store(arguments) {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let examined = examine(&store, arguments).await;
    let health = match &examined {
        Ok((look, standings)) => Health::of(&store, look, standings),
        Err(error) => Health::unavailable(store.place(), error.clone()),
    };
    if arguments.json {
        print(&json_text(&health)?)?;
    } else if let Some(error) = &health.error {
        complain(error);
    } else {
        print(&health.text())?;
    }
    Ok(match health.verdict {
        Verdict::Healthy | Verdict::Degraded => Exit::Success,
        Verdict::Unread | Verdict::Unserved | Verdict::NotDurable => Exit::Failure,
        Verdict::Unavailable => Exit::Unavailable,
    })
}

/// One look at the store and how each function stands, or why nothing was seen.
async fn examine(
    store: &Store,
    arguments: &ShowArguments,
) -> Result<(Look, Vec<Standing>), String> {
    let look = Look::at(store, arguments.scope.as_deref(), arguments.timeout).await;
    let look = look.map_err(|error| on_error(&error, store))?;
    let standings = standings(store, &look, arguments.timeout).await?;
    Ok((look, standings))
}

/// How each function stands, in the order of the look. Why one is not served is the node's judgement.
async fn standings(
    store: &Store,
    look: &Look,
    patience: Duration,
) -> Result<Vec<Standing>, String> {
    if look.functions.is_empty() {
        return Ok(Vec::new());
    }
    let host = store.host(patience).await.map_err(|error| on_build_error(&error, store))?;
    let caller = host.caller();
    let asked = look.functions.iter().map(|(function, seen)| standing(&caller, function, seen));
    let asked = tokio::time::timeout(patience, try_join_all(asked)).await;
    // It holds nothing that would have to be given back.
    let _ = host.shutdown(Duration::ZERO).await;
    asked.map_err(|_elapsed| format!("{} did not answer within {patience:?}", store.place()))?
}

async fn standing(
    caller: &Caller,
    function: &FunctionId,
    seen: &Result<Seen, TransportError>,
) -> Result<Standing, String> {
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return Ok(Standing::Unread(error.to_string())),
    };
    let missing = caller.detect_missing_consumer(function.name(), function.scope()).await;
    Ok(match missing.map_err(|error| error.to_string())? {
        Some(reason) => Standing::Missing(reason),
        None if seen.reading() == 0 => Standing::Disconnected,
        None => Standing::Served,
    })
}

impl Standing {
    fn word(&self) -> &'static str {
        match self {
            Self::Unread(_) => "unread",
            Self::Served => "served",
            Self::Missing(_) => "missing",
            Self::Disconnected => "disconnected",
        }
    }

    fn reason(&self) -> Option<String> {
        match self {
            Self::Served => None,
            Self::Unread(reason) => Some(reason.clone()),
            Self::Missing(reason) => Some(reason.to_string()),
            Self::Disconnected => {
                Some("its consumers have no connection; start a worker that serves it".to_owned())
            }
        }
    }
}

impl FunctionHealth<'_> {
    /// Nobody serves it, as far as it can be read.
    fn is_unserved(&self) -> bool {
        self.consumers.is_some() && self.reason.is_some()
    }
}

/// A number, or that it is not known.
fn known(number: Option<impl ToString>) -> String {
    number.map_or_else(|| "?".to_owned(), |number| number.to_string())
}

impl<'a> Health<'a> {
    fn of(store: &Store, look: &'a Look, standings: &[Standing]) -> Self {
        debug_assert_eq!(look.functions.len(), standings.len());
        let in_error = |seen: &Seen| {
            let statuses = seen.consumers.iter().map(|consumer| consumer.record.status);
            statuses.filter(|status| *status == ConsumerStatus::Error).count()
        };
        let functions = look.functions.iter().zip(standings);
        let functions: Vec<_> = functions
            .map(|((function, seen), standing)| FunctionHealth {
                name: function.name(),
                scope: function.scope(),
                state: standing.word(),
                reason: standing.reason(),
                consumers: seen.as_ref().ok().map(Seen::reading),
                in_error: seen.as_ref().ok().map(in_error),
                open: seen.as_ref().ok().map(|seen| seen.open),
            })
            .collect();
        let too_few = store.too_few_replicas();
        let verdict = if functions.iter().any(FunctionHealth::is_unserved) {
            Verdict::Unserved
        } else if functions.iter().any(|function| function.consumers.is_none()) {
            Verdict::Unread
        } else if too_few.is_some() {
            Verdict::NotDurable
        } else if functions.iter().any(|function| function.in_error > Some(0)) {
            Verdict::Degraded
        } else {
            Verdict::Healthy
        };
        Self {
            store: store.place(),
            verdict,
            error: None,
            ping_ms: Some(look.ping.as_micros() as f64 / 1e3),
            run_id: Some(look.run_id.as_str()),
            death_judged_by: Some(if look.sees_sessions { "sessions" } else { "heartbeats" }),
            not_durable: too_few.map(|too_few| too_few.to_string()),
            functions,
        }
    }

    fn unavailable(store: String, error: String) -> Self {
        Self {
            store,
            verdict: Verdict::Unavailable,
            error: Some(error),
            ping_ms: None,
            run_id: None,
            death_judged_by: None,
            not_durable: None,
            functions: Vec::new(),
        }
    }

    fn text(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Healthy => "healthy".to_owned(),
            Verdict::Degraded => "degraded: some consumer is in error, and returns".to_owned(),
            Verdict::Unread => {
                format!(
                    "unread: {} cannot be read",
                    self.so_many(|function| function.consumers.is_none())
                )
            }
            Verdict::Unserved => {
                format!("unserved: nobody serves {}", self.so_many(FunctionHealth::is_unserved))
            }
            Verdict::NotDurable => "not durable: the server has too few replicas".to_owned(),
            Verdict::Unavailable => "unavailable".to_owned(),
        };
        let judged = match self.death_judged_by {
            Some("sessions") => "by sessions: a killed worker's calls run elsewhere within 3 s",
            _ => "by heartbeats alone: a killed worker's calls run elsewhere after 30 s",
        };
        let ping = self.ping_ms.unwrap_or_default();
        let run_id = self.run_id.unwrap_or_default();
        let mut text = format!(
            "store   {}\nhealth  {verdict}\nping    {ping:.2} ms\nrun id  {run_id}\ndeath   is judged {judged}\n",
            self.store
        );
        if let Some(lacking) = &self.not_durable {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "writes  {lacking}");
        }
        if !self.functions.is_empty() {
            text.push('\n');
            text.push_str(&self.table());
        }
        text
    }

    fn so_many(&self, is: impl Fn(&FunctionHealth<'a>) -> bool) -> String {
        let found = self.functions.iter().filter(|function| is(function)).count();
        format!("{found} of {} functions", self.functions.len())
    }

    fn table(&self) -> String {
        let mut table = Table::new(["FUNCTION", "SCOPE", "CONSUMERS", "IN ERROR", "OPEN", "STATE"]);
        for function in &self.functions {
            let state = function.reason.as_ref().map(|reason| format!(": {reason}"));
            table.row([
                function.name.to_owned(),
                function.scope.to_owned(),
                known(function.consumers),
                known(function.in_error),
                known(function.open),
                format!("{}{}", function.state, state.unwrap_or_default()),
            ]);
        }
        table.render()
    }
}
