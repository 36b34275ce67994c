//! Whatever is logged, at any level, no input, result or progress is in it.
//!
//! A process of its own: who logs what is settled once for all threads of a process.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadfast::{Host, MemTransport, function};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const SECOND: Duration = Duration::from_secs(1);

/// Writes everything down.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0.lock().unwrap(), " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("steadfast")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        self.0.lock().unwrap().push('\n');
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
        self.0.lock().unwrap().push('\n');
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_call_is_logged_by_its_ids_alone() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let secretive = function("secretive", "global").handler(|ctx, secret: String| async move {
        ctx.progress(&format!("{secret} half-way"))?;
        if ctx.attempt() == 1 {
            return ctx.defer(SECOND);
        }
        Ok(format!("{secret} handled"))
    });
    let host = Host::builder(MemTransport::new()).seed(1).build().await.unwrap();
    host.serve(secretive).await.unwrap();
    let id = steadfast::CallId::new("call-17").unwrap();
    let request = host.caller().request("secretive", "global").call_id(id);
    let result: String = request.input("hunter2").unwrap().send().await.unwrap();
    assert_eq!(result, "hunter2 handled");
    host.shutdown(SECOND).await.unwrap();

    let log = log.0.lock().unwrap();
    assert!(log.contains("call=call-17"), "the attempt's span is missing:\n{log}");
    assert!(log.contains("settled: success"), "the node's events are missing:\n{log}");
    assert!(!log.contains("hunter2"), "a payload was logged:\n{log}");
}
