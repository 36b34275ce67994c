//! The scenes in which an operation is tried, by name.

use std::time::Duration;

use steadfast_core::call::{FailureKind, Lease, Token};
use steadfast_core::name::EntryId;
use steadfast_core::op::{Authority, Destination, Op, Reply, Submission, Verdict};

use super::{CALLS, GROUP, RESULT};
use crate::support::{
    World, acknowledge, begin, call, cancel, complete, consumer, dead_letter, decide, deregister,
    ensure, fail, failure, fetch, function, keyed, millis, node, register, relocate, seconds,
    submission, submit, sweep,
};

impl World {
    pub(super) async fn submit_to_me(&self, id: &str) {
        let reply_to = Some(node("me"));
        self.check(Op::Submit(Submission { reply_to, ..submission(id) }), "accepted").await;
    }

    pub(super) async fn held(&self) -> Lease {
        self.submit_to_me("c1").await;
        self.lease("w").await.1
    }

    pub(super) fn older_add(&mut self, id: &str, input: &str) {
        let _: String = self.raw(&["XADD", CALLS, "*", "callId", id, "input", input]);
    }

    pub(super) async fn older_held(&mut self, input: &str) -> Lease {
        let epoch = self.register("w").await;
        self.older_add("c1", input);
        let entry = self.fetch_all("w").await[0].entry();
        Lease { entry, consumer: consumer("w"), epoch }
    }

    pub(super) async fn deferred(&self, lease: Duration) {
        let held = self.held().await;
        let to = Destination::Defer { nonce: "n".into(), lease };
        self.check(relocate("c1", &held, to), "done").await;
    }

    pub(super) async fn parked(&self) {
        let delay = seconds(60);
        self.check(Op::Submit(Submission { delay, ..submission("c1") }), "accepted").await;
    }

    pub(super) async fn overdue(&self, delay: Duration) {
        let deadline = millis(1);
        let submission = Submission { deadline, delay, ..submission("c1") };
        self.check(Op::Submit(submission), "accepted").await;
        tokio::time::sleep(millis(3)).await;
    }

    /// Taken over from `v` and held by `w`, whose turn it is to begin it.
    pub(super) async fn taken_over(&self) -> Lease {
        self.submit_to_me("c1").await;
        self.lease("v").await;
        let remove = self.removal("v").await;
        self.check(remove, "removed, 1 taken over").await;
        self.lease("w").await.1
    }

    pub(super) async fn removal(&self, id: &str) -> Op {
        let survey = Op::Survey { functions: vec![function()] };
        let Reply::Surveyed(survey) = self.ask(survey).await else { panic!("no survey") };
        let records = &survey.functions[0].consumers;
        let record = records.iter().find(|it| it.consumer == consumer(id)).expect("registered");
        Op::Remove {
            function: function(),
            consumer: record.consumer.clone(),
            epoch: record.epoch,
            heartbeat: record.heartbeat,
            sessions: record.sessions.clone(),
        }
    }

