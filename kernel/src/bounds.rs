//! What holds for every summary. Scans and merges keep it so; where kept forms are read it is
//! checked, because anyone can write them.
//!
//! A summary's text is a row of stretches that don't overlap:
//!
//! ```text
//! start_byte                                                               end_byte
//! | rest of a line | head's lines | header | lines | ... | header | lines | last line |
//!                                   closed records         open record's part
//! ```
//!
//! Each residue is a graphic character of its own stretch, and each base is in one run at most.
//! So every number in a summary is at most the number of its bytes, or 8 times that for counts of
//! k-mers, and after a merge at most that of the bytes of both: while those are at most
//! `MAX_BYTES`, no addition overflows. What is subtracted is part of what it is subtracted from.

use std::ops::Range;

use crate::dense::runs::{Run, RunLengths};
use crate::rows::gaps::GapBlock;
use crate::rows::records::{Index, RecordBlock, is_space};
use crate::summary::{Lead, MAX_LEAD_BYTES};
use crate::text::composition::Composition;
use crate::text::geometry::Line;
use crate::text::{Front, MAX_LINE_BYTES, State, Text};

/// The most bytes that a summary may have: far more than any object, far less than 64 bits hold.
pub const MAX_BYTES: u64 = 1 << 56;

/// The range of the text behind the lead of a summary of `bytes`; none if the lead can't be.
pub fn text_range(lead: &Lead, front: Front, bytes: u64) -> Option<Range<u64>> {
    let line_bytes = |content: &[u8], waiting_crs: u64| {
        let is_line = content.len() as u64 <= MAX_LEAD_BYTES
            && content.last() != Some(&b'\r')
            && !content.contains(&b'\n');
        is_line.then_some(waiting_crs.saturating_add(content.len() as u64))
    };
    let is_long = matches!(lead, Lead::Long { .. });
    let range = match lead {
        Lead::Open {
            content,
            waiting_crs,
        } if line_bytes(content, *waiting_crs)? == bytes => 0..0,
        Lead::Open { .. } => return None,
        Lead::Closed {
            content,
            waiting_crs,
        } => line_bytes(content, *waiting_crs)?.saturating_add(1)..bytes,
        Lead::Long { first } if first.contains(&b'\n') => return None,
        Lead::Long { first } => first.len() as u64..bytes,
    };
    let fits = range.start <= range.end && bytes <= MAX_BYTES;
    (fits && is_long == (front != Front::LineStart)).then_some(range)
}

/// A text that was read, its rows apart. Sums saturate, so one that is too large is found so.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    pub text: &'a Text,
    /// The sum of the counts of k-mers.
    pub kmers: u64,
    pub records: &'a RecordBlock,
    pub gaps: &'a GapBlock,
}

