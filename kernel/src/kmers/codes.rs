//! The codes of the k-mers of a piece of text, 32 at a time.

use crate::kmers::text::{BASES_A_WORD, Piece};

/// Which k-mers are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// 1 to 32.
    pub k: u32,
    pub canonical: bool,
}

/// The codes of the k-mers that start at a word's bases.
pub type Codes = [u64; BASES_A_WORD];

impl Question {
    /// Calls `take` with the codes of the piece's k-mers that count, 32 or fewer at a time.
    #[inline(always)]
    pub fn codes(self, piece: Piece, words: &[u64], mut take: impl FnMut(&[u64])) {
        let starts = piece.starts(self.k);
        let mut codes = [0; BASES_A_WORD];
        let mut start = starts.start;
        while start < starts.end {
            let word = start / BASES_A_WORD;
            let next = words.get(word + 1).copied().unwrap_or(0);
            if self.canonical {
                canonical_codes(self.k, words[word], next, &mut codes);
            } else {
                given_codes(self.k, words[word], next, &mut codes);
            }
            let end = starts.end.min((word + 1) * BASES_A_WORD);
            let first = start % BASES_A_WORD;
            take(&codes[first..first + end - start]);
            start = end;
        }
    }
}

/// The codes of the k-mers that start in the word `here`, of the strand that is given.
#[inline(always)]
fn given_codes(k: u32, here: u64, next: u64, codes: &mut Codes) {
    let unused = 64 - 2 * k;
    for (offset, code) in codes.iter_mut().enumerate() {
        *code = window(here, next, offset as u32) >> unused;
    }
}

/// Likewise of canonical k-mers.
#[inline(always)]
fn canonical_codes(k: u32, here: u64, next: u64, codes: &mut Codes) {
    let unused = 64 - 2 * k;
    let (here_back, next_back) = (reverse_complement(here), reverse_complement(next));
    for (offset, code) in codes.iter_mut().enumerate() {
        let offset = offset as u32;
        let given = window(here, next, offset) >> unused;
        // A shift by 64 in two steps, of which the first is never 0.
        let back = (here_back >> (2 * offset)) | (next_back << 1 << (63 - 2 * offset));
        *code = given.min(back << unused >> unused);
    }
}

/// The 32 bases from a base of `here` on.
#[inline(always)]
fn window(here: u64, next: u64, offset: u32) -> u64 {
    (here << (2 * offset)) | (next >> 1 >> (63 - 2 * offset))
}

/// The reverse complement of 32 bases.
#[inline(always)]
pub fn reverse_complement(word: u64) -> u64 {
    let pairs = (!word).swap_bytes();
    let pairs = (pairs >> 4 & 0x0f0f_0f0f_0f0f_0f0f) | (pairs & 0x0f0f_0f0f_0f0f_0f0f) << 4;
    (pairs >> 2 & 0x3333_3333_3333_3333) | (pairs & 0x3333_3333_3333_3333) << 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bases::Bases;
    use crate::kmers::text::PackedText;

    fn text_of(bases: &[u8]) -> Vec<u64> {
        bases
            .chunks(32)
            .map(|chunk| {
                chunk.iter().enumerate().fold(0, |word, (place, base)| {
                    word | u64::from(*base) << (62 - 2 * place)
                })
            })
            .collect()
    }

    fn naive(bases: &[u8], starts: std::ops::Range<usize>, question: Question) -> Vec<u64> {
        let number = |bases: &mut dyn Iterator<Item = u8>| {
            bases.fold(0_u64, |code, base| code << 2 | u64::from(base))
        };
        starts
            .map(|start| {
                let kmer = &bases[start..start + question.k as usize];
                let given = number(&mut kmer.iter().copied());
                let back = number(&mut kmer.iter().rev().map(|base| 3 - base));
                if question.canonical {
                    given.min(back)
                } else {
                    given
                }
            })
            .collect()
    }

    proptest! {
        #[test]
        fn codes_are_those_of_the_naive_twin(
            bases in prop::collection::vec(0..4_u8, 0..200),
            k in 1..=32_u32,
            carried in 0..40_u32,
            canonical: bool,
            is_seam: bool,
        ) {
            let length = bases.len() as u32;
            let piece = Piece { length, carried: carried.min(length), is_seam };
            let question = Question { k, canonical };
            let mut found = Vec::new();
            question.codes(piece, &text_of(&bases), |codes| found.extend_from_slice(codes));
            let ends_after = |start: usize| start + k as usize > piece.carried as usize;
            let counts = |start: &usize| {
                ends_after(*start) && (!is_seam || *start < piece.carried as usize)
            };
            let starts: Vec<_> = (0..(length as usize + 1).saturating_sub(k as usize))
                .filter(counts)
                .collect();
            let range = starts.first().map_or(0..0, |first| *first..starts[starts.len() - 1] + 1);
            prop_assert_eq!(found, naive(&bases, range, question));
        }

        #[test]
        fn seams_hold_both_sides(
            left in prop::collection::vec(0..4_u8, 0..=31),
            right in prop::collection::vec(0..4_u8, 0..=31),
        ) {
            let bases_of = |codes: &[u8]| Bases::of_codes(codes.iter().copied().map(u64::from));
            let mut text = PackedText::default();
            text.push_seam(bases_of(&left), bases_of(&right), 2);
            let both: Vec<u8> = left.iter().chain(&right).copied().collect();
            if !left.is_empty() && !right.is_empty() {
                prop_assert_eq!(&text.words, &text_of(&both));
            }
        }
    }
}
