//! What a whole object holds: the summary of all its bytes, closed at both ends.

use std::collections::{HashSet, TryReserveError};

use crate::dense::runs::RunLengths;
use crate::dense::{Dense, RunEnds, canonical_counts};
use crate::fault::{Fault, FaultKind};
use crate::kmers::text::Packed;
use crate::ks::Ks;
use crate::rows::gaps::{GapBlock, Gaps};
use crate::rows::records::{Index, Record, RecordBlock, Records};
use crate::rows::tables;
use crate::summary::{Start, Summary};
use crate::text::composition::Composition;
use crate::text::{State, Text};

/// Why there are no findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Fault(Fault),
    OutOfMemory,
}

impl From<TryReserveError> for Refusal {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

pub struct Findings {
    pub composition: Composition,
    pub comments: u64,
    /// The records' lengths, summed.
    pub length: u64,
    /// The gaps' lengths, summed.
    pub gap_length: u64,
    pub record_count: u64,
    pub empty_records: u64,
    /// Records whose name an earlier one bears.
    pub repeated_names: u64,
    pub index: FaidxIndex,
    pub ks: Ks,
    pub dense: Dense,
    /// What the slices' own packed text doesn't have.
    pub packed: Packed,
    pub run_ends: RunEnds,
    pub run_lengths: RunLengths,
    record_rows: Records,
    gap_rows: Gaps,
}

/// What `samtools faidx` makes of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaidxIndex {
    /// Why it refuses the object, if it does.
    pub refusal: Option<String>,
    /// Records with a row.
    pub rows: u64,
    /// Records without a sequence line, which have none.
    pub lineless: u64,
    /// Places of records that have none because an earlier row bears their name.
    pub repeated: Vec<u64>,
}

/// The most memory that the rows of a scan take until their report is made.
///
/// While they are kept or read, three copies. Then one, and what is held beside it:
///
/// - `Walk`: for a record, 39 bytes in the set of names, which may be half empty, and its place if
///   its name is repeated; for one without lines, at most 78 bytes in a set that grows by copies.
/// - Then the survey of the tables, which are written from the rows: for a record 40 bytes, and its
///   place if its name is repeated; at each of three thresholds, a contig of 8 bytes for a record
///   and for a gap. Its vectors grow in place, and what is not written of them takes no memory.
pub fn memory_bytes(records: &RecordBlock, gaps: &GapBlock) -> u64 {
    let rows = (records.bytes.len() + gaps.bytes.len()) as u64;
    let walked = (39 + 8) * records.count + 78 * records.lineless;
    let surveyed = (40 + 8 + 3 * 8) * records.count + 3 * 8 * gaps.count;
    rows + walked.max(surveyed).max(2 * rows)
}

impl Findings {
    /// Closes the summary of a whole object.
    pub fn of(summary: &Summary) -> Result<Self, Refusal> {
        let (start, mut text) = summary.at_object_start();
        let ending = Ending::of(&text);
        close(&mut text, summary.bytes);
        if text.out_of_memory {
            return Err(Refusal::OutOfMemory);
        }
        if let Some(fault) = fault_of(summary, start, &text) {
            return Err(Refusal::Fault(fault));
        }
        let mut walk = Walk::over(&text)?;
        let index = walk.index(&text, start, ending);
        Ok(Self {
            composition: text.closed,
            comments: text.comments,
            length: walk.length,
            gap_length: text
                .gaps
                .gaps()
                .map(|gap| gap.end_base - gap.start_base)
                .sum(),
            record_count: walk.records,
            empty_records: walk.empty,
            repeated_names: walk.repeated_names,
            index,
            dense: text.dense,
            packed: text.packed,
            ks: text.ks,
            run_ends: text.run_ends,
            run_lengths: text.run_lengths,
            record_rows: text.records,
            gap_rows: text.gaps,
        })
    }

