//! The words of a command, taken one after the other.

use std::str::FromStr;
use std::time::Duration;

use super::frame::Frame;

/// Words that cannot be read as the command that they begin.
#[derive(Debug)]
pub(crate) struct Nonsense;

pub(crate) type Read<T> = Result<T, Nonsense>;

/// The words of a request. All that Steadfast sends is text.
pub(crate) fn of_request(request: Frame) -> Read<Vec<String>> {
    let Frame::Array(words) = request else {
        return Err(Nonsense);
    };
    words
        .into_iter()
        .map(|word| match word {
            Frame::BulkString(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| Nonsense),
            _ => Err(Nonsense),
        })
        .collect()
}

/// Words that were not taken yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a>(&'a [String]);

impl<'a> Words<'a> {
    pub(crate) const fn new(words: &'a [String]) -> Self {
        Self(words)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        let (first, rest) = self.0.split_first().ok_or(Nonsense)?;
        self.0 = rest;
        Ok(first)
    }

    /// The last word.
    pub(crate) fn last(&mut self) -> Read<&'a str> {
        let (last, rest) = self.0.split_last().ok_or(Nonsense)?;
        self.0 = rest;
        Ok(last)
    }

    /// The next word, which must be this one in any case of its letters.
    pub(crate) fn expect(&mut self, word: &str) -> Read<()> {
        if self.text()?.eq_ignore_ascii_case(word) { Ok(()) } else { Err(Nonsense) }
    }

    pub(crate) fn parse<T: FromStr>(&mut self) -> Read<T> {
        self.text()?.parse().map_err(|_| Nonsense)
    }

    /// The next word, or nothing where it is empty.
    pub(crate) fn optional<T: FromStr>(&mut self) -> Read<Option<T>> {
        match self.text()? {
            "" => Ok(None),
            word => word.parse().map(Some).map_err(|_| Nonsense),
        }
    }

    pub(crate) fn micros(&mut self) -> Read<Duration> {
        self.parse().map(Duration::from_micros)
    }

    pub(crate) fn millis(&mut self) -> Read<Duration> {
        self.parse().map(Duration::from_millis)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Read<()> {
        self.take(count).map(drop)
    }

    pub(crate) fn take(&mut self, count: usize) -> Read<Self> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Nonsense)?;
        self.0 = rest;
        Ok(Self(taken))
    }

    /// Takes everything, in rounds of one or several words.
    pub(crate) fn each<T>(&mut self, mut round: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut taken = Vec::new();
        while !self.is_empty() {
            taken.push(round(self)?);
        }
        Ok(taken)
    }

    /// Nothing must be left.
    pub(crate) fn end<T>(self, value: T) -> Read<T> {
        if self.is_empty() { Ok(value) } else { Err(Nonsense) }
    }
}
