//! An error of the store ends in what a person can do about that error, and about no other.

use steadfast_tests::Relay;

use crate::redis_server::{Done, NOWHERE, RedisServer, run_at};

const IS_IT_THERE: &str = "and that the server runs";

/// What `health` says of this server, with more arguments, ends so.
fn check(url: &str, arguments: &[&str], parts: &[&str]) {
    let arguments = [&["health", "--timeout", "2s"], arguments].concat();
    let Done { code, stdout, stderr } = run_at(url, &arguments);
    assert_eq!((code, stdout.as_str()), (Some(4), ""), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no {part:?}: {stderr}");
    }
    assert_eq!(stderr.contains(IS_IT_THERE), parts.contains(&IS_IT_THERE), "{stderr}");
}

#[test]
fn each_error_has_its_own() {
    let server = RedisServer::start();
    server.leaves("a key of another type");
    check(NOWHERE, &[], &[IS_IT_THERE]);
    check(&server.url_as("nouser"), &[], &["WRONGPASS", "check user, password"]);
    check(&server.url_as(":wrong"), &[], &["denied", "check user, password"]);
    check(&server.url(), &["--durability", "fsync"], &["needs WAITAOF", "appendonly yes"]);
    check(&format!("{}/99", server.url()), &[], &["choose a database that the server has"]);
    let () = steadfast_tests::command(&mut server.raw(), &["SET", "registry:functions", "text"]);
    check(&server.url(), &[], &["choose a prefix (--prefix) or a database of your own"]);
}

#[test]
fn a_port_without_tls_is_suspected() {
    let server = RedisServer::start();
    let tls = server.url().replace("redis://", "rediss://");
    check(&tls, &[], &["the port may not speak TLS", IS_IT_THERE]);
    let done = run_at(&tls, &["call", "echo", "--timeout", "1s"]);
    assert_eq!(done.code, Some(4));
    assert!(done.stderr.contains("the port may not speak TLS"), "{}", done.stderr);
}

#[test]
fn who_hangs_up_is_suspected_of_tls() {
    // As a port with TLS does to who begins without.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(drop));
    check(&url, &[], &["the port may speak TLS (rediss://)", IS_IT_THERE]);
}

#[test]
fn behind_a_proxy_health_says_that_heartbeats_judge() {
    let server = RedisServer::start();
    let judged = |url: &str| {
        let text = run_at(url, &["health"]).stdout;
        text.lines().find(|line| line.starts_with("death ")).unwrap().to_owned()
    };
    let relay = Relay::before(&server, |words| {
        let other = "id=1 addr=127.0.0.1:9 name=proxy age=0\n";
        let is_list = words.len() > 1 && words[0] == "CLIENT" && words[1] == "LIST";
        is_list.then(|| format!("${}\r\n{other}\r\n", other.len()))
    });
    assert!(judged(&server.url()).contains("by sessions"));
    assert!(judged(&relay.url()).contains("by heartbeats alone"));
}