    /// Counts by code of the k-mers of a `k` up to the largest.
    pub fn kmer_counts(&self, k: u32, canonical: bool) -> Vec<u64> {
        let counts = self.dense.counts(&self.run_ends, k);
        if canonical {
            canonical_counts(&counts, k)
        } else {
            counts
        }
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.record_rows.records()
    }

    /// Appends rows to the buffer, which `flush` empties whenever it is large.
    pub fn sequences_tsv<E>(
        &self,
        flush: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pages = tables::Pages::new(flush);
        pages.buffer.extend_from_slice(tables::SEQUENCES_HEADER);
        for record in self.records() {
            tables::sequence_row(&mut pages.buffer, &record);
            pages.turn()?;
        }
        pages.finish()
    }

    /// The observed k-mers in order of codes, as `sequences_tsv` writes rows.
    pub fn kmers_tsv<E>(
        &self,
        k: u32,
        canonical: bool,
        flush: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pages = tables::Pages::new(flush);
        pages.buffer.extend_from_slice(tables::KMERS_HEADER);
        for (code, count) in (0..).zip(self.kmer_counts(k, canonical)) {
            if count > 0 {
                tables::kmer_row(&mut pages.buffer, k, code, count);
                pages.turn()?;
            }
        }
        pages.finish()
    }

    pub fn gaps_bed<E>(&self, flush: impl FnMut(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let mut pages = tables::Pages::new(flush);
        let mut records = self.records();
        let mut record = None;
        let mut place = 0;
        for gap in self.gap_rows.gaps() {
            while place < gap.record {
                record = records.next();
                place += 1;
            }
            if let Some(record) = &record {
                tables::gap_row(&mut pages.buffer, record, &gap);
                pages.turn()?;
            }
        }
        pages.finish()
    }

    pub fn fai<E>(&self, flush: impl FnMut(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let mut pages = tables::Pages::new(flush);
        let mut repeated = self.index.repeated.iter().peekable();
        for (place, record) in self.records().enumerate() {
            let is_repeated = repeated.next_if_eq(&&(place as u64)).is_some();
            if !is_repeated {
                tables::fai_row(&mut pages.buffer, &record);
                pages.turn()?;
            }
        }
        pages.finish()
    }
}

/// How the object's last line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// A `>` alone: faidx stops before it reads the name.
    LoneMark,
    Other,
}

impl Ending {
    fn of(text: &Text) -> Self {
        if text.state == State::Header && text.line.right.bytes == 1 {
            Self::LoneMark
        } else {
            Self::Other
        }
    }
}

/// Closes what is open at the object's end, and at its start.
fn close(text: &mut Text, bytes: u64) {
    if text.state == State::Header {
        text.end_header(bytes);
    } else if text.line.right.bytes > 0 {
        text.close_line(false);
    }
    for run in [text.run.left.unwrap_or_default(), text.run.right] {
        text.add_run(&run);
    }
    text.close_gap();
    text.close_part();
    text.seal();
}

fn fault_of(summary: &Summary, start: Start, text: &Text) -> Option<Fault> {
    let fault = |kind, offset_byte, byte| Fault {
        offset_byte,
        kind,
        byte,
    };
    if start == Start::Utf16 {
        return Some(fault(FaultKind::Utf16, 0, 0));
    }
    let unheaded = text.first_residue.map(|(offset_byte, byte)| {
        let kind = if byte == b'@' {
            FaultKind::Fastq
        } else {
            FaultKind::SequenceBeforeHeader
        };
        fault(kind, offset_byte, byte)
    });
    Fault::leftmost(text.fault, unheaded).or_else(|| match (summary.bytes, text.headers) {
        (0, _) => Some(fault(FaultKind::Empty, 0, 0)),
        (_, 0) => Some(fault(FaultKind::NoRecord, 0, 0)),
        _ => None,
    })
}

/// One pass over the rows of records.
#[derive(Default)]
struct Walk {
    records: u64,
    length: u64,
    empty: u64,
    repeated_names: u64,
    /// Places of records whose name an earlier record with lines bears.
    repeated_rows: Vec<u64>,
    lineless: u64,
    refused: Option<Vec<u8>>,
    last_has_lines: bool,
    last_but_one_has_lines: bool,
}

impl Walk {
    fn over(text: &Text) -> Result<Self, TryReserveError> {
        let mut walk = Self::default();
        let mut names = Names::with_capacity(text.headers as usize)?;
        for record in text.records.records() {
            walk.length += record.length;
            walk.empty += u64::from(record.length == 0);
            walk.index_record(&mut names, &record)?;
            walk.records += 1;
        }
        Ok(walk)
    }

