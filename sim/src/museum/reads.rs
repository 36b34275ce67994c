//! Machines that read, renew and answer by mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::call::Payload;
use steadfast_core::event::Event;
use steadfast_core::machine::{Done, Effect, EffectId, Input};
use steadfast_core::name::{CallId, SessionId};
use steadfast_core::op::{Op, Reply, Verdict};
use steadfast_core::time::Time;
use steadfast_core::transport::{Interest, Link, Wake};

use super::bent::{Aside, Slip, Wish};

/// The client's answer timeout is shorter than the block time, and its end is taken for "nothing came": what a read
/// brings later goes nowhere. (Told as a read that failed, it is no mistake: the next heartbeat adopts what is pending.)
#[derive(Clone, Debug, Default)]
pub struct ImpatientRead {
    reads: BTreeMap<EffectId, Time>,
}

impl ImpatientRead {
    /// The default of a client library that knows of no blocking reads.
    const TIMEOUT: Duration = Duration::from_millis(500);
}

impl Slip for ImpatientRead {
    fn told(&mut self, input: Input, aside: &mut Aside) -> Option<Input> {
        Some(match input {
            Input::Done { id, done: Done::Watched(Ok(Wake::Deliveries(entries))) } => {
                let began = self.reads.remove(&id).unwrap_or(aside.now);
                let late = aside.now.since(began) > Self::TIMEOUT;
                let wake = if late { Wake::Nothing } else { Wake::Deliveries(entries) };
                Input::Done { id, done: Done::Watched(Ok(wake)) }
            }
            input => input,
        })
    }

    fn effect(&mut self, id: EffectId, effect: Effect, aside: &mut Aside) -> Option<Effect> {
        if let Effect::Watch { interest: Interest::Deliveries { .. }, .. } = &effect {
            self.reads.insert(id, aside.now);
        }
        Some(effect)
    }
}

/// Leases are taken with the read and never renewed.
#[derive(Clone, Debug, Default)]
pub struct NeverRenews;

impl Slip for NeverRenews {
    fn op(&mut self, op: Op) -> Wish {
        match op {
            Op::Renew { .. } => Wish::Pretend(Reply::Renewed { lost: Vec::new() }),
            op => Wish::Send(op),
        }
    }
}

/// Leases are renewed while a handler runs; what is fetched ahead ages until its turn comes.
#[derive(Clone, Debug, Default)]
pub struct RenewsRunning {
    running: BTreeSet<CallId>,
    runs: BTreeMap<EffectId, CallId>,
}

impl Slip for RenewsRunning {
    fn told(&mut self, input: Input, _aside: &mut Aside) -> Option<Input> {
        if let Input::Done { id, done: Done::Ran(_) } = &input
            && let Some(call) = self.runs.remove(id)
        {
            self.running.remove(&call);
        }
        Some(input)
    }

    fn op(&mut self, op: Op) -> Wish {
        match op {
            Op::Renew { function, consumer, mut entries } => {
                entries.retain(|(_, call)| self.running.contains(call));
                Wish::Send(Op::Renew { function, consumer, entries })
            }
            op => Wish::Send(op),
        }
    }

    fn effect(&mut self, id: EffectId, effect: Effect, _aside: &mut Aside) -> Option<Effect> {
        if let Effect::Run(attempt) = &effect {
            self.running.insert(attempt.call.clone());
            self.runs.insert(id, attempt.call.clone());
        }
        Some(effect)
    }
}

/// `result || null`: a falsy result is taken for none.
#[derive(Clone, Debug, Default)]
pub struct FalsyIsNull;

impl Slip for FalsyIsNull {
    fn told(&mut self, input: Input, _aside: &mut Aside) -> Option<Input> {
        Some(match input {
            Input::Done { id, done: Done::Ran(AttemptEnd::Success(result)) }
                if matches!(result.as_str(), "0" | "false" | "\"\"") =>
            {
                Input::Done { id, done: Done::Ran(AttemptEnd::Success(Payload::null())) }
            }
            input => input,
        })
    }
}

/// Failed work is settled like good work: the call is complete, with nothing as its result.
#[derive(Clone, Debug, Default)]
pub struct FailureIsDone;

impl Slip for FailureIsDone {
    fn op(&mut self, op: Op) -> Wish {
        Wish::Send(match op {
            Op::Move {
                function,
                call,
                lease,
                to: steadfast_core::op::Destination::Retry { .. },
            } => {
                let (result, entry) = (Payload::null(), Some(lease.entry));
                let verdict = Verdict::Complete { result, entry };
                Op::Decide { function, call, verdict, attempts: 1 }
            }
            op => op,
        })
    }
}

/// A second reader is started when the connection comes back, beside the first, which still reads.
#[derive(Clone, Debug, Default)]
pub struct TwoReaders {
    /// What the reader that counts reads.
    interest: Option<(Interest, Duration)>,
    connecting: BTreeMap<EffectId, Link>,
    connected_once: bool,
    second: Option<EffectId>,
    session: Option<SessionId>,
    ended: bool,
}

impl TwoReaders {
    fn read(&mut self, aside: &mut Aside) {
        if let (Some(session), Some((interest, block)), false) =
            (self.session, self.interest.clone(), self.ended)
        {
            aside.perform(Effect::Watch { session, interest, block });
        }
    }
}

impl Slip for TwoReaders {
    fn told(&mut self, input: Input, aside: &mut Aside) -> Option<Input> {
        if let Input::Done { id, done: Done::Connected(Ok(_)) } = &input
            && self.connecting.remove(id) == Some(Link::Command)
            && std::mem::replace(&mut self.connected_once, true)
            && self.second.is_none()
        {
            self.second = Some(aside.perform(Effect::Connect(Link::Fetch(u16::MAX))));
        }
        Some(input)
    }

    fn effect(&mut self, id: EffectId, effect: Effect, _aside: &mut Aside) -> Option<Effect> {
        match &effect {
            Effect::Connect(link) => {
                self.connecting.insert(id, *link);
            }
            Effect::Watch { interest: interest @ Interest::Deliveries { .. }, block, .. } => {
                self.interest = Some((interest.clone(), *block));
            }
            _ => {}
        }
        Some(effect)
    }

    fn own_done(&mut self, id: EffectId, done: &Done, aside: &mut Aside) {
        match done {
            Done::Connected(Ok(connected)) if self.second == Some(id) => {
                self.session = Some(connected.session);
                self.read(aside);
            }
            // What it reads is handed to a loop that is not there any more.
            Done::Watched(Ok(_)) => self.read(aside),
            _ => self.session = None,
        }
    }

    fn event(&mut self, event: &Event, aside: &mut Aside) {
        if *event == Event::ShutDown {
            self.ended = true;
            if let Some(session) = self.session.take() {
                aside.perform(Effect::Close(session));
            }
        }
    }
}
