//! The scenes in which the call asks for a result stream.

use std::time::Duration;

use steadfast_core::op::{Op, Submission, Verdict};

use crate::support::{
    World, cancel, complete, dead_letter, decide, fail, millis, node, seconds, submission, sweep,
};

impl World {
    pub(super) async fn prepare_streamed(&mut self, name: &str) -> Op {
        let asking = |deadline: Duration, delay: Duration| {
            let reply_to = Some(node("me"));
            let submission = submission("c1");
            let asking =
                Submission { deadline, delay, reply_to, result_stream: true, ..submission };
            Op::Submit(asking)
        };
        let (long, none) = (seconds(300), seconds(0));
        if name == "submit, streamed" {
            return asking(long, none);
        }
        let (deadline, delay) = match name {
            "expire, streamed" | "sweep what is overdue, streamed" => (millis(1), none),
            "complete what is parked, streamed" => (long, seconds(60)),
            _ => (long, none),
        };
        self.check(asking(deadline, delay), "accepted").await;
        match name {
            "complete, streamed" => complete("c1", "1", Some(self.lease("w").await.1.entry)),
            "complete what is parked, streamed" => complete("c1", "1", None),
            "fail, streamed" => fail("c1", &self.lease("w").await.1),
            "dead-letter, streamed" => dead_letter("c1", &self.lease("w").await.1),
            "cancel, streamed" => cancel("c1"),
            "expire, streamed" | "sweep what is overdue, streamed" => {
                tokio::time::sleep(millis(3)).await;
                if name == "expire, streamed" {
                    decide("c1", Verdict::Expire)
                } else {
                    sweep(100, seconds(60))
                }
            }
            other => unreachable!("{other}"),
        }
    }
}
