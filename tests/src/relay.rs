//! A front before a server that answers some commands itself, as a proxy would, or a server of another
//! version.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use crate::RedisServer;

/// What the front answers to a command, as bytes of RESP; nothing where the server is to answer.
type Answers = dyn Fn(&[String]) -> Option<String> + Send + Sync;

/// A front on a free port of 127.0.0.1; it ends with its process.
#[derive(Clone, Copy, Debug)]
pub struct Relay {
    port: u16,
}

impl Relay {
    /// Stands before a server, and answers what `answer` answers.
    pub fn before(
        server: &RedisServer,
        answer: impl Fn(&[String]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (upstream, answer): (u16, Arc<Answers>) = (server.port(), Arc::new(answer));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let answer = answer.clone();
                std::thread::spawn(move || {
                    // Either side may go away at any time.
                    let _ = pass(&client, upstream, &*answer);
                });
            }
        });
        Self { port }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// One command after the other, each with its answer.
fn pass(client: &TcpStream, upstream: u16, answer: &Answers) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", upstream))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut requests, mut replies) = (BufReader::new(client), BufReader::new(&server));
    loop {
        let mut request = Vec::new();
        let words = frame(&mut requests, &mut request)?;
        if let Some(own) = answer(&words) {
            (&*client).write_all(own.as_bytes())?;
            continue;
        }
        (&server).write_all(&request)?;
        let mut reply = Vec::new();
        frame(&mut replies, &mut reply)?;
        (&*client).write_all(&reply)?;
    }
}

/// Reads one value of RESP as it stands, and answers the texts in it.
fn frame(from: &mut impl io::BufRead, into: &mut Vec<u8>) -> io::Result<Vec<String>> {
    let begin = into.len();
    if from.read_until(b'\n', into)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&into[begin..]).trim_end().to_owned();
    let count = || line.get(1..).and_then(|count| count.parse::<i64>().ok()).unwrap_or(-1);
    match line.as_bytes().first() {
        Some(b'$') if count() >= 0 => {
            let bytes = u64::try_from(count()).unwrap_or_default() + 2;
            let begin = into.len();
            from.by_ref().take(bytes).read_to_end(into)?;
            Ok(vec![String::from_utf8_lossy(&into[begin..]).trim_end().to_owned()])
        }
        Some(b'*') => {
            let mut texts = Vec::new();
            for _ in 0..count() {
                texts.extend(frame(from, into)?);
            }
            Ok(texts)
        }
        _ => Ok(vec![line]),
    }
}
