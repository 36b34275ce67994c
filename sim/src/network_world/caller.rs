//! A caller's process: it makes its calls, and hears how they end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast::{CallFailed, Caller, Host, RequestBuilder};
use steadfast_core::call::Record;
use steadfast_core::command::OnTimeout;
use steadfast_core::event::CallError;
use steadfast_core::name::{CallId, FunctionId};

use super::process::Yard;
use super::recorder::Recorder;
use crate::faults::SlotId;
use crate::history::{Fact, HostId};
use crate::moment::Moment;
use crate::workload::{Intent, Manner};

/// How long a caller waits before it tries once more.
const PAUSE: Duration = Duration::from_millis(700);

/// The calls to be made, and which of them were: a process that starts again goes on with the rest.
#[derive(Clone, Debug)]
pub(super) struct Agenda {
    pub(super) intents: Arc<Vec<Intent>>,
    made: Arc<Mutex<BTreeSet<u32>>>,
}

impl Agenda {
    pub(super) fn new(intents: Vec<Intent>) -> Self {
        Self { intents: Arc::new(intents), made: Arc::default() }
    }

    /// Takes up an intent. It is made once: a process that dies over it has made it.
    fn take_up(&self, number: u32) -> bool {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(number)
    }
}

/// One life of a caller's process.
pub(super) async fn live(yard: Yard, agenda: Agenda, slot: SlotId) -> turmoil::Result {
    let process = yard.start(slot).await?;
    for number in 0..agenda.intents.len() as u32 {
        let client = Client::new(&yard, process.id, &process.host);
        drop(tokio::spawn(pursue(client, agenda.clone(), slot, number)));
    }
    // It serves nothing that could be saved.
    process.obey(&yard, slot, |_, _| ()).await;
    Ok(())
}

/// Awaits calls that somebody made.
pub(super) fn await_calls(yard: &Yard, id: HostId, host: &Host, calls: Vec<(FunctionId, CallId)>) {
    for (function, call) in calls {
        let client = Client::new(yard, id, host);
        drop(tokio::spawn(async move { client.hear(&function, &call).await }));
    }
}

/// Does what an intent asks of this slot.
async fn pursue(client: Client, agenda: Agenda, slot: SlotId, number: u32) {
    let intent = &agenda.intents[number as usize];
    let make = async {
        if intent.slot == slot {
            client.wait_until(intent.at).await;
            if agenda.take_up(number) {
                client.make(intent).await;
            }
        }
    };
    let cancel = async {
        if let Some(at) = intent.cancel_at
            && intent.slot == slot
            && client.wait_until(at).await
        {
            client.cancel(intent).await;
        }
    };
    let again = async {
        if let Some((at, by)) = intent.again
            && by == slot
            && client.wait_until(at).await
        {
            client.make(intent).await;
        }
    };
    tokio::join!(biased; make, cancel, again);
}

/// Makes requests of a host, and records what it says.
struct Client {
    recorder: Recorder,
    id: HostId,
    caller: Caller,
}

impl Client {
    fn new(yard: &Yard, id: HostId, host: &Host) -> Self {
        Self { recorder: yard.recorder.clone(), id, caller: host.caller() }
    }

    /// Waits for a moment; answers whether it had not passed long ago, before this process began.
    async fn wait_until(&self, at: Moment) -> bool {
        let late = self.recorder.now().since(at);
        tokio::time::sleep(at.since(self.recorder.now())).await;
        late < PAUSE
    }

    /// Makes a call, again and again until the node took it or there is no point.
    async fn make(&self, intent: &Intent) {
        let Some(call) = intent.request.call.clone() else { return };
        for _ in 0..20 {
            if intent.request.on_timeout == OnTimeout::Cancel {
                self.recorder.fact_of(self.id, Fact::CancelAsked { call: call.clone() });
            }
            let ticket = self.recorder.ask(self.id, &call, true);
            let request = request(&self.caller, intent);
            let made = match intent.manner {
                Manner::Submit => request.submit().await.map(Made::Submitted),
                Manner::Call => request.record().await.map(Made::Ended),
            };
            match made {
                Ok(made) => {
                    self.recorder.answer(self.id, ticket, None);
                    self.made(intent, made).await;
                    return;
                }
                Err(failed) => {
                    let is_hopeless = !is_worth_another(&failed);
                    self.failed(ticket, failed);
                    if is_hopeless {
                        return;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn made(&self, intent: &Intent, made: Made) {
        let call = match &made {
            Made::Submitted(call) => call.clone(),
            Made::Ended(record) => record.call.clone(),
        };
        self.recorder.fact_of(self.id, Fact::Acknowledged { call: call.clone() });
        match made {
            Made::Submitted(_) => self.hear(&intent.request.function, &call).await,
            Made::Ended(record) => self.observed(record),
        }
    }

    /// Hears how a call ended.
    async fn hear(&self, function: &FunctionId, call: &CallId) {
        let ticket = self.recorder.ask(self.id, call, false);
        match self.caller.outcome(function, call, None).await {
            Ok(record) => {
                self.recorder.answer(self.id, ticket, None);
                self.observed(record);
            }
            Err(failed) => self.failed(ticket, failed),
        }
    }

    async fn cancel(&self, intent: &Intent) {
        let Some(call) = intent.request.call.clone() else { return };
        self.recorder.fact_of(self.id, Fact::CancelAsked { call: call.clone() });
        let ticket = self.recorder.ask(self.id, &call, false);
        match self.caller.cancel(&intent.request.function, &call).await {
            Ok(record) => {
                self.recorder.answer(self.id, ticket, None);
                self.observed(record);
            }
            Err(failed) => self.failed(ticket, failed),
        }
    }

    fn observed(&self, record: Record) {
        self.recorder.fact_of(self.id, Fact::Observed { host: self.id, record });
    }

    fn failed(&self, ticket: steadfast_core::command::Ticket, failed: CallFailed) {
        match failed {
            CallFailed::Refused(error) => self.recorder.answer(self.id, ticket, Some(error)),
            _ => self.recorder.abandon(self.id, ticket),
        }
    }
}

enum Made {
    Submitted(CallId),
    Ended(Record),
}

fn is_worth_another(failed: &CallFailed) -> bool {
    matches!(
        failed,
        CallFailed::Refused(
            CallError::Unconfirmed { .. }
                | CallError::NotSubmitted
                | CallError::Busy { .. }
                | CallError::FunctionFull { .. }
                | CallError::Unavailable { .. }
        )
    )
}

fn request(caller: &Caller, intent: &Intent) -> RequestBuilder {
    let asked = &intent.request;
    let mut request = caller
        .request(asked.function.name(), asked.function.scope())
        .payload(asked.input.clone())
        .delay(asked.delay);
    if let Some(call) = &asked.call {
        request = request.call_id(call.clone());
    }
    if let Some(deadline) = asked.deadline {
        request = request.deadline(deadline);
    }
    if let Some(timeout) = asked.timeout {
        request = request.timeout(timeout);
    }
    if let Some(key) = &asked.idempotency_key {
        request = request.idempotency_key(key.as_str());
    }
    if asked.on_timeout == OnTimeout::Cancel {
        request = request.cancel_on_timeout();
    }
    request
}
