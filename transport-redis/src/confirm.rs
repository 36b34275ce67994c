//! Durability: what was written is confirmed before anybody is told of it.
//!
//! `WAIT` and `WAITAOF` hold up the connection that they are asked on, so they have one of their own beside
//! the commands', together with the operations that they are for. They cover all that the server did before
//! the connection's last command, whoever asked for it: an outcome that somebody else decided is confirmed
//! as well before it is told.

use steadfast_core::call::CallState;
use steadfast_core::op::{Op, OpResult, Reply};
use steadfast_core::transport::{ErrorKind, TransportError};
use thiserror::Error;

use crate::answer::{list, number, text};
use crate::choice::Durability;
use crate::command::Commands;
use crate::error::{Attempted, nonsense, of_server};
use crate::resp::Value;
use crate::session::{Session, ask, told};

/// How long a confirmation is waited for, in ms; what is not confirmed by then is unknown.
const PATIENCE_MS: u64 = 1_000;

/// The server has fewer replicas than are to confirm a write: no call is accepted, and no outcome told,
/// before there are so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "durability replicas:{wanted} needs {wanted} replica(s) and the server has {connected}: no call is \
     accepted and no outcome told before they are there; start replicas, or ask for less"
)]
pub struct TooFewReplicas {
    /// How many are to confirm.
    pub wanted: u8,
    /// How many are connected to the server.
    pub connected: u8,
}

impl Durability {
    /// Whether the answer to this operation tells of something that has to be durable.
    pub(crate) fn concerns(self, op: &Op) -> bool {
        self != Self::Memory
            && matches!(
                op,
                Op::Submit(_) | Op::Requeue { .. } | Op::Decide { .. } | Op::Inspect { .. }
            )
    }

    fn command(self, patience_ms: u64) -> Commands {
        let mut pipe = Commands::new();
        // Moves the connection's place to the end of all that was written by now.
        pipe.cmd("TIME");
        match self {
            Self::Memory => {}
            Self::Replicas(count) => drop(pipe.cmd("WAIT").arg(count).arg(patience_ms)),
            Self::Fsync => drop(pipe.cmd("WAITAOF").arg(1_u8).arg(0_u8).arg(patience_ms)),
        }
        pipe
    }

    /// Asks whether the server can confirm at all, and whether it has the replicas that are to. Fewer are
    /// no error: they may come.
    pub(crate) async fn check(
        self,
        session: &Session,
        attempted: &Attempted<'_>,
    ) -> Result<Option<TooFewReplicas>, TransportError> {
        let mut pipe = self.command(1);
        pipe.cmd("INFO").arg("replication");
        let answers = ask(&session.connection, &pipe, attempted).await?;
        let [.., confirmed, info] = &answers[..] else {
            return Err(nonsense(attempted));
        };
        match confirmed {
            Value::ServerError(error) if self == Self::Fsync && error.code() == "ERR" => {
                let detail = format!(
                    "{attempted}: durability fsync needs WAITAOF (Redis 7.2 and later, with \
                     appendonly yes), which this server refuses; choose replicas:N, or memory with \
                     `appendfsync always` at the server"
                );
                Err(TransportError::not_applied(ErrorKind::Unsupported, detail))
            }
            Value::ServerError(error) => {
                Err(of_server(error, &format!("{attempted}: durability {self}")))
            }
            _ => Ok(self.too_few(text(info).unwrap_or_default())),
        }
    }

    /// Compares with what `INFO replication` says. A server that does not tell is not blamed.
    fn too_few(self, info: &str) -> Option<TooFewReplicas> {
        let Self::Replicas(wanted) = self else {
            return None;
        };
        let connected: u32 = told(info, "connected_slaves")?.parse().ok()?;
        let connected = u8::try_from(connected).ok().filter(|connected| *connected < wanted)?;
        Some(TooFewReplicas { wanted, connected })
    }

    /// Waits until all that was written by now is as durable as was asked for.
    pub(crate) async fn confirm(
        self,
        session: &Session,
        attempted: &Attempted<'_>,
    ) -> Result<(), TransportError> {
        let answers = ask(&session.connection, &self.command(PATIENCE_MS), attempted).await?;
        let confirmed = match (self, answers.last()) {
            (_, Some(Value::ServerError(error))) => {
                let judged = of_server(error, &format!("{attempted}: durability {self}"));
                return Err(TransportError::unknown(ErrorKind::NotDurable, judged.detail));
            }
            (Self::Replicas(count), Some(answer)) => {
                number(answer).is_ok_and(|confirmed| confirmed >= u64::from(count))
            }
            (Self::Fsync, Some(answer)) => list(answer.clone())
                .ok()
                .and_then(|counts| number(counts.first()?).ok())
                .is_some_and(|local| local >= 1),
            (Self::Memory, _) => true,
            (_, None) => false,
        };
        if confirmed {
            return Ok(());
        }
        let detail = format!(
            "{attempted}: durability {self} was not confirmed within {PATIENCE_MS} ms; look at the \
             server's replicas, or ask for less"
        );
        Err(TransportError::unknown(ErrorKind::NotDurable, detail))
    }
}

/// What an operation comes to whose confirmation is missing: nobody is told what may yet be lost.
pub(crate) fn withheld(op: &Op, result: OpResult, error: &TransportError) -> OpResult {
    let tells = match &result {
        Ok(Reply::Inspected(state)) => matches!(state, CallState::Decided(_)),
        Ok(_) => Durability::Fsync.concerns(op),
        Err(_) => false,
    };
    if tells { Err(error.clone()) } else { result }
}
