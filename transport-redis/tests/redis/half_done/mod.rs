//! A key of another type: the operation that would write it changes nothing, and succeeds once the key is
//! mended. Scripts are not rolled back, so what one meets after its first write would stay half done. An
//! index of another type fails nobody.

mod scenes;
mod streamed;

use std::collections::BTreeMap;

use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, Reply, Submission};
use steadfast_core::transport::ErrorKind;

use crate::support::{
    World, call, cancel, dead_letter, fetch, function, line, millis, node, seconds, submission,
    submit,
};

const CALLS: &str = "function_calls:greet:global";
const GROUP: &str = "function_group:greet:global";
const OPEN: &str = "function_open:greet:global";
const PARKED: &str = "function_parked:greet:global";
const DUE: &str = "function_due:greet:global";
const LETTERS: &str = "function_dlq:greet:global";
const EPOCH: &str = "function_epoch:greet:global";
const STATE: &str = "consumer:state:w";
const RESULT: &str = "result:c1";
const STREAM: &str = "function_results:c1";
const KEY: &str = "idempotency:greet:global:k";
const REPLIES: &str = "replies:me";

const ACTIVE: &str = "consumer:active:greet:global";
const FUNCTIONS: &str = "registry:functions";
const CONSUMERS: &str = "consumers:all";
const WORKERS: &str = "workers:greet";
const WORKER: &str = "worker:node-w:greet";
const DEFINITION: &str = "function:greet:global";

/// An operation, by what it meets.
struct Case {
    name: &'static str,
    /// How its answer begins where nothing is wrong.
    expect: &'static str,
    /// Of another type, these make it fail before its first write.
    refused_by: &'static [&'static str],
    /// Of another type, these do not concern it: indexes, and what it overwrites as a whole.
    passes: &'static [&'static str],
}

const fn case(
    name: &'static str,
    expect: &'static str,
    refused_by: &'static [&'static str],
    passes: &'static [&'static str],
) -> Case {
    Case { name, expect, refused_by, passes }
}

