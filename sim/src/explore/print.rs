//! Prints of states: 128 bits, so that among millions of states no two are taken for one by chance.

use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A state in short. Equal states have equal prints; that two others share one is as likely as any
/// chance of one in 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Print(u128);

impl Print {
    /// The print of whatever `feed` puts into the hasher.
    pub fn of(feed: impl FnOnce(&mut PrintHasher)) -> Self {
        let mut hasher = PrintHasher::default();
        feed(&mut hasher);
        hasher.print()
    }

    /// The print of one value.
    pub fn of_value(value: &impl Hash) -> Self {
        Self::of(|hasher| value.hash(hasher))
    }

    /// Adds another print, in whatever order: the print of a multiset.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

/// How tables find prints, which are as good as random: by their lower half.
pub(super) type BuildTable = BuildHasherDefault<LowerHalf>;

/// See [`BuildTable`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LowerHalf(u64);

impl Hasher for LowerHalf {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(false, "a print is one number, and not {} bytes", bytes.len());
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}

/// Two lanes of folded multiplication, the same in every build and process.
#[derive(Clone, Copy, Debug)]
pub struct PrintHasher {
    left: u64,
    right: u64,
}

const LEFT: u64 = 0xa076_1d64_78bd_642f;
const RIGHT: u64 = 0xe703_7ed1_a0b4_28db;

impl Default for PrintHasher {
    fn default() -> Self {
        Self { left: 0x8ebc_6af0_9c88_c6e3, right: 0x5899_65cc_7537_4cc3 }
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl PrintHasher {
    fn mix(&mut self, word: u64) {
        self.left = fold(self.left ^ word, LEFT).wrapping_add(word.rotate_left(32));
        self.right = fold(self.right.wrapping_add(word) ^ self.left.rotate_left(17), RIGHT);
    }

    fn print(self) -> Print {
        let high = fold(self.right ^ LEFT, self.left ^ RIGHT) ^ self.right;
        Print(u128::from(high) << 64 | u128::from(self.left))
    }
}

impl Hasher for PrintHasher {
    fn finish(&self) -> u64 {
        self.left
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
        self.mix(bytes.len() as u64 ^ RIGHT);
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_every_byte_count() {
        let check = |one: Print, other: Print| assert_ne!(one, other);
        check(Print::of_value(&(1u64, 2u64)), Print::of_value(&(2u64, 1u64)));
        check(Print::of_value(&"abcdefghi"), Print::of_value(&"abcdefghj"));
        check(Print::of_value(&[1u8, 0]), Print::of_value(&[1u8]));
        check(Print::of_value(&0u64), Print::default());
        assert_eq!(Print::of_value(&"same"), Print::of_value(&"same"));
    }

    #[test]
    fn a_million_neighbours_share_neither_half() {
        let mut lows: Vec<u64> = Vec::new();
        let mut highs: Vec<u64> = Vec::new();
        for a in 0..1_000u64 {
            for b in 0..1_000u64 {
                let Print(print) = Print::of_value(&(a, b));
                lows.push(print as u64);
                highs.push((print >> 64) as u64);
            }
        }
        for half in [&mut lows, &mut highs] {
            half.sort_unstable();
            half.dedup();
            assert_eq!(half.len(), 1_000_000);
        }
    }

    #[test]
    fn a_multiset_has_no_order_and_counts() {
        let [a, b] = [Print::of_value(&"a"), Print::of_value(&"b")];
        assert_eq!(a.with(b), b.with(a));
        assert_ne!(a.with(a), a);
    }
}
