//! A server with fewer replicas than are to confirm a write is said to be so, and holds up nobody for longer
//! than was asked.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run};
use crate::redis_server::{RedisServer, run_at};

const LACKING: &str = "durability replicas:2 needs 2 replica(s) and the server has";

#[test]
fn health_says_so_and_is_not_well() {
    let server = RedisServer::start();
    let health = |format: &[&str]| {
        let arguments = [&["health", "--durability", "replicas:2"], format].concat();
        run_at(&server.url(), &arguments)
    };
    let told = health(&[]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(1), ""));
    assert!(told.stdout.contains("health  not durable"), "{}", told.stdout);
    assert!(told.stdout.contains(&format!("{LACKING} 0")), "{}", told.stdout);
    let json = health(&["--json"]);
    assert_eq!(json.code, Some(1));
    assert!(json.stdout.contains("\"verdict\": \"not_durable\""), "{}", json.stdout);

    let _one = server.replica();
    assert!(health(&[]).stdout.contains(&format!("{LACKING} 1")));
    let _other = server.replica();
    let well = health(&[]);
    assert_eq!(well.code, Some(0), "{}", well.stdout);
    assert!(well.stdout.contains("health  healthy"), "{}", well.stdout);
}

#[test]
fn serve_says_so_at_its_start() {
    let server = RedisServer::start();
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let options = ["--redis", &server.url(), "--durability", "replicas:2"];
    let mut serving = Run::serve_unready(&folder.functions(), &options);
    serving.hear(LACKING);
    serving.hear("ready: ");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

/// The bound is a second over the timeout; the room is for a machine that does much else.
fn check_bound(timeout: &str, bound: Duration) {
    let server = RedisServer::start();
    server.leaves("a call that was applied and never confirmed");
    let begun = Instant::now();
    let arguments = ["call", "echo", "--timeout", timeout, "--durability", "replicas:2"];
    let done = run_at(&server.url(), &arguments);
    let took = begun.elapsed();
    assert_eq!(done.code, Some(4), "{}", done.stderr);
    assert!(done.stderr.contains("the store did not confirm call"), "{}", done.stderr);
    assert!(done.stderr.contains(LACKING), "{}", done.stderr);
    assert!(took < bound + Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_call_takes_no_longer_than_its_timeout_and_a_second() {
    std::thread::scope(|scope| {
        scope.spawn(|| check_bound("1s", Duration::from_secs(2)));
        scope.spawn(|| check_bound("3s", Duration::from_secs(4)));
    });
}
