//! The floor: what a durable request and reply cannot do without, and nothing else. No lifecycle, no
//! fencing, no retries, no recovery; not a system to use.
//!
//! Caller: XADD to the function's stream; one blocked XREAD of its reply stream. Worker: one blocked
//! XREADGROUP of up to 256; for each call one script that keeps the result, acknowledges and deletes the
//! entry, and adds the reply. A handler is a task, as it would be for any user.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, Script, Value};
use tokio::sync::oneshot;

use super::counted::{Count, Counted, dial};
use super::work::{handle, payload};

const STREAM: &str = "floor:calls";
const GROUP: &str = "floor";

/// Keys: stream, result, replies. Arguments: group, entry, call, result.
const COMPLETE: &str = "
redis.call('SET', KEYS[2], ARGV[4], 'PX', 60000)
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'call', ARGV[3], 'result', ARGV[4])
return 1";

/// Opens a connection; its commands are counted where a count is given.
async fn connect(port: u16, count: Option<&Count>) -> Result<MultiplexedConnection> {
    let settings = AsyncConnectionConfig::new().set_response_timeout(None);
    let bare = RedisConnectionInfo::default().set_skip_set_lib_name();
    let stream = dial(port).await?;
    if let Some(count) = count {
        let stream = Counted::new(stream, count.clone());
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&bare, stream, settings).await?;
        tokio::spawn(driver);
        Ok(connection)
    } else {
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&bare, stream, settings).await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}

fn bytes(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        other => bail!("no text in an answer: {other:?}"),
    }
}

/// An entry's id, and the values of its fields in order.
type Entry = (Vec<u8>, Vec<Vec<u8>>);

/// The entries of an answer that names one stream.
fn entries(answer: Value) -> Result<Vec<Entry>> {
    let list = |value| match value {
        Value::Array(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        other => bail!("no list in an answer: {other:?}"),
    };
    let Some(stream) = list(answer)?.pop() else {
        return Ok(Vec::new());
    };
    let entries = list(stream)?.pop().context("a stream without entries")?;
    let read = |entry| {
        let [id, fields] = <[Value; 2]>::try_from(list(entry)?)
            .map_err(|_| anyhow::anyhow!("an entry is its id and its fields"))?;
        let values = list(fields)?.into_iter().skip(1).step_by(2).map(bytes);
        Ok((bytes(id)?, values.collect::<Result<_>>()?))
    };
    list(entries)?.into_iter().map(read).collect()
}

/// A worker. Calls `stands` once it would serve, and then serves for ever.
pub(crate) async fn work(port: u16, count: Option<&Count>, stands: impl FnOnce()) -> Result<()> {
    let mut reader = connect(port, count).await?;
    let mut writes = connect(port, count).await?;
    let mut create = redis::cmd("XGROUP");
    create.arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM");
    let _: Value = create.query_async(&mut reader).await?;
    let script = Arc::new(Script::new(COMPLETE));
    let mut load = redis::cmd("SCRIPT");
    let _: Value = load.arg("LOAD").arg(COMPLETE).query_async(&mut writes).await?;
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg("worker").arg("COUNT").arg(256);
    read.arg("BLOCK").arg(1_000).arg("STREAMS").arg(STREAM).arg(">");
    stands();
    loop {
        for (entry, fields) in entries(read.query_async(&mut reader).await?)? {
            let [call, replies, input] = <[Vec<u8>; 3]>::try_from(fields)
                .map_err(|_| anyhow::anyhow!("a call has three fields"))?;
            let (script, mut writes) = (script.clone(), writes.clone());
            tokio::spawn(async move {
                let result = handle(&input).context("the input is not as it should be")?;
                let mut complete = script.prepare_invoke();
                complete.key(STREAM).key([b"floor:result:".as_slice(), &call].concat());
                complete.key(replies);
                complete.arg(GROUP).arg(entry).arg(call).arg(result);
                let done: i64 = complete.invoke_async(&mut writes).await?;
                ensure!(done == 1, "the script answered {done}");
                anyhow::Ok(())
            });
        }
    }
}

type Waiting = Arc<Mutex<BTreeMap<Vec<u8>, oneshot::Sender<Vec<u8>>>>>;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A caller.
#[derive(Clone)]
pub(crate) struct FloorCaller {
    commands: MultiplexedConnection,
    waiting: Waiting,
    replies: Arc<str>,
    next: Arc<AtomicU64>,
}

impl FloorCaller {
    /// Connects, and starts to read the replies.
    pub(crate) async fn connect(port: u16, count: Option<&Count>) -> Result<Self> {
        let process = std::process::id();
        let caller = Self {
            commands: connect(port, count).await?,
            waiting: Waiting::default(),
            replies: format!("floor:replies:{process:x}").into(),
            next: Arc::default(),
        };
        let reads = connect(port, count).await?;
        tokio::spawn(read_replies(reads, caller.replies.clone(), caller.waiting.clone()));
        Ok(caller)
    }

    /// Makes a call: it is durable once XADD has answered, and over when its reply is read.
    pub(crate) async fn call(&self, number: u64) -> Result<String> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:x}-{place:016x}", std::process::id()).into_bytes();
        let (reply, replied) = oneshot::channel();
        lock(&self.waiting).insert(id.clone(), reply);
        let mut add = redis::cmd("XADD");
        add.arg(STREAM).arg("*").arg("call").arg(&id).arg("replies").arg(&*self.replies);
        add.arg("input").arg(payload(number));
        let _: Value = add.query_async(&mut self.commands.clone()).await?;
        Ok(String::from_utf8(replied.await.context("the reply's reader has ended")?)?)
    }
}

async fn read_replies(
    mut reads: MultiplexedConnection,
    replies: Arc<str>,
    waiting: Waiting,
) -> Result<()> {
    let mut last = b"0".to_vec();
    loop {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1_000).arg("BLOCK").arg(1_000);
        read.arg("STREAMS").arg(&*replies).arg(&last);
        for (entry, mut fields) in entries(read.query_async(&mut reads).await?)? {
            let result = fields.pop().context("a reply has a result")?;
            let call = fields.pop().context("a reply names its call")?;
            if let Some(waiter) = lock(&waiting).remove(&call) {
                // A caller that has gone away waits for nothing.
                let _ = waiter.send(result);
            }
            last = entry;
        }
    }
}
