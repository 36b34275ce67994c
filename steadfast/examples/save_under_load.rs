//! A function is saved ten times while it is called without a pause; no call is lost.
//!
//! `cargo run -p steadfast --example save_under_load`
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast::{Function, Host, MemTransport, function};

fn version(version: u32) -> Function {
    function("work", "editor").handler(move |_ctx, _number: u32| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(version)
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::builder(MemTransport::new()).build().await?;
    host.serve(version(0)).await?;

    let caller = host.caller();
    let load = tokio::spawn(async move {
        let calls = (0..500_u32).map(|number| {
            let caller = caller.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(2) * number).await;
                caller.call::<u32>("work", "editor", &number).await
            }
        });
        futures_util::future::join_all(calls).await
    });
    for save in 1..=10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let served = host.reload(version(save)).await?;
        println!("save {save} is active as {}", served.epoch);
    }
    let mut answered_by = BTreeMap::<u32, u32>::new();
    for result in load.await? {
        *answered_by.entry(result?).or_default() += 1;
    }
    for (version, calls) in answered_by {
        println!("version {version} answered {calls} calls");
    }
    host.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
