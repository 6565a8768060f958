//! What gaps of at least some length leave of the records in view.

use std::collections::TryReserveError;

use super::found::{GapLengths, Threshold};
use super::lengths::{Lengths, STEPS, Step, steps};
use super::{View, room};

/// The contigs between gaps of at least `min_gap`.
pub struct Contigs {
    min_gap: u64,
    gaps: GapLengths,
    /// Without empty ones.
    lengths: Vec<u64>,
    /// Where the open record's contig starts.
    start_base: u64,
}

impl Contigs {
    /// Of as many records.
    fn of(min_gap: u64, records: usize) -> Result<Self, TryReserveError> {
        let mut lengths = Vec::new();
        room::make(&mut lengths, records)?;
        Ok(Self {
            min_gap,
            gaps: GapLengths::default(),
            lengths,
            start_base: 0,
        })
    }

    /// Takes a run of N of the open record.
    pub fn run(&mut self, start_base: u64, end_base: u64) -> Result<(), TryReserveError> {
        if end_base - start_base >= self.min_gap {
            self.gaps.add(end_base - start_base);
            self.end_contig(start_base)?;
            self.start_base = end_base;
        }
        Ok(())
    }

    pub fn end_record(&mut self, length: u64) -> Result<(), TryReserveError> {
        self.end_contig(length)?;
        self.start_base = 0;
        Ok(())
    }

    fn end_contig(&mut self, end_base: u64) -> Result<(), TryReserveError> {
        if end_base > self.start_base {
            room::push(&mut self.lengths, end_base - self.start_base)?;
        }
        Ok(())
    }

    fn descending(&self) -> impl Iterator<Item = u64> + Clone {
        self.lengths.iter().rev().copied()
    }

    /// With the lengths in ascending order.
    fn threshold(&self) -> Threshold {
        let contig_length = self.lengths.iter().sum();
        let middle = if contig_length > 0 {
            steps(self.descending(), contig_length)[STEPS / 2 - 1]
        } else {
            None
        };
        let Step(contig_n50, contig_l50, _) = middle.unwrap_or(Step(0, 0, 0));
        Threshold {
            min_gap: self.min_gap,
            gaps: self.gaps,
            contigs: self.lengths.len() as u64,
            contig_length,
            contig_n50,
            contig_l50,
        }
    }
}

/// Contigs at each threshold that is told of.
pub fn at_thresholds(view: View, records: usize) -> Result<Vec<Contigs>, TryReserveError> {
    let mut all = vec![1, 10, view.min_gap];
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .map(|min_gap| Contigs::of(min_gap, records))
        .collect()
}

/// What is told of contigs and of the gaps between them.
#[derive(Default)]
pub struct ContigsFound {
    pub thresholds: Vec<Threshold>,
    /// Under the view.
    pub lengths: Lengths,
    pub gaps: GapLengths,
}

impl ContigsFound {
    pub fn of(view: View, all: Vec<Contigs>) -> Self {
        let mut found = Self::default();
        for mut contigs in all {
            contigs.lengths.sort_unstable();
            found.thresholds.push(contigs.threshold());
            if contigs.min_gap == view.min_gap {
                found.gaps = contigs.gaps;
                found.lengths = Lengths::of(contigs.descending(), view.genome_size);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_shorter_than_the_threshold_stays_in_its_contig() {
        let view = View {
            min_gap: 3,
            min_length: 0,
            genome_size: None,
        };
        let mut all = at_thresholds(view, 2).unwrap();
        for contigs in &mut all {
            for (start_base, end_base) in [(0, 3), (5, 7), (8, 11)] {
                contigs.run(start_base, end_base).unwrap();
            }
            contigs.end_record(15).unwrap();
            contigs.end_record(2).unwrap();
        }
        let lengths: Vec<_> = all.iter().map(|contigs| contigs.lengths.clone()).collect();
        assert_eq!(lengths, [vec![2, 1, 4, 2], vec![5, 4, 2], vec![15, 2]]);
        let found = ContigsFound::of(view, all);
        assert_eq!((found.gaps.count, found.gaps.sum), (2, 6));
        assert_eq!((found.lengths.sum, found.lengths.longest), (11, 5));
        let n50s = found
            .thresholds
            .iter()
            .map(|each| (each.min_gap, each.contig_n50));
        assert_eq!(n50s.collect::<Vec<_>>(), [(1, 2), (3, 4), (10, 15)]);
    }
}
