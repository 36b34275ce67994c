//! The stores that the suite runs over.

use redis::Connection;
use steadfast_core::call::{Outcome, Payload, Record};
use steadfast_core::name::EntryId;
use steadfast_core::time::StoreTime;
use steadfast_core::transport::Transport;
use steadfast_core::wire::{Keys, decode_result};
use steadfast_tests::ops::{call, consumer, function};
use steadfast_tests::{RedisServer, command, leaks};
use steadfast_transport_mem::MemTransport;
use steadfast_transport_redis::RedisTransport;

/// A store of a test's own. It ends with this value.
pub(crate) trait Store: Sized {
    type Transport: Transport + Clone;

    /// Starts an empty one.
    fn start() -> Self;

    /// A transport to it.
    fn transport(&self) -> Self::Transport;

    /// What it holds that P7 forbids once nobody uses it any more.
    fn leaks(&self) -> Vec<String>;

    /// How many reply streams there are.
    fn reply_streams(&self) -> usize;

    /// What stands in the result stream of a call of `greet`, in order.
    fn result_stream(&self, id: &str) -> Vec<Record>;

    /// An older consumer answers the call with `7`, acknowledges its entry, and leaves.
    fn answered_by_older_consumer(&self, name: &str, id: &str, entry: EntryId);
}

fn redis_reply_streams(raw: &mut Connection) -> usize {
    command::<Vec<String>>(raw, &["KEYS", "*replies:*"]).len()
}

fn redis_result_stream(raw: &mut Connection, keys: &Keys, id: &str) -> Vec<Record> {
    let key = keys.result_stream(&function(), &call(id));
    let entries: Vec<(String, [String; 2])> = command(raw, &["XRANGE", &key, "-", "+"]);
    let read = |(_, [field, text]): (_, [String; 2])| {
        assert_eq!(field, "record");
        decode_result(&text).expect("it is a record's text")
    };
    entries.into_iter().map(read).collect()
}

fn answer_on_redis(raw: &mut Connection, keys: &Keys, name: &str, id: &str, entry: EntryId) {
    let (stream, group) = (keys.calls(&function()), Keys::default().group(&function()));
    let result = keys.result(&function(), &call(id));
    let text = format!(
        r#"{{"callId":"{id}","result":"7","error":null,"timestamp":1,"status":"success"}}"#
    );
    let () = command(raw, &["SETEX", &result, "300", &text]);
    let acked: u64 = command(raw, &["XACK", &stream, &group, &entry.to_string()]);
    let held: u64 = command(raw, &["XGROUP", "DELCONSUMER", &stream, &group, name]);
    assert_eq!((acked, held), (1, 0));
}

/// The reference store.
pub(crate) struct Mem(MemTransport);

impl Store for Mem {
    type Transport = MemTransport;

    fn start() -> Self {
        Self(MemTransport::new())
    }

    fn transport(&self) -> MemTransport {
        self.0.clone()
    }

    fn leaks(&self) -> Vec<String> {
        self.0.with_store(|store, now| {
            let leftovers = store.leftovers(now).into_iter().map(|it| it.to_string());
            leftovers.chain(store.audit()).collect()
        })
    }

    fn reply_streams(&self) -> usize {
        self.0.with_store(|store, now| store.reply_streams(now).len())
    }

    fn result_stream(&self, id: &str) -> Vec<Record> {
        self.0.with_store(|store, now| store.result_stream(now, &call(id)))
    }

    fn answered_by_older_consumer(&self, name: &str, id: &str, entry: EntryId) {
        let outcome = Outcome::Success(Payload::trusted("7"));
        let record =
            Record { call: call(id), outcome, attempts: 1, decided_at: StoreTime::from_millis(1) };
        self.0.with_store(|store, now| {
            store.older_peer_answer(now, record);
            assert!(store.older_peer_acknowledge(now, &function(), entry));
            assert!(store.delete_name(now, &function(), &consumer(name)));
        });
    }
}

/// A Redis server.
pub(crate) struct Redis(RedisServer);

impl Store for Redis {
    type Transport = RedisTransport;

    fn start() -> Self {
        Self(RedisServer::start())
    }

    fn transport(&self) -> RedisTransport {
        let builder = RedisTransport::builder(&self.0.url()).expect("it is a URL");
        builder.build().expect("plain TCP needs nothing more")
    }

    fn leaks(&self) -> Vec<String> {
        leaks(&mut self.0.raw())
    }

    fn reply_streams(&self) -> usize {
        redis_reply_streams(&mut self.0.raw())
    }

