//! Bases on their way from the text to the counts.

use crate::bases::{Bases, CODE_OF_PLANE};
use crate::kmers::text::{BASES_A_WORD, Piece};
use crate::machine::{BitCounts, Machine};

/// A stretch of bases as planes, the first base in the lowest bit; the start of it was counted.
pub struct Stretch {
    pub(super) low: [u64; WORDS],
    pub(super) high: [u64; WORDS],
    pub(super) length: usize,
    /// The bases at the start that stood at the end of the stretch before.
    carried: usize,
}

/// The bases of a stretch's last word: kept apart, that they may stay in registers.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    low: u64,
    high: u64,
}

/// A stretch is counted when it is this long; two more words take what the last chunk brings.
pub(super) const FULL: usize = 64 * 64;
pub(super) const WORDS: usize = FULL / 64 + 2;

impl Stretch {
    pub fn new() -> Self {
        Self {
            low: [0; WORDS],
            high: [0; WORDS],
            length: 0,
            carried: 0,
        }
    }

    /// Begins anew, after `carried` bases that are counted already.
    pub fn begin(&mut self, carried: Bases) {
        (self.low[0], self.high[0]) = (0, 0);
        for (index, code) in carried.codes().enumerate() {
            let plane = CODE_OF_PLANE[code as usize]; // its own inverse
            self.low[0] |= (plane & 1) << index;
            self.high[0] |= (plane >> 1) << index;
        }
        self.length = carried.length as usize;
        self.carried = self.length;
    }

    pub fn is_full(&self) -> bool {
        self.length >= FULL
    }

    /// The first base of those k-mers that end after the carried bases, which have so many there.
    pub(super) fn first_base(&self, edge: u32) -> usize {
        self.carried.saturating_sub(edge as usize)
    }

    pub fn new_bases(&self) -> usize {
        self.length - self.carried
    }

    /// The last word's bases so far, for `append`.
    pub fn tail(&self) -> Tail {
        let word = self.length / 64;
        let kept = (1 << (self.length % 64)) - 1;
        Tail {
            low: self.low[word] & kept,
            high: self.high[word] & kept,
        }
    }

    /// Appends `count` bases, at most 64, from planes that have no other bits.
    #[inline(always)]
    pub fn append(&mut self, tail: &mut Tail, low: u64, high: u64, count: u32) {
        let (word, shift) = (self.length / 64, self.length % 64);
        tail.low |= low << shift;
        tail.high |= high << shift;
        self.low[word] = tail.low;
        self.high[word] = tail.high;
        self.length += count as usize;
        if self.length / 64 > word {
            // In two steps, for a shift by 64 is no shift.
            tail.low = low >> 1 >> (63 - shift);
            tail.high = high >> 1 >> (63 - shift);
            self.low[word + 1] = tail.low;
            self.high[word + 1] = tail.high;
        }
    }

    /// What it is as a piece of packed text.
    pub fn piece(&self) -> Piece {
        Piece {
            length: self.length as u32,
            carried: self.carried as u32,
            is_seam: false,
        }
    }

    /// Appends its bases, packed as those of a piece.
    pub fn pack(&self, machine: impl Machine, words: &mut Vec<u64>) {
        let used = self.length.div_ceil(64);
        let (mut low, mut high) = ([0; WORDS], [0; WORDS]);
        for word in 0..used {
            // From plane codes to codes, the first base in the highest bits.
            low[word] = (self.low[word] ^ self.high[word]).reverse_bits();
            high[word] = self.high[word].reverse_bits();
        }
        let mut codes = [[0; 2]; WORDS];
        machine.interleave(&low[..used], &high[..used], &mut codes);
        for [after, before] in &codes[..used] {
            words.extend_from_slice(&[*before, *after]);
        }
        let rest = self.length % BASES_A_WORD;
        words.truncate(words.len() - 2 * used + self.length.div_ceil(BASES_A_WORD));
        if rest > 0
            && let Some(last) = words.last_mut()
        {
            *last &= u64::MAX << (64 - 2 * rest); // what older stretches left behind
        }
    }

    /// The bits of the plane codes of the new bases.
    pub fn count_new_bits(&self, machine: impl Machine) -> BitCounts {
        let used = self.length.div_ceil(64);
        let mut counts = machine.count_bits(&self.low[..used], &self.high[..used]);
        let carried = (1 << self.carried) - 1; // fewer than 32
        let known = machine.count_bits(&[self.low[0] & carried], &[self.high[0] & carried]);
        counts.low -= known.low;
        counts.high -= known.high;
        counts.both -= known.both;
        counts
    }

    pub(super) fn code_at(&self, index: usize) -> u64 {
        let (word, shift) = (index / 64, index % 64);
        let plane = (self.low[word] >> shift & 1) | (self.high[word] >> shift & 1) << 1;
        CODE_OF_PLANE[plane as usize]
    }

    /// The first `length` of the new bases, or all when there are fewer.
    pub fn first_new(&self, length: u32) -> Bases {
        let end = self.length.min(self.carried + length as usize);
        self.bases(self.carried..end)
    }

    /// The last `length` bases, or all when there are fewer.
    pub fn last(&self, length: u32) -> Bases {
        self.bases(self.length.saturating_sub(length as usize)..self.length)
    }

    fn bases(&self, range: std::ops::Range<usize>) -> Bases {
        Bases::of_codes(range.map(|index| self.code_at(index)))
    }
}
