//! Counts of all k-mers of one small k, one slot a k-mer, and what follows from them for smaller k.
//!
//! Only the largest k is counted. The k-mers of a smaller k are the prefixes of the larger ones,
//! and those that stand in the last K-1 bases of a run of bases; so the ends of the runs are
//! counted too, by their text.

mod bulk;
pub mod runs;
mod stretch;

use serde::{Deserialize, Serialize};

use crate::bases::Bases;
use crate::machine::Machine;
pub use bulk::Bulk;
pub use stretch::Stretch;

/// The largest k of dense counts.
pub const MAX_K: u32 = 8;

/// A k of dense counts, 1 to `MAX_K`: a table of 4^k slots is small, and so is one of the ends of
/// runs, of 4^(k-1); the edges on both sides of a seam are one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct SmallK(u32);

impl SmallK {
    pub fn get(self) -> u32 {
        self.0
    }

    /// The most bases of one side that a k-mer across a seam has.
    pub fn edge(self) -> u32 {
        self.0 - 1
    }
}

impl TryFrom<u32> for SmallK {
    type Error = String;

    fn try_from(k: u32) -> Result<Self, String> {
        if (1..=MAX_K).contains(&k) {
            Ok(Self(k))
        } else {
            Err(format!("k must be 1 to {MAX_K}, not {k}"))
        }
    }
}

/// Exact counts; slots are codes (`bases::Bases`). The table is empty while it holds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dense {
    pub k: SmallK,
    /// 4^k counts.
    pub kmers: Vec<u64>,
}

impl Dense {
    pub fn new(k: SmallK) -> Self {
        Self {
            k,
            kmers: Vec::new(),
        }
    }

    pub fn add_kmer(&mut self, code: u64, count: u64) {
        self.kmers.resize(slots(self.k.get()), 0);
        self.kmers[code as usize] += count;
    }

    pub fn add(&mut self, more: &Self) {
        add_tables(&mut self.kmers, &more.kmers);
    }

    /// The counts of all k-mers of a `k` up to this one's.
    pub fn counts(&self, run_ends: &RunEnds, k: u32) -> Vec<u64> {
        let mut counts = self.kmers.clone();
        let largest = self.k.get();
        counts.resize(slots(largest), 0);
        if k == largest {
            return counts;
        }
        let mut smaller: Vec<u64> = counts
            .chunks_exact(slots(largest - k))
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
        assert!(
            end.length < MAX_K,
            "no end of a run has {} bases",
            end.length
        );
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

/// Where the k-mers of stretches go.
pub trait Count {
    /// Counts every k-mer of the stretch that ends after its carried bases.
    fn count(&mut self, machine: impl Machine, stretch: &Stretch);
}

/// Counts at once into the exact table: for the few bases of a seam.
impl Count for Dense {
    fn count(&mut self, _machine: impl Machine, stretch: &Stretch) {
        let mut window = Bases::default();
        for index in stretch.first_base(self.k.edge())..stretch.length {
            window = window.last(self.k.edge());
            window.push(stretch.code_at(index));
            if window.length == self.k.get() {
                self.add_kmer(window.code, 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::bulk::NARROW;
    use super::*;
    use crate::bases::CODE_OF_PLANE;
    use crate::machine::Portable;

    fn small(k: u32) -> SmallK {
        k.try_into().unwrap()
    }

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
            let mut direct = Dense::new(small(k));
            direct.count(Portable, &stretch);
            prop_assert_eq!(direct.counts(&RunEnds::default(), k), naive(&text, k));

            let mut bulk = Bulk::new(small(k));
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
            let mut dense = Dense::new(small(largest));
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
        let mut bulk = Bulk::new(small(3));
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

    #[test]
    fn a_k_without_dense_counts_is_refused() {
        for k in [0, 9, 32, u32::MAX] {
            let refusal = SmallK::try_from(k).unwrap_err();
            assert_eq!(refusal, format!("k must be 1 to 8, not {k}"));
        }
    }

    #[test]
    #[should_panic(expected = "no end of a run has 8 bases")]
    fn an_end_of_a_larger_k_does_not_grow_the_table() {
        RunEnds::default().add_end(Bases::from_text(b"ACGTACGT").unwrap(), 1);
    }
}
