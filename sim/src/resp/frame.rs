//! Frames: what travels in either direction.

use redis_protocol::resp2::types::BytesFrame;
use steadfast_core::transport::{ErrorKind, TransportError};

/// A frame of the protocol, version 2.
pub(crate) type Frame = BytesFrame;

pub(crate) fn text(text: impl Into<String>) -> Frame {
    Frame::BulkString(text.into().into_bytes().into())
}

pub(crate) fn number(number: u64) -> Frame {
    // As the scripts do: a text, since not every number fits the protocol's own.
    match i64::try_from(number) {
        Ok(number) => Frame::Integer(number),
        Err(_) => text(number.to_string()),
    }
}

pub(crate) fn flag(flag: bool) -> Frame {
    Frame::Integer(i64::from(flag))
}

pub(crate) fn list(items: impl IntoIterator<Item = Frame>) -> Frame {
    Frame::Array(items.into_iter().collect())
}

pub(crate) fn okay() -> Frame {
    Frame::SimpleString("OK".into())
}

/// An error reply: its first word is the code.
pub(crate) fn refusal(said: impl Into<String>) -> Frame {
    // A line's end would end the reply.
    Frame::Error(said.into().replace(['\r', '\n'], " ").into())
}

/// An error of the store as the server would say it.
pub(crate) fn error(error: &TransportError) -> Frame {
    refusal(said(error))
}

/// The text of an error, beginning with its code.
pub(crate) fn said(error: &TransportError) -> String {
    let code = match error.kind {
        ErrorKind::Loading => "LOADING",
        ErrorKind::OutOfMemory => "OOM",
        ErrorKind::ReadOnly => "READONLY",
        ErrorKind::NoGroup => "NOGROUP",
        ErrorKind::Denied => "NOPERM",
        ErrorKind::Busy => "BUSY",
        ErrorKind::WrongType => "WRONGTYPE",
        ErrorKind::Unsupported => "CROSSSLOT",
        _ => "ERR",
    };
    format!("{code} {}", error.detail)
}
