//! The least there is: one process that serves a function and calls it.
//!
//! `cargo run -p steadfast --example greet`
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast::{Host, MemTransport, function};

#[derive(Serialize, Deserialize)]
struct Who {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::builder(MemTransport::new()).build().await?;
    host.serve(function("greet", "global").handler(|_ctx, who: Who| async move {
        let text = format!("Hello, {}!", who.name);
        Ok(Greeting { text })
    }))
    .await?;

    let who = Who { name: "Ada".into() };
    let greeting: Greeting = host.caller().call("greet", "global", &who).await?;
    println!("{}", greeting.text);

    // What does not fit is told with its place, and without its content.
    let error = host.caller().call::<Greeting>("greet", "global", "Ada").await;
    if let Err(error) = error {
        println!("{error}");
    }
    host.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
