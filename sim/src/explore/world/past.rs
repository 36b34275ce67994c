//! What happened on the way to a state: facts for the checkers, shared among all paths that begin alike.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use crate::explore::print::Print;
use crate::history::{Fact, History};
use crate::moment::Moment;

#[derive(Debug)]
struct Link {
    at: Moment,
    fact: Fact,
    before: Option<Rc<Link>>,
}

/// The facts of one path. Its print is that of their multiset without moments.
///
/// Two paths that lead to the same machines, store and messages are taken for one only where their
/// facts are the same but for their order: what the checkers remember of the past are sets (who was
/// served, what handlers answered, what was decided), and each order was judged when it came about.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    last: Option<Rc<Link>>,
    print: Print,
}

impl Past {
    pub(super) fn push(&mut self, at: Moment, fact: Fact) {
        self.print = self.print.with(Print::of(|hasher| feed(&fact, hasher)));
        self.last = Some(Rc::new(Link { at, fact, before: self.last.take() }));
    }

    pub(super) const fn print(&self) -> Print {
        self.print
    }

    /// The facts in order.
    pub(super) fn history(&self) -> History {
        let mut facts = Vec::new();
        let mut link = self.last.as_ref();
        while let Some(it) = link {
            facts.push((it.at, it.fact.clone()));
            link = it.before.as_ref();
        }
        facts.into_iter().rev().collect()
    }

    /// Some fact since `earlier` can break a promise by itself.
    pub(super) fn is_to_be_judged_since(&self, earlier: &Self) -> bool {
        let mut link = self.last.as_ref();
        while let Some(it) = link {
            if earlier.last.as_ref().is_some_and(|last| Rc::ptr_eq(last, it)) {
                return false;
            }
            if is_judged(&it.fact) {
                return true;
            }
            link = it.before.as_ref();
        }
        false
    }
}

const fn is_judged(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Acknowledged { .. }
            | Fact::Answered { .. }
            | Fact::Begun { .. }
            | Fact::Decided { .. }
            | Fact::Final { .. }
            | Fact::Observed { .. }
            | Fact::Registered { .. }
            | Fact::Removed { .. }
            | Fact::Status { .. }
            | Fact::Stuck { .. }
    )
}

/// Feeds what a checker may remember of a fact.
fn feed(fact: &Fact, into: &mut impl Hasher) {
    std::mem::discriminant(fact).hash(into);
    match fact {
        Fact::Started { host, node } => (host, node).hash(into),
        Fact::Killed { host, .. } | Fact::ShutdownSent { host } => host.hash(into),
        Fact::Disturbed { host, kind, .. } => (host, kind).hash(into),
        Fact::Served { host, function, .. } | Fact::Retired { host, function } => {
            (host, function).hash(into);
        }
        Fact::StopSent { host, consumer, epoch } => (host, consumer, epoch).hash(into),
        Fact::Status { host, consumer, epoch, status, cause, .. } => {
            (host, consumer, epoch, status, cause).hash(into);
        }
        Fact::Registered { consumer, epoch, .. } => (consumer, epoch).hash(into),
        Fact::Removed { consumer, .. } => consumer.hash(into),
        Fact::Admitted { call, .. }
        | Fact::Acknowledged { call }
        | Fact::CancelAsked { call }
        | Fact::Stuck { call, .. } => call.hash(into),
        Fact::Joined { call, to } => (call, to).hash(into),
        Fact::Begun { host, consumer, call, attempt, .. } => {
            (host, consumer, call, attempt).hash(into);
        }
        Fact::Ended { host, consumer, call, end } => (host, consumer, call, end).hash(into),
        Fact::Interrupted { host, consumer, call } => (host, consumer, call).hash(into),
        Fact::Offered { call, outcome } => (call, outcome).hash(into),
        Fact::Decided { call, state } | Fact::Final { call, state } => (call, state).hash(into),
        Fact::Observed { host, record } => (host, record).hash(into),
        Fact::Asked { host, ticket, call, .. } => (host, ticket, call).hash(into),
        Fact::Answered { host, ticket, error } => (host, ticket, error).hash(into),
        Fact::LeftOver { what } => what.hash(into),
        Fact::Healed | Fact::Runaway { .. } => {}
        // A kind of fact that this explorer never notes; two of them are told apart by their words.
        #[allow(unreachable_patterns, reason = "other worlds may come to know more facts")]
        other => format!("{other:?}").hash(into),
    }
}
