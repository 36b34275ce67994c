//! The server: one store, its sessions, its scripts, and who is blocked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast_core::machine::StoreMachine;
use steadfast_core::name::{RunId, SessionId};
use steadfast_core::op::{Op, OpResult, Reply};
use steadfast_core::time::StoreTime;
use steadfast_core::transport::{Interest, TransportError, Wake};
use steadfast_transport_redis::{ScriptInfo, scripts};
use tokio::sync::oneshot;

use super::frame::{Frame, error, number, okay, refusal, text};
use super::words::{Nonsense, Read, Words};
use super::{call, names, reply, words};

/// How a blocking read ends.
pub(super) type Woken = Result<Wake, TransportError>;

/// What the server does, seen from beside the store.
pub trait Witness<S>: Send {
    /// A session was opened.
    fn opened(&mut self, _now: StoreTime, _session: SessionId) {}

    /// A session ended.
    fn ended(&mut self, _now: StoreTime, _session: SessionId) {}

    /// The store applied an operation. What the witness asks the store must change nothing.
    fn applied(
        &mut self,
        _store: &mut S,
        _now: StoreTime,
        _session: SessionId,
        _op: &Op,
        _result: &OpResult,
    ) {
    }

    /// A blocking read ended.
    fn woken(
        &mut self,
        _now: StoreTime,
        _session: SessionId,
        _wake: &Result<Wake, TransportError>,
    ) {
    }
}

/// A server that speaks Redis' protocol before a store. Clones are the same server.
pub struct Front<S>(Arc<Mutex<Server<S>>>);

struct Server<S> {
    store: S,
    clock: Box<dyn FnMut() -> StoreTime + Send>,
    witness: Box<dyn Witness<S>>,
    /// The scripts that were loaded in this life, by hash.
    loaded: BTreeSet<&'static str>,
    run_ids: BTreeMap<SessionId, RunId>,
    names: BTreeMap<SessionId, String>,
    blocked: BTreeMap<SessionId, oneshot::Sender<Woken>>,
}

/// What follows from a request.
pub(super) enum Step {
    /// This answer.
    Answer(Frame),
    /// The answer comes when the read ends, or after its block time.
    Block { interest: Interest, woken: oneshot::Receiver<Woken>, block: Duration },
}

impl<S> Clone for Front<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for Front<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Front")
    }
}

impl<S: StoreMachine> Front<S> {
    /// A server before this store, by this clock.
    pub fn new(
        store: S,
        clock: impl FnMut() -> StoreTime + Send + 'static,
        witness: impl Witness<S> + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(Server {
            store,
            clock: Box::new(clock),
            witness: Box::new(witness),
            loaded: BTreeSet::new(),
            run_ids: BTreeMap::new(),
            names: BTreeMap::new(),
            blocked: BTreeMap::new(),
        })))
    }

    /// Looks at the store, or tampers with it; whom that wakes is woken.
    pub fn with_store<R>(&self, visit: impl FnOnce(&mut S, StoreTime) -> R) -> R {
        let mut server = self.lock();
        let now = (server.clock)();
        let result = visit(&mut server.store, now);
        server.wake();
        result
    }

    /// Forgets every script, as a restart does, or `SCRIPT FLUSH`.
    pub fn forget_scripts(&self) {
        self.lock().loaded.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Server<S>> {
        // A panic elsewhere while the lock was held left a whole store behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self) -> SessionId {
        let mut server = self.lock();
        let now = (server.clock)();
        let connected = server.store.connect(now);
        server.run_ids.insert(connected.session, connected.run_id);
        server.witness.opened(now, connected.session);
        connected.session
    }

    pub(super) fn end(&self, session: SessionId) {
        let mut server = self.lock();
        let now = (server.clock)();
        server.blocked.remove(&session);
        server.run_ids.remove(&session);
        server.names.remove(&session);
        server.store.disconnect(now, session);
        server.witness.ended(now, session);
    }

    pub(super) fn take(&self, session: SessionId, request: Frame) -> Step {
        let Ok(request) = words::of_request(request) else {
            return Step::Answer(refusal("ERR Protocol error: a request is an array of texts"));
        };
        self.lock().take(session, &request)
    }

    /// The answer to a blocking read that ended so.
    pub(super) fn woken(&self, session: SessionId, interest: &Interest, wake: &Woken) -> Frame {
        let mut server = self.lock();
        let now = (server.clock)();
        server.witness.woken(now, session, wake);
        answer_to_read(now, interest, wake)
    }

    /// Ends a blocking read whose time is over.
    pub(super) fn unblock(&self, session: SessionId) {
        let mut server = self.lock();
        server.blocked.remove(&session);
        server.store.unwatch(session);
    }
}

