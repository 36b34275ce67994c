//! `--layout`, `--durability` and `--prefix` stand above the environment, and that above the URL.

use nix::sys::signal::Signal;

use crate::binary::{Folder, Run, steadfast};
use crate::redis_server::{Done, RedisServer, run_at};

fn keys(server: &RedisServer) -> Vec<String> {
    steadfast_tests::command(&mut server.raw(), &["KEYS", "*function_epoch:*"])
}

#[test]
fn a_fleet_is_found_by_its_prefix_and_layout_alone() {
    let server = RedisServer::start();
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let url = format!("{}?prefix=url:&layout=plain", server.url());
    let choices = ["--prefix", "app:", "--layout", "cluster", "--durability", "memory"];
    let options = [&["--redis", &url][..], &choices].concat();
    let serving = Run::serve(&folder.functions(), &options);
    let keys = keys(&server);
    assert!(keys.len() == 1 && keys[0].starts_with("app:{s"), "{keys:?}");

    let finds = |choices: &[&str]| {
        run_at(&url, &[&["functions", "--json"], choices].concat()).stdout.contains("\"echo\"")
    };
    assert!(finds(&choices));
    assert!(!finds(&[]) && !finds(&choices[..2]) && !finds(&choices[2..]));
    let call = [&["call", "echo", "--input", "7"][..], &choices].concat();
    assert_eq!(run_at(&url, &call).stdout, "7\n");
    let folder = Folder::new("[[function]]\nname = \"run\"\nbuiltin = \"echo\"\n");
    let ran = Run::start(&folder.functions(), &options).finish();
    assert_eq!(ran.code, Some(0), "{:?}", ran.messages);
    assert!(self::keys(&server).iter().all(|key| key.starts_with("app:{s")));
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

#[test]
fn the_environment_names_a_prefix_where_nobody_else_does() {
    let server = RedisServer::start();
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let serving = Run::serve(&folder.functions(), &["--redis", &server.url(), "--prefix", "app:"]);
    let port = server.port().to_string();
    let is_served = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = steadfast();
        command.envs(variables.iter().copied()).args(["functions", "--json"]).args(arguments);
        String::from_utf8(command.output().unwrap().stdout).unwrap().contains("\"echo\"")
    };
    let url = server.url();
    let (prefix, other) = (("STEADFAST_REDIS_PREFIX", "app:"), ("STEADFAST_REDIS_PREFIX", "x:"));
    let at = ("STEADFAST_REDIS_URL", url.as_str());
    assert!(is_served(&[at, prefix], &[]));
    assert!(is_served(&[("QUEUE_BULL_REDIS_PORT", &port), prefix], &[]));
    assert!(is_served(&[prefix], &["--redis", &url]));
    assert!(is_served(&[at, other], &["--prefix", "app:"]));
    assert!(!is_served(&[at, other], &[]));
    assert!(!is_served(&[at, prefix], &["--prefix", ""]));
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code, Some(0));
}

#[test]
fn a_run_without_a_server_has_no_choices() {
    let folder = Folder::new("[[function]]\nname = \"echo\"\nbuiltin = \"echo\"\n");
    let functions = folder.functions();
    let Done { code, stderr, .. } =
        run_at("", &["run", functions.to_str().unwrap(), "--prefix", "app:"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("give --redis too"), "{stderr}");
}
