//! The survey: what one pass over `sequences.tsv` and `gaps.bed` finds, under a view.
//!
//! ```text
//! sequences.tsv ──▶ Sequences   sums, bins, the longest rows; 40 bytes of each record
//!                       │ records in file order
//! gaps.bed ───────▶ Walk        contigs, gaps, tracks
//!                       │ records, longest first
//!                     Found     the JSON
//! ```
//!
//! The tables are checked, for anyone can write them: lengths add up to less than 2^63, a part is
//! no longer than its record, and so no sum overflows.

mod bins;
mod contigs;
mod found;
mod gap_counts;
mod lengths;
mod listed;
mod room;
mod rows;
mod sequences;
mod tracks;
mod walk;

use std::collections::TryReserveError;

pub use found::Found;
use rows::Lines;
use sequences::Sequences;
use walk::Walk;

/// What lengths and sums stay below.
const LIMIT: u64 = 1 << 63;

/// What is looked at, and how.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// A run of N of at least this length is a gap.
    pub min_gap: u64,
    /// Records shorter than this are left out.
    pub min_length: u64,
    /// What NG(x) refers to.
    pub genome_size: Option<u64>,
}

impl View {
    pub fn is_valid(&self) -> bool {
        let sizes = [self.min_gap, self.genome_size.unwrap_or(1)];
        sizes.iter().all(|size| (1..LIMIT).contains(size)) && self.min_length < LIMIT
    }
}

/// Why there is no survey.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The tables are not what fanfold writes.
    Wrong(String),
    OutOfMemory,
}

impl From<TryReserveError> for Refusal {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

pub struct Survey {
    view: View,
    sequence_lines: Lines,
    sequences: Sequences,
    gap_lines: Lines,
    /// Once all of `sequences.tsv` is there.
    walk: Option<Walk>,
}

impl Survey {
    pub fn new(view: View) -> Result<Self, Refusal> {
        Ok(Self {
            view,
            sequence_lines: Lines::of("sequences.tsv"),
            sequences: Sequences::new(view)?,
            gap_lines: Lines::of("gaps.bed"),
            walk: None,
        })
    }

    /// Takes the next bytes of `sequences.tsv`.
    pub fn add_sequences(&mut self, block: &[u8]) -> Result<(), Refusal> {
        if self.walk.is_some() {
            let message = "rows of sequences.tsv come before those of gaps.bed";
            return Err(Refusal::Wrong(message.to_owned()));
        }
        let sequences = &mut self.sequences;
        self.sequence_lines
            .feed(block, |line| sequences.take_line(line))
    }

    /// Takes the next bytes of `gaps.bed`.
    pub fn add_gaps(&mut self, block: &[u8]) -> Result<(), Refusal> {
        let mut walk = self.started_walk()?;
        self.gap_lines.feed(block, |line| walk.take_line(line))?;
        self.walk = Some(walk);
        Ok(())
    }

    pub fn finish(mut self) -> Result<Found, Refusal> {
        let walk = self.started_walk()?;
        self.gap_lines.end()?;
        let walked = walk
            .finish()
            .map_err(|wrong| self.gap_lines.at_end(wrong))?;
        Ok(Found::of(self.view, self.sequences, walked))
    }

    fn started_walk(&mut self) -> Result<Walk, Refusal> {
        if let Some(walk) = self.walk.take() {
            return Ok(walk);
        }
        self.sequence_lines.end()?;
        let records = self
            .sequences
            .end()
            .map_err(|wrong| self.sequence_lines.at_end(wrong))?;
        Ok(Walk::over(records, self.view, &self.sequences)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tables::SEQUENCES_HEADER;

    const VIEW: View = View {
        min_gap: 1,
        min_length: 0,
        genome_size: None,
    };

    fn survey(sequences: &[u8], gaps: &[u8], block_bytes: usize) -> Result<Found, Refusal> {
        let mut survey = Survey::new(VIEW)?;
        for block in SEQUENCES_HEADER.chunks(block_bytes) {
            survey.add_sequences(block)?;
        }
        for block in sequences.chunks(block_bytes) {
            survey.add_sequences(block)?;
        }
        for block in gaps.chunks(block_bytes) {
            survey.add_gaps(block)?;
        }
        survey.finish()
    }

    const SEQUENCES: &[u8] = b"a\t9\t1\t2\t1\t0\t4\t1\t2\t60.000\t0\t1\n\
        \t0\t0\t0\t0\t0\t0\t0\t0\t\t12\t0\n\
        a\t3\t0\t0\t0\t0\t3\t0\t3\t\t14\t0\n";
    const GAPS: &[u8] = b"a\t0\t1\na\t5\t8\na\t0\t3\n";

    #[test]
    fn blocks_of_any_size_say_the_same() {
        let json = |block_bytes| {
            let found = survey(SEQUENCES, GAPS, block_bytes).unwrap();
            serde_json::to_string(&found).unwrap()
        };
        let whole = json(usize::MAX);
        for block_bytes in 1..20 {
            assert_eq!(json(block_bytes), whole);
        }
        for expected in [
            r#""sums":{"records":3,"length":12,"A":1,"C":2,"G":1,"T":0,"N":7,"other":1,"lowercase":5,"U":1}"#,
            r#""all_gaps":{"count":3,"sum":7,"longest":3}"#,
            r#"{"min_gap":1,"gaps":{"count":3,"sum":7,"longest":3},"contigs":2,"contig_length":5,"contig_n50":4,"contig_l50":1}"#,
        ] {
            assert!(whole.contains(expected), "{expected} is not in {whole}");
        }
    }

    #[test]
    fn rows_of_sequences_after_gaps_are_refused() {
        let mut survey = Survey::new(VIEW).unwrap();
        survey.add_sequences(SEQUENCES_HEADER).unwrap();
        survey.add_gaps(b"").unwrap();
        assert!(survey.add_sequences(b"").is_err());
    }

    #[test]
    fn a_cut_table_is_refused() {
        for end in 0..SEQUENCES.len() {
            assert!(survey(&SEQUENCES[..end], GAPS, 7).is_err());
        }
        for end in 0..GAPS.len() {
            assert!(survey(SEQUENCES, &GAPS[..end], 7).is_err());
        }
    }

    #[test]
    fn lengths_that_add_up_to_too_much_are_refused() {
        let row = |length: u64| {
            format!("a\t{length}\t{length}\t0\t0\t0\t0\t0\t0\t0.000\t0\t0\n").into_bytes()
        };
        let most = row(LIMIT - 1);
        let found = survey(&most, b"", 100).unwrap();
        assert!(serde_json::to_string(&found).is_ok());
        assert!(survey(&[most, row(1)].concat(), b"", 100).is_err());
        assert!(survey(&row(LIMIT), b"", 100).is_err());
    }
}