    pub(super) fn answered_by_an_older_peer(&mut self) {
        let () = self.raw(&["SETEX", RESULT, "300", r#"{"result":"1","status":"success"}"#]);
    }

    /// Sets the scene, and answers the operation that is tried.
    pub(super) async fn prepare(&mut self, name: &str) -> Op {
        let () = self.raw(&["FLUSHALL"]);
        match name {
            "submit" => submit("c1"),
            "submit, keyed and delayed" => {
                Op::Submit(Submission { delay: seconds(60), ..keyed("c1", "k") })
            }
            "register" => register("w", self.session),
            "fetch" => {
                self.submit_to_me("c1").await;
                self.register("w").await;
                fetch("w", 10)
            }
            "ensure" => ensure(),
            "keep replies" => {
                let op = Op::KeepReplies { caller: node("me"), after: EntryId::ZERO };
                self.check(op.clone(), "replies kept, created: true").await;
                op
            }
            "requeue" => self.prepare_requeue().await,
            name if name.ends_with(", streamed") => self.prepare_streamed(name).await,
            name if name.starts_with("sweep") => self.prepare_sweep(name).await,
            _ => self.prepare_decision(name).await,
        }
    }

    pub(super) async fn prepare_requeue(&mut self) -> Op {
        let lease = self.held().await;
        self.check(dead_letter("c1", &lease), "done").await;
        let letters = Op::DeadLetters { function: function(), after: EntryId::ZERO, count: 1 };
        let Reply::Letters(letters) = self.ask(letters).await else { panic!("no letters") };
        let (letter, deadline) = (letters[0].entry, seconds(60));
        Op::Requeue { function: function(), letter, call: call("c2"), deadline }
    }

    pub(super) async fn prepare_sweep(&mut self, name: &str) -> Op {
        match name {
            "sweep what is due" => {
                let delay = millis(1);
                self.ask(Op::Submit(Submission { delay, ..submission("c1") })).await;
            }
            "sweep what is overdue" => self.overdue(seconds(0)).await,
            "sweep a deferral whose lease ended" => self.deferred(millis(1)).await,
            "sweep what an older peer acknowledged" => {
                let lease = self.held().await;
                let entry = lease.entry.to_string();
                let _: u64 = self.raw(&["XACK", CALLS, GROUP, &entry]);
                self.answered_by_an_older_peer();
            }
            "sweep a name without state" => {
                self.submit_to_me("c1").await;
                self.fetch_one("stranger").await;
            }
            other => unreachable!("{other}"),
        }
        tokio::time::sleep(millis(3)).await;
        let Op::Sweep { function, stateless_idle, limit, .. } = sweep(100, millis(1)) else {
            unreachable!()
        };
        Op::Sweep { function, attempts_max: 1, stateless_idle, limit }
    }

    pub(super) async fn prepare_decision(&mut self, name: &str) -> Op {
        match name {
            "complete" => {
                let entry = self.held().await.entry;
                complete("c1", "1", Some(entry))
            }
            "complete what is parked" => {
                self.parked().await;
                complete("c1", "1", None)
            }
            "complete what is decided" => {
                let entry = self.held().await.entry;
                self.answered_by_an_older_peer();
                complete("c1", "2", Some(entry))
            }
            "fail" => fail("c1", &self.held().await),
            "dead-letter" => dead_letter("c1", &self.held().await),
            "dead-letter by token" => {
                self.deferred(seconds(60)).await;
                let failure = failure(FailureKind::Handler);
                decide("c1", Verdict::DeadLetter { failure, by: Authority::Token("n".into()) })
            }
            "cancel" => {
                self.submit_to_me("c1").await;
                cancel("c1")
            }
            "cancel an older call" => {
                let lease = self.older_held("1").await;
                let to = Destination::Retry { delay: seconds(60) };
                self.check(relocate("c1", &lease, to), "done").await;
                cancel("c1")
            }
            "expire" => {
                self.overdue(seconds(0)).await;
                decide("c1", Verdict::Expire)
            }
            "expire what is parked" => {
                self.overdue(seconds(60)).await;
                decide("c1", Verdict::Expire)
            }
            "acknowledge" => {
                self.held().await;
                self.answered_by_an_older_peer();
                acknowledge("c1")
            }
            _ => self.prepare_holding(name).await,
        }
    }

    pub(super) async fn prepare_holding(&mut self, name: &str) -> Op {
        let token = Token { function: function(), call: call("c1"), nonce: "n".into() };
        match name {
            "begin" => begin("c1", &self.taken_over().await),
            "begin too often" => {
                let lease = self.taken_over().await;
                Op::Begin { function: function(), call: call("c1"), lease, attempts_max: 1 }
            }
            "release" => relocate("c1", &self.held().await, Destination::Release),
            "retry at once" => {
                let to = Destination::Retry { delay: seconds(0) };
                relocate("c1", &self.held().await, to)
            }
            "retry later" => {
                let to = Destination::Retry { delay: seconds(60) };
                relocate("c1", &self.held().await, to)
            }
            "defer" | "defer what is overdue" => {
                let lease = if name == "defer" {
                    self.held().await
                } else {
                    self.overdue(seconds(0)).await;
                    self.lease("w").await.1
                };
                let to = Destination::Defer { nonce: "n".into(), lease: seconds(60) };
                relocate("c1", &lease, to)
            }
            "touch" => {
                self.deferred(seconds(60)).await;
                Op::Touch { token, lease: seconds(60) }
            }
            "touch what is overdue" => {
                self.overdue(seconds(60)).await;
                Op::Touch { token, lease: seconds(60) }
            }
            "reject" | "reject an older call" => {
                let input = if name == "reject" { "{" } else { "1" };
                let lease = self.older_held(input).await;
                Op::Reject { function: function(), lease, reason: "no call".into() }
            }
            "renew" | "renew what is lost" => {
                let lease = self.held().await;
                if name != "renew" {
                    self.check(complete("c1", "1", Some(lease.entry)), "done").await;
                }
                let entries = vec![(lease.entry, call("c1"))];
                Op::Renew { function: function(), consumer: lease.consumer, entries }
            }
            "reread" => {
                let Lease { entry, consumer, .. } = self.held().await;
                Op::Reread { function: function(), consumer, entries: vec![entry] }
            }
            "deregister" => {
                let lease = self.held().await;
                deregister("w", lease.epoch)
            }
            "remove" => {
                self.held().await;
                self.removal("w").await
            }
            other => unreachable!("{other}"),
        }
    }
}