const CASES: &[Case] = &[
    case("submit", "accepted", &[CALLS, OPEN, PARKED, RESULT], &[DUE, LETTERS, STREAM]),
    case("submit, streamed", "accepted", &[CALLS, OPEN, PARKED, RESULT, STREAM], &[DUE, LETTERS]),
    case(
        "submit, keyed and delayed",
        "accepted",
        &[CALLS, OPEN, PARKED, DUE, KEY, RESULT],
        &[LETTERS],
    ),
    case("complete", "done", &[CALLS, OPEN, RESULT], &[LETTERS, REPLIES, STREAM]),
    case("complete, streamed", "done", &[CALLS, OPEN, RESULT, STREAM], &[LETTERS, REPLIES]),
    case(
        "complete what is parked, streamed",
        "done",
        &[CALLS, OPEN, PARKED, DUE, RESULT, STREAM],
        &[LETTERS],
    ),
    case("complete what is parked", "done", &[CALLS, OPEN, PARKED, DUE, RESULT], &[LETTERS]),
    case("complete what is decided", "overruled", &[CALLS, OPEN, PARKED, DUE, RESULT], &[LETTERS]),
    case("fail, streamed", "done", &[CALLS, OPEN, STATE, RESULT, STREAM], &[LETTERS, REPLIES]),
    case("fail", "done", &[CALLS, OPEN, STATE, RESULT], &[LETTERS, REPLIES, ACTIVE]),
    case(
        "dead-letter, streamed",
        "done",
        &[CALLS, OPEN, LETTERS, STATE, RESULT, STREAM],
        &[REPLIES, ACTIVE],
    ),
    case("dead-letter", "done", &[CALLS, OPEN, LETTERS, STATE, RESULT], &[REPLIES, ACTIVE]),
    case("dead-letter by token", "done", &[CALLS, OPEN, PARKED, DUE, LETTERS, RESULT], &[]),
    case("cancel", "done", &[CALLS, OPEN, RESULT], &[LETTERS, REPLIES]),
    case("cancel, streamed", "done", &[CALLS, OPEN, RESULT, STREAM], &[LETTERS, REPLIES]),
    case("cancel an older call", "done", &[CALLS, OPEN, PARKED, DUE, RESULT], &[LETTERS]),
    case("expire, streamed", "done", &[CALLS, OPEN, RESULT, STREAM], &[LETTERS]),
    case("expire", "done", &[CALLS, OPEN, RESULT], &[LETTERS]),
    case("expire what is parked", "done", &[CALLS, OPEN, PARKED, DUE, RESULT], &[LETTERS]),
    case("begin", "begun, attempt 2", &[CALLS, OPEN, STATE, RESULT], &[LETTERS, ACTIVE]),
    case(
        "begin too often",
        "not begun: dead_lettered",
        &[CALLS, OPEN, LETTERS, STATE, RESULT],
        &[ACTIVE],
    ),
    case("release", "done", &[CALLS, OPEN, STATE, RESULT], &[PARKED, DUE, ACTIVE]),
    case("retry at once", "done", &[CALLS, OPEN, STATE, RESULT], &[PARKED, DUE]),
    case("retry later", "done", &[CALLS, OPEN, PARKED, DUE, STATE, RESULT], &[LETTERS]),
    case("defer", "done", &[CALLS, OPEN, PARKED, DUE, STATE, RESULT], &[LETTERS]),
    case("defer what is overdue", "overruled: expired", &[CALLS, OPEN, RESULT], &[LETTERS]),
    case("touch", "done", &[CALLS, OPEN, PARKED, DUE, RESULT], &[LETTERS]),
    case("touch what is overdue", "overruled", &[CALLS, OPEN, PARKED, DUE, RESULT], &[LETTERS]),
    case("reject", "done", &[CALLS, OPEN, LETTERS, STATE], &[RESULT, ACTIVE]),
    case(
        "reject an older call",
        "done",
        &[CALLS, OPEN, PARKED, LETTERS, STATE, RESULT],
        &[REPLIES],
    ),
    case(
        "acknowledge",
        "acknowledged, cleared: true",
        &[CALLS, OPEN, PARKED, DUE, RESULT],
        &[LETTERS],
    ),
    case("renew", "renewed, 0 lost", &[CALLS], &[OPEN, RESULT, STATE]),
    case("renew what is lost", "renewed, 1 lost", &[CALLS], &[OPEN, RESULT, STATE]),
    case("fetch", "fetched 1", &[CALLS], &[OPEN, ACTIVE, STATE]),
    case("reread", "fetched 1", &[CALLS], &[OPEN, ACTIVE, STATE]),
    case(
        "register",
        "registered",
        &[CALLS, EPOCH, STATE],
        &[OPEN, ACTIVE, FUNCTIONS, CONSUMERS, WORKERS, WORKER, DEFINITION],
    ),
    case(
        "deregister",
        "deregistered, 1 released",
        &[CALLS, OPEN, STATE],
        &[ACTIVE, FUNCTIONS, CONSUMERS, WORKERS, WORKER, DEFINITION, EPOCH],
    ),
    case(
        "remove",
        "removed, 1 taken over",
        &[CALLS, OPEN, STATE],
        &[ACTIVE, FUNCTIONS, CONSUMERS, WORKERS, WORKER, DEFINITION, EPOCH],
    ),
    case("requeue", "accepted", &[CALLS, OPEN, PARKED, LETTERS, "result:c2"], &[DUE]),
    case("ensure", "ensured, created: true", &[CALLS], &[OPEN, ACTIVE]),
    case("keep replies", "replies kept, created: false", &[REPLIES], &[CALLS]),
    case(
        "sweep what is due",
        "swept: 1 promoted",
        &[CALLS, OPEN, PARKED, DUE, RESULT],
        &[LETTERS, ACTIVE],
    ),
    case(
        "sweep what is overdue, streamed",
        "swept: 0 promoted, 1 expired",
        &[CALLS, OPEN, PARKED, RESULT, STREAM],
        &[LETTERS, ACTIVE],
    ),
    case(
        "sweep what is overdue",
        "swept: 0 promoted, 1 expired",
        &[CALLS, OPEN, PARKED, RESULT],
        &[LETTERS, ACTIVE],
    ),
    case(
        "sweep a deferral whose lease ended",
        "swept: 0 promoted, 0 expired, 0 robbed",
        &[CALLS, OPEN, PARKED, DUE, LETTERS, RESULT],
        &[ACTIVE],
    ),
    case(
        "sweep what an older peer acknowledged",
        "swept: 0 promoted, 0 expired, 0 robbed",
        &[CALLS, OPEN, PARKED, DUE, RESULT],
        &[LETTERS, ACTIVE],
    ),
    case(
        "sweep a name without state",
        "swept: 0 promoted, 0 expired, 1 robbed",
        &[CALLS, OPEN, "consumer:state:stranger"],
        &[LETTERS, RESULT, ACTIVE],
    ),
];

/// Everything that the server holds: type and content of each key.
type Kept = BTreeMap<String, (String, Option<Vec<u8>>)>;

impl World {
    fn kept(&mut self) -> Kept {
        let keys: Vec<String> = self.raw(&["KEYS", "*"]);
        keys.into_iter()
            .map(|key| {
                let kind = self.raw(&["TYPE", &key]);
                let content = self.raw(&["DUMP", &key]);
                (key, (kind, content))
            })
            .collect()
    }

    /// Puts a list in the key's place, which no key of the layout is; answers what was there.
    fn spoil(&mut self, key: &str) -> Option<Vec<u8>> {
        let was: Option<Vec<u8>> = self.raw(&["DUMP", key]);
        self.server.replace_by_a_list(key);
        was
    }

    fn mend(&mut self, key: &str, was: Option<Vec<u8>>) {
        let _: u64 = self.raw(&["DEL", key]);
        if let Some(was) = was {
            let mut restore = redis::cmd("RESTORE");
            restore.arg(key).arg(600_000).arg(was);
            let () = restore.query(&mut self.raw).unwrap();
        }
    }

