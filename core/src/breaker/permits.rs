//! The permits that are out: those of a closed breaker as bits, the trials of a half-open one by lease.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use crate::time::Time;

/// Words of 64 permits; with more than this outstanding, the oldest are forgotten and do not count.
const WORDS_MAX: usize = 2_048;

/// The permits of a closed breaker that were not settled: one bit each, so that a second settlement
/// is told from the first without keeping more than the span between the oldest and the newest.
#[derive(Clone, Debug, Default)]
pub(super) struct Outstanding {
    /// The word of `words[0]` is the one of ids from `64 × first`.
    first: u64,
    words: VecDeque<u64>,
}

impl Outstanding {
    /// Notes a new permit. Ids only grow, one by one.
    #[inline]
    pub(super) fn insert(&mut self, id: u64) {
        let (word, bit) = (id / 64, 1 << (id % 64));
        if word == self.end().wrapping_sub(1)
            && let Some(last) = self.words.back_mut()
        {
            debug_assert!(*last & bit == 0, "permit {id} was given out twice");
            *last |= bit;
            return;
        }
        while self.words.len() >= WORDS_MAX || self.words.front() == Some(&0) {
            self.words.pop_front();
            self.first += 1;
        }
        if self.words.is_empty() {
            self.first = word;
        }
        debug_assert_eq!(self.end(), word, "ids grow one by one");
        self.words.push_back(bit);
    }

    /// Takes a permit back; false where it is not out.
    #[inline]
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let (index, bit) = self.place(id);
        let Some(word) = index.and_then(|index| self.words.get_mut(index)) else {
            return false;
        };
        let was_out = *word & bit != 0;
        *word &= !bit;
        was_out
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        let (index, bit) = self.place(id);
        index.and_then(|index| self.words.get(index)).is_some_and(|word| word & bit != 0)
    }

    /// How many are out.
    pub(super) fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    fn place(&self, id: u64) -> (Option<usize>, u64) {
        let index = (id / 64).checked_sub(self.first);
        (index.map(|index| index as usize), 1 << (id % 64))
    }

    /// The word after the last.
    fn end(&self) -> u64 {
        self.first + self.words.len() as u64
    }
}

/// The trials of a half-open breaker.
#[derive(Clone, Debug, Default)]
pub(super) struct Trials {
    /// Under way: id and lease end, oldest first.
    under_way: VecDeque<(u64, Time)>,
    succeeded: u32,
}

impl Trials {
    /// Whether another may start: those under way and those that succeeded stay within `most`.
    pub(super) fn has_room(&self, most: u32) -> bool {
        self.under_way.len() + (self.succeeded as usize) < most as usize
    }

    pub(super) fn start(&mut self, id: u64, lease_end: Time) {
        self.under_way.push_back((id, lease_end));
    }

    /// Takes a trial back; false where it is not under way.
    pub(super) fn end(&mut self, id: u64) -> bool {
        let Ok(index) = self.under_way.binary_search_by_key(&id, |(id, _)| *id) else {
            return false;
        };
        self.under_way.remove(index).is_some()
    }

    /// Counts a success, and tells how many there are.
    pub(super) fn succeed(&mut self) -> u32 {
        self.succeeded += 1;
        self.succeeded
    }

    /// Frees the slots of ended leases, and tells how many.
    pub(super) fn end_leases(&mut self, now: Time) -> u64 {
        let mut ended = 0;
        while self.under_way.front().is_some_and(|(_, end)| *end <= now) {
            self.under_way.pop_front();
            ended += 1;
        }
        ended
    }

    /// When the next slot is freed by time alone.
    pub(super) fn next_lease_end(&self) -> Option<Time> {
        self.under_way.front().map(|(_, end)| *end)
    }

    pub(super) fn contains(&self, id: u64, now: Time) -> bool {
        self.under_way.iter().any(|(trial, end)| *trial == id && *end > now)
    }

    pub(super) fn fingerprint(&self, now: Time, mut into: &mut dyn Hasher) {
        self.succeeded.hash(&mut into);
        for (_, end) in self.under_way.iter().filter(|(_, end)| *end > now) {
            (1_u8, end.since(now)).hash(&mut into);
        }
        0_u8.hash(&mut into);
    }
}
