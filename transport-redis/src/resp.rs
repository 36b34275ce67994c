//! RESP2, as far as a server's answers go: bytes in, values out, resumable at any byte.
//!
//! Read here and not by the client library, whose parser can begin anywhere in a value and pays for it with
//! a quarter of a busy worker's time. Texts stay where they were read: an entry of a stream has sixteen.

use bytes::{Buf, Bytes, BytesMut};
use redis::ServerError;

/// The longest text that a server sends (`proto-max-bulk-len`).
const BULK_MAX_BYTES: usize = 512 << 20;
/// The longest line: an error reply may tell much.
const LINE_MAX_BYTES: usize = 64 << 10;
/// The most items of one array.
const ITEMS_MAX: usize = 1 << 24;
/// How deep arrays may lie in each other; scripts answer four deep.
const DEPTH_MAX: usize = 32;
/// No more items are allocated for before any of them is there.
const ITEMS_AT_FIRST: usize = 1 << 10;

/// An answer, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing is there.
    Nil,
    /// `+OK`.
    Okay,
    /// Any other status.
    Status(String),
    /// A whole number.
    Int(i64),
    /// A text, which may be any bytes. It keeps what was read with it: nobody holds one for long.
    Text(Bytes),
    /// A list.
    Array(Vec<Value>),
    /// An error reply; the client library tells its kinds apart.
    ServerError(ServerError),
}

/// What came is no answer of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotResp;

/// Takes bytes as they come, and gives values once they are whole.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// What was read and not taken; reads append to it.
    pub(crate) buffer: BytesMut,
    /// Arrays that lack items, the outermost first.
    open: Vec<Items>,
}

#[derive(Debug)]
struct Items {
    there: Vec<Value>,
    missing: usize,
}

/// The next piece of an answer.
enum Piece {
    Whole(Value),
    /// An array of so many items begins.
    Begins(usize),
}

impl Decoder {
    /// The next whole value, or nothing where more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, NotResp> {
        while let Some(piece) = piece(&mut self.buffer)? {
            let whole = match piece {
                Piece::Whole(value) => self.close(value),
                Piece::Begins(0) => self.close(Value::Array(Vec::new())),
                Piece::Begins(_) if self.open.len() == DEPTH_MAX => return Err(NotResp),
                Piece::Begins(missing) => {
                    let there = Vec::with_capacity(missing.min(ITEMS_AT_FIRST));
                    self.open.push(Items { there, missing });
                    None
                }
            };
            if whole.is_some() {
                return Ok(whole);
            }
        }
        Ok(None)
    }

    /// Puts a value where it belongs; gives the outermost one that is whole by it.
    fn close(&mut self, mut value: Value) -> Option<Value> {
        while let Some(items) = self.open.last_mut() {
            items.there.push(value);
            items.missing -= 1;
            if items.missing > 0 {
                return None;
            }
            value = Value::Array(self.open.pop()?.there);
        }
        Some(value)
    }
}

