//! Counts of all k-mers of one small k, one slot a k-mer, and what follows from them for smaller k.
//!
//! Only the largest k is counted. The k-mers of a smaller k are the prefixes of the larger ones,
//! and those that stand in the last K-1 bases of a run of bases; so the ends of the runs are
//! counted too, by their text.

use crate::bases::{Bases, CODE_OF_PLANE};
use crate::machine::{BitCounts, Machine};

/// The largest k of dense counts.
pub const MAX_K: u32 = 8;

/// Exact counts; slots are codes (`bases::Bases`). The table is empty while it holds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dense {
    pub k: u32,
    /// 4^k counts.
    pub kmers: Vec<u64>,
}

impl Dense {
    pub fn new(k: u32) -> Self {
        assert!(
            (1..=MAX_K).contains(&k),
            "dense counts are for k up to 8, not {k}"
        );
        Self {
            k,
            kmers: Vec::new(),
        }
    }

    pub fn add_kmer(&mut self, code: u64, count: u64) {
        self.kmers.resize(slots(self.k), 0);
        self.kmers[code as usize] += count;
    }

    pub fn add(&mut self, more: &Self) {
        add_tables(&mut self.kmers, &more.kmers);
    }

    /// The counts of all k-mers of a `k` up to this one's.
    pub fn counts(&self, run_ends: &RunEnds, k: u32) -> Vec<u64> {
        let mut counts = self.kmers.clone();
        counts.resize(slots(self.k), 0);
        if k == self.k {
            return counts;
        }
        let mut smaller: Vec<u64> = counts
            .chunks_exact(slots(self.k - k))
            .map(|chunk| chunk.iter().sum())
            .collect();
        for (end, count) in run_ends.observed() {
            for kmer in end.kmers(k) {
                smaller[kmer as usize] += count;
            }
        }
        smaller
    }
}

/// How often each text of at most K-1 bases ends a run (is the whole run, when it is shorter).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunEnds {
    /// Slot 4^0 + … + 4^(length-1) + code; as long as the longest text asks for.
    table: Vec<u64>,
}

impl RunEnds {
    pub fn add_end(&mut self, end: Bases, count: u64) {
        if self.table.len() < shorter_texts(end.length + 1) {
            self.table.resize(shorter_texts(end.length + 1), 0);
        }
        self.table[shorter_texts(end.length) + end.code as usize] += count;
    }

    pub fn add(&mut self, more: &Self) {
        if self.table.len() < more.table.len() {
            self.table.resize(more.table.len(), 0);
        }
        add_tables(&mut self.table, &more.table);
    }

    /// The texts that were met, with their counts.
    pub fn observed(&self) -> impl Iterator<Item = (Bases, u64)> {
        (0..MAX_K)
            .flat_map(|length| (0..slots(length) as u64).map(move |code| Bases { length, code }))
            .zip(self.table.iter().copied())
            .filter(|(_, count)| *count > 0)
    }
}

/// 4^k.
pub fn slots(k: u32) -> usize {
    1 << (2 * k)
}

/// The number of texts shorter than `length`.
fn shorter_texts(length: u32) -> usize {
    (slots(length) - 1) / 3
}

fn add_tables(sum: &mut Vec<u64>, more: &[u64]) {
    if sum.is_empty() {
        sum.extend_from_slice(more);
    } else {
        for (slot, count) in sum.iter_mut().zip(more) {
            *slot += count;
        }
    }
}

/// The code of the reverse complement.
pub fn reverse_complement(code: u64, k: u32) -> u64 {
    Bases { length: k, code }
        .codes()
        .rev()
        .fold(0, |reversed, base| reversed << 2 | (3 - base))
}

/// Counts of canonical k-mers, from those of the given strand; the other slots are 0.
pub fn canonical_counts(counts: &[u64], k: u32) -> Vec<u64> {
    let mut canonical = vec![0; counts.len()];
    for (code, &count) in counts.iter().enumerate() {
        let code = code as u64;
        canonical[code.min(reverse_complement(code, k)) as usize] += count;
    }
    canonical
}

