//! A front before a server that falls silent, as a network does whose packets are lost: neither side is told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::RedisServer;

/// A front on a free port of 127.0.0.1; it ends with its process.
#[derive(Clone, Debug)]
pub struct HalfOpen {
    port: u16,
    /// How often it fell silent.
    silences: Arc<AtomicU64>,
}

impl HalfOpen {
    /// Stands before a server, and passes every byte on.
    pub fn before(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (upstream, silences) = (server.port(), Arc::new(AtomicU64::new(0)));
        let at_work = silences.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Without a server the client is hung up on.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) {
                    join(client, server, &at_work);
                }
            }
        });
        Self { port, silences }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Passes nothing more on over the connections that stand, in either direction, and closes none of them.
    /// Later ones are not concerned.
    pub fn silence(&self) {
        self.silences.fetch_add(1, Ordering::SeqCst);
    }
}

fn join(client: TcpStream, server: TcpStream, silences: &Arc<AtomicU64>) {
    let began = silences.load(Ordering::SeqCst);
    let (client, server) = (Arc::new(client), Arc::new(server));
    for (from, to) in [(client.clone(), server.clone()), (server, client)] {
        let silences = silences.clone();
        std::thread::spawn(move || pass(&from, &to, || silences.load(Ordering::SeqCst) != began));
    }
}

/// Passes on what comes until its sender ends. A sender that ends is told of to nobody once all is silent.
fn pass(mut from: &TcpStream, mut to: &TcpStream, is_silent: impl Fn() -> bool) {
    let mut bytes = vec![0; 1 << 16];
    let _ = to.set_nodelay(true);
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !is_silent() && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    if !is_silent() {
        let _ = to.shutdown(Shutdown::Both);
    }
}
