//! How many gaps have each length.

use std::collections::{HashMap, TryReserveError};

/// A counter for each length that occurs: n bases of gaps have fewer than √(2n) different lengths.
#[derive(Default)]
pub struct GapCounts(HashMap<u64, u64>);

impl GapCounts {
    pub fn add(&mut self, length: u64) -> Result<(), TryReserveError> {
        if let Some(count) = self.0.get_mut(&length) {
            *count += 1;
            return Ok(());
        }
        self.0.try_reserve(1)?;
        self.0.insert(length, 1);
        Ok(())
    }

    /// The length with which the longest gaps together reach half of all; 0 without any.
    pub fn n50(self) -> u64 {
        let mut counts: Vec<_> = self.0.into_iter().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        // The lengths add up to less than 2^63.
        let all: u64 = counts.iter().map(|(length, count)| length * count).sum();
        let mut reached = 0;
        let found = counts.into_iter().find(|(length, count)| {
            reached += length * count;
            2 * reached >= all
        });
        found.map_or(0, |(length, _)| length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n50(lengths: &[u64]) -> u64 {
        let mut counts = GapCounts::default();
        for length in lengths {
            counts.add(*length).unwrap();
        }
        counts.n50()
    }

    #[test]
    fn half_of_all_is_in_gaps_of_at_least_this_length() {
        assert_eq!(n50(&[]), 0);
        assert_eq!(n50(&[3]), 3);
        assert_eq!(n50(&[1, 1, 1, 1, 4]), 4);
        assert_eq!(n50(&[1, 1, 1, 1, 1, 4]), 1);
        assert_eq!(n50(&[10, 9, 8, 7, 6, 5, 4, 3, 2]), 8);
        assert_eq!(n50(&[(1 << 62) - 1, 1 << 62]), 1 << 62);
    }
}