/// A stretch of bases as planes, the first base in the lowest bit; the start of it was counted.
pub struct Stretch {
    low: [u64; WORDS],
    high: [u64; WORDS],
    length: usize,
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
const FULL: usize = 64 * 64;
const WORDS: usize = FULL / 64 + 2;

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

    /// The bits of the plane codes of the new bases.
    pub fn count_new_bits(&self, machine: impl Machine) -> BitCounts {
        let used = self.length.div_ceil(64);
        let mut counts = machine.count_bits(&self.low[..used], &self.high[..used]);
        let carried = (1 << self.carried) - 1; // fewer than 8
        let known = machine.count_bits(&[self.low[0] & carried], &[self.high[0] & carried]);
        counts.low -= known.low;
        counts.high -= known.high;
        counts.both -= known.both;
        counts
    }

    fn code_at(&self, index: usize) -> u64 {
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
        let mut bases = Bases::default();
        for index in range {
            bases.push(self.code_at(index));
        }
        bases
    }
}

/// Where the k-mers of stretches go.
pub trait Count {
    /// Counts every k-mer of the stretch.
    fn count(&mut self, machine: impl Machine, stretch: &Stretch);
}

/// Counts at once into the exact table: for the few bases of a seam.
impl Count for Dense {
    fn count(&mut self, _machine: impl Machine, stretch: &Stretch) {
        let mut window = Bases::default();
        for index in 0..stretch.length {
            window = window.last(self.k - 1);
            window.push(stretch.code_at(index));
            if window.length == self.k {
                self.add_kmer(window.code, 1);
            }
        }
    }
}

/// Counts many: two k-mers that overlap by all but a base are one (k+1)-mer, so every other
/// (k+1)-mer is enough; halving the increments is worth the larger table.
///
/// Slots are in the planes' order: plane codes, the first base in the lowest bits. The tables are
/// empty while they hold nothing.
pub struct Bulk {
    k: u32,
    pairs: Vec<u32>,
    /// The last k-mer of a stretch that had an odd number of them.
    singles: Vec<u32>,
    /// The stretch that is being counted, 32 bases a word.
    codes: [[u64; 2]; WORDS],
    /// Bases since the narrow counts were last moved into wide ones.
    bases: u64,
    counted: Dense,
}

/// No narrow count overflows while fewer bases than this were counted.
const NARROW: u64 = u32::MAX as u64 - FULL as u64;

