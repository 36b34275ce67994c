//! A call whose result comes from a person: the handler defers it, and somebody completes it by its
//! token, which travels as text.
//!
//! `cargo run -p steadfast --example approval`
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::Duration;

use steadfast::{Host, MemTransport, function, parse_token, token_text};
use tokio::sync::mpsc;

const A_DAY: Duration = Duration::from_secs(86_400);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = MemTransport::new();
    let (mailbox, mut mail) = mpsc::channel::<String>(8);

    // One process asks for approvals ...
    let office = Host::builder(store.clone()).build().await?;
    office
        .serve(function("approve", "travel").handler(move |ctx, cost: u32| {
            let mailbox = mailbox.clone();
            async move {
                if cost < 100 {
                    return Ok("approved without asking".to_owned());
                }
                mailbox.send(token_text(&ctx.token())).await?;
                ctx.defer(A_DAY)
            }
        }))
        .await?;

    // ... and another one, where the approver sits, answers by the token.
    let desk = Host::builder(store).build().await?;
    let approver = tokio::spawn(async move {
        while let Some(text) = mail.recv().await {
            let Ok(token) = parse_token(&text) else {
                continue;
            };
            // The mail may be faster than the deferral: then the token is not valid yet.
            while desk.caller().complete(&token, "approved by the desk").await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });

    for cost in [20_u32, 2_000] {
        let answer: String = office
            .caller()
            .request("approve", "travel")
            .input(&cost)?
            .deadline(A_DAY)
            .send()
            .await?;
        println!("a trip for {cost} is {answer}");
    }
    office.shutdown(Duration::from_secs(5)).await?;
    approver.abort();
    Ok(())
}