/// Takes the first piece, if all of it is there.
fn piece(bytes: &mut BytesMut) -> Result<Option<Piece>, NotResp> {
    let Some((kind, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some(length) = rest.iter().take(LINE_MAX_BYTES).position(|byte| *byte == b'\n') else {
        return if rest.len() < LINE_MAX_BYTES { Ok(None) } else { Err(NotResp) };
    };
    let end = length + 2;
    let line = rest[..length].strip_suffix(b"\r").ok_or(NotResp)?;
    let piece = match kind {
        b'+' if line == b"OK" => Piece::Whole(Value::Okay),
        b'+' => {
            let status = String::from_utf8(line.to_vec()).map_err(|_| NotResp)?;
            Piece::Whole(Value::Status(status))
        }
        b':' => Piece::Whole(Value::Int(number(line)?)),
        // Seldom: the library tells the kinds of errors apart.
        b'-' => match redis::parse_redis_value(&bytes[..end]) {
            Ok(redis::Value::ServerError(error)) => Piece::Whole(Value::ServerError(error)),
            _ => return Err(NotResp),
        },
        b'$' | b'*' if line == b"-1" => Piece::Whole(Value::Nil),
        b'*' => Piece::Begins(count(line, ITEMS_MAX)?),
        b'$' => {
            let length = count(line, BULK_MAX_BYTES)?;
            match bytes.get(end + length..end + length + 2) {
                None => return Ok(None),
                Some(b"\r\n") => {
                    bytes.advance(end);
                    let text = bytes.split_to(length).freeze();
                    bytes.advance(2);
                    return Ok(Some(Piece::Whole(Value::Text(text))));
                }
                Some(_) => return Err(NotResp),
            }
        }
        _ => return Err(NotResp),
    };
    bytes.advance(end);
    Ok(Some(piece))
}

fn count(digits: &[u8], most: usize) -> Result<usize, NotResp> {
    let count = usize::try_from(number(digits)?).map_err(|_| NotResp)?;
    if count <= most { Ok(count) } else { Err(NotResp) }
}

fn number(line: &[u8]) -> Result<i64, NotResp> {
    let (is_negative, digits) = match line.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, line),
    };
    if digits.is_empty() {
        return Err(NotResp);
    }
    // Below zero, where there is room for one more.
    let mut number = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(NotResp);
        }
        let next = number.checked_mul(10).and_then(|it| it.checked_sub(i64::from(digit - b'0')));
        number = next.ok_or(NotResp)?;
    }
    if is_negative { Ok(number) } else { number.checked_neg().ok_or(NotResp) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], expect: &Result<Option<Value>, NotResp>) {
        let mut decoder = Decoder::default();
        decoder.buffer.extend_from_slice(bytes);
        assert_eq!(&decoder.next(), expect, "{}", bytes.escape_ascii());
    }

    fn text(text: &str) -> Value {
        Value::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn each_kind_of_answer_is_read() {
        check(b"+OK\r\n", &Ok(Some(Value::Okay)));
        check(b"+PONG\r\n", &Ok(Some(Value::Status("PONG".to_owned()))));
        for number in [-7, 0, i64::MIN, i64::MAX] {
            check(format!(":{number}\r\n").as_bytes(), &Ok(Some(Value::Int(number))));
        }
        check(b"$-1\r\n", &Ok(Some(Value::Nil)));
        check(b"*-1\r\n", &Ok(Some(Value::Nil)));
        check(b"$0\r\n\r\n", &Ok(Some(text(""))));
        check(b"$4\r\na\r\nb\r\n", &Ok(Some(text("a\r\nb"))));
        check(b"*0\r\n", &Ok(Some(Value::Array(Vec::new()))));
        let inner = Value::Array(vec![Value::Int(1), Value::Array(Vec::new())]);
        check(
            b"*2\r\n*2\r\n:1\r\n*0\r\n+OK\r\n",
            &Ok(Some(Value::Array(vec![inner, Value::Okay]))),
        );
        let mut decoder = Decoder::default();
        decoder.buffer.extend_from_slice(b"-NOSCRIPT No matching script.\r\n");
        let Ok(Some(Value::ServerError(error))) = decoder.next() else {
            panic!("an error reply is an error reply")
        };
        assert_eq!(error.kind(), Some(redis::ServerErrorKind::NoScript));
        assert_eq!(error.details(), Some("No matching script."));
    }

    #[test]
    fn what_is_not_all_there_is_waited_for() {
        for bytes in [&b""[..], b"+", b"+OK\r", b"$5\r\nabc", b"$3\r\nabc\r", b"*2\r\n:1\r\n"] {
            check(bytes, &Ok(None));
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        for bytes in [
            &b"HTTP/1.1 400\r\n"[..],
            b":x\r\n",
            b":-\r\n",
            b":\r\n",
            b":9223372036854775808\r\n",
            b":-9223372036854775809\r\n",
            b":1\n",
            b"$-2\r\n",
            b"*-2\r\n",
            b"$3\r\nabcde\r\n",
            b"$999999999999\r\n",
            b"*999999999\r\n",
            b"+\xff\r\n",
        ] {
            check(bytes, &Err(NotResp));
        }
        check(&b"*1\r\n".repeat(DEPTH_MAX + 1), &Err(NotResp));
        check(&b"+".repeat(LINE_MAX_BYTES + 1), &Err(NotResp));
    }

    fn encode(value: &Value, into: &mut Vec<u8>) {
        match value {
            Value::Nil => into.extend(b"$-1\r\n"),
            Value::Okay => into.extend(b"+OK\r\n"),
            Value::Int(number) => into.extend(format!(":{number}\r\n").bytes()),
            Value::Status(text) => into.extend(format!("+{text}\r\n").bytes()),
            Value::Text(text) => {
                into.extend(format!("${}\r\n", text.len()).bytes());
                into.extend(text);
                into.extend(b"\r\n");
            }
            Value::Array(items) => {
                into.extend(format!("*{}\r\n", items.len()).bytes());
                for item in items {
                    encode(item, into);
                }
            }
            Value::ServerError(error) => unreachable!("no test makes a {error:?}"),
        }
    }

    /// The same value, as the client library has it.
    fn of_library(value: &Value) -> redis::Value {
        match value {
            Value::Nil => redis::Value::Nil,
            Value::Okay => redis::Value::Okay,
            Value::Status(text) => redis::Value::SimpleString(text.clone()),
            Value::Int(number) => redis::Value::Int(*number),
            Value::Text(text) => redis::Value::BulkString(text.to_vec()),
            Value::Array(items) => redis::Value::Array(items.iter().map(of_library).collect()),
            Value::ServerError(error) => redis::Value::ServerError(error.clone()),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            Just(Value::Okay),
            any::<i64>().prop_map(Value::Int),
            "[a-z ]{3,9}".prop_map(Value::Status),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|text| Value::Text(text.into())),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            proptest::collection::vec(inner, 0..6).prop_map(Value::Array)
        })
    }

    proptest! {
        /// However the bytes are cut, the same values come, and as the client library reads them.
        #[test]
        fn values_come_whole_however_they_are_cut(
            values in proptest::collection::vec(values(), 1..5),
            step in 1_usize..30,
        ) {
            let mut bytes = Vec::new();
            let mut read = Vec::new();
            for value in &values {
                let before = bytes.len();
                encode(value, &mut bytes);
                let as_the_library = redis::parse_redis_value(&bytes[before..]);
                prop_assert_eq!(as_the_library, Ok(of_library(value)));
            }
            let mut decoder = Decoder::default();
            for part in bytes.chunks(step) {
                decoder.buffer.extend_from_slice(part);
                while let Some(value) = decoder.next().expect("a server's answers") {
                    read.push(value);
                }
            }
            prop_assert_eq!(&read, &values);
            prop_assert!(decoder.buffer.is_empty());
        }

        /// Nothing that comes makes it panic, or read beyond what came.
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(
            prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()],
            0..60,
        )) {
            let mut decoder = Decoder::default();
            decoder.buffer.extend_from_slice(&bytes);
            for _ in 0..bytes.len() {
                if !matches!(decoder.next(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