impl Bulk {
    pub fn new(k: u32) -> Self {
        Self {
            k,
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
        if stretch.length < K {
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
        for word in 0..kmers / 32 {
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
        let window = |base: usize| {
            let (word, shift) = (base / 32, 2 * (base % 32));
            (codes[word] >> shift | codes[word + 1] << 1 << (63 - shift)) as usize
        };
        for base in (kmers / 32 * 32..kmers - 1).step_by(2) {
            pairs[window(base) & pair_mask] += 1;
        }
        if kmers % 2 == 1 {
            self.singles[window(kmers - 1) & (slots(K as u32) - 1)] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::Portable;

    fn stretch_of(text: &[u8]) -> Stretch {
        let mut stretch = Stretch::new();
        stretch.begin(Bases::default());
        for letter in text {
            let code = Bases::from_text(&[*letter]).unwrap().code;
            let plane = CODE_OF_PLANE[code as usize];
            let mut tail = stretch.tail();
            stretch.append(&mut tail, plane & 1, plane >> 1, 1);
        }
        stretch
    }

    fn naive(text: &[u8], k: u32) -> Vec<u64> {
        let mut counts = vec![0; slots(k)];
        for window in text.windows(k as usize) {
            counts[Bases::from_text(window).unwrap().code as usize] += 1;
        }
        counts
    }

    proptest! {
        #[test]
        fn bulk_counts_as_its_naive_twins(
            text in prop::collection::vec(prop::sample::select(b"ACGT".to_vec()), 0..300),
            k in 1..=MAX_K,
        ) {
            let stretch = stretch_of(&text);
            let mut direct = Dense::new(k);
            direct.count(Portable, &stretch);
            prop_assert_eq!(direct.counts(&RunEnds::default(), k), naive(&text, k));

            let mut bulk = Bulk::new(k);
            bulk.count(Portable, &stretch);
            #[cfg(target_arch = "x86_64")]
            if let Some(machine) = crate::machine::Avx2::detect() {
                bulk.count(machine, &stretch);
                bulk.count(Portable, &stretch);
                let tripled: Vec<u64> = naive(&text, k).iter().map(|count| 3 * count).collect();
                prop_assert_eq!(bulk.finish().counts(&RunEnds::default(), k), tripled);
                return Ok(());
            }
            prop_assert_eq!(bulk.finish().counts(&RunEnds::default(), k), naive(&text, k));
        }

        #[test]
        fn smaller_k_follow_from_the_largest_and_the_run_ends(
            runs in prop::collection::vec(
                prop::collection::vec(prop::sample::select(b"ACGT".to_vec()), 1..30),
                0..5,
            ),
            largest in 1..=MAX_K,
        ) {
            let mut dense = Dense::new(largest);
            let mut run_ends = RunEnds::default();
            for run in &runs {
                let stretch = stretch_of(run);
                dense.count(Portable, &stretch);
                run_ends.add_end(stretch.last(largest - 1), 1);
            }
            for k in 1..=largest {
                let mut expected = vec![0; slots(k)];
                for run in &runs {
                    add_tables(&mut expected, &naive(run, k));
                }
                prop_assert_eq!(dense.counts(&run_ends, k), expected);
            }
        }

        #[test]
        fn appended_planes_read_back_at_any_offset(
            pieces in prop::collection::vec((any::<u64>(), any::<u64>(), 0..=64_u32), 0..60),
        ) {
            let mut stretch = Stretch::new();
            let mut expected = Vec::new();
            stretch.begin(Bases::default());
            let mut tail = stretch.tail();
            for (low, high, count) in pieces {
                let kept = if count == 64 { u64::MAX } else { (1 << count) - 1 };
                stretch.append(&mut tail, low & kept, high & kept, count);
                for index in 0..count {
                    let plane = (low >> index & 1) | (high >> index & 1) << 1;
                    expected.push(CODE_OF_PLANE[plane as usize]);
                }
            }
            let read: Vec<_> = (0..stretch.length).map(|index| stretch.code_at(index)).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn narrow_counts_are_widened_before_they_overflow() {
        let stretch = stretch_of(&[b'A'; 40]);
        let mut bulk = Bulk::new(3);
        bulk.count(Portable, &stretch);
        bulk.bases = NARROW;
        bulk.count(Portable, &stretch);
        assert_eq!(bulk.bases, 0);
        assert_eq!(bulk.finish().counts(&RunEnds::default(), 3)[0], 76);
    }

    #[test]
    fn a_palindrome_is_its_own_reverse_complement() {
        let code = |text: &[u8]| Bases::from_text(text).unwrap().code;
        assert_eq!(reverse_complement(code(b"ACGT"), 4), code(b"ACGT"));
        assert_eq!(reverse_complement(code(b"AACCG"), 5), code(b"CGGTT"));
        let mut counts = vec![0; slots(2)];
        counts[code(b"AC") as usize] = 2;
        counts[code(b"GT") as usize] = 3;
        counts[code(b"AT") as usize] = 5;
        let canonical = canonical_counts(&counts, 2);
        assert_eq!(canonical[code(b"AC") as usize], 5);
        assert_eq!(canonical[code(b"GT") as usize], 0);
        assert_eq!(canonical[code(b"AT") as usize], 5);
    }
}
