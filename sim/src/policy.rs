//! How simulated handlers behave: drawn anew for each attempt, from the call and the attempt alone.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use steadfast_core::attempt::{Attempt, AttemptEnd};
use steadfast_core::call::{Failure, FailureKind, Outcome, Payload};
use steadfast_core::command::Publication;
use steadfast_core::entropy::{Entropy, Stream};

use crate::digest::Digest;

/// How the handlers of a world behave. The weights are chances in a thousand; what they leave is success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The shortest run.
    pub at_least: Duration,
    /// The longest run of an ordinary handler.
    pub at_most: Duration,
    /// A run of many times the longest, and still a success.
    pub slow: u32,
    /// An error: final.
    pub error: u32,
    /// A wish for another attempt.
    pub retry: u32,
    /// A panic. Only where a seed injects [`FaultKind::Handler`](crate::faults::FaultKind::Handler).
    pub panic: u32,
    /// Never an end, until interrupted. Only where a seed injects handler faults.
    pub hang: u32,
    /// A deferral, to be completed by token through any node.
    pub defer: u32,
    /// The lease of a deferral.
    pub lease: Duration,
}

impl Policy {
    /// Every handler succeeds within 20 ms.
    pub const EASY: Self = Self {
        at_least: Duration::from_micros(200),
        at_most: Duration::from_millis(20),
        slow: 0,
        error: 0,
        retry: 0,
        panic: 0,
        hang: 0,
        defer: 0,
        lease: Duration::from_secs(4),
    };

    /// Everything that handlers do, mostly success.
    pub const MIXED: Self =
        Self { slow: 20, error: 40, retry: 60, panic: 30, hang: 15, defer: 60, ..Self::EASY };
}

/// What a handler will do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// Answers after so long.
    End(Duration, AttemptEnd),
    /// Never answers, until interrupted.
    Hang,
    /// Defers after so long, and then this happens to its token.
    Defer(Duration, Follow),
}

/// What happens to the token of a deferred call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Follow {
    /// Nobody comes: the lease ends.
    Nobody,
    /// It is completed so long after the deferral was said.
    Complete(Duration, Payload),
    /// It is completed so long after, twice, with different results.
    CompleteTwice(Duration, Payload),
    /// It is failed so long after.
    Fail(Duration),
    /// It is touched so long after, and completed so long after that.
    TouchThenComplete(Duration, Payload),
}

impl Follow {
    /// What is done with the token, each so long after the one before; a touch asks for this lease.
    pub fn steps(self, lease: Duration) -> Vec<(Duration, Publication)> {
        let complete = Publication::Complete;
        match self {
            Self::Nobody => Vec::new(),
            Self::Complete(wait, result) => vec![(wait, complete(result))],
            Self::Fail(wait) => vec![(wait, Publication::Fail("the holder's error".into()))],
            Self::CompleteTwice(wait, result) => vec![
                (wait, complete(result)),
                (Duration::ZERO, complete(Payload::trusted("\"second\""))),
            ],
            Self::TouchThenComplete(wait, result) => {
                vec![(wait, Publication::Touch(lease)), (wait, complete(result))]
            }
        }
    }
}

/// The outcome that a publication offers, if it does.
pub fn offered(publication: &Publication) -> Option<Outcome> {
    match publication {
        Publication::Complete(result) => Some(Outcome::Success(result.clone())),
        Publication::Fail(why) => Some(Outcome::Error(Failure::new(FailureKind::Handler, why))),
        Publication::Touch(_) => None,
    }
}

impl Policy {
    /// What the handler of this attempt does. `faulty` lets it panic and hang.
    pub fn act(&self, entropy: Entropy, attempt: &Attempt, faulty: bool) -> Act {
        let mut random = handler_stream(entropy, attempt);
        let span = self.at_most.saturating_sub(self.at_least);
        let time = self.at_least + random.up_to(span);
        let mut lot = random.below(1_000) as u32;
        let mut drawn = |weight: u32| {
            let hit = lot < weight;
            lot = lot.wrapping_sub(weight);
            hit
        };
        if drawn(self.slow) {
            return Act::End(time * 100, AttemptEnd::Success(result(&mut random, attempt)));
        }
        if drawn(self.error) {
            return Act::End(time, AttemptEnd::Error("the handler's own error".into()));
        }
        if drawn(self.retry) {
            let after = (random.below(2) == 0).then(|| random.up_to(Duration::from_secs(2)));
            let message = "try again".into();
            return Act::End(time, AttemptEnd::Retry { message, after });
        }
        if drawn(self.panic) && faulty {
            return Act::End(time, AttemptEnd::Panic("the handler panicked".into()));
        }
        if drawn(self.hang) && faulty {
            return Act::Hang;
        }
        if drawn(self.defer) {
            return Act::Defer(time, self.follow(&mut random, attempt));
        }
        Act::End(time, AttemptEnd::Success(result(&mut random, attempt)))
    }

    fn follow(&self, random: &mut Stream, attempt: &Attempt) -> Follow {
        let after = random.up_to(self.lease * 3 / 4);
        let result = result(random, attempt);
        match random.below(8) {
            0 => Follow::Nobody,
            1 => Follow::Fail(after),
            2 => Follow::CompleteTwice(after, result),
            3 => Follow::TouchThenComplete(after, result),
            _ => Follow::Complete(after, result),
        }
    }
}

fn handler_stream(entropy: Entropy, attempt: &Attempt) -> Stream {
    let mut digest = Digest::default();
    (&attempt.call, attempt.attempt, attempt.epoch).hash(&mut digest);
    let mut stream = entropy.stream("handlers");
    Entropy::new(stream.next_u64() ^ digest.finish()).stream("handler")
}

/// A falsy result, or one that tells which attempt made it, so that two attempts are told apart.
fn result(random: &mut Stream, attempt: &Attempt) -> Payload {
    match random.below(8) {
        0 => Payload::trusted("0"),
        1 => Payload::trusted("false"),
        2 => Payload::trusted("\"\""),
        3 => Payload::null(),
        _ => Payload::trusted(format!("[{},{}]", attempt.attempt, attempt.epoch.0)),
    }
}