fn answer_to_read(now: StoreTime, interest: &Interest, wake: &Woken) -> Frame {
    match wake {
        Ok(wake) => reply::wake(now, interest, wake),
        Err(refused) => error(refused),
    }
}

impl<S: StoreMachine> Server<S> {
    fn take(&mut self, session: SessionId, request: &[String]) -> Step {
        let mut words = Words::new(request);
        let verb = words.text().unwrap_or_default().to_ascii_uppercase();
        let stepped = match verb.as_str() {
            "XREADGROUP" | "XREAD" => {
                read(&verb, words).map(|(interest, block)| self.block(session, interest, block))
            }
            _ => self.command(session, &verb, words).map(Step::Answer),
        };
        stepped.unwrap_or_else(|Nonsense| {
            Step::Answer(refusal(format!("ERR unknown command '{verb}', or its arguments")))
        })
    }

    fn command(&mut self, session: SessionId, verb: &str, mut words: Words<'_>) -> Read<Frame> {
        Ok(match verb {
            "PING" => Frame::SimpleString("PONG".into()),
            "AUTH" | "SELECT" => okay(),
            "INFO" => {
                let run_id = self.run_ids.get(&session).map(ToString::to_string);
                let run_id = run_id.unwrap_or_default();
                text(format!("# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n"))
            }
            "TIME" => self.one(session, &Op::Ping),
            "CLIENT" => self.client(session, words)?,
            "SCRIPT" => {
                words.expect("LOAD")?;
                self.load(words.text()?)
            }
            "EVALSHA" => {
                let hash = words.text()?;
                let count = words.parse()?;
                let keys = words.take(count)?;
                self.evaluate(session, hash, keys, words)?
            }
            "HGETALL" => {
                let function = names::of_definition(words.text()?)?;
                self.one(session, &Op::Describe { function })
            }
            "DEL" => {
                let caller = names::of_replies(words.text()?)?;
                self.one(session, &Op::ForgetReplies { caller })
            }
            "XRANGE" => self.one(session, &dead_letters(words)?),
            "XADD" => {
                let function = names::of_calls(words.text()?)?;
                words.expect("*")?;
                let fields = words.each(|words| Ok((words.parse()?, words.parse()?)))?;
                self.one(session, &Op::OlderPeerAdd { function, fields })
            }
            _ => return Err(Nonsense),
        })
    }

    fn client(&mut self, session: SessionId, mut words: Words<'_>) -> Read<Frame> {
        let verb = words.text()?.to_ascii_uppercase();
        Ok(match verb.as_str() {
            "SETNAME" => {
                self.names.insert(session, words.text()?.to_owned());
                okay()
            }
            "ID" => number(session.0),
            "LIST" => match words.text()?.to_ascii_uppercase().as_str() {
                "TYPE" => {
                    words.expect("NORMAL")?;
                    self.sessions(session, None)
                }
                "ID" => {
                    let only = words.parse().map(SessionId)?;
                    self.sessions(session, Some(only))
                }
                _ => return Err(Nonsense),
            },
            "UNBLOCK" => {
                let blocked = words.parse().map(SessionId)?;
                let was_blocked = self.blocked.remove(&blocked);
                if was_blocked.is_some() {
                    self.store.unwatch(blocked);
                }
                let ended = was_blocked.is_some_and(|it| it.send(Ok(Wake::Nothing)).is_ok());
                Frame::Integer(i64::from(ended))
            }
            _ => return Err(Nonsense),
        })
    }

    /// A line for each session that lives, or for this one of them.
    fn sessions(&mut self, session: SessionId, only: Option<SessionId>) -> Frame {
        let op = Op::Survey { functions: Vec::new() };
        let (_, result) = self.apply(session, &op);
        match result {
            Ok(Reply::Surveyed(survey)) => match survey.sessions {
                Some(ids) => {
                    let ids = ids.iter().filter(|id| only.is_none_or(|only| only == **id));
                    text(ids.map(|id| self.line_of(*id)).collect::<String>())
                }
                None => refusal("NOPERM this user has no permissions to run 'client|list'"),
            },
            Ok(_) => refusal("ERR the store does not know its sessions"),
            Err(refused) => error(&refused),
        }
    }

    fn line_of(&self, session: SessionId) -> String {
        let name = self.names.get(&session).map_or("", String::as_str);
        format!("id={} addr=- name={name} age=0\n", session.0)
    }

    fn load(&mut self, source: &str) -> Frame {
        match scripts().find(|script| script.source == source) {
            Some(script) => {
                self.loaded.insert(script.hash);
                text(script.hash)
            }
            None => refusal("ERR Error compiling script: it is none of the transport's"),
        }
    }

