//! A stream that counts the commands written to it: commands on the wire, whatever scripts do inside.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use steadfast_transport_redis::{ByteStream, Connector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Commands written by all streams of a process.
pub(crate) type Count = Arc<AtomicU64>;

/// Where a writer stands in the commands it writes: arrays of length-prefixed texts.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of a text that are still to come, with its line end.
    skip: usize,
    number: usize,
    is_text: bool,
}

impl Frames {
    /// Takes what was written next; answers how many commands began in it.
    fn take(&mut self, mut bytes: &[u8]) -> u64 {
        let mut begun = 0;
        while let [first, rest @ ..] = bytes {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            match first {
                b'*' => {
                    begun += 1;
                    (self.number, self.is_text) = (0, false);
                }
                b'$' => (self.number, self.is_text) = (0, true),
                b'0'..=b'9' => self.number = self.number * 10 + usize::from(first - b'0'),
                b'\n' if self.is_text => self.skip = self.number + 2,
                _ => {}
            }
            bytes = rest;
        }
        begun
    }
}

/// A stream whose commands are counted.
#[derive(Debug)]
pub(crate) struct Counted {
    stream: TcpStream,
    frames: Frames,
    count: Count,
}

impl Counted {
    /// Counts what is written to `stream` into `count`.
    pub(crate) fn new(stream: TcpStream, count: Count) -> Self {
        Self { stream, frames: Frames::default(), count }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = written {
            let begun = self.frames.take(&bytes[..length]);
            self.count.fetch_add(begun, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Opens counted streams for Steadfast's adapter.
#[derive(Debug)]
pub(crate) struct CountedConnector {
    /// The server's port on 127.0.0.1.
    pub(crate) port: u16,
    /// Where the commands are counted.
    pub(crate) count: Count,
}

#[async_trait]
impl Connector for CountedConnector {
    async fn open(&self) -> io::Result<Box<dyn ByteStream>> {
        Ok(Box::new(Counted::new(dial(self.port).await?, self.count.clone())))
    }
}

/// A plain stream to the server on 127.0.0.1.
pub(crate) async fn dial(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two commands, the text of one looking like a third, cut at every place.
    #[test]
    fn commands_are_counted_however_they_are_cut() {
        let written = b"*2\r\n$3\r\nGET\r\n$12\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n";
        for cut in 0..=written.len() {
            let mut frames = Frames::default();
            let (head, tail) = written.split_at(cut);
            assert_eq!(frames.take(head) + frames.take(tail), 2, "cut at {cut}");
        }
    }
}
