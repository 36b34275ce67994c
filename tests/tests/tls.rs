//! TLS against a server with a certificate of an authority that was made for this test.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use steadfast::{BuildError, Host, function};
use steadfast_core::transport::{ErrorKind, Link, Transport};
use steadfast_tests::RedisServer;
use steadfast_transport_redis::RedisTransport;
use tempfile::TempDir;

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let done = done.unwrap_or_else(|error| panic!("{error}; apt-get install openssl"));
    assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// Makes an authority, and a certificate of it for 127.0.0.1.
fn certificates() -> TempDir {
    let folder = TempDir::new().unwrap();
    let extensions = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    std::fs::write(folder.path().join("extensions"), extensions).unwrap();
    let at = folder.path();
    openssl(at, &format!("req -x509 {NEW_KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
    openssl(at, &format!("req {NEW_KEY} -keyout server.key -out server.csr -subj /CN=server"));
    openssl(
        at,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile extensions -out server.pem",
    );
    folder
}

/// A server that speaks TLS too, and its URL.
fn server(certificates: &Path) -> (RedisServer, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let file = |name: &str| certificates.join(name).to_str().unwrap().to_owned();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let server = RedisServer::with(&[
        "--tls-port",
        &free,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ]);
    (server, format!("rediss://127.0.0.1:{free}"))
}

#[tokio::test]
async fn a_call_goes_over_tls() {
    let certificates = certificates();
    let (_server, url) = server(certificates.path());
    let authority = certificates.path().join("ca.pem");
    let transport = RedisTransport::builder(&format!("{url}?ca={}", authority.display())).unwrap();
    let host = Host::builder(transport.build().unwrap()).build().await.unwrap();
    let double = function("double", "global").handler(|_ctx, n: u32| async move { Ok(n * 2) });
    host.serve(double).await.unwrap();
    assert_eq!(host.caller().call::<u32>("double", "global", &21).await, Ok(42));
}

#[tokio::test]
async fn another_authority_is_refused_at_once_and_clearly() {
    let (right, wrong) = (certificates(), certificates());
    let (_server, url) = server(right.path());
    let authority = std::fs::read(wrong.path().join("ca.pem")).unwrap();
    let transport = RedisTransport::builder(&url).unwrap().ca_pem(authority).build().unwrap();
    let error = Host::builder(transport).build().await.unwrap_err();
    let BuildError::Refused { error, .. } = error else { panic!("{error}") };
    assert_eq!(error.kind, ErrorKind::Denied);
    let told = error.to_string();
    assert!(told.contains("invalid peer certificate"), "{told}");
    assert!(told.contains("STEADFAST_REDIS_CA"), "{told}");
}

async fn refused(url: &str) -> String {
    let builder = RedisTransport::builder(url).unwrap().connect_timeout(Duration::from_secs(2));
    builder.build().unwrap().connect(Link::Command).await.unwrap_err().to_string()
}

#[tokio::test]
async fn who_speaks_otherwise_than_the_port_is_told_so() {
    let certificates = certificates();
    let (server, tls) = server(certificates.path());
    let told = refused(&tls.replace("rediss://", "redis://")).await;
    assert!(told.contains("the port may speak TLS (rediss://)"), "{told}");
    let authority = certificates.path().join("ca.pem");
    let plain = server.url().replace("redis://", "rediss://");
    let told = refused(&format!("{plain}?ca={}", authority.display())).await;
    assert!(told.contains("the port may not speak TLS"), "{told}");
}