    fn result_stream(&self, id: &str) -> Vec<Record> {
        redis_result_stream(&mut self.0.raw(), &Keys::default(), id)
    }

    fn answered_by_older_consumer(&self, name: &str, id: &str, entry: EntryId) {
        let keys = Keys::default();
        answer_on_redis(&mut self.0.raw(), &keys, name, id, entry);
    }
}

/// A Redis server whose keys of the plain layout stand under the prefix that hosts of workflow nodes give them.
pub(crate) struct Prefixed(RedisServer);

const PREFIX: &str = "n8n-nodes-function:";

impl Store for Prefixed {
    type Transport = RedisTransport;

    fn start() -> Self {
        Self(RedisServer::start())
    }

    fn transport(&self) -> RedisTransport {
        let builder = RedisTransport::builder(&self.0.url()).expect("it is a URL");
        builder.prefix(PREFIX).build().expect("plain TCP needs nothing more")
    }

    /// Beside what is left: keys that bear no prefix.
    fn leaks(&self) -> Vec<String> {
        let mut raw = self.0.raw();
        let mut found = leaks(&mut raw);
        let keys: Vec<String> = command(&mut raw, &["KEYS", "*"]);
        found.extend(keys.into_iter().filter(|key| !key.starts_with(PREFIX)));
        found
    }

    fn reply_streams(&self) -> usize {
        redis_reply_streams(&mut self.0.raw())
    }

    fn result_stream(&self, id: &str) -> Vec<Record> {
        redis_result_stream(&mut self.0.raw(), &Keys::new(PREFIX), id)
    }

    fn answered_by_older_consumer(&self, name: &str, id: &str, entry: EntryId) {
        let keys = Keys::new(PREFIX);
        answer_on_redis(&mut self.0.raw(), &keys, name, id, entry);
    }
}

/// A node of a Redis cluster, with a prefix.
pub(crate) struct Cluster(RedisServer);

impl Store for Cluster {
    type Transport = RedisTransport;

    fn start() -> Self {
        Self(RedisServer::cluster_of_one())
    }

    fn transport(&self) -> RedisTransport {
        let url = format!("{}?layout=cluster&prefix=app:", self.0.url());
        let builder = RedisTransport::builder(&url).expect("it is a URL");
        builder.build().expect("plain TCP needs nothing more")
    }

    /// Beside what is left: whether a command named keys of different slots, or of another node.
    fn leaks(&self) -> Vec<String> {
        let mut raw = self.0.raw();
        let mut found = leaks(&mut raw);
        let errors: String = command(&mut raw, &["INFO", "errorstats"]);
        let slots = ["CROSSSLOT", "MOVED", "ASK"].map(|code| format!("errorstat_{code}:"));
        let lines = errors.lines().filter(|line| slots.iter().any(|it| line.starts_with(it)));
        found.extend(lines.map(str::to_owned));
        found
    }

    fn reply_streams(&self) -> usize {
        redis_reply_streams(&mut self.0.raw())
    }

    fn result_stream(&self, id: &str) -> Vec<Record> {
        redis_result_stream(&mut self.0.raw(), &Keys::new("app:").in_cluster(), id)
    }

    fn answered_by_older_consumer(&self, name: &str, id: &str, entry: EntryId) {
        let keys = Keys::new("app:").in_cluster();
        answer_on_redis(&mut self.0.raw(), &keys, name, id, entry);
    }
}

/// A Redis server, as the worker of `examples/acl/`.
pub(crate) struct Guarded(RedisServer);

impl Store for Guarded {
    type Transport = RedisTransport;

    fn start() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/acl/steadfast.acl");
        Self(RedisServer::with(&["--aclfile", file]))
    }

    fn transport(&self) -> RedisTransport {
        let builder = RedisTransport::builder(&self.0.url()).expect("it is a URL");
        let builder = builder.credentials(Some("steadfast-worker"), "change-me-worker");
        builder.build().expect("plain TCP needs nothing more")
    }

    fn leaks(&self) -> Vec<String> {
        leaks(&mut self.0.raw())
    }

    fn reply_streams(&self) -> usize {
        redis_reply_streams(&mut self.0.raw())
    }

    fn result_stream(&self, id: &str) -> Vec<Record> {
        redis_result_stream(&mut self.0.raw(), &Keys::default(), id)
    }

    fn answered_by_older_consumer(&self, name: &str, id: &str, entry: EntryId) {
        let keys = Keys::default();
        answer_on_redis(&mut self.0.raw(), &keys, name, id, entry);
    }
}
