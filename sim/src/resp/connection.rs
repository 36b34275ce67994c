//! One connection: requests in order, a blocking one at a time.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use redis_protocol::codec::Resp2;
use redis_protocol::error::RedisProtocolError;
use steadfast_core::machine::StoreMachine;
use steadfast_core::name::SessionId;
use steadfast_core::transport::{Interest, Wake};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::codec::Framed;

use super::frame::Frame;
use super::front::{Front, Step, Woken};

/// A session as long as its connection.
struct Session<S: StoreMachine> {
    front: Front<S>,
    id: SessionId,
}

impl<S: StoreMachine> Drop for Session<S> {
    fn drop(&mut self) {
        self.front.end(self.id);
    }
}

/// Why a connection ends; all ways are the same to the server.
struct Ended;

impl From<RedisProtocolError> for Ended {
    fn from(_: RedisProtocolError) -> Self {
        Self
    }
}

/// Serves one connection until its client closes it, or is silent for `silence` (as a peer is that
/// keep-alive probes do not reach).
pub async fn serve<S, I>(front: Front<S>, stream: I, silence: Duration)
where
    S: StoreMachine,
    I: AsyncRead + AsyncWrite + Unpin,
{
    let session = Session { id: front.open(), front };
    let mut connection = Connection {
        session,
        stream: Framed::new(stream, Resp2::default()),
        early: VecDeque::new(),
    };
    let Err(Ended) = connection.serve(silence).await;
}

struct Connection<S: StoreMachine, I> {
    session: Session<S>,
    stream: Framed<I, Resp2>,
    /// Requests that came while one blocked.
    early: VecDeque<Frame>,
}

impl<S, I> Connection<S, I>
where
    S: StoreMachine,
    I: AsyncRead + AsyncWrite + Unpin,
{
    async fn serve(&mut self, silence: Duration) -> Result<std::convert::Infallible, Ended> {
        loop {
            let request = self.next(silence).await?;
            let answer = match self.session.front.take(self.session.id, request) {
                Step::Answer(answer) => answer,
                Step::Block { interest, woken, block } => {
                    self.flush().await?;
                    self.block(&interest, woken, block).await?
                }
            };
            self.stream.feed(answer).await?;
        }
    }

    /// The next request. Answers leave when no other request is at hand.
    async fn next(&mut self, silence: Duration) -> Result<Frame, Ended> {
        if let Some(request) = self.early.pop_front() {
            return Ok(request);
        }
        let request = if let Some(request) = self.stream.next().now_or_never() {
            request
        } else {
            self.flush().await?;
            timeout(silence, self.stream.next()).await.map_err(|_elapsed| Ended)?
        };
        Ok(request.ok_or(Ended)??)
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        Ok(SinkExt::<Frame>::flush(&mut self.stream).await?)
    }

    /// Waits for the end of a blocking read; what else the client sends waits with it.
    async fn block(
        &mut self,
        interest: &Interest,
        mut woken: oneshot::Receiver<Woken>,
        block: Duration,
    ) -> Result<Frame, Ended> {
        let mut time = std::pin::pin!(sleep(block));
        let wake = loop {
            tokio::select! {
                biased;
                wake = &mut woken => break wake.map_err(|_gone| Ended)?,
                request = self.stream.next() => self.early.push_back(request.ok_or(Ended)??),
                () = &mut time => {
                    self.session.front.unblock(self.session.id);
                    break woken.try_recv().unwrap_or(Ok(Wake::Nothing));
                }
            }
        };
        Ok(self.session.front.woken(self.session.id, interest, &wake))
    }
}
