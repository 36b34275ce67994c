//! What becomes of a deferred call: whoever holds its token uses it, or nobody does.

use std::time::Duration;

use steadfast::{CallError, CallFailed, Caller, Token};
use steadfast_core::command::Publication;

use super::recorder::Recorder;
use crate::history::{Fact, HostId};
use crate::policy::{Follow, offered};

/// The holder of a token tries so often, with this pause between.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(300);

/// A token in somebody's hand.
pub(super) struct Held {
    pub(super) recorder: Recorder,
    pub(super) host: HostId,
    pub(super) caller: Caller,
    pub(super) token: Token,
    pub(super) lease: Duration,
}

impl Held {
    /// Does with the token what the policy says.
    pub(super) async fn follow(self, follow: Follow) {
        for (wait, publication) in follow.steps(self.lease) {
            tokio::time::sleep(wait).await;
            self.publish(&publication).await;
        }
    }

    async fn publish(&self, publication: &Publication) {
        if let Some(outcome) = offered(publication) {
            let call = self.token.call.clone();
            self.recorder.fact_of(self.host, Fact::Offered { call, outcome });
        }
        for _ in 0..TRIES {
            match self.caller.publish(&self.token, publication.clone()).await {
                Err(CallFailed::Refused(
                    CallError::TokenNotValid { .. }
                    | CallError::NoAnswer
                    | CallError::NotSubmitted
                    | CallError::Unavailable { .. }
                    | CallError::Unconfirmed { .. }
                    | CallError::Busy { .. },
                )) => tokio::time::sleep(PAUSE).await,
                _ => return,
            }
        }
    }
}
