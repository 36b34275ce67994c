//! Lines of bounded length from any reader.

use std::io::{self, BufRead};

/// What a reader holds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its end.
    Text(Vec<u8>),
    /// A line over the limit: its length in bytes. Its text is gone.
    TooLong(u64),
}

/// Reads the next line. No more than `limit` bytes of it are ever held; the rest of a longer line is
/// skipped. Nothing at the end of the input.
pub(crate) fn next_line(reader: &mut impl BufRead, limit: usize) -> io::Result<Option<Line>> {
    let mut text = Vec::new();
    let mut bytes: u64 = 0;
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        let newline = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..newline.unwrap_or(chunk.len())];
        bytes += part.len() as u64;
        if bytes <= limit as u64 {
            text.extend_from_slice(part);
        } else {
            text = Vec::new();
        }
        let used = part.len() + usize::from(newline.is_some());
        reader.consume(used);
        if newline.is_some() {
            return Ok(Some(line(text, bytes, limit)));
        }
    }
    Ok((bytes > 0).then(|| line(text, bytes, limit)))
}

fn line(text: Vec<u8>, bytes: u64, limit: usize) -> Line {
    if bytes > limit as u64 { Line::TooLong(bytes) } else { Line::Text(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{BufReader, Cursor};

    fn all(input: &[u8], limit: usize, buffer: usize) -> Vec<Line> {
        let mut reader = BufReader::with_capacity(buffer, Cursor::new(input));
        std::iter::from_fn(|| next_line(&mut reader, limit).unwrap()).collect()
    }

    fn text(text: &str) -> Line {
        Line::Text(text.into())
    }

    #[test]
    fn a_long_line_is_measured_and_its_neighbours_are_whole() {
        for buffer in [1, 3, 64] {
            assert_eq!(
                all(b"ab\n\nabcdefgh\nabcd\nlast", 4, buffer),
                [text("ab"), text(""), Line::TooLong(8), text("abcd"), text("last")],
            );
        }
        assert_eq!(all(b"", 4, 8), []);
        assert_eq!(all(b"\n", 4, 8), [text("")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn lines_do_not_depend_on_the_buffer(
            input in "[ab\n]{0,40}", limit in 0usize..6, buffer in 1usize..9,
        ) {
            let lines = all(input.as_bytes(), limit, buffer);
            let lengths: Vec<u64> = lines
                .iter()
                .map(|line| match line {
                    Line::Text(text) => text.len() as u64,
                    Line::TooLong(bytes) => *bytes,
                })
                .collect();
            let expect: Vec<u64> = input.lines().map(|line| line.len() as u64).collect();
            prop_assert_eq!(lengths, expect);
        }
    }
}
