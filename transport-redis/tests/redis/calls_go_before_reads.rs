//! What a call or a reply that came alone brings about goes out before the next read; after several that came
//! together the read goes first.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use steadfast_core::name::EntryId;
use steadfast_core::op::{Op, Submission};
use steadfast_core::transport::{Interest, Link, Transport, Wake};
use steadfast_transport_redis::{ByteStream, Connector, RedisTransport};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::io::InspectWriter;

use crate::support::{World, complete, consumer, function, millis, node, submission, submit};

/// Far longer than any wait that works takes, and shorter than the block.
const PATIENCE: Duration = Duration::from_secs(20);
const BLOCK: Duration = Duration::from_secs(60);

/// The first command of each write.
type Sent = Arc<Mutex<Vec<String>>>;

#[derive(Debug)]
struct Noting {
    port: u16,
    sent: Sent,
}

#[async_trait]
impl Connector for Noting {
    async fn open(&self) -> io::Result<Box<dyn ByteStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let sent = self.sent.clone();
        let note = move |bytes: &[u8]| {
            // `*3`, `$5`, `XREAD`
            let word = bytes.split(|byte| *byte == b'\r').nth(2).unwrap_or_default();
            sent.lock().unwrap().push(String::from_utf8_lossy(word).trim().to_owned());
        };
        Ok(Box::new(InspectWriter::new(stream, note)))
    }
}

/// Waits for an interest by a read that is woken at once, and goes on by another while something is asked;
/// what went out then, in this order.
async fn check(world: &World, link: Link, interest: fn(EntryId) -> Interest, expect: [&str; 2]) {
    let sent = Sent::default();
    let builder = RedisTransport::builder(&world.server.url()).unwrap();
    let connector = Noting { port: world.server.port(), sent: sent.clone() };
    let transport = builder.connector(connector).build().unwrap();
    let commands = transport.connect(Link::Command).await.unwrap().session;
    let reads = transport.connect(link).await.unwrap().session;
    let after = match transport.watch(reads, interest(EntryId::ZERO), BLOCK).await.unwrap() {
        Wake::Replies { last, .. } => last,
        _ => EntryId::ZERO,
    };

    sent.lock().unwrap().clear();
    let (reading, asking) = (transport.clone(), transport.clone());
    let read = tokio::spawn(async move { reading.watch(reads, interest(after), BLOCK).await });
    let asked = tokio::spawn(async move { asking.execute(commands, vec![submit("next")]).await });
    asked.await.unwrap().unwrap();
    let both = async {
        while sent.lock().unwrap().len() < 2 {
            tokio::time::sleep(millis(1)).await;
        }
    };
    timeout(PATIENCE, both).await.expect("the read goes out");
    assert_eq!(sent.lock().unwrap()[..2], expect);
    timeout(PATIENCE, transport.abort(reads)).await.expect("an abort ends");
    drop(read);
}

fn replies(after: EntryId) -> Interest {
    Interest::Replies { caller: node("me"), after }
}

fn deliveries(_after: EntryId) -> Interest {
    Interest::Deliveries { function: function(), consumer: consumer("w"), count: 10 }
}

/// A world in which so many calls were made and decided, all at once.
async fn decided(ids: &[&str]) -> World {
    let world = World::new().await;
    world.server.leaves("the call that was asked meanwhile");
    let keep = Op::KeepReplies { caller: node("me"), after: EntryId::ZERO };
    world.check(keep, "replies kept, created: true").await;
    let submit =
        |id: &&str| Op::Submit(Submission { reply_to: Some(node("me")), ..submission(id) });
    world.apply_all(ids.iter().map(submit).collect()).await;
    world.apply_all(ids.iter().map(|id| complete(id, "1", None)).collect()).await;
    world
}

/// A world in which so many calls were made.
async fn submitted(ids: &[&str]) -> World {
    let world = World::new().await;
    world.server.leaves("calls that nobody is to run");
    world.apply_all(ids.iter().map(|id| submit(id)).collect()).await;
    world
}

#[tokio::test]
async fn what_follows_a_lone_reply_goes_before_the_next_read() {
    check(&decided(&["c1"]).await, Link::Replies, replies, ["EVALSHA", "XREAD"]).await;
}

#[tokio::test]
async fn replies_that_came_together_are_followed_by_a_read() {
    check(&decided(&["c1", "c2"]).await, Link::Replies, replies, ["XREAD", "EVALSHA"]).await;
}

#[tokio::test]
async fn what_follows_a_lone_call_goes_before_the_next_read() {
    let world = submitted(&["c1"]).await;
    check(&world, Link::Fetch(0), deliveries, ["EVALSHA", "XREADGROUP"]).await;
}

#[tokio::test]
async fn calls_that_came_together_are_followed_by_a_read() {
    let world = submitted(&["c1", "c2"]).await;
    check(&world, Link::Fetch(0), deliveries, ["XREADGROUP", "EVALSHA"]).await;
}
