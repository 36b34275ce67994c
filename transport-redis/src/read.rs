//! Blocking reads.

use std::fmt;
use std::time::Duration;

use steadfast_core::name::{EntryId, FunctionId};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{ErrorKind, Interest, TransportError, Wake};
use steadfast_core::wire::{Shard, decode_result};

use crate::answer::{Nonsense, Read, clock, delivered, entries_of_one_stream, list, pairs, text};
use crate::command::{Command, Commands};
use crate::connection::Connection;
use crate::error::{nonsense, of_server};
use crate::layout::Layout;
use crate::resp::Value;
use crate::session::{Reading, ask};

/// Entries of a reply stream in one read; each may hold a batch of records.
const REPLIES_MAX: u32 = 64;

/// What was attempted, in words.
struct Watch<'a>(&'a Interest);

impl fmt::Display for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watch for {}", self.0)
    }
}

/// Waits for an interest within one shard, for at most `block` by the server's watch.
pub(crate) async fn wait(
    connection: &Connection,
    reading: &Reading,
    layout: &Layout,
    shard: Shard,
    interest: &Interest,
    block: Duration,
) -> Result<Wake, TransportError> {
    let attempted = Watch(interest);
    if reading.brought_one() {
        // What the last wake brought begins before, and what comes of it at once goes out: somebody waits for
        // it. Where much is under way, a read that is late would hold up more than it hastens.
        tokio::task::yield_now().await;
    }
    // BLOCK 0 would be for ever.
    let block_ms = u64::try_from(block.as_millis()).unwrap_or(u64::MAX).clamp(1, 3_600_000);
    let mut pipe = Commands::new();
    pipe.push(command(layout, shard, interest, block_ms));
    if matches!(interest, Interest::Deliveries { .. }) && reading.is_to_ask() {
        // Answered when the read is: what remains until a deadline is counted from there.
        pipe.cmd("TIME");
    }
    let mut answers = ask(connection, &pipe, &attempted).await?.into_iter();
    let answer = answers.next().unwrap_or(Value::Nil);
    let mut now = reading.reckoned();
    if let Some(time) = answers.next() {
        let told = clock(&time).map_err(|Nonsense| nonsense(&attempted))?;
        reading.note(told);
        now = Some(told);
    }
    if let Value::ServerError(error) = &answer {
        if let (Interest::Arrivals { after }, "WRONGTYPE" | "NOPERM") = (interest, error.code()) {
            let unreadable = unreadable(connection, layout, after, &attempted).await?;
            if !unreadable.is_empty() {
                return Ok(Wake::Arrivals(unreadable));
            }
        }
        let mut judged = of_server(error, &attempted);
        if error.code() == "UNBLOCKED" {
            // The stream was deleted, or is of another type now.
            judged.kind = ErrorKind::NoGroup;
        }
        return Err(judged);
    }
    if answer == Value::Nil {
        return Ok(Wake::Nothing);
    }
    let read = match interest {
        Interest::Deliveries { .. } => deliveries(answer, now),
        Interest::Arrivals { after } => arrivals(layout, shard, after, answer),
        Interest::Replies { .. } => replies(answer),
    };
    let wake = read.map_err(|Nonsense| nonsense(&attempted))?;
    reading.note_brought(came_alone(&wake));
    Ok(wake)
}

/// The functions whose streams cannot be read: a key of another type, or one that this user may not read. The server
/// refuses a read of many streams for one of them. Told of as if something had arrived there, each is read by itself
/// and learns why, and the others are waited for without it.
async fn unreadable(
    connection: &Connection,
    layout: &Layout,
    after: &[(FunctionId, EntryId)],
    attempted: &Watch<'_>,
) -> Result<Vec<FunctionId>, TransportError> {
    let mut pipe = Commands::new();
    for (function, _) in after {
        pipe.cmd("XLEN").arg(layout.keys.calls(function));
    }
    let answers = ask(connection, &pipe, attempted).await?;
    let refused = after.iter().zip(answers).filter(|(_, it)| matches!(it, Value::ServerError(_)));
    Ok(refused.map(|((function, _), _)| function.clone()).collect())
}

/// One call, or the reply to one.
fn came_alone(wake: &Wake) -> bool {
    match wake {
        Wake::Deliveries(entries) => entries.len() == 1,
        Wake::Replies { records, .. } => records.len() == 1,
        Wake::Arrivals(_) | Wake::Nothing => false,
    }
}

fn command(layout: &Layout, shard: Shard, interest: &Interest, block_ms: u64) -> Command {
    match interest {
        Interest::Deliveries { function, consumer, count } => {
            let mut cmd = Command::new("XREADGROUP");
            let part = layout.of(function);
            cmd.arg("GROUP").arg(&part.group).arg(consumer.as_str());
            cmd.arg("COUNT").arg((*count).max(1)).arg("BLOCK").arg(block_ms);
            cmd.arg("STREAMS").arg(&part.calls).arg(">");
            cmd
        }
        Interest::Arrivals { after } => {
            let mut cmd = Command::new("XREAD");
            cmd.arg("COUNT").arg(1_u8).arg("BLOCK").arg(block_ms).arg("STREAMS");
            for (function, _) in after {
                cmd.arg(layout.keys.calls(function));
            }
            for (_, after) in after {
                cmd.arg(*after);
            }
            cmd
        }
        Interest::Replies { caller, after } => {
            let mut cmd = Command::new("XREAD");
            cmd.arg("COUNT").arg(REPLIES_MAX).arg("BLOCK").arg(block_ms);
            cmd.arg("STREAMS").arg(layout.keys.replies(shard, caller)).arg(*after);
            cmd
        }
    }
}

fn deliveries(answer: Value, now: Option<StoreTime>) -> Read<Wake> {
    let now = now.ok_or(Nonsense)?;
    let entries = entries_of_one_stream(answer)?;
    Ok(Wake::Deliveries(entries.iter().map(|(id, fields)| delivered(now, *id, fields)).collect()))
}

fn arrivals(
    layout: &Layout,
    shard: Shard,
    after: &[(FunctionId, EntryId)],
    answer: Value,
) -> Read<Wake> {
    let mut arrived = Vec::new();
    for stream in list(answer)? {
        arrived.push(list(stream)?.into_iter().next().ok_or(Nonsense)?);
    }
    let of = |name| text(name).ok().and_then(|name| layout.keys.function_of_calls(shard, name));
    let arrived: Vec<&str> = arrived.iter().filter_map(of).collect();
    let functions = after.iter().map(|(function, _)| function);
    let named = functions.filter(|function| arrived.contains(&function.as_str()));
    Ok(Wake::Arrivals(named.cloned().collect()))
}

/// A record that cannot be read is passed over: its caller inspects what it awaits.
fn replies(answer: Value) -> Read<Wake> {
    let entries = entries_of_one_stream(answer)?;
    let last = entries.last().ok_or(Nonsense)?.0;
    let records = entries
        .iter()
        .flat_map(|(_, fields)| pairs(fields))
        .filter_map(|(_, value)| decode_result(text(value).ok()?).ok())
        .collect();
    Ok(Wake::Replies { records, last })
}
