//! `steadfast consumers`: who serves what, in any process.

use serde::Serialize;
use steadfast::FunctionId;

use crate::args::ShowArguments;
use crate::exit::Exit;
use crate::look::{Look, SeenConsumer};
use crate::show;
use crate::table::{Table, json_text, span};

/// One consumer, as `--json` shows it, or a function whose consumers cannot be read.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Seen(Shown<'a>),
    Unread { function: &'a str, scope: &'a str, error: String },
}

#[derive(Serialize)]
struct Shown<'a> {
    consumer: &'a str,
    function: &'a str,
    scope: &'a str,
    node: &'a str,
    status: &'static str,
    connected: Option<bool>,
    heartbeat_age_ms: u64,
    uptime_ms: u64,
    epoch: u64,
    error_count: u64,
    last_error: Option<&'a str>,
}

/// Shows the consumers, and ends.
pub(crate) async fn consumers(arguments: &ShowArguments) -> anyhow::Result<Exit> {
    show::look_and_show(arguments, json, table).await
}

impl<'a> Shown<'a> {
    fn new(look: &Look, function: &'a FunctionId, seen: &'a SeenConsumer) -> Self {
        let record = &seen.record;
        let age_ms = |since| u64::try_from(look.now.since(since).as_millis()).unwrap_or(u64::MAX);
        Self {
            consumer: record.consumer.as_str(),
            function: function.name(),
            scope: function.scope(),
            node: record.node.as_str(),
            status: record.status.as_str(),
            connected: seen.is_connected,
            heartbeat_age_ms: age_ms(record.heartbeat),
            uptime_ms: age_ms(record.started_at),
            epoch: record.epoch.0,
            error_count: record.error_count,
            last_error: record.last_error.as_deref(),
        }
    }
}

fn rows(look: &Look) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (function, seen) in &look.functions {
        match seen {
            Ok(seen) => {
                let seen = seen.consumers.iter();
                rows.extend(seen.map(|it| Row::Seen(Shown::new(look, function, it))));
            }
            Err(error) => rows.push(Row::Unread {
                function: function.name(),
                scope: function.scope(),
                error: error.to_string(),
            }),
        }
    }
    rows
}

fn json(look: &Look) -> serde_json::Result<String> {
    json_text(&rows(look))
}

fn table(look: &Look) -> String {
    let mut table = Table::new([
        "FUNCTION",
        "SCOPE",
        "STATUS",
        "CONNECTED",
        "BEAT",
        "UP",
        "EPOCH",
        "ERRORS",
        "NODE",
        "CONSUMER",
    ]);
    for row in rows(look) {
        let shown = match row {
            Row::Seen(shown) => shown,
            Row::Unread { function, scope, error } => {
                table.row(std::array::from_fn(|column| match column {
                    0 => function.to_owned(),
                    1 => scope.to_owned(),
                    9 => format!("cannot be read: {error}"),
                    _ => "?".to_owned(),
                }));
                continue;
            }
        };
        let connected = match shown.connected {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        table.row([
            shown.function.to_owned(),
            shown.scope.to_owned(),
            shown.status.to_owned(),
            connected.to_owned(),
            span(shown.heartbeat_age_ms),
            span(shown.uptime_ms),
            shown.epoch.to_string(),
            shown.error_count.to_string(),
            shown.node.to_owned(),
            shown.consumer.to_owned(),
        ]);
    }
    table.render()
}