    fn evaluate(
        &mut self,
        session: SessionId,
        hash: &str,
        keys: Words<'_>,
        arguments: Words<'_>,
    ) -> Read<Frame> {
        let Some(script) = self.loaded.get(hash).and_then(|hash| of_hash(hash)) else {
            return Ok(refusal("NOSCRIPT No matching script. Please use EVAL."));
        };
        let ops = call::operations(script.name, keys, arguments)?;
        // A script for one ordinary call declines where it is not; this one answers as that for all would.
        let is_batch = matches!(script.name, "submit" | "decide" | "submit_one" | "complete_one");
        if !is_batch {
            return Ok(list_of_one(ops).map_or(Frame::Null, |op| self.one(session, &op)));
        }
        let now = (self.clock)();
        let results: Vec<OpResult> = ops.iter().map(|op| self.apply_at(now, session, op)).collect();
        Ok(reply::several(now, &ops, &results))
    }

    fn one(&mut self, session: SessionId, op: &Op) -> Frame {
        let (now, result) = self.apply(session, op);
        reply::single(now, op, &result)
    }

    fn apply(&mut self, session: SessionId, op: &Op) -> (StoreTime, OpResult) {
        let now = (self.clock)();
        (now, self.apply_at(now, session, op))
    }

    fn apply_at(&mut self, now: StoreTime, session: SessionId, op: &Op) -> OpResult {
        let result = self.store.apply(now, session, op);
        self.witness.applied(&mut self.store, now, session, op, &result);
        self.wake();
        result
    }

    fn block(&mut self, session: SessionId, interest: Interest, block: Duration) -> Step {
        let now = (self.clock)();
        let Some(wake) = self.store.watch(now, session, &interest) else {
            let (waker, woken) = oneshot::channel();
            self.blocked.insert(session, waker);
            return Step::Block { interest, woken, block };
        };
        self.witness.woken(now, session, &wake);
        self.wake();
        Step::Answer(answer_to_read(now, &interest, &wake))
    }

    /// Hands the store's wakes to the connections that they belong to.
    fn wake(&mut self) {
        while let Some((session, wake)) = self.store.poll_wake() {
            if let Some(waker) = self.blocked.remove(&session) {
                // Where the connection is gone, its deliveries stay pending.
                let _ = waker.send(wake);
            }
        }
    }
}

fn of_hash(hash: &str) -> Option<ScriptInfo> {
    scripts().find(|script| script.hash == hash)
}

fn list_of_one(ops: Vec<Op>) -> Option<Op> {
    debug_assert!(ops.len() == 1, "such a script is one operation");
    ops.into_iter().next()
}

/// `XRANGE key after + COUNT count`, of dead letters.
fn dead_letters(mut words: Words<'_>) -> Read<Op> {
    let function = names::of_dead_letters(words.text()?)?;
    let after = match words.text()? {
        "-" => steadfast_core::name::EntryId::ZERO,
        after => after.strip_prefix('(').ok_or(Nonsense)?.parse().map_err(|_| Nonsense)?,
    };
    words.expect("+")?;
    words.expect("COUNT")?;
    Ok(Op::DeadLetters { function, after, count: words.parse()? })
}

/// A blocking read: what it waits for, and for how long.
fn read(verb: &str, mut words: Words<'_>) -> Read<(Interest, Duration)> {
    if verb == "XREADGROUP" {
        words.expect("GROUP")?;
        // The group, which the stream tells.
        words.skip(1)?;
        let consumer = words.parse()?;
        words.expect("COUNT")?;
        let count = words.parse()?;
        let block = call::block(&mut words)?;
        words.expect("STREAMS")?;
        let function = names::of_calls(words.text()?)?;
        words.expect(">")?;
        return Ok((Interest::Deliveries { function, consumer, count }, block));
    }
    words.expect("COUNT")?;
    words.skip(1)?;
    let block = call::block(&mut words)?;
    words.expect("STREAMS")?;
    let streams: Vec<&str> = words.each(Words::text)?;
    let (keys, after) = streams.split_at(streams.len() / 2);
    if keys.len() != after.len() {
        return Err(Nonsense);
    }
    if let ([key], [after]) = (keys, after)
        && let Ok(caller) = names::of_replies(key)
    {
        let after = after.parse().map_err(|_| Nonsense)?;
        return Ok((Interest::Replies { caller, after }, block));
    }
    let pairs = keys
        .iter()
        .zip(after)
        .map(|(key, after)| Ok((names::of_calls(key)?, after.parse().map_err(|_| Nonsense)?)));
    Ok((Interest::Arrivals { after: pairs.collect::<Read<_>>()? }, block))
}
