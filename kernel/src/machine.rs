//! What the processor does best, 64 bytes at a time: which bytes are bases, and their bits.
//!
//! A machine is a token. `Avx2` and `Avx512` can only be had from their `detect`, so whoever holds
//! one may use the instructions it stands for; `Portable` is the obviously right twin, and what other
//! processors run.

/// 64 bytes as bit planes: bit `i` tells of byte `i`.
///
/// A base's 2-bit plane code is bits 1 and 2 of its ASCII letter, in either case:
/// A = 0, C = 1, T = 2, G = 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// The byte is one of `ACGTacgt`.
    pub acgt: u64,
    /// The byte is a line feed.
    pub line_feed: u64,
    /// Bit 1 of the byte.
    pub low: u64,
    /// Bit 2 of the byte.
    pub high: u64,
    /// Bit 5 of the byte: for letters, whether it is lowercase.
    pub lowercase: u64,
}

/// In how many codes the bits are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitCounts {
    pub low: u64,
    pub high: u64,
    pub both: u64,
}

impl BitCounts {
    #[inline(always)]
    fn of(low: &[u64], high: &[u64]) -> Self {
        let mut counts = Self::default();
        for (low, high) in low.iter().zip(high) {
            counts.low += u64::from(low.count_ones());
            counts.high += u64::from(high.count_ones());
            counts.both += u64::from((low & high).count_ones());
        }
        counts
    }
}

pub trait Machine: Copy {
    fn planes(self, chunk: &[u8; 64]) -> Planes;

    /// Which bytes are the letter, given in uppercase, in either case.
    fn equal(self, chunk: &[u8; 64], letter: u8) -> u64;

    /// The bits of `bits` under `mask`, moved together at the low end.
    fn compress(self, bits: u64, mask: u64) -> u64;

    /// Two-bit codes, 32 a word, the first in the lowest bits, from planes of their low and high
    /// bits: two words from each of a plane's.
    fn interleave(self, low: &[u64], high: &[u64], codes: &mut [[u64; 2]]);

    /// Counts the bits of planes.
    fn count_bits(self, low: &[u64], high: &[u64]) -> BitCounts;
}

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

