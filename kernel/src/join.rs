//! Joining two texts that stand in a row: the merge of what `lines` scans.

use crate::fault::Fault;
use crate::gaps::{GapShift, Gaps};
use crate::geometry::Line;
use crate::lines::{Front, State, Text};
use crate::records::{Header, Records};

impl Text {
    /// Takes what follows: `right` begins at `at_byte`, and its positions count from `shift_bytes`.
    ///
    /// It must begin as this text stops: at a line start, or inside a sequence line.
    pub fn absorb(&mut self, right: &Self, at_byte: u64, shift_bytes: u64) {
        self.seal();
        let moved = right.fault.map(|fault| fault.moved(shift_bytes));
        self.fault = Fault::leftmost(self.fault, moved);
        if self.headers == 0 && self.first_residue.is_none() {
            self.first_residue = right
                .first_residue
                .map(|(offset, byte)| (offset + shift_bytes, byte));
        }
        self.comments += right.comments;
        self.join_runs(right);
        self.join_gaps(right);
        self.join_lines(right, at_byte, shift_bytes);
        self.join_records(right, shift_bytes);
    }

    fn join_runs(&mut self, right: &Self) {
        let k = self.dense.k;
        let left_end = right.left_run.as_ref().unwrap_or(&right.run);
        for kmer in self.run.last.then(left_end.first).kmers(k) {
            self.dense.add_kmer(kmer, 1);
        }
        self.run = self.run.then(left_end, k);
        if right.left_run.is_some() {
            let run = std::mem::replace(&mut self.run, right.run);
            if self.left_run.is_none() {
                self.left_run = Some(run);
            } else {
                self.add_run(&run);
            }
        }
        self.run_lengths.add(&right.run_lengths);
        self.run_ends.add(&right.run_ends);
        self.dense.add(&right.dense);
    }

    fn join_gaps(&mut self, right: &Self) {
        let shift = GapShift {
            records: self.headers,
            bases: self.part.composition.length(),
        };
        let start_base = shift.bases - self.gap;
        self.gap += right.left_gap.unwrap_or(right.gap);
        if right.left_gap.is_some() {
            let gap = std::mem::replace(&mut self.gap, right.gap);
            if self.left_gap.is_none() {
                self.left_gap = Some(gap);
            } else if gap > 0 {
                self.push_gap(start_base, start_base + gap);
                self.seal();
            }
        }
        self.gaps = Gaps::join(std::mem::take(&mut self.gaps), right.gaps.clone(), shift);
    }

    fn join_lines(&mut self, right: &Self, at_byte: u64, shift_bytes: u64) {
        if right.front != Front::LineStart && self.waiting_crs > 0 {
            self.bare_crs(at_byte); // the line goes on: that is why it was cut there
        }
        match right.front {
            Front::MidLine(None) => {
                self.line_not_graphic += right.line_not_graphic;
                self.state = State::Sequence;
            }
            Front::MidLine(Some(end)) => {
                let bytes = at_byte - self.line_start_byte;
                let line = Line {
                    bytes: bytes + end.bytes,
                    graphic: bytes - self.line_not_graphic + end.graphic,
                };
                self.close_line(line, false);
            }
            Front::LineStart => {}
        }
        if right.front != Front::MidLine(None) {
            self.line_start_byte = right.line_start_byte + shift_bytes;
            self.line_not_graphic = right.line_not_graphic;
            self.header_line.clone_from(&right.header_line);
            self.state = right.state;
        }
        self.waiting_crs = right.waiting_crs;
    }

    fn join_records(&mut self, right: &Self, shift_bytes: u64) {
        self.part = self.part.then(right.head.as_ref().unwrap_or(&right.part));
        if let Some(open) = &right.open {
            self.close_part();
            self.seal();
            self.open = Some(Header {
                start_byte: open.start_byte + shift_bytes,
                end_byte: open.end_byte + shift_bytes,
                name: open.name.clone(),
            });
            self.part = right.part;
        }
        self.headers += right.headers;
        self.closed.add(&right.closed);
        self.records = Records::join(
            std::mem::take(&mut self.records),
            right.records.clone(),
            shift_bytes,
        );
    }
}
