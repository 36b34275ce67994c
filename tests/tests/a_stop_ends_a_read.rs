//! A stop does not wait for a blocking read's time to pass: the server is told to end it.

use std::time::{Duration, Instant};

use redis::Connection;
use steadfast::{Config, Function, Host, function};
use steadfast_tests::{RedisServer, command, leaks};
use steadfast_transport_redis::RedisTransport;
use tokio::time::sleep;

/// A fifth of the default block time, which the read had nearly whole before it.
const PROMPT: Duration = Duration::from_secs(1);

async fn host(server: &RedisServer, config: Config) -> Host {
    let transport = RedisTransport::builder(&server.url()).unwrap().build().unwrap();
    Host::builder(transport).config(config).build().await.unwrap()
}

fn echo(name: &str) -> Function {
    function(name, "global").handler(|_ctx, number: u32| async move { Ok(number) })
}

/// Waits until a read of which the server says this began within the last second or so.
async fn until_blocked_anew(raw: &mut Connection, read: &[&str]) {
    for _ in 0..2_000 {
        let clients: String = command(raw, &["CLIENT", "LIST", "TYPE", "NORMAL"]);
        let waits = clients.lines().any(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            words.contains(&"flags=b")
                && read.iter().all(|it| words.contains(it))
                && (words.contains(&"idle=0") || words.contains(&"idle=1"))
        });
        if waits {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("nobody waits by {read:?}");
}

/// How often the server was told to end a read.
fn unblocks(raw: &mut Connection) -> u64 {
    let stats: String = command(raw, &["INFO", "commandstats"]);
    let calls = |line: &str| {
        line.strip_prefix("cmdstat_client|unblock:calls=")?.split(',').next()?.parse().ok()
    };
    stats.lines().find_map(calls).unwrap_or(0)
}

#[tokio::test]
async fn of_a_function_with_a_connection_of_its_own() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let host = host(&server, Config::default()).await;
    let mut before = 0;
    for _ in 0..3 {
        host.serve(echo("echo")).await.unwrap();
        until_blocked_anew(&mut raw, &["cmd=xreadgroup"]).await;
        let began = Instant::now();
        host.stop("echo", "global", Duration::from_secs(30)).await.unwrap();
        let took = began.elapsed();
        assert!(took < PROMPT, "the stop took {took:?}");
        let told = unblocks(&mut raw);
        assert!(told > before, "the server was told to end no read");
        before = told;
        assert_eq!(leaks(&mut raw), Vec::<String>::new());
    }
    host.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// The wait that quiet functions share ends, and begins again without the one that stopped.
#[tokio::test]
async fn of_functions_that_share_one() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let config = Config { fetch_links_max: 0, ..Config::default() };
    let host = host(&server, config).await;
    for name in ["one", "two", "three"] {
        host.serve(echo(name)).await.unwrap();
    }
    for name in ["one", "two"] {
        until_blocked_anew(&mut raw, &["cmd=xread", "name=steadfast:arrivals"]).await;
        let began = Instant::now();
        host.stop(name, "global", Duration::from_secs(30)).await.unwrap();
        let took = began.elapsed();
        assert!(took < PROMPT, "the stop of {name} took {took:?}");
    }
    assert_eq!(host.caller().call::<u32>("three", "global", &7).await, Ok(7));
    host.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}

#[tokio::test]
async fn of_a_host_that_shuts_down() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let host = host(&server, Config::default()).await;
    for name in ["one", "two", "three"] {
        host.serve(echo(name)).await.unwrap();
    }
    until_blocked_anew(&mut raw, &["cmd=xreadgroup"]).await;
    let began = Instant::now();
    host.shutdown(Duration::from_secs(30)).await.unwrap();
    let took = began.elapsed();
    assert!(took < PROMPT, "the end took {took:?}");
    assert_eq!(leaks(&mut raw), Vec::<String>::new());
}
