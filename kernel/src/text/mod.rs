//! Text whose lines' kinds are known.
//!
//! ```text
//! bytes ──scan──▶ Text ─┐
//! bytes ──scan──▶ Text ─┴─merge──▶ Text
//! ```

pub mod composition;
pub mod geometry;
mod merge;
mod scan;

use serde::{Deserialize, Serialize};

use crate::dense::runs::{Run, RunLengths};
use crate::dense::{Dense, RunEnds};
use crate::ends::Ends;
use crate::fault::{Fault, FaultKind};
use crate::kmers::text::{Blocks, Counter, Packed};
use crate::ks::Ks;
use crate::rows::gaps::{Gap, GapBlock, GapShift, Gaps};
use crate::rows::records::{Header, Part, Record, RecordBlock, Records};
use composition::Composition;
use geometry::Line;
pub use scan::Tools;

/// The longest header or comment line, without its line end.
pub const MAX_LINE_BYTES: u64 = if cfg!(any(test, fuzzing)) {
    12
} else {
    1 << 20
};

/// Where the text stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    LineStart,
    Header,
    Comment,
    Sequence,
}

/// Where the text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    LineStart,
    /// Inside a sequence line.
    MidLine,
}

/// Text that was scanned. Positions count from the first byte of the summary it belongs to.
///
/// What may go on beyond the text is kept apart until it is known what stands there: a line, a
/// record, a gap and a run of bases at each end.
#[derive(Clone)]
pub struct Text {
    pub front: Front,
    pub state: State,
    /// Carriage returns that wait for a line feed.
    pub waiting_crs: u64,
    /// The left one is empty if the text begins at a line start.
    pub line: Ends<Line>,
    /// The last line so far, in state `Header`.
    pub header_line: Vec<u8>,

    /// The leftmost fault.
    pub fault: Option<Fault>,
    /// The first residue before the first header.
    pub first_residue: Option<(u64, u8)>,
    pub comments: u64,

    /// What stands before the first header, once there is one, and after the last.
    pub record: Ends<Part>,
    /// The last header.
    pub open: Option<Header>,
    /// Headers in this text.
    pub headers: u64,
    /// Sums over the closed records.
    pub closed: Composition,
    pub records: Records,
    pub(crate) new_records: RecordBlock,

    /// Runs of N.
    pub gap: Ends<u64>,
    pub gaps: Gaps,
    pub(crate) new_gaps: GapBlock,

    /// Rows were left out, for want of memory: the text is of no use.
    pub out_of_memory: bool,

    /// Runs of bases.
    pub run: Ends<Run>,
    pub run_lengths: RunLengths,
    pub run_ends: RunEnds,
    pub dense: Dense,

    pub ks: Ks,
    /// What merges packed, for k-mers that no slice's own packed text has.
    pub packed: Packed,
    pub(crate) new_packed: Blocks,
}

/// `text` without the carriage returns at its end.
pub fn without_trailing_crs(text: &[u8]) -> &[u8] {
    let crs = text.iter().rev().take_while(|byte| **byte == b'\r').count();
    &text[..text.len() - crs]
}

impl Text {
    pub fn new(ks: Ks, front: Front) -> Self {
        let (state, left_line) = match front {
            Front::LineStart => (State::LineStart, Some(Line::default())),
            Front::MidLine => (State::Sequence, None),
        };
        Self {
            front,
            state,
            waiting_crs: 0,
            line: Ends {
                left: left_line,
                right: Line::default(),
            },
            header_line: Vec::new(),
            fault: None,
            first_residue: None,
            comments: 0,
            record: Ends::default(),
            open: None,
            headers: 0,
            closed: Composition::default(),
            records: Records::default(),
            new_records: RecordBlock::default(),
            gap: Ends::default(),
            gaps: Gaps::default(),
            new_gaps: GapBlock::default(),
            out_of_memory: false,
            run: Ends::default(),
            run_lengths: RunLengths::new(ks.edge()),
            run_ends: RunEnds::default(),
            dense: Dense::new(ks.small),
            ks,
            packed: Packed::default(),
            new_packed: Blocks::default(),
        }
    }

    /// `count` carriage returns follow, as many bytes.
    pub fn feed_crs(&mut self, count: u64) {
        self.waiting_crs += count;
        self.line.right.bytes += count;
    }

    /// A header's line ended; the next begins at `next_byte`.
    pub(crate) fn end_header(&mut self, next_byte: u64) {
        if let Some(open) = &mut self.open {
            open.end_byte = next_byte;
            open.name = Header::name_of(&self.header_line).to_vec();
        }
        self.header_line = Vec::new();
        self.line.right = Line::default();
        self.waiting_crs = 0;
    }

