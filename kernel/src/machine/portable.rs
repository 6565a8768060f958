//! Words of 64 bits: what every processor can do.

use super::{BitCounts, Machine, Planes};

#[derive(Clone, Copy, Debug)]
pub struct Portable;

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// Bit `i` of the result is the lowest bit of byte `i`: the product moves each to the top byte.
fn gather(word: u64) -> u64 {
    (word & ONES).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The lowest bit of each byte tells whether that byte of `word` equals `byte`.
fn equals(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * u64::from(byte));
    !(((difference & LOW_SEVEN) + LOW_SEVEN) | difference | LOW_SEVEN) >> 7
}

impl Machine for Portable {
    fn planes(self, chunk: &[u8; 64]) -> Planes {
        let mut planes = Planes {
            acgt: 0,
            line_feed: 0,
            low: 0,
            high: 0,
            lowercase: 0,
        };
        for (index, bytes) in chunk.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*bytes);
            let upper = word & !(ONES << 5);
            let acgt = equals(upper, b'A')
                | equals(upper, b'C')
                | equals(upper, b'G')
                | equals(upper, b'T');
            let at = index * 8;
            planes.acgt |= gather(acgt) << at;
            planes.line_feed |= gather(equals(word, b'\n')) << at;
            planes.low |= gather(word >> 1) << at;
            planes.high |= gather(word >> 2) << at;
            planes.lowercase |= gather(word >> 5) << at;
        }
        planes
    }

    fn equal(self, chunk: &[u8; 64], letter: u8) -> u64 {
        let words = chunk.as_chunks::<8>().0.iter().enumerate();
        words.fold(0, |mask, (index, bytes)| {
            let upper = u64::from_le_bytes(*bytes) & !(ONES << 5);
            mask | gather(equals(upper, letter)) << (8 * index)
        })
    }

    fn compress(self, bits: u64, mask: u64) -> u64 {
        let mut rest = mask;
        let mut compressed = 0;
        let mut filled = 0;
        while rest != 0 {
            let start = rest.trailing_zeros();
            let length = (rest >> start).trailing_ones();
            let run = u64::MAX >> (64 - length);
            compressed |= ((bits >> start) & run) << filled;
            filled += length;
            rest &= !(run << start);
        }
        compressed
    }

    fn interleave(self, low: &[u64], high: &[u64], codes: &mut [[u64; 2]]) {
        for ((low, high), pair) in low.iter().zip(high).zip(codes) {
            pair[0] = spread(*low as u32) | spread(*high as u32) << 1;
            pair[1] = spread((low >> 32) as u32) | spread((high >> 32) as u32) << 1;
        }
    }

    fn count_bits(self, low: &[u64], high: &[u64]) -> BitCounts {
        BitCounts::of(low, high)
    }
}

/// Bit `i` moves to bit `2i`.
fn spread(bits: u32) -> u64 {
    let mut word = u64::from(bits);
    word = (word | word << 16) & 0x0000_ffff_0000_ffff;
    word = (word | word << 8) & 0x00ff_00ff_00ff_00ff;
    word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    word = (word | word << 2) & 0x3333_3333_3333_3333;
    (word | word << 1) & 0x5555_5555_5555_5555
}
