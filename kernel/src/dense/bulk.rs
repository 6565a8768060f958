//! The fast counter.

use super::stretch::{FULL, Stretch, WORDS};
use super::{Count, Dense, SmallK, slots};
use crate::bases::CODE_OF_PLANE;
use crate::machine::Machine;

/// Counts many: two k-mers that overlap by all but a base are one (k+1)-mer, so every other
/// (k+1)-mer is enough; halving the increments is worth the larger table.
///
/// Slots are in the planes' order: plane codes, the first base in the lowest bits. The tables are
/// empty while they hold nothing.
pub struct Bulk {
    k: u32,
    pairs: Vec<u32>,
    /// The k-mers of a stretch that are of no pair: one at its start or at its end.
    singles: Vec<u32>,
    /// The stretch that is being counted, 32 bases a word.
    codes: [[u64; 2]; WORDS],
    /// Bases since the narrow counts were last moved into wide ones.
    pub(super) bases: u64,
    counted: Dense,
}

/// No narrow count overflows while fewer bases than this were counted.
pub(super) const NARROW: u64 = u32::MAX as u64 - FULL as u64;

impl Bulk {
    pub fn new(k: SmallK) -> Self {
        Self {
            k: k.get(),
            pairs: Vec::new(),
            singles: Vec::new(),
            codes: [[0; 2]; WORDS],
            bases: 0,
            counted: Dense::new(k),
        }
    }

    /// The counts so far.
    pub fn finish(mut self) -> Dense {
        self.widen();
        self.counted
    }

    fn widen(&mut self) {
        if self.pairs.is_empty() {
            return;
        }
        let order = lexicographic_codes(self.k);
        let kmers = &mut self.counted.kmers;
        kmers.resize(slots(self.k), 0);
        let prefix = slots(self.k) - 1;
        for (slot, count) in self.pairs.iter_mut().enumerate() {
            kmers[order[slot & prefix] as usize] += u64::from(*count);
            kmers[order[slot >> 2] as usize] += u64::from(*count);
            *count = 0;
        }
        for (slot, count) in self.singles.iter_mut().enumerate() {
            kmers[order[slot] as usize] += u64::from(*count);
            *count = 0;
        }
        self.bases = 0;
    }
}

/// The code of each slot.
fn lexicographic_codes(k: u32) -> Vec<u32> {
    let mut codes = vec![0];
    for length in 1..=k {
        // A k-mer's slot holds its first base in the lowest bits, its code in the highest.
        codes = (0..slots(length))
            .map(|slot| (CODE_OF_PLANE[slot & 3] as u32) << (2 * (length - 1)) | codes[slot >> 2])
            .collect();
    }
    codes
}

impl Count for Bulk {
    fn count(&mut self, machine: impl Machine, stretch: &Stretch) {
        match self.k {
            1 => self.count_pairs::<1>(machine, stretch),
            2 => self.count_pairs::<2>(machine, stretch),
            3 => self.count_pairs::<3>(machine, stretch),
            4 => self.count_pairs::<4>(machine, stretch),
            5 => self.count_pairs::<5>(machine, stretch),
            6 => self.count_pairs::<6>(machine, stretch),
            7 => self.count_pairs::<7>(machine, stretch),
            _ => self.count_pairs::<8>(machine, stretch),
        }
    }
}

impl Bulk {
    fn count_pairs<const K: usize>(&mut self, machine: impl Machine, stretch: &Stretch) {
        let start = stretch.first_base(K as u32 - 1);
        if stretch.length < start + K {
            return;
        }
        self.bases += stretch.length as u64;
        if self.bases > NARROW {
            self.widen();
        }
        if self.pairs.is_empty() {
            self.pairs = vec![0; slots(self.k + 1)];
            self.singles = vec![0; slots(self.k)];
        }
        let pair_mask = slots(K as u32 + 1) - 1;
        let pairs = &mut self.pairs[..=pair_mask];
        let used = stretch.length.div_ceil(64);
        machine.interleave(&stretch.low[..used], &stretch.high[..used], &mut self.codes);
        // What older stretches left behind the last base is masked away.
        let codes = self.codes.as_flattened();
        let kmers = stretch.length + 1 - K;
        let window = |base: usize| {
            let (word, shift) = (base / 32, 2 * (base % 32));
            (codes[word] >> shift | codes[word + 1] << 1 << (63 - shift)) as usize
        };
        let mask = slots(K as u32) - 1;
        // Pairs begin at even bases, and whole words of them at a word's first base.
        if start % 2 == 1 {
            self.singles[window(start) & mask] += 1;
        }
        let even = start.next_multiple_of(2);
        let first_word = even.div_ceil(32);
        for base in (even..(32 * first_word).min(kmers - 1)).step_by(2) {
            pairs[window(base) & pair_mask] += 1;
        }
        for word in first_word..kmers / 32 {
            let (here, next) = (codes[word], codes[word + 1]);
            for first in (0..32).step_by(2) {
                let bits = if first + K < 32 {
                    here >> (2 * first)
                } else {
                    here >> (2 * first) | next << 1 << (63 - 2 * first)
                };
                pairs[bits as usize & pair_mask] += 1;
            }
        }
        for base in (32 * (kmers / 32).max(first_word)..kmers - 1).step_by(2) {
            pairs[window(base) & pair_mask] += 1;
        }
        if kmers % 2 == 1 && kmers > even {
            self.singles[window(kmers - 1) & mask] += 1;
        }
    }
}
