//! One connection to the server: commands out, answers in, in order.
//!
//! Several may ask at the same time; their commands follow each other on the wire, and whoever waits moves
//! the bytes for all. There is no task of the connection's own: an answer wakes who waits for it and nobody
//! else, and a connection that nobody asks costs nothing.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio::time::timeout;
use tokio_util::io::poll_read_buf;

use crate::command::Command;
use crate::connector::ByteStream;
use crate::resp::{Decoder, Value};
use crate::transport::lock;

/// Room for what comes next.
const READ_BYTES: usize = 16 << 10;
/// A read with less room than this would not bring much.
const READ_BYTES_MIN: usize = 4 << 10;

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The connection had ended before anything of it was sent.
    NotSent,
    /// The connection ended; what became of the commands nobody knows.
    Ended,
    /// No answer within the response timeout.
    TimedOut,
    /// What came is no RESP; the connection is ended.
    NotResp,
}

/// A connection that stands, or did.
pub(crate) struct Connection {
    exchange: Mutex<Exchange>,
    /// The longest that an answer may take; none where commands block.
    response_timeout: Option<Duration>,
}

/// The bytes on their way, and who waits for which.
struct Exchange {
    /// None once it has ended.
    stream: Option<Box<dyn ByteStream>>,
    why_ended: Unanswered,
    outgoing: BytesMut,
    /// Bytes that were written so far.
    written: u64,
    is_to_flush: bool,
    incoming: Decoder,
    /// Requests in the order in which they were sent.
    requests: VecDeque<Request>,
    /// The number of the first of them.
    first: u64,
    /// How many of them, from the first on, have all their answers.
    answered: usize,
}

struct Request {
    /// As many bytes were to be written before its own.
    begins: u64,
    missing: usize,
    answers: Vec<Value>,
    waker: Option<Waker>,
    /// Nobody waits for it any more: its answers are read and dropped.
    is_abandoned: bool,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn ByteStream>, response_timeout: Option<Duration>) -> Self {
        let exchange = Exchange {
            stream: Some(stream),
            why_ended: Unanswered::Ended,
            outgoing: BytesMut::new(),
            written: 0,
            is_to_flush: false,
            incoming: Decoder::default(),
            requests: VecDeque::new(),
            first: 0,
            answered: 0,
        };
        Self { exchange: Mutex::new(exchange), response_timeout }
    }

    /// Sends commands, and waits for their answers; an error reply stands among them. Dropped, the commands
    /// may still be served.
    pub(crate) async fn ask(&self, commands: &[Command]) -> Result<Vec<Value>, Unanswered> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let number = self.lock().send(commands)?;
        let answers = Answers { connection: self, number };
        match self.response_timeout {
            None => answers.await,
            Some(most) => timeout(most, answers).await.unwrap_or(Err(Unanswered::TimedOut)),
        }
    }

    /// Ends it, whoever still waits.
    pub(crate) fn close(&self) {
        self.lock().end(Unanswered::Ended);
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        lock(&self.exchange)
    }
}

/// The answers to one request, once they are there.
struct Answers<'a> {
    connection: &'a Connection,
    number: u64,
}

impl Future for Answers<'_> {
    type Output = Result<Vec<Value>, Unanswered>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut exchange = self.connection.lock();
        if let Some(answers) = exchange.take(self.number) {
            return Poll::Ready(Ok(answers));
        }
        // It is awake: only others are to be woken.
        exchange.note(self.number, None);
        exchange.advance(context);
        if let Some(answers) = exchange.take(self.number) {
            exchange.hand_over();
            return Poll::Ready(Ok(answers));
        }
        if exchange.stream.is_none() {
            return Poll::Ready(Err(exchange.why_unanswered(self.number)));
        }
        exchange.note(self.number, Some(context.waker()));
        Poll::Pending
    }
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        let mut exchange = self.connection.lock();
        if exchange.abandon(self.number) {
            exchange.hand_over();
        }
    }
}

impl Exchange {
    /// Queues the bytes of commands; answers the request's number.
    fn send(&mut self, commands: &[Command]) -> Result<u64, Unanswered> {
        if self.stream.is_none() {
            return Err(Unanswered::NotSent);
        }
        let begins = self.written + self.outgoing.len() as u64;
        for command in commands {
            command.write(&mut self.outgoing);
        }
        self.requests.push_back(Request {
            begins,
            missing: commands.len(),
            answers: Vec::with_capacity(commands.len()),
            waker: None,
            is_abandoned: false,
        });
        Ok(self.first + self.requests.len() as u64 - 1)
    }

