//! Where the keys of one script cannot share a slot, the transport says so when it connects.

use steadfast_core::transport::{ErrorKind, Link, Transport, TransportError};
use steadfast_tests::{RedisServer, command};
use steadfast_transport_redis::{KeyLayout, RedisTransport};

async fn refusal(server: &RedisServer, layout: KeyLayout) -> TransportError {
    let builder = RedisTransport::builder(&server.url()).unwrap().layout(layout);
    builder.build().unwrap().connect(Link::Command).await.unwrap_err()
}

#[tokio::test]
async fn the_plain_layout_is_refused_and_the_remedy_named() {
    let server = RedisServer::cluster_of_one();
    let error = refusal(&server, KeyLayout::Plain).await;
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.to_string().contains("choose the cluster layout (`layout=cluster`"), "{error}");
}

#[tokio::test]
async fn a_node_that_owns_half_of_the_slots_is_refused() {
    let servers = [(); 2].map(|()| RedisServer::with(&["--cluster-enabled", "yes"]));
    let mut raws = servers.each_ref().map(RedisServer::raw);
    for (raw, slots) in raws.iter_mut().zip([["0", "8191"], ["8192", "16383"]]) {
        let () = command(raw, &["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]);
    }
    let port = servers[1].url().rsplit_once(':').unwrap().1.to_owned();
    let () = command(&mut raws[0], &["CLUSTER", "MEET", "127.0.0.1", &port]);
    for raw in &mut raws {
        while !command::<String>(raw, &["CLUSTER", "INFO"]).contains("cluster_state:ok") {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    for server in &servers {
        let error = refusal(server, KeyLayout::Cluster).await;
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.to_string().contains("one connection speaks to one node"), "{error}");
    }
}

#[tokio::test]
async fn a_plain_server_takes_the_cluster_layout() {
    let server = RedisServer::start();
    let builder = RedisTransport::builder(&server.url()).unwrap().layout(KeyLayout::Cluster);
    builder.build().unwrap().connect(Link::Command).await.unwrap();
}
