//! AVX2 and AVX-512.

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
        let present = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
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

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn on_avx2<W: super::Work>(work: W) -> W::Output {
    work.run()
}

#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn on_avx512<W: super::Work>(work: W) -> W::Output {
    work.run()
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