    /// A request that somebody waits for. One that was taken is none.
    fn request(&mut self, number: u64) -> Option<&mut Request> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.requests.get_mut(place).filter(|request| !request.is_abandoned)
    }

    /// Whom to wake for this request.
    fn note(&mut self, number: u64, waker: Option<&Waker>) {
        if let Some(request) = self.request(number) {
            request.waker = waker.cloned();
        }
    }

    fn why_unanswered(&mut self, number: u64) -> Unanswered {
        let written = self.written;
        match self.request(number) {
            Some(request) if request.begins >= written => Unanswered::NotSent,
            _ => self.why_ended,
        }
    }

    /// The answers of a request that has all of them.
    fn take(&mut self, number: u64) -> Option<Vec<Value>> {
        let request = self.request(number).filter(|request| request.missing == 0)?;
        let answers = std::mem::take(&mut request.answers);
        request.is_abandoned = true;
        self.forget();
        Some(answers)
    }

    /// Nobody waits for this request; answers whether somebody did.
    fn abandon(&mut self, number: u64) -> bool {
        let Some(request) = self.request(number) else {
            return false;
        };
        request.is_abandoned = true;
        request.waker = None;
        self.forget();
        true
    }

    /// Forgets the first requests that have all their answers and nobody who waits for them.
    fn forget(&mut self) {
        while self.requests.front().is_some_and(|it| it.is_abandoned && it.missing == 0) {
            self.requests.pop_front();
            self.first += 1;
            self.answered -= 1;
        }
    }

    /// Whoever moved the bytes does so no longer: the next one that waits is to.
    fn hand_over(&mut self) {
        if let Some(waker) = self.requests.iter_mut().find_map(|request| request.waker.take()) {
            waker.wake();
        }
    }

    /// Moves bytes both ways as far as it goes without waiting. It reads first: what is written to a
    /// connection that the server has ended would be lost for all that is known.
    fn advance(&mut self, context: &mut Context<'_>) {
        if let Err(why) = self.read(context).and_then(|()| self.write(context)) {
            self.end(why);
        }
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), Unanswered> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        while !self.outgoing.is_empty() {
            match Pin::new(&mut *stream).poll_write(context, &self.outgoing) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(Unanswered::Ended),
                Poll::Ready(Ok(count)) => {
                    self.outgoing.advance(count);
                    self.written += count as u64;
                    self.is_to_flush = true;
                }
                Poll::Pending => return Ok(()),
            }
        }
        if self.is_to_flush {
            match Pin::new(stream).poll_flush(context) {
                Poll::Ready(Ok(())) => self.is_to_flush = false,
                Poll::Ready(Err(_)) => return Err(Unanswered::Ended),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn read(&mut self, context: &mut Context<'_>) -> Result<(), Unanswered> {
        loop {
            while let Some(value) = self.incoming.next().map_err(|_| Unanswered::NotResp)? {
                self.receive(value)?;
            }
            let Some(stream) = &mut self.stream else {
                return Ok(());
            };
            let buffer = &mut self.incoming.buffer;
            // Texts that are still in use keep what was read where it is.
            if buffer.capacity() - buffer.len() < READ_BYTES_MIN {
                buffer.reserve(READ_BYTES);
            }
            match poll_read_buf(Pin::new(stream), context, buffer) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(Unanswered::Ended),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// An answer belongs to the first request that lacks one; without any it is nobody's.
    fn receive(&mut self, value: Value) -> Result<(), Unanswered> {
        let request = self.requests.get_mut(self.answered).ok_or(Unanswered::NotResp)?;
        request.missing -= 1;
        if !request.is_abandoned {
            request.answers.push(value);
        }
        if request.missing == 0 {
            self.answered += 1;
            if let Some(waker) = request.waker.take() {
                waker.wake();
            }
            self.forget();
        }
        Ok(())
    }

    /// Ends the connection; everyone who waits learns it.
    fn end(&mut self, why: Unanswered) {
        if self.stream.take().is_none() {
            return;
        }
        self.why_ended = why;
        self.outgoing.clear();
        for request in &mut self.requests {
            if let Some(waker) = request.waker.take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::command::Commands;

    /// A connection, and the server's end of it.
    fn pair() -> (Arc<Connection>, DuplexStream) {
        let (ours, theirs) = duplex(1 << 20);
        (Arc::new(Connection::new(Box::new(ours), Some(Duration::from_secs(10)))), theirs)
    }

    fn echo(numbers: &[u8]) -> Commands {
        let mut pipe = Commands::new();
        for number in numbers {
            pipe.cmd("ECHO").arg(*number);
        }
        pipe
    }

    /// Asks on a task of its own, and lets it come as far as it goes.
    async fn asked(
        connection: &Arc<Connection>,
        numbers: &[u8],
    ) -> tokio::task::JoinHandle<Result<Vec<Value>, Unanswered>> {
        let (connection, pipe) = (connection.clone(), echo(numbers));
        let task = tokio::spawn(async move { connection.ask(&pipe).await });
        tokio::task::yield_now().await;
        task
    }

    /// Reads what was sent; answers how many commands it was.
    async fn heard(server: &mut DuplexStream) -> usize {
        let mut bytes = vec![0; 4096];
        let count = server.read(&mut bytes).await.unwrap();
        bytes[..count].windows(4).filter(|it| it == b"ECHO").count()
    }

    #[tokio::test(start_paused = true)]
    async fn each_gets_its_own_answers_in_whatever_pieces_they_come() {
        let (connection, mut server) = pair();
        let one = asked(&connection, &[1, 2]).await;
        let other = asked(&connection, &[3]).await;
        assert_eq!(heard(&mut server).await, 3);
        for piece in [&b":1\r"[..], b"\n:2", b"\r\n:3\r\n"] {
            server.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(one.await.unwrap(), Ok(vec![Value::Int(1), Value::Int(2)]));
        assert_eq!(other.await.unwrap(), Ok(vec![Value::Int(3)]));
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_nobody_with_the_wrong_answers_or_none() {
        let (connection, mut server) = pair();
        let gone = asked(&connection, &[1, 2]).await;
        let stays = asked(&connection, &[3]).await;
        // It is the one that is woken when bytes come.
        let reader = asked(&connection, &[4]).await;
        server.write_all(b":1\r\n").await.unwrap();
        tokio::task::yield_now().await;
        gone.abort();
        reader.abort();
        tokio::task::yield_now().await;
        server.write_all(b":2\r\n:3\r\n:4\r\n:5\r\n").await.unwrap();
        assert_eq!(stays.await.unwrap(), Ok(vec![Value::Int(3)]));
        let next = asked(&connection, &[5]).await;
        let why = "an answer that nobody asked for has ended it";
        assert_eq!(next.await.unwrap(), Err(Unanswered::NotSent), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_late_is_not_the_next_ones() {
        let (connection, mut server) = pair();
        let late = asked(&connection, &[1]).await;
        assert_eq!(late.await.unwrap(), Err(Unanswered::TimedOut));
        let next = asked(&connection, &[2]).await;
        server.write_all(b":1\r\n:2\r\n").await.unwrap();
        assert_eq!(next.await.unwrap(), Ok(vec![Value::Int(2)]));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_not_sent_knows_it_and_who_was_knows_nothing() {
        let (connection, mut server) = pair();
        let sent = asked(&connection, &[1]).await;
        assert_eq!(heard(&mut server).await, 1);
        drop(server);
        assert_eq!(sent.await.unwrap(), Err(Unanswered::Ended));
        assert_eq!(asked(&connection, &[2]).await.await.unwrap(), Err(Unanswered::NotSent));

        let (quiet, server) = pair();
        drop(server);
        assert_eq!(asked(&quiet, &[1]).await.await.unwrap(), Err(Unanswered::NotSent));
    }

    #[tokio::test(start_paused = true)]
    async fn closing_it_is_told_to_whoever_waits() {
        let (connection, mut server) = pair();
        let waits = asked(&connection, &[1]).await;
        connection.close();
        assert_eq!(waits.await.unwrap(), Err(Unanswered::Ended));
        assert_eq!(heard(&mut server).await, 1);
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "the stream is closed");
    }
}
