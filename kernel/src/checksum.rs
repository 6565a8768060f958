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
pub fn combine(left: u64, right: u64, right_bytes: u64) -> u64 {
    crc_fast::checksum_combine(Crc64Nvme, left, right, right_bytes)
}

#[cfg(test)]
mod tests {
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
}