    /// What is wrong with the answer, if anything is.
    async fn wrong(&self, op: Op, expect: &str) -> Option<String> {
        let told = line(&self.apply(op).await);
        (!told.starts_with(expect)).then(|| format!("answered {told}"))
    }

    /// What is wrong with an operation that is to be refused, if anything is.
    async fn wrongly_refused(&mut self, case: &Case, key: &str) -> Option<String> {
        let op = self.prepare(case.name).await;
        let was = self.spoil(key);
        let before = self.kept();
        match self.apply(op.clone()).await {
            Err(error) if error.kind == ErrorKind::WrongType => {}
            other => return Some(format!("answered {}", line(&other))),
        }
        let after = self.kept();
        let changed: Vec<_> = before
            .keys()
            .chain(after.keys())
            .filter(|it| before.get(*it) != after.get(*it))
            .collect();
        if !changed.is_empty() {
            return Some(format!("changed {changed:?}"));
        }
        self.mend(key, was);
        self.wrong(op, case.expect).await.map(|wrong| format!("mended, {wrong}"))
    }

    async fn check_case(&mut self, case: &Case, wrong: &mut Vec<String>) {
        let op = self.prepare(case.name).await;
        let found = self.wrong(op, case.expect).await;
        wrong.extend(found.map(|it| format!("{}: {it}", case.name)));
        for key in case.refused_by {
            let found = self.wrongly_refused(case, key).await;
            wrong.extend(found.map(|it| format!("{}, {key} of another type: {it}", case.name)));
        }
        for key in case.passes {
            let op = self.prepare(case.name).await;
            self.spoil(key);
            let found = self.wrong(op, case.expect).await;
            wrong.extend(found.map(|it| format!("{}, {key} of another type: {it}", case.name)));
        }
    }
}

#[tokio::test]
async fn a_key_of_another_type_leaves_nothing_half_done() {
    let mut world = World::new().await;
    world.server.leaves("keys of another type, and calls beside them");
    let mut wrong = Vec::new();
    for case in CASES {
        world.check_case(case, &mut wrong).await;
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What a batch asks of the others is done, and each is answered.
#[tokio::test]
async fn one_bad_item_of_a_batch_leaves_the_others_whole() {
    let mut world = World::new().await;
    world.server.leaves("calls whose batch was refused in part");
    let lease = world.held().await;
    world.check(submit("c2"), "accepted").await;
    world.spoil(LETTERS);
    let ops = vec![dead_letter("c1", &lease), cancel("c2"), submit("c3")];
    let told: Vec<String> = world.apply_all(ops).await.iter().map(line).collect();
    assert!(told[0].starts_with("error: a key holds another type"), "{told:?}");
    assert_eq!(told[1..], ["done", "accepted"]);
}

/// What can be done of a sweep is done, and the replies to it are sent; then it says what failed.
#[tokio::test]
async fn a_sweep_that_fails_at_one_call_does_the_others() {
    let mut world = World::new().await;
    world.deferred(millis(1)).await;
    let late = Submission { deadline: millis(1), reply_to: Some(node("me")), ..submission("c2") };
    world.check(Op::Submit(late), "accepted").await;
    let keep = Op::KeepReplies { caller: node("me"), after: EntryId::ZERO };
    world.check(keep, "replies kept, created: true").await;
    tokio::time::sleep(millis(3)).await;
    world.spoil(LETTERS);
    let sweep = Op::Sweep {
        function: function(),
        attempts_max: 1,
        stateless_idle: seconds(60),
        limit: 100,
    };
    let error = world.apply(sweep.clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WrongType, "{error}");
    world.check(crate::support::inspect("c2"), "decided: c2 expired after 0").await;
    assert_eq!(world.raw::<u64>(&["XLEN", REPLIES]), 1);
    world.mend(LETTERS, None);
    match world.ask(sweep).await {
        Reply::Swept(swept) => assert_eq!(swept.dead_lettered, 1),
        other => panic!("{other}"),
    }
}

/// Its record in the open hash was written over: it stays where it is, and the others go on.
#[tokio::test]
async fn a_call_that_cannot_be_given_back_keeps_no_other() {
    let mut world = World::new().await;
    world.server.leaves("calls that are in hand");
    for id in ["c1", "c2"] {
        world.check(submit(id), "accepted").await;
    }
    world.register("w").await;
    world.ask(fetch("w", 2)).await;
    let was: String = world.raw(&["HGET", OPEN, "c1"]);
    let _: u64 = world.raw(&["HSET", OPEN, "c1", "no record"]);
    let remove = world.removal("w").await;
    let error = world.apply(remove.clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
    assert_eq!(world.fetch_one("v").await.call, call("c2"));
    let _: u64 = world.raw(&["HSET", OPEN, "c1", &was]);
    world.check(remove, "removed, 1 taken over").await;
    assert_eq!(world.fetch_one("v").await.call, call("c1"));
}
