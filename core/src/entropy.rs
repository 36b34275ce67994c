//! Randomness as a seed passed in, drawn from named streams.
//!
//! Each stream's numbers depend on the seed, its own name and how often it was drawn from, and on
//! nothing else: a new use of randomness elsewhere shifts no existing trace. The generator is
//! `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014); its
//! constants are part of the trace format and never change.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One named stream of random numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stream {
    state: u64,
}

/// A seed from which named streams are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entropy {
    seed: u64,
}

impl Entropy {
    /// All streams of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of that name; the same seed and name always give the same stream.
    pub fn stream(self, name: &str) -> Stream {
        // FNV-1a over the name, then mixed with the seed.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut stream = Stream { state: self.seed ^ hash };
        stream.next_u64();
        stream
    }
}

impl Stream {
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, by widening multiplication (Lemire); zero for a zero bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True with this chance in a million.
    pub fn chance_ppm(&mut self, parts_per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(parts_per_million)
    }

    /// A duration from zero up to and including `most` (full jitter).
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.below(micros.saturating_add(1)))
    }

    /// 128 bits as 32 lower-case hexadecimal digits: the unique part of an id.
    pub fn hex_id(&mut self) -> String {
        // Each call has one: written without a formatter.
        let number = u128::from(self.next_u64()) << 64 | u128::from(self.next_u64());
        let digit = |place: u32| b"0123456789abcdef"[(number >> (place * 4)) as usize % 16];
        (0..32).rev().map(digit).map(char::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_and_name_never_change() {
        let mut stream = Entropy::new(42).stream("call-ids");
        let first = [stream.next_u64(), stream.next_u64(), stream.next_u64()];
        insta::assert_debug_snapshot!(first);
    }

    #[test]
    fn drawing_from_one_stream_leaves_the_others_alone() {
        let entropy = Entropy::new(7);
        let mut untouched = entropy.stream("jitter");
        entropy.stream("call-ids").next_u64();
        assert_eq!(untouched.next_u64(), entropy.stream("jitter").next_u64());
        assert_ne!(entropy.stream("a").next_u64(), entropy.stream("b").next_u64());
    }

    #[test]
    fn below_keeps_its_bound_and_jitter_its_most() {
        let mut stream = Entropy::new(1).stream("bounds");
        for bound in [1, 2, 3, 1_000, u64::MAX] {
            assert!((0..1_000).all(|_| stream.below(bound) < bound));
        }
        assert_eq!(stream.below(0), 0);
        let most = Duration::from_millis(3);
        assert!((0..1_000).all(|_| stream.up_to(most) <= most));
    }
}
