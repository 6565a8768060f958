//! CRC-64/NVME, the full-object checksum that S3 keeps.

use crc_fast::CrcAlgorithm::Crc64Nvme;
use crc_fast::Digest;

/// The CRC of `data`, continued from the CRC of what came before it: 0 for nothing.
pub fn crc64nvme(data: &[u8], before: u64) -> u64 {
    // The register is the CRC before its final inversion.
    let mut digest = Digest::new_with_init_state(Crc64Nvme, !before);
    digest.update(data);
    digest.finalize()
}

/// The CRC of two runs of bytes in a row, of which the second has `right_bytes`.
///
/// It is left·x^(8·right_bytes) + right, modulo the polynomial, as in zlib's `crc32_combine` (Mark
/// Adler, `crc32.c`: `multmodp`, `x2nmodp`). Nothing is inverted here: the ones that `right` began
/// with, moved as far as `left`, undo the final inversion of `left`.
pub fn combine(left: u64, right: u64, right_bytes: u64) -> u64 {
    let powers = (0..64).filter(|index| right_bytes >> index & 1 == 1);
    powers.fold(left, |crc, index| multiply(crc, POWERS[index])) ^ right
}

/// CRC-64/NVME's polynomial but for x^64, x^0 in the highest bit as in all of these numbers.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// x^8 to the power of 2^index, modulo the polynomial.
const POWERS: [u64; 64] = {
    let mut powers = [1 << (63 - 8); 64];
    let mut index = 1;
    while index < 64 {
        powers[index] = multiply(powers[index - 1], powers[index - 1]);
        index += 1;
    }
    powers
};

/// The product of two polynomials over GF(2), modulo CRC-64/NVME's.
const fn multiply(one: u64, mut other: u64) -> u64 {
    let mut product = 0;
    let mut bit = 64;
    while bit > 0 {
        bit -= 1;
        product ^= other & (one >> bit & 1).wrapping_neg();
        other = other >> 1 ^ POLYNOMIAL & (other & 1).wrapping_neg();
    }
    product
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_catalogue_s_check_value_holds() {
        assert_eq!(crc64nvme(b"123456789", 0), 0xae8b_1486_0a79_9888);
    }

    #[test]
    fn parts_combine_at_every_cut() {
        let data: Vec<u8> = (0..997_u32).map(|i| (i * i % 251) as u8).collect();
        for cut in 0..=data.len() {
            let (left, right) = data.split_at(cut);
            let whole = crc64nvme(&data, 0);
            let right_crc = crc64nvme(right, 0);
            assert_eq!(crc64nvme(right, crc64nvme(left, 0)), whole);
            assert_eq!(
                combine(crc64nvme(left, 0), right_crc, right.len() as u64),
                whole
            );
        }
    }

    proptest! {
        #[test]
        fn combines_as_its_slow_twin(
            left in any::<u64>(),
            right in any::<u64>(),
            right_bytes in prop_oneof![0..=2_u64, 0..1_u64 << 20, 0..=1_u64 << 45, any::<u64>()],
        ) {
            let expected = crc_fast::checksum_combine(Crc64Nvme, left, right, right_bytes);
            prop_assert_eq!(combine(left, right, right_bytes), expected);
        }

        #[test]
        fn parts_of_any_text_combine_to_the_whole_s(
            text in prop::collection::vec(any::<u8>(), 0..500),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let combined = cuts.windows(2).fold(0, |crc, cut| {
                let part = &text[cut[0]..cut[1]];
                combine(crc, crc64nvme(part, 0), part.len() as u64)
            });
            prop_assert_eq!(combined, crc64nvme(&text, 0));
        }
    }
}
