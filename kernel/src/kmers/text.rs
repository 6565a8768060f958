//! Packed text: stretches of bases, 2 bits each, every one of which tells which of its k-mers count.
//!
//! No piece needs another: a piece that carries a run on begins with the bases before, as many as
//! its k-mers may reach back to. So the pieces of a text are a bag, and text is joined by putting
//! bags together.

use crate::bases::Bases;
use crate::dense::{Count, Stretch};
use crate::ks::LargeKs;
use crate::machine::Machine;
use crate::rows::rope::Rope;

/// Bases in a word of text.
pub const BASES_A_WORD: usize = 32;

/// A stretch of bases, and which of its k-mers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// All its bases.
    pub length: u32,
    /// The bases at its start that were packed before; a k-mer counts that ends after them.
    pub carried: u32,
    /// It joins two stretches, and a k-mer counts only that starts in the carried bases.
    pub is_seam: bool,
}

impl Piece {
    /// Where its k-mers that count start.
    pub fn starts(&self, k: u32) -> std::ops::Range<usize> {
        let first = (self.carried + 1).saturating_sub(k);
        let end = (self.length + 1).saturating_sub(k);
        let end = if self.is_seam {
            end.min(self.carried)
        } else {
            end
        };
        first as usize..end.max(first) as usize
    }

    /// The words that it takes.
    pub fn words(&self) -> usize {
        (self.length as usize).div_ceil(BASES_A_WORD)
    }
}

/// Blocks of packed text that summaries share.
pub type Packed = Rope<Blocks, ()>;

/// Counts small k-mers, and packs the text that large ones are counted in.
pub struct Counter<C> {
    pub small: C,
    pub packed: Blocks,
    pub large: Option<LargeKs>,
}

impl<C: Count> Count for Counter<C> {
    fn count(&mut self, machine: impl Machine, stretch: &Stretch) {
        self.small.count(machine, stretch);
        if let Some(large) = self.large {
            let block = self.packed.open();
            block.push_stretch(machine, stretch, large.least);
        }
    }
}

/// The words of a block when it counts as full: a block is the least that a thread takes.
///
/// A vector grows to powers of two, into which the last stretch fits.
const BLOCK_WORDS: usize = (1 << 16) - 256;

/// Packed text in blocks, so that it grows without being moved, and threads can share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks(pub Vec<PackedText>);

impl Blocks {
    /// The memory that it takes.
    pub fn size_bytes(&self) -> usize {
        let sizes = self.0.iter().map(|block| {
            block.words.capacity() * size_of::<u64>() + block.pieces.capacity() * size_of::<Piece>()
        });
        sizes.sum()
    }

    /// The block that is to be filled.
    pub fn open(&mut self) -> &mut PackedText {
        let is_full = |block: &PackedText| block.words.len() >= BLOCK_WORDS;
        if self.0.last().is_none_or(is_full) {
            self.0.push(PackedText::default());
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

/// A bag of pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedText {
    pub pieces: Vec<Piece>,
    /// The pieces' bases, each from a word's highest bits on, the first base highest; what a last
    /// word doesn't use is 0.
    pub words: Vec<u64>,
}

impl PackedText {
    /// Packs a stretch, unless it has no k-mer of the smallest `k`.
    pub fn push_stretch(&mut self, machine: impl Machine, stretch: &Stretch, k: u32) {
        let piece = stretch.piece();
        if piece.starts(k).is_empty() {
            return;
        }
        self.pieces.push(piece);
        stretch.pack(machine, &mut self.words);
    }

    /// Packs what joins two stretches: the last bases of one, and the first of the other.
    pub fn push_seam(&mut self, left: Bases, right: Bases, k: u32) {
        let piece = Piece {
            length: left.length + right.length,
            carried: left.length,
            is_seam: true,
        };
        if piece.starts(k).is_empty() {
            return;
        }
        self.pieces.push(piece);
        let mut bases = u128::from(left.code) << (2 * right.length) | u128::from(right.code);
        bases <<= 128 - 2 * piece.length;
        self.words.push((bases >> 64) as u64);
        if piece.words() == 2 {
            self.words.push(bases as u64);
        }
    }

    /// The pieces with their words.
    pub fn iter(&self) -> impl Iterator<Item = (Piece, &[u64])> {
        let mut rest = self.words.as_slice();
        self.pieces.iter().map(move |piece| {
            let (words, after) = rest.split_at(piece.words());
            rest = after;
            (*piece, words)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bases::CODE_OF_PLANE;
    use crate::machine::Portable;

    proptest! {
        #[test]
        fn a_stretch_is_packed_as_its_bases_are(
            carried in prop::collection::vec(0..4_u64, 0..=31),
            older in prop::collection::vec(0..4_u64, 0..150),
            new in prop::collection::vec(0..4_u64, 0..150),
        ) {
            let mut stretch = Stretch::new();
            for bases in [&older, &new] {
                stretch.begin(Bases::of_codes(carried.iter().copied()));
                let mut tail = stretch.tail();
                for code in bases {
                    let plane = CODE_OF_PLANE[*code as usize]; // its own inverse
                    stretch.append(&mut tail, plane & 1, plane >> 1, 1);
                }
            }
            let mut text = PackedText::default();
            text.push_stretch(Portable, &stretch, 1);
            let all: Vec<_> = carried.iter().chain(&new).copied().collect();
            let words: Vec<_> = all
                .chunks(BASES_A_WORD)
                .map(|bases| {
                    let bases = bases.iter().enumerate();
                    bases.fold(0, |word, (place, base)| word | base << (62 - 2 * place))
                })
                .collect();
            if new.is_empty() {
                prop_assert_eq!(text, PackedText::default());
            } else {
                prop_assert_eq!(text.words, words);
                let piece = Piece {
                    length: all.len() as u32,
                    carried: carried.len() as u32,
                    is_seam: false,
                };
                prop_assert_eq!(text.pieces, vec![piece]);
            }
        }
    }
}
