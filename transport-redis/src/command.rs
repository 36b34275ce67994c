//! Commands, as the bytes that go to the server.

use std::ops::Deref;

use bytes::{BufMut, BytesMut};
use steadfast_core::name::EntryId;

/// The most that a kind, a size and an end of line take.
const HEAD_BYTES: usize = 24;

/// Room for an ordinary command: a small payload goes in without a second allocation.
const COMMAND_BYTES: usize = 1 << 10;

/// A command and its arguments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Command(Arguments);

/// Arguments that stand next to each other in a command, or in many: each is written once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    count: usize,
    bytes: Vec<u8>,
}

/// What an argument may be.
pub(crate) trait Argument {
    fn write(&self, into: &mut Arguments);
}

impl Argument for str {
    fn write(&self, into: &mut Arguments) {
        into.push(self.as_bytes());
    }
}

impl Argument for String {
    fn write(&self, into: &mut Arguments) {
        into.push(self.as_bytes());
    }
}

impl<T: Argument + ?Sized> Argument for &T {
    fn write(&self, into: &mut Arguments) {
        (**self).write(into);
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl Argument for $number {
            fn write(&self, into: &mut Arguments) {
                into.push(itoa::Buffer::new().format(*self).as_bytes());
            }
        })*
    };
}

numbers! { u8 u32 u64 usize }

impl Argument for EntryId {
    fn write(&self, into: &mut Arguments) {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        into.push_all(&[ms.format(self.ms).as_bytes(), b"-", seq.format(self.seq).as_bytes()]);
    }
}

impl Arguments {
    fn push(&mut self, argument: &[u8]) {
        self.push_all(&[argument]);
    }

    /// One argument, in pieces.
    fn push_all(&mut self, pieces: &[&[u8]]) {
        let size = pieces.iter().map(|piece| piece.len()).sum();
        self.bytes.reserve(size + HEAD_BYTES + 2);
        head(b'$', size, &mut self.bytes);
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.count += 1;
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// One more.
    pub(crate) fn arg(&mut self, argument: impl Argument) -> &mut Self {
        argument.write(self);
        self
    }
}

impl Command {
    /// A command by its name.
    pub(crate) fn new(name: &str) -> Self {
        let bytes = Vec::with_capacity(COMMAND_BYTES);
        let mut command = Self(Arguments { count: 0, bytes });
        command.arg(name);
        command
    }

    /// One more argument.
    pub(crate) fn arg(&mut self, argument: impl Argument) -> &mut Self {
        self.0.arg(argument);
        self
    }

    /// More arguments, one after the other.
    pub(crate) fn args(&mut self, arguments: &Arguments) -> &mut Self {
        self.0.bytes.extend_from_slice(&arguments.bytes);
        self.0.count += arguments.count;
        self
    }

    /// Appends it as the server reads it.
    pub(crate) fn write(&self, into: &mut BytesMut) {
        into.reserve(self.0.bytes.len() + HEAD_BYTES);
        head(b'*', self.0.count, into);
        into.extend_from_slice(&self.0.bytes);
    }
}

/// Commands that are sent together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commands(Vec<Command>);

impl Commands {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more, by its name; its arguments are to follow.
    pub(crate) fn cmd(&mut self, name: &str) -> &mut Command {
        self.push(Command::new(name))
    }

    /// One more.
    pub(crate) fn push(&mut self, command: Command) -> &mut Command {
        self.0.push(command);
        self.0.last_mut().expect("one was pushed")
    }
}

impl Deref for Commands {
    type Target = [Command];

    fn deref(&self) -> &[Command] {
        &self.0
    }
}

impl FromIterator<Command> for Commands {
    fn from_iter<I: IntoIterator<Item = Command>>(commands: I) -> Self {
        Self(commands.into_iter().collect())
    }
}

/// A kind of value and its size, as RESP has them.
fn head(kind: u8, size: usize, into: &mut impl BufMut) {
    into.put_u8(kind);
    into.put_slice(itoa::Buffer::new().format(size).as_bytes());
    into.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_texts() {
        let mut shared = Arguments::default();
        shared.arg("two words").arg(7_u8);
        let mut command = Command::new("EVALSHA");
        command.arg("").args(&shared).arg(String::from("é")).arg(u64::MAX);
        command.arg(EntryId { ms: 1, seq: 23 });
        let mut bytes = BytesMut::new();
        command.write(&mut bytes);
        Command::new("PING").write(&mut bytes);
        let told = str::from_utf8(&bytes).unwrap().replace("\r\n", " ");
        insta::assert_snapshot!(
            told,
            @"*7 $7 EVALSHA $0  $9 two words $1 7 $2 é $20 18446744073709551615 $4 1-23 *1 $4 PING "
        );
    }
}
