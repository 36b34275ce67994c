//! One process that serves a function and calls it, by way of a Redis server.
//!
//! `cargo run -p steadfast-transport-redis --example hello -- redis://127.0.0.1:6379`; without an argument
//! the environment names the server.
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::{Duration, Instant};

use steadfast::{Host, function};
use steadfast_transport_redis::RedisTransport;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let transport = match std::env::args().nth(1) {
        Some(url) => RedisTransport::builder(&url)?,
        None => RedisTransport::from_env()?,
    }
    .build()?;
    let host = Host::builder(transport).build().await?;
    host.serve(
        function("greet", "global")
            .handler(|_ctx, name: String| async move { Ok(format!("Hello, {name}!")) }),
    )
    .await?;

    let greeting: String = host.caller().call("greet", "global", &"Ada").await?;
    println!("{greeting}");

    let began = Instant::now();
    for _ in 0..100 {
        let _: String = host.caller().call("greet", "global", &"Ada").await?;
    }
    println!("100 calls, one after another: {:?}", began.elapsed());
    host.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