    /// A line that is no header ended with a line feed.
    fn end_line(&mut self) {
        let bytes = self.line.right.bytes;
        self.close_line(bytes == self.waiting_crs && bytes <= 1);
        self.waiting_crs = 0;
    }

    pub(crate) fn close_line(&mut self, is_blank: bool) {
        if let Some(line) = self.line.close() {
            self.push_line(line, is_blank);
        }
    }

    /// Takes a line whose both ends are known.
    pub(crate) fn push_line(&mut self, line: Line, is_blank: bool) {
        let part = &mut self.record.right;
        part.geometry.push(line, is_blank);
        part.graphic += line.graphic;
    }

    /// The open record ends here.
    pub(crate) fn close_part(&mut self) {
        if let Some(part) = self.record.close() {
            self.push_record(&part);
        }
    }

    /// Takes the record of the last header, which is whole.
    pub(crate) fn push_record(&mut self, part: &Part) {
        if let Some(header) = &self.open {
            let record = Record::new(header, part);
            // Not tried again: an allocation that fails may take milliseconds.
            self.out_of_memory = self.out_of_memory || self.new_records.push(&record).is_err();
            self.closed.add(&part.composition);
        }
    }

    /// Takes a run whose both ends are known.
    pub(crate) fn add_run(&mut self, run: &Run) {
        if run.length_bases > 0 {
            self.run_lengths.push(run.length_bases);
            self.run_ends
                .add_end(run.last.last(self.ks.small.edge()), 1);
        }
    }

    /// The run of N ends here.
    pub(crate) fn close_gap(&mut self) {
        if let Some(gap) = self.gap.close() {
            let end_base = self.record.right.composition.length();
            self.push_gap(end_base - gap, end_base);
        }
    }

    /// Takes a gap of the open record whose both ends are known; an empty one is none.
    pub(crate) fn push_gap(&mut self, start_base: u64, end_base: u64) {
        if start_base == end_base {
            return;
        }
        let gap = Gap {
            record: self.headers,
            start_base,
            end_base,
        };
        self.out_of_memory = self.out_of_memory || self.new_gaps.push(gap).is_err();
    }

    /// The carriage returns that waited before `at_byte` have no line feed.
    pub(crate) fn bare_crs(&mut self, at_byte: u64) {
        self.add_fault(FaultKind::BareCr, at_byte - self.waiting_crs, b'\r');
        self.waiting_crs = 0;
    }

    pub fn add_fault(&mut self, kind: FaultKind, offset_byte: u64, byte: u8) {
        let fault = Fault {
            offset_byte,
            kind,
            byte,
        };
        self.fault = Fault::leftmost(self.fault, Some(fault));
    }

    /// With those of the runs that are open.
    pub fn run_ends_so_far(&self) -> RunEnds {
        let mut run_ends = self.run_ends.clone();
        for run in self.run.pieces() {
            if run.length_bases > 0 {
                run_ends.add_end(run.last.last(self.ks.small.edge()), 1);
            }
        }
        run_ends
    }

    /// Of all residues that are known to be such.
    pub fn composition(&self) -> Composition {
        let mut composition = self.closed;
        for part in self.record.pieces() {
            composition.add(&part.composition);
        }
        composition
    }

    /// What counts and packs for this text, until it is given back.
    pub fn lend_counter(&mut self) -> Counter<Dense> {
        Counter {
            small: std::mem::replace(&mut self.dense, Dense::new(self.ks.small)),
            packed: std::mem::take(&mut self.new_packed),
            large: self.ks.large,
        }
    }

    /// Takes back what was lent, though the text has counted by itself meanwhile.
    pub fn take_back(&mut self, counter: Counter<Dense>) {
        let meanwhile = std::mem::replace(&mut self.dense, counter.small);
        self.dense.add(&meanwhile);
        let meanwhile = std::mem::replace(&mut self.new_packed, counter.packed);
        self.new_packed.0.extend(meanwhile.0);
    }

    /// Moves the rows of this scan, and what was packed, into their shared blocks.
    pub fn seal(&mut self) {
        let records = std::mem::take(&mut self.new_records);
        if !records.bytes.is_empty() {
            self.records =
                Records::join(std::mem::take(&mut self.records), Records::leaf(records), 0);
        }
        let gaps = std::mem::take(&mut self.new_gaps);
        if !gaps.bytes.is_empty() {
            let shift = GapShift::default();
            self.gaps = Gaps::join(std::mem::take(&mut self.gaps), Gaps::leaf(gaps), shift);
        }
        let packed = std::mem::take(&mut self.new_packed);
        if !packed.0.is_empty() {
            self.packed = Packed::join(std::mem::take(&mut self.packed), Packed::leaf(packed), ());
        }
    }
}
