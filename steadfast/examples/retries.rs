//! A handler that fails now and then: it asks for another attempt, and what fails for good becomes a
//! dead letter, which is requeued once its cause is mended.
//!
//! `cargo run -p steadfast --example retries`
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use steadfast::{CallFailed, EntryId, Host, MemTransport, Retry, function};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::builder(MemTransport::new()).build().await?;
    let printer_works = Arc::new(AtomicBool::new(false));
    let works = printer_works.clone();
    let print = function("print", "office").attempts(3).handler(move |ctx, page: String| {
        let works = works.load(Ordering::Relaxed);
        async move {
            if !works {
                println!("attempt {} at {page}: no paper", ctx.attempt());
                Err(Retry::after(Duration::from_millis(100)).because("no paper"))?;
            }
            Ok(format!("{page}, printed"))
        }
    });
    host.serve(print).await?;

    let caller = host.caller();
    match caller.call::<String>("print", "office", "page 1").await {
        Err(error @ CallFailed::DeadLettered { .. }) => println!("{error}"),
        other => println!("unexpected: {other:?}"),
    }

    printer_works.store(true, Ordering::Relaxed);
    let function = "print:office".parse()?;
    for letter in caller.dead_letters("print", "office", EntryId::ZERO, 10).await? {
        let call = caller.requeue("print", "office", letter.entry).await?;
        let record = caller.outcome(&function, &call, None).await?;
        println!("requeued as {call}: {}", record.outcome);
    }
    host.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
