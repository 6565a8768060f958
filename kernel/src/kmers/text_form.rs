//! Packed text as bytes, so that another process can count its k-mers.
//!
//! 8 bytes say what they are; then come the blocks. Each has its number of pieces and of words, of 4
//! bytes; its pieces, of 5: the length, and in the last one the carried bases and, highest, whether
//! the piece is a seam; and its words, of 8. All numbers begin with their lowest byte.

use crate::kmers::text::{BASES_A_WORD, Blocks, PackedText, Piece};
use crate::ks::MAX_LARGE_K;

const MAGIC: &[u8; 8] = b"fftext1\n";

const PIECE_BYTES: usize = 5;
const SEAM: u8 = 0x80;

/// The bytes of some blocks.
pub fn encode(blocks: &Blocks) -> Vec<u8> {
    let sizes = blocks
        .0
        .iter()
        .map(|text| 8 + PIECE_BYTES * text.pieces.len() + 8 * text.words.len());
    let mut bytes = Vec::with_capacity(MAGIC.len() + sizes.sum::<usize>());
    bytes.extend_from_slice(MAGIC);
    for text in &blocks.0 {
        bytes.extend_from_slice(&(text.pieces.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(text.words.len() as u32).to_le_bytes());
        for piece in &text.pieces {
            bytes.extend_from_slice(&piece.length.to_le_bytes());
            bytes.push(piece.carried as u8 | if piece.is_seam { SEAM } else { 0 });
        }
        for word in &text.words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}

/// The blocks that were encoded; none if the bytes can't be those of any.
pub fn decode(bytes: &[u8]) -> Option<Blocks> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut blocks = Blocks::default();
    while !rest.is_empty() {
        let pieces = number(take(&mut rest, 4)?) as usize;
        let words = number(take(&mut rest, 4)?) as usize;
        let pieces = take(&mut rest, pieces.checked_mul(PIECE_BYTES)?)?;
        let words = take(&mut rest, words.checked_mul(8)?)?;
        let text = PackedText {
            pieces: pieces.chunks_exact(PIECE_BYTES).map(piece).collect(),
            words: words.chunks_exact(8).map(number).collect(),
        };
        if !is_text(&text) {
            return None;
        }
        blocks.0.push(text);
    }
    Some(blocks)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn piece(bytes: &[u8]) -> Piece {
    Piece {
        length: number(&bytes[..4]) as u32,
        carried: u32::from(bytes[4] & !SEAM),
        is_seam: bytes[4] & SEAM != 0,
    }
}

/// Whether the pieces take all words, and nothing stands where no base is.
fn is_text(text: &PackedText) -> bool {
    let mut rest = text.words.as_slice();
    for piece in &text.pieces {
        let most = if piece.is_seam {
            2 * (MAX_LARGE_K - 1)
        } else {
            u32::MAX
        };
        let is_piece = (1..=most).contains(&piece.length)
            && piece.carried < MAX_LARGE_K
            && piece.carried <= piece.length;
        let Some((words, after)) = rest.split_at_checked(piece.words()) else {
            return false;
        };
        let used = piece.length as usize % BASES_A_WORD;
        let is_clean = used == 0 || words.last().is_some_and(|word| word << (2 * used) == 0);
        if !is_piece || !is_clean {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bases::Bases;

    fn text() -> impl Strategy<Value = Blocks> {
        let seam = (1..32_usize, 1..32_usize, any::<u64>()).prop_map(|(left, right, codes)| {
            let codes = |count: usize| (0..count).map(move |place| codes >> place & 3);
            (Bases::of_codes(codes(left)), Bases::of_codes(codes(right)))
        });
        let pieces = prop::collection::vec((seam, 1..200_u32, 0..32_u32), 1..5);
        let block = pieces.prop_map(|pieces| {
            let mut text = PackedText::default();
            for ((left, right), length, carried) in pieces {
                text.push_seam(left, right, 1);
                let piece = Piece {
                    length,
                    carried: carried.min(length),
                    is_seam: false,
                };
                text.pieces.push(piece);
                let words = piece.words();
                text.words.extend((0..words as u64).map(|word| !word));
                let unused = words * BASES_A_WORD - length as usize;
                let last = text.words.len() - 1;
                text.words[last] = text.words[last] >> (2 * unused) << (2 * unused);
            }
            text
        });
        prop::collection::vec(block, 0..4).prop_map(Blocks)
    }

    proptest! {
        #[test]
        fn text_reads_back(blocks in text()) {
            prop_assert_eq!(decode(&encode(&blocks)), Some(blocks));
        }

        #[test]
        fn text_that_was_cut_or_grew_is_refused_or_ends_where_a_block_does(
            blocks in text(),
            cut in any::<prop::sample::Index>(),
            more in 1..8_usize,
        ) {
            let bytes = encode(&blocks);
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + more, 0);
            prop_assert!(decode(&longer).is_none_or(|found| found.0.len() > blocks.0.len()));
            let cut = cut.index(bytes.len());
            if let Some(found) = decode(&bytes[..cut]) {
                prop_assert_eq!(&found.0[..], &blocks.0[..found.0.len()]);
                prop_assert!(found.0.len() < blocks.0.len());
            }
        }

        #[test]
        fn whatever_is_read_is_text(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut hostile = MAGIC.to_vec();
            hostile.extend(bytes);
            if let Some(found) = decode(&hostile) {
                prop_assert!(found.0.iter().all(is_text));
                prop_assert_eq!(encode(&found), hostile);
            }
        }
    }
}