#[cfg(target_arch = "x86_64")]
pub use self::x86_64::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::{
        __m128i, __m256i, __m512i, _mm_setr_epi8, _mm256_and_si256, _mm256_broadcastsi128_si256,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
        _mm256_shuffle_epi8, _mm256_slli_epi16, _mm512_and_si512, _mm512_broadcast_i32x4,
        _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_shuffle_epi8,
        _mm512_test_epi8_mask, _pdep_u64, _pext_u64,
    };

    use super::{BitCounts, Machine, Planes};

    /// AVX2 and BMI2: Intel since Haswell, AMD since Zen 3 at full speed.
    #[derive(Clone, Copy, Debug)]
    pub struct Avx2(());

    impl Avx2 {
        pub fn detect() -> Option<Self> {
            let present = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            present.then_some(Self(()))
        }
    }

    impl Machine for Avx2 {
        #[inline(always)]
        fn planes(self, chunk: &[u8; 64]) -> Planes {
            // SAFETY: the token proves that the processor has AVX2.
            unsafe { planes(chunk) }
        }

        #[inline(always)]
        fn equal(self, chunk: &[u8; 64], letter: u8) -> u64 {
            // SAFETY: the token proves that the processor has AVX2.
            unsafe { equal(chunk, letter) }
        }

        #[inline(always)]
        fn compress(self, bits: u64, mask: u64) -> u64 {
            // SAFETY: the token proves that the processor has BMI2.
            unsafe { _pext_u64(bits, mask) }
        }

        fn interleave(self, low: &[u64], high: &[u64], codes: &mut [[u64; 2]]) {
            // SAFETY: the token proves that the processor has BMI2.
            unsafe { interleave(low, high, codes) }
        }

        fn count_bits(self, low: &[u64], high: &[u64]) -> BitCounts {
            // SAFETY: the token proves that the processor has POPCNT.
            unsafe { count_bits(low, high) }
        }
    }

    /// AVX-512 beside AVX2: Intel since Skylake's servers, AMD since Zen 4.
    #[derive(Clone, Copy, Debug)]
    pub struct Avx512(Avx2);

    impl Avx512 {
        pub fn detect() -> Option<Self> {
            let present =
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            Avx2::detect().filter(|_| present).map(Self)
        }
    }

    impl Machine for Avx512 {
        #[inline(always)]
        fn planes(self, chunk: &[u8; 64]) -> Planes {
            // SAFETY: the token proves that the processor has AVX-512F and BW.
            unsafe { wide_planes(chunk) }
        }

        #[inline(always)]
        fn equal(self, chunk: &[u8; 64], letter: u8) -> u64 {
            self.0.equal(chunk, letter)
        }

        #[inline(always)]
        fn compress(self, bits: u64, mask: u64) -> u64 {
            self.0.compress(bits, mask)
        }

        fn interleave(self, low: &[u64], high: &[u64], codes: &mut [[u64; 2]]) {
            self.0.interleave(low, high, codes);
        }

        fn count_bits(self, low: &[u64], high: &[u64]) -> BitCounts {
            self.0.count_bits(low, high)
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn wide_planes(chunk: &[u8; 64]) -> Planes {
        // SAFETY: the 64 bytes are there, and the load needs no alignment.
        let vector = unsafe { _mm512_loadu_si512(chunk.as_ptr().cast::<__m512i>()) };
        let letters = _mm512_broadcast_i32x4(letters_by_low_nibble());
        let upper = _mm512_and_si512(vector, _mm512_set1_epi8(UPPERCASE));
        let bit = |bit: i8| _mm512_test_epi8_mask(vector, _mm512_set1_epi8(bit));
        Planes {
            acgt: _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(letters, vector), upper),
            line_feed: _mm512_cmpeq_epi8_mask(vector, _mm512_set1_epi8(b'\n' as i8)),
            low: bit(2),
            high: bit(4),
            lowercase: bit(32),
        }
    }

    /// Clears the bit that tells the cases apart.
    const UPPERCASE: i8 = 0xdf_u8 as i8;

    /// The base whose letter has the low nibble that is the index; -1 where there is none, which no
    /// byte is once it is made uppercase.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn letters_by_low_nibble() -> __m128i {
        let (a, c, g, t) = (b'A' as i8, b'C' as i8, b'G' as i8, b'T' as i8);
        _mm_setr_epi8(-1, a, -1, c, t, -1, -1, g, -1, -1, -1, -1, -1, -1, -1, -1)
    }

    #[target_feature(enable = "popcnt")]
    fn count_bits(low: &[u64], high: &[u64]) -> BitCounts {
        BitCounts::of(low, high)
    }

    #[target_feature(enable = "bmi2")]
    fn interleave(low: &[u64], high: &[u64], codes: &mut [[u64; 2]]) {
        let spread = |low: u64, high: u64| {
            _pdep_u64(low, 0x5555_5555_5555_5555) | _pdep_u64(high, 0xaaaa_aaaa_aaaa_aaaa)
        };
        for ((low, high), pair) in low.iter().zip(high).zip(codes) {
            *pair = [spread(*low, *high), spread(low >> 32, high >> 32)];
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn planes(chunk: &[u8; 64]) -> Planes {
        let (first, second) = chunk.split_at(32);
        let (first, second) = (half(first), half(second));
        let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Planes {
            acgt: join(first.0, second.0),
            line_feed: join(first.1, second.1),
            low: join(first.2, second.2),
            high: join(first.3, second.3),
            lowercase: join(first.4, second.4),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8]) -> __m256i {
        assert_eq!(bytes.len(), 32);
        // SAFETY: the 32 bytes are there, and the load needs no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(chunk: &[u8; 64], letter: u8) -> u64 {
        let half = |bytes: &[u8]| {
            let upper = _mm256_and_si256(load(bytes), _mm256_set1_epi8(UPPERCASE));
            let equal = _mm256_cmpeq_epi8(upper, _mm256_set1_epi8(letter as i8));
            u64::from(_mm256_movemask_epi8(equal) as u32)
        };
        let (first, second) = chunk.split_at(32);
        half(first) | half(second) << 32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn half(bytes: &[u8]) -> (u32, u32, u32, u32, u32) {
        let vector = load(bytes);
        let letters = _mm256_broadcastsi128_si256(letters_by_low_nibble());
        let upper = _mm256_and_si256(vector, _mm256_set1_epi8(UPPERCASE));
        let acgt = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(letters, vector), upper);
        let line_feed = _mm256_cmpeq_epi8(vector, _mm256_set1_epi8(b'\n' as i8));
        (
            _mm256_movemask_epi8(acgt) as u32,
            _mm256_movemask_epi8(line_feed) as u32,
            _mm256_movemask_epi8(_mm256_slli_epi16::<6>(vector)) as u32,
            _mm256_movemask_epi8(_mm256_slli_epi16::<5>(vector)) as u32,
            _mm256_movemask_epi8(_mm256_slli_epi16::<2>(vector)) as u32,
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive_planes(chunk: &[u8; 64]) -> Planes {
        let plane = |holds: &dyn Fn(u8) -> bool| {
            (0..64).fold(0, |plane, i| plane | u64::from(holds(chunk[i])) << i)
        };
        Planes {
            acgt: plane(&|byte| b"ACGTacgt".contains(&byte)),
            line_feed: plane(&|byte| byte == b'\n'),
            low: plane(&|byte| byte & 2 != 0),
            high: plane(&|byte| byte & 4 != 0),
            lowercase: plane(&|byte| byte & 32 != 0),
        }
    }

    fn naive_compress(bits: u64, mask: u64) -> u64 {
        let kept = (0..64).filter(|i| mask >> i & 1 == 1);
        kept.enumerate()
            .fold(0, |word, (to, from)| word | (bits >> from & 1) << to)
    }

    fn naive_interleave(low: u64, high: u64) -> [u64; 2] {
        let code = |i: u64| (low >> i & 1) | (high >> i & 1) << 1;
        [0, 32].map(|start| (0..32).fold(0, |word, i| word | code(start + i) << (2 * i)))
    }

    fn holds_against_the_twin(
        machine: impl Machine,
        chunk: &[u8; 64],
        bits: u64,
        mask: u64,
    ) -> Result<(), TestCaseError> {
        prop_assert_eq!(machine.planes(chunk), naive_planes(chunk));
        let is_n = (0..64).fold(0, |plane, i| {
            plane | u64::from(b"Nn".contains(&chunk[i])) << i
        });
        prop_assert_eq!(machine.equal(chunk, b'N'), is_n);
        prop_assert_eq!(machine.compress(bits, mask), naive_compress(bits, mask));
        let count = |plane: u64| (0..64).filter(|i| plane >> i & 1 == 1).count() as u64;
        let counts = BitCounts {
            low: count(bits),
            high: count(mask),
            both: count(bits & mask),
        };
        prop_assert_eq!(machine.count_bits(&[bits], &[mask]), counts);
        let mut codes = [[0; 2]; 2];
        machine.interleave(&[bits, mask], &[mask, bits], &mut codes);
        prop_assert_eq!(
            codes,
            [naive_interleave(bits, mask), naive_interleave(mask, bits)]
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn every_machine_does_as_its_naive_twin(
            chunk in prop::array::uniform32(any::<u8>()),
            text in prop::array::uniform32(prop::sample::select(b"ACGTNacgtn\n\r >".to_vec())),
            bits: u64,
            mask: u64,
        ) {
            let mut both = [0; 64];
            both[..32].copy_from_slice(&chunk);
            both[32..].copy_from_slice(&text);
            holds_against_the_twin(Portable, &both, bits, mask)?;
            #[cfg(target_arch = "x86_64")]
            if let Some(machine) = Avx2::detect() {
                holds_against_the_twin(machine, &both, bits, mask)?;
            }
            #[cfg(target_arch = "x86_64")]
            if let Some(machine) = Avx512::detect() {
                holds_against_the_twin(machine, &both, bits, mask)?;
            }
        }
    }

    #[test]
    fn every_byte_value_is_classified() {
        for start in (0..=192).step_by(64) {
            let chunk = std::array::from_fn(|i| (start + i) as u8);
            assert_eq!(Portable.planes(&chunk), naive_planes(&chunk));
            #[cfg(target_arch = "x86_64")]
            if let Some(machine) = Avx2::detect() {
                assert_eq!(machine.planes(&chunk), naive_planes(&chunk));
            }
            #[cfg(target_arch = "x86_64")]
            if let Some(machine) = Avx512::detect() {
                assert_eq!(machine.planes(&chunk), naive_planes(&chunk));
            }
        }
    }
}
