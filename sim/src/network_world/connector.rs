//! Streams of the simulated network for the adapter.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use steadfast_transport_redis::{ByteStream, ConfigError, Connector, RedisTransport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

/// The store's name on the network, and its port.
pub(super) const STORE: &str = "store";
pub(super) const PORT: u16 = 6_379;

/// The production adapter, on the simulated network.
pub(super) fn transport(streams: Streams) -> Result<RedisTransport, ConfigError> {
    RedisTransport::builder(&format!("redis://{STORE}:{PORT}"))?.connector(streams).build()
}

/// The open streams of one process, in the order of opening. Clones share them.
///
/// A process's kernel closes them when it dies, in one order. A runtime drops its tasks in an order that
/// depends on what else the real process has run, and would leave traces of that in the world.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<Vec<Stream>>>);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a stream until it is closed by whoever reads it, or by all being closed.
    pub(super) fn keep(&self, stream: TcpStream) -> Stream {
        let stream = Stream(Arc::new(Mutex::new(Some(stream))));
        let mut streams = self.lock();
        streams.retain(|stream| stream.lock().is_some());
        streams.push(stream.clone());
        drop(streams);
        stream
    }

    /// Closes every stream. Whoever uses one is not told: it is about to end.
    pub(super) fn close_all(&self) {
        for stream in self.lock().drain(..) {
            drop(stream.lock().take());
        }
    }
}

#[async_trait]
impl Connector for Streams {
    async fn open(&self) -> io::Result<Box<dyn ByteStream>> {
        let stream = TcpStream::connect((STORE, PORT)).await?;
        Ok(Box::new(Kept(self.keep(stream))))
    }
}

/// A stream that can be closed from beside its user.
#[derive(Clone, Debug)]
pub(super) struct Stream(Arc<Mutex<Option<TcpStream>>>);

impl Stream {
    fn lock(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(
        &self,
        poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match self.lock().as_mut() {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

/// The user's side of a stream: dropped, it closes it.
#[derive(Debug)]
pub(super) struct Kept(pub(super) Stream);

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.0.lock().take());
    }
}

impl AsyncRead for Kept {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Kept {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_shutdown(cx))
    }
}
