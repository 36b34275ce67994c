//! What serves, and what calls, outlasts a restart of the server, even one that loses everything.

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run, steadfast};
use crate::redis_server::{RedisServer, run_at};

const ECHO: &str = "[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n";

#[test]
fn serving_goes_on_after_a_restart() {
    let server = RedisServer::start();
    let folder = Folder::new(ECHO);
    let mut serving = Run::serve(&folder.functions(), &["--verbose", "--redis", &server.url()]);
    for input in ["1", "2"] {
        assert_eq!(run_at(&server.url(), &["call", "echo", "--input", input]).code, Some(0));
    }
    let server = server.end().start();
    serving.hear("the store was restarted");
    serving.hear(" is active");
    for input in ["3", "4"] {
        let done = run_at(&server.url(), &["call", "echo", "--input", input]);
        assert_eq!((done.code, done.stdout), (Some(0), format!("{input}\n")), "{}", done.stderr);
    }
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

#[test]
fn a_call_waits_for_a_server_that_is_about_to_return() {
    let server = RedisServer::start();
    let url = server.url();
    let folder = Folder::new(ECHO);
    let serving = Run::serve(&folder.functions(), &["--redis", &url]);
    let gone = server.end();
    let call = steadfast()
        .args(["call", "echo", "--input", "5", "--redis", &url])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let server = gone.start();
    let output = call.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"5\n"[..]));
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
    drop(server);
}
