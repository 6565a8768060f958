//! What the processor does best, 64 bytes at a time: which bytes are bases, and their bits.
//!
//! A machine is a token. `Avx2` and `Avx512` can only be had from their `detect`, so whoever holds
//! one may use the instructions it stands for; `Portable` is the obviously right twin, and what other
//! processors run.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use self::portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use self::x86_64::{Avx2, Avx512};

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

/// Work that the compiler makes faster where it may use more instructions.
///
/// `run` must be `#[inline(always)]`, as must be what it calls.
pub trait Work {
    type Output;
    fn run(self) -> Self::Output;
}

/// Does work with the best instructions that this processor has.
pub fn on_best_machine<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if Avx512::detect().is_some() {
            // SAFETY: the token proves that the processor has what the function needs.
            return unsafe { x86_64::on_avx512(work) };
        }
        if Avx2::detect().is_some() {
            // SAFETY: the token proves that the processor has what the function needs.
            return unsafe { x86_64::on_avx2(work) };
        }
    }
    work.run()
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
