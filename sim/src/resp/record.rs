//! Consumers, definitions, dead letters as the fields of their hashes and entries.

use steadfast_core::call::{DeadLetter, FailureKind};
use steadfast_core::definition::Definition;
use steadfast_core::op::{ConsumerRecord, FunctionSurvey};
use steadfast_core::time::StoreTime;

use super::frame::{Frame, flag, list, number, text};

fn fields<const N: usize>(fields: [(&str, String); N]) -> Vec<Frame> {
    fields.into_iter().flat_map(|(field, value)| [text(field), text(value)]).collect()
}

/// A consumer's state.
fn consumer(record: &ConsumerRecord) -> Frame {
    let ids: Vec<String> = record.sessions.iter().map(|session| session.0.to_string()).collect();
    let mut state = fields([
        ("id", record.consumer.to_string()),
        ("epoch", record.epoch.0.to_string()),
        ("workerId", record.node.to_string()),
        ("status", record.status.to_string()),
        ("startTime", record.started_at.as_millis().to_string()),
        ("lastHeartbeat", record.heartbeat.as_millis().to_string()),
        ("heartbeatMicros", record.heartbeat.as_micros().to_string()),
        ("runId", record.run_id.to_string()),
        ("clientIds", ids.join(",")),
        ("errorCount", record.error_count.to_string()),
        ("lastError", record.last_error.as_deref().unwrap_or_default().to_owned()),
    ]);
    if record.last_error.is_some() {
        state.extend(fields([("hasError", "1".to_owned())]));
    }
    list(state)
}

/// How one function stands.
pub(crate) fn survey(now: StoreTime, survey: &FunctionSurvey) -> Frame {
    let names = survey.names.iter().map(|name| {
        let idle_ms = u64::try_from(name.idle.as_millis()).unwrap_or(u64::MAX);
        list([text(name.consumer.to_string()), number(name.pending), number(idle_ms)])
    });
    list([
        flag(survey.has_stream),
        flag(survey.has_group),
        number(survey.entries),
        number(survey.open),
        number(survey.parked),
        survey.next_due.map_or(Frame::Null, |due| text((now + due).as_micros().to_string())),
        list(survey.consumers.iter().map(consumer)),
        list(names),
    ])
}

/// A definition's hash; an empty one where there is none.
pub(crate) fn definition(definition: Option<&Definition>) -> Frame {
    let Some(definition) = definition else {
        return list([]);
    };
    let parameters = serde_json::to_string(&definition.parameters)
        .expect("a list of structs of texts is always JSON");
    list(fields([
        ("name", definition.function.name().to_owned()),
        ("scope", definition.function.scope().to_owned()),
        ("code", definition.code.clone()),
        ("parameters", parameters),
        ("workflowId", definition.workflow_id.clone()),
        ("nodeId", definition.node_id.clone()),
        ("description", definition.description.clone()),
    ]))
}

/// A dead letter's entry.
pub(crate) fn letter(letter: &DeadLetter) -> Frame {
    let mut written = Vec::new();
    let optional = [
        ("callId", letter.call.as_ref().map(ToString::to_string)),
        ("input", letter.input.as_ref().map(|input| input.as_str().to_owned())),
    ];
    for (field, value) in optional {
        written.extend(value.into_iter().flat_map(|value| fields([(field, value)])));
    }
    written.extend(fields([
        ("error", letter.failure.message.to_string()),
        ("failure", word(letter.failure.kind)),
        ("attempts", letter.attempts.to_string()),
        ("failedAt", letter.failed_at.as_millis().to_string()),
    ]));
    list([text(letter.entry.to_string()), list(written)])
}

/// A failure's kind as records name it.
fn word(kind: FailureKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(word)) => word,
        _ => unreachable!("a kind without content is a word"),
    }
}
