//! What the store refuses for good is said without `--verbose`; a missing permission ends a start.

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run};
use crate::redis_server::{RedisServer, run_at};

const ACL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/acl/steadfast.acl");

const ECHO: &str = "[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n";

#[test]
fn who_may_not_serve_is_told_so_at_once() {
    let server = RedisServer::with(&["--aclfile", ACL]);
    let folder = Folder::new(ECHO);
    let functions = folder.functions();
    let functions = functions.to_str().unwrap();
    let caller = server.url_as("steadfast-caller:change-me-caller");
    for command in ["serve", "run"] {
        let done = run_at("", &[command, functions, "--redis", &caller]);
        assert_eq!(done.code, Some(4), "{}", done.stderr);
        assert!(done.stderr.contains("the store refuses (denied"), "{}", done.stderr);
        assert!(done.stderr.contains("check user, password and what the user may do"));
        assert!(!done.stderr.contains("ready"), "{}", done.stderr);
    }
}

#[test]
fn a_permission_that_is_taken_away_later_is_said_and_waited_for() {
    let server = RedisServer::with(&["--aclfile", ACL]);
    let set = |rule: &str| {
        let words = ["SETUSER", "steadfast-worker", rule];
        redis_cli(&server, &[&["ACL"][..], &words].concat());
    };
    let folder = Folder::new(ECHO);
    let worker = server.url_as("steadfast-worker:change-me-worker");
    let mut serving = Run::serve(&folder.functions(), &["--redis", &worker]);
    set("-evalsha");
    serving.hear("the store refuses (denied");
    set("+evalsha");
    assert_eq!(run_at(&server.url(), &["call", "echo", "--input", "7"]).stdout, "7\n");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

#[test]
fn a_key_of_another_type_is_said_while_it_is_waited_for() {
    let server = RedisServer::start();
    redis_cli(&server, &["SET", "function_calls:echo:global", "text"]);
    let folder = Folder::new(ECHO);
    let functions = folder.functions();
    let mut serving = Run::serve_unready(&functions, &["--redis", &server.url()]);
    serving.hear("choose a prefix (--prefix) or a database of your own");
    redis_cli(&server, &["DEL", "function_calls:echo:global"]);
    serving.hear("ready: ");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

fn redis_cli(server: &RedisServer, words: &[&str]) {
    let () = steadfast_tests::command(&mut server.raw(), words);
}
