//! Actions in words.

use std::fmt::Display;

use steadfast_core::name::SessionId;
use steadfast_core::op::Op;

use super::conn::{Answer, Conn, Request};
use super::{Action, World};
use crate::explore::subject::ExploredStore;
use crate::subject::Subject;

impl<M: Subject, S: ExploredStore> World<M, S> {
    /// What an action is, in words.
    pub(in crate::explore) fn describe(&self, action: Action) -> String {
        match action {
            Action::Arrive(session) => self.describe_request(session),
            Action::Answer(session) => {
                let (name, conn) = self.on(session);
                match conn.down.front() {
                    Some(Answer::Done(_, done)) => format!("{name} < {}: {}", conn.link, done.it),
                    Some(Answer::Broken) | None => format!("{name} < {}: is dead", conn.link),
                }
            }
            Action::Abort(session) => {
                let (name, conn) = self.on(session);
                format!("store < {name}: end the wait on {}", conn.link)
            }
            Action::Copy(index) => {
                let (session, ops) = &self.copies[usize::from(index)];
                format!("store < {}, a second time: {}", self.on(*session).0, list(&ops.it))
            }
            Action::Duplicate(session) | Action::Stray(session) => {
                let (name, conn) = self.on(session);
                let ops = conn.next_batch().map(|ops| list(&ops.it)).unwrap_or_default();
                let late = matches!(action, Action::Stray(_));
                let when = if late { "once now, once more later" } else { "twice" };
                format!("store < {name}, {when}: {ops}")
            }
            Action::Cut(session) => {
                let (name, conn) = self.on(session);
                format!("{} of {name} dies with what is on its way", conn.link)
            }
            Action::Finish(node, index) | Action::Drop(node, index) => {
                let running = &self.places[usize::from(node)].running[usize::from(index)];
                let how = if matches!(action, Action::Drop(..)) { "obeys" } else { "succeeds" };
                format!("{}: the handler of {} {how}", self.name(node), running.call)
            }
            Action::Tick(node) => format!("{}: its timer fires", self.name(node)),
            Action::SessionsEnd(node) => {
                format!("store: the sessions of {} are over", self.name(node))
            }
            Action::Pass => "time goes to the next timer".to_owned(),
            Action::Call => format!("{} is asked to call", self.name(self.caller())),
            Action::Save(node) => format!("{} is saved", self.name(node)),
            Action::Stop => {
                let named = self.first.as_deref().map_or("nobody", |(it, _)| it.as_str());
                format!("{} is told to stop {named}", self.name(0))
            }
            Action::Crash(node) => format!("{} crashes", self.name(node)),
        }
    }

    fn describe_request(&self, session: SessionId) -> String {
        let (name, conn) = self.on(session);
        match conn.up.front() {
            Some(Request::Execute { ops, results, .. }) => {
                format!("store < {name}: [{}]", ops.it[results.len()])
            }
            Some(Request::Watch { interest, .. }) => {
                format!("store < {name}: watch for {}", interest.it)
            }
            Some(Request::Fin) | None => format!("store < {name}: closes {session}"),
        }
    }

    fn on(&self, session: SessionId) -> (&impl Display, &Conn) {
        let conn = &self.conns[&session];
        (self.name(conn.node), conn)
    }
}

/// Operations in brackets.
pub(super) fn list(ops: &[Op]) -> String {
    ops.iter().map(|op| format!("[{op}]")).collect::<Vec<_>>().join(" ")
}