    fn index_record<'a>(
        &mut self,
        names: &mut Names<'a>,
        record: &Record<'a>,
    ) -> Result<(), TryReserveError> {
        let has_lines = record.index != Index::NoLines;
        let (is_repeated, is_repeated_row) = names.meet(record.name, has_lines)?;
        self.repeated_names += u64::from(is_repeated);
        self.lineless += u64::from(!has_lines);
        if is_repeated_row {
            self.repeated_rows.try_reserve(1)?;
            self.repeated_rows.push(self.records);
        }
        if record.index == Index::Refused && self.refused.is_none() {
            self.refused = Some(record.name.to_vec());
        }
        self.last_but_one_has_lines = self.last_has_lines;
        self.last_has_lines = has_lines;
        Ok(())
    }

    fn index(&mut self, text: &Text, start: Start, ending: Ending) -> FaidxIndex {
        let head = text.record.left.unwrap_or_default();
        let ends_well = match ending {
            Ending::LoneMark => self.last_but_one_has_lines,
            Ending::Other => self.last_has_lines,
        };
        let refusal = if start == Start::ByteOrderMark {
            Some("samtools faidx refuses a byte order mark".to_owned())
        } else if !head.geometry.all_blank {
            Some("samtools faidx refuses what stands before the first header".to_owned())
        } else if let Some(name) = &self.refused {
            let name = tables::printable(name);
            Some(format!(
                "samtools faidx refuses the uneven lines of record {name}"
            ))
        } else if !ends_well {
            Some("samtools faidx refuses a last record without sequence".to_owned())
        } else {
            None
        };
        if refusal.is_some() {
            return FaidxIndex {
                refusal,
                ..FaidxIndex::default()
            };
        }
        FaidxIndex {
            refusal,
            rows: self.records - self.lineless - self.repeated_rows.len() as u64,
            lineless: self.lineless,
            repeated: std::mem::take(&mut self.repeated_rows),
        }
    }
}

/// The names met so far.
struct Names<'a> {
    all: HashSet<&'a [u8]>,
    /// Those met on records without lines alone.
    lineless: HashSet<&'a [u8]>,
}

impl<'a> Names<'a> {
    /// Takes the names of as many records.
    fn with_capacity(records: usize) -> Result<Self, TryReserveError> {
        let mut all = HashSet::new();
        all.try_reserve(records)?;
        Ok(Self {
            all,
            lineless: HashSet::new(),
        })
    }

    /// Whether an earlier record bears the name, and whether an earlier row of the index does.
    fn meet(&mut self, name: &'a [u8], has_lines: bool) -> Result<(bool, bool), TryReserveError> {
        let is_repeated = !self.all.insert(name);
        if has_lines {
            let was_lineless = self.lineless.remove(name);
            Ok((is_repeated, is_repeated && !was_lineless))
        } else {
            if !is_repeated {
                self.lineless.try_reserve(1)?;
                self.lineless.insert(name);
            }
            Ok((is_repeated, false))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_to_the_index_until_a_record_with_lines_bears_it() {
        let mut names = Names::with_capacity(5).unwrap();
        assert_eq!(names.meet(b"a", false), Ok((false, false)));
        assert_eq!(names.meet(b"a", true), Ok((true, false)));
        assert_eq!(names.meet(b"a", true), Ok((true, true)));
        assert_eq!(names.meet(b"a", false), Ok((true, false)));
        assert_eq!(names.meet(b"b", true), Ok((false, false)));
    }
}