impl Read<'_> {
    /// Whether it can be the text of these bytes of its summary.
    pub fn fits(self, range: &Range<u64>) -> bool {
        // The later ones add numbers that the first one finds small.
        self.numbers_fit(range.end - range.start)
            && self.last_line_fits(range)
            && self.stretches_fit(range).is_some()
            && self.gaps_fit().is_some()
            && self.runs_fit(range.end - range.start)
            && self.faults_fit(range)
    }

    fn numbers_fit(self, bytes: u64) -> bool {
        let text = self.text;
        composition_fits(&text.closed, bytes)
            && text.record.pieces().all(|part| {
                let first_line = part.geometry.first.unwrap_or_default();
                composition_fits(&part.composition, bytes) && line_fits(first_line, bytes)
            })
            && text.composition().length() <= bytes
            && text.line.pieces().all(|line| line_fits(*line, bytes))
            && text.comments <= bytes
    }

    fn last_line_fits(self, range: &Range<u64>) -> bool {
        let text = self.text;
        let Line { bytes, graphic } = text.line.right;
        let start_byte = range.end - bytes;
        let header_start_byte = text.open.as_ref().map(|open| open.start_byte);
        let header_bytes = text.header_line.len() as u64;
        let is_all = text.line.left.is_none();
        text.waiting_crs <= bytes - graphic
            && match text.state {
                State::LineStart => text.waiting_crs == bytes && header_bytes == 0,
                State::Header => {
                    header_start_byte == Some(start_byte)
                        && header_bytes <= bytes.min(MAX_LINE_BYTES)
                }
                State::Comment | State::Sequence => header_bytes == 0,
            }
            && (!is_all
                || text.state == State::Sequence
                    && text.open.is_none()
                    && start_byte == range.start)
    }

    /// Each record stands behind the header before it, and its residues are graphic characters.
    fn stretches_fit(self, range: &Range<u64>) -> Option<()> {
        let text = self.text;
        let is_header = text.state == State::Header;
        let line_start_byte = range.end - text.line.right.bytes;
        let left_line = text.line.left.unwrap_or_default();
        let (mut free_byte, mut graphic) = (range.start + left_line.bytes, left_line.graphic);
        let mut headers = 0;
        match (&text.record.left, &text.open) {
            (Some(head), Some(open)) => {
                require(head.composition.length() <= head.graphic.saturating_add(graphic))?;
                free_byte = free_byte.saturating_add(head.graphic);
                for record in self.records.iter() {
                    let record = record?;
                    let residues = match record.index {
                        Index::Lines { length, .. } => length,
                        Index::NoLines | Index::Refused => record.length,
                    };
                    require(free_byte <= record.start_byte)?;
                    let (start_byte, end_byte) = (record.start_byte, record.sequence_start_byte);
                    require(header_fits(record.name, start_byte, end_byte))?;
                    free_byte = end_byte.saturating_add(residues);
                    headers += 1;
                }
                headers += 1;
                require(free_byte <= open.start_byte)?;
                free_byte = if is_header {
                    // Its end is set when it is known, but moved before.
                    require(open.end_byte <= range.end)?;
                    open.start_byte
                } else {
                    require(header_fits(&open.name, open.start_byte, open.end_byte))?;
                    open.end_byte
                };
                graphic = 0;
            }
            (None, None) => require(self.records.bytes.is_empty())?,
            (Some(_), None) | (None, Some(_)) => return None,
        }
        if !is_header {
            graphic += text.line.right.graphic;
        }
        let part = &text.record.right;
        require(part.composition.length() <= part.graphic.saturating_add(graphic))?;
        require(free_byte.saturating_add(part.graphic) <= line_start_byte)?;
        require(text.headers == headers)
    }

    /// Gaps lie in their records, in order, and none reaches into those at the ends.
    fn gaps_fit(self) -> Option<()> {
        let text = self.text;
        let open_bases = text.record.right.composition.length();
        let open_bases = open_bases.checked_sub(text.gap.right)?;
        let Some(left_gap) = text.gap.left else {
            return require(text.open.is_none() && self.gaps.bytes.is_empty());
        };
        let head = text.record.left.map(|head| head.composition.length());
        let closed = self.records.iter().flatten().map(|record| record.length);
        let mut lengths = head.into_iter().chain(closed).chain([open_bases]);
        let (mut record, mut free_base, mut length) = (0, left_gap, lengths.next()?);
        require(free_base <= length)?;
        for gap in self.gaps.iter() {
            let gap = gap?;
            while record < gap.record {
                (record, free_base, length) = (record + 1, 0, lengths.next()?);
            }
            require(free_base <= gap.start_base)?;
            require(gap.start_base < gap.end_base && gap.end_base <= length)?;
            free_base = gap.end_base;
        }
        Some(())
    }

    /// Runs hold as many bases and k-mers as are told, and end once.
    fn runs_fit(self, bytes: u64) -> bool {
        let text = self.text;
        let (k, edge) = (text.ks.small.get(), text.ks.edge());
        let open = [text.run.left.unwrap_or_default(), text.run.right];
        let RunLengths { runs, bases, short } = &text.run_lengths;
        let has_edges = |run: &Run| {
            let edge = run.length_bases.min(u64::from(edge)) as u32;
            run.first.length == edge && run.last.length == edge
        };
        let open_bases = open.iter().map(|run| run.length_bases);
        let all_bases = open_bases.fold(*bases, u64::saturating_add);
        let short_runs = short.iter().copied().fold(0, u64::saturating_add);
        if !open.iter().all(has_edges)
            || short.len() != RunLengths::new(edge).short.len()
            || all_bases > bytes
            || runs > bases
            || short_runs > *runs
        {
            return false;
        }
        let short_bases: u64 = (1..).zip(short).map(|(length, runs)| length * runs).sum();
        let other_bases = u64::from(edge) * (runs - short_runs);
        let ends = text.run_ends.observed().try_fold(0, |ends, (end, count)| {
            (end.length < k).then_some(ends + count)
        });
        let open_kmers = open.map(|run| (run.length_bases + 1).saturating_sub(u64::from(k)));
        short_bases + other_bases <= *bases
            && ends.is_some_and(|ends: u64| ends <= *runs)
            && self.kmers <= text.run_lengths.kmers(k) + open_kmers.iter().sum::<u64>()
    }

    fn faults_fit(self, range: &Range<u64>) -> bool {
        let text = self.text;
        let fault = text.fault.map(|fault| fault.offset_byte);
        let residue = text.first_residue.map(|(offset_byte, _)| offset_byte);
        fault
            .into_iter()
            .chain(residue)
            .all(|byte| range.contains(&byte))
            && residue.is_some() == (text.record.first().composition.length() > 0)
    }
}

fn require(holds: bool) -> Option<()> {
    holds.then_some(())
}

fn composition_fits(composition: &Composition, bytes: u64) -> bool {
    let Composition {
        a,
        c,
        g,
        t,
        n,
        u,
        iupac,
        gap_characters,
        asterisk,
        other,
        lowercase,
    } = *composition;
    [a, c, g, t, n, u, iupac, gap_characters, asterisk, other]
        .iter()
        .all(|count| *count <= bytes)
        && lowercase <= composition.length()
}

fn line_fits(line: Line, bytes: u64) -> bool {
    line.graphic <= line.bytes && line.bytes <= bytes
}

/// Whether a header with this name can stand at these bytes.
fn header_fits(name: &[u8], start_byte: u64, end_byte: u64) -> bool {
    let name_bytes = name.len() as u64;
    !name.iter().any(is_space)
        && name_bytes < MAX_LINE_BYTES
        && end_byte
            .checked_sub(start_byte)
            .is_some_and(|bytes| name_bytes < bytes)
}
