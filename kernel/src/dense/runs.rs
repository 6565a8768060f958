//! Runs of bases, the k-mers' ground: their lengths are counted apart from the k-mers.

use serde::{Deserialize, Serialize};

use crate::bases::Bases;

/// A run, or as much of it as was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub length_bases: u64,
    /// Its first bases, up to the edge of `Ks`.
    pub first: Bases,
    /// Its last bases, likewise.
    pub last: Bases,
}

impl Run {
    /// This run's part, then `next`, the part that follows it without a break.
    pub fn then(&self, next: &Self, edge: u32) -> Self {
        Self {
            length_bases: self.length_bases + next.length_bases,
            first: self.first.then(next.first.first(edge - self.first.length)),
            last: self.last.last(edge - next.last.length).then(next.last),
        }
    }
}

/// The lengths of whole runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLengths {
    pub runs: u64,
    pub bases: u64,
    /// Runs of 1, 2, … bases, fewer than the edge of `Ks`: those that hold fewer k-mers than the formula below says.
    pub short: Vec<u64>,
}

impl RunLengths {
    pub fn new(edge: u32) -> Self {
        Self {
            runs: 0,
            bases: 0,
            short: vec![0; edge.saturating_sub(1) as usize],
        }
    }

    /// Counts one whole run; an empty one is none.
    pub fn push(&mut self, length_bases: u64) {
        if length_bases == 0 {
            return;
        }
        self.runs += 1;
        self.bases += length_bases;
        if let Some(count) = self.short.get_mut(length_bases as usize - 1) {
            *count += 1;
        }
    }

    pub fn add(&mut self, more: &Self) {
        self.runs += more.runs;
        self.bases += more.bases;
        for (sum, count) in self.short.iter_mut().zip(&more.short) {
            *sum += count;
        }
    }

    /// The number of k-mers that the runs hold: the sum of max(0, length - k + 1).
    pub fn kmers(&self, k: u32) -> u64 {
        let missing: u64 = (1..u64::from(k).saturating_sub(1))
            .zip(&self.short)
            .map(|(length, count)| (u64::from(k) - 1 - length) * count)
            .sum();
        self.bases + missing - (u64::from(k) - 1) * self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_kmers_is_that_of_the_definition() {
        let lengths = [1, 1, 2, 3, 5, 6, 7, 8, 9, 100];
        let mut counted = RunLengths::new(7);
        lengths.iter().for_each(|length| counted.push(*length));
        counted.push(0);
        for k in 1..=8_u64 {
            let expected: u64 = lengths
                .iter()
                .map(|length| (length + 1_u64).saturating_sub(k))
                .sum();
            assert_eq!(counted.kmers(k as u32), expected);
        }
    }
}
