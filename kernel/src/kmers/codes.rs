//! The codes of the k-mers of a piece of text, 32 at a time.

use std::ops::Range;

use crate::kmers::text::{BASES_A_WORD, Piece};

/// Which k-mers are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// 1 to 32.
    pub k: u32,
    pub canonical: bool,
}

impl Question {
    /// Each word of the piece, and the bases of it where k-mers start that count.
    ///
    /// An iterator, and no function that is called back: such a one would not be compiled for the
    /// machine that its caller runs on.
    #[inline(always)]
    pub fn windows(self, piece: Piece, words: &[u64]) -> Windows<'_> {
        Windows {
            question: self,
            words,
            starts: piece.starts(self.k),
        }
    }
}

/// See `Question::windows`.
pub struct Windows<'a> {
    question: Question,
    words: &'a [u64],
    starts: Range<usize>,
}

impl Iterator for Windows<'_> {
    type Item = (Window, Range<usize>);

    #[inline(always)]
    fn next(&mut self) -> Option<(Window, Range<usize>)> {
        if self.starts.is_empty() {
            return None;
        }
        let index = self.starts.start / BASES_A_WORD;
        let first = self.starts.start % BASES_A_WORD;
        let end = (first + self.starts.len()).min(BASES_A_WORD);
        self.starts.start += end - first;
        let next = self.words.get(index + 1).copied().unwrap_or(0);
        Some((
            Window::new(self.question, self.words[index], next),
            first..end,
        ))
    }
}

/// A word of text and the one that follows: where the k-mers lie that start in the first.
pub struct Window {
    question: Question,
    here: u64,
    next: u64,
    here_back: u64,
    next_back: u64,
}

/// The first bits of the codes of the k-mers that start at a word's bases.
pub type Prefixes = [u32; BASES_A_WORD];

/// Prefixes that are made together: they lie in as many bits.
const TOGETHER: usize = 8;

impl Window {
    #[inline(always)]
    fn new(question: Question, here: u64, next: u64) -> Self {
        Self {
            question,
            here,
            next,
            here_back: reverse_complement(here),
            next_back: reverse_complement(next),
        }
    }

    pub fn k(&self) -> u32 {
        self.question.k
    }

    /// The code of the k-mer that starts at a base.
    #[inline(always)]
    pub fn code(&self, base: usize) -> u64 {
        let unused = 64 - 2 * self.question.k;
        let bits = 2 * base as u32;
        // Shifts by 64 in two steps, of which the first is never 0.
        let given = ((self.here << bits) | (self.next >> 1 >> (63 - bits))) >> unused;
        if !self.question.canonical {
            return given;
        }
        let back = (self.here_back >> bits) | (self.next_back << 1 << (63 - bits));
        given.min(back << unused >> unused)
    }

    /// The first `bits` of all codes, 16 or fewer.
    ///
    /// The lesser of two codes has the lesser of their prefixes: so no code needs to be made whole.
    #[inline(always)]
    pub fn prefixes(&self, bits: u32) -> Prefixes {
        let (first, last) = (32 - bits, (1 << bits) - 1);
        let given = u128::from(self.here) << 64 | u128::from(self.next);
        let back = u128::from(self.next_back) << 64 | u128::from(self.here_back);
        let mut prefixes = [0; BASES_A_WORD];
        for (group, prefixes) in prefixes.chunks_exact_mut(TOGETHER).enumerate() {
            let base = group * TOGETHER;
            let given = (given << (2 * base) >> 96) as u32;
            // The reverse complement of what follows the last k-mer of the group comes first.
            let before = 2 * BASES_A_WORD - self.question.k as usize - base - (TOGETHER - 1);
            let back = (back << (2 * before) >> 96) as u32;
            for (place, prefix) in prefixes.iter_mut().enumerate() {
                let place = place as u32;
                *prefix = given >> (first - 2 * place) & last;
                if self.question.canonical {
                    let after = TOGETHER as u32 - 1 - place;
                    *prefix = (*prefix).min(back >> (first - 2 * after) & last);
                }
            }
        }
        prefixes
    }
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
            for (window, starts) in question.windows(piece, &text_of(&bases)) {
                found.extend(starts.clone().map(|base| window.code(base)));
                for bits in (1..=16).take_while(|bits| *bits <= 2 * k) {
                    let prefixes = window.prefixes(bits);
                    for base in starts.clone() {
                        assert_eq!(u64::from(prefixes[base]), window.code(base) >> (2 * k - bits));
                    }
                }
            }
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
