//! Two texts in a row, merged.

use super::geometry::Line;
use super::{Front, Text};
use crate::fault::Fault;
use crate::kmers::text::Packed;
use crate::rows::gaps::{GapShift, Gaps};
use crate::rows::records::{Header, Part, Records};

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
        self.join_lines(right, at_byte);
        self.join_records(right, shift_bytes);
    }

    fn join_runs(&mut self, right: &Self) {
        let k = self.dense.k;
        let (last, first) = (self.run.right.last, right.run.first().first);
        let edges = last.last(k.edge()).then(first.first(k.edge()));
        for kmer in edges.kmers(k.get()) {
            self.dense.add_kmer(kmer, 1);
        }
        if let Some(large) = self.ks.large {
            self.new_packed.open().push_seam(last, first, large.least);
            self.seal();
        }
        self.packed = Packed::join(std::mem::take(&mut self.packed), right.packed.clone(), ());
        let edge = self.ks.edge();
        let (run, whole) = self.run.then(&right.run, |run, next| run.then(next, edge));
        self.run = run;
        if let Some(run) = whole {
            self.add_run(&run);
        }
        self.run_lengths.add(&right.run_lengths);
        self.run_ends.add(&right.run_ends);
        self.dense.add(&right.dense);
    }

    fn join_gaps(&mut self, right: &Self) {
        let shift = GapShift {
            records: self.headers,
            bases: self.record.right.composition.length(),
        };
        let start_base = shift.bases - self.gap.right;
        let (gap, whole) = self.gap.then(&right.gap, |gap, next| gap + next);
        self.gap = gap;
        if let Some(gap) = whole {
            self.push_gap(start_base, start_base + gap);
            self.seal();
        }
        self.gaps = Gaps::join(std::mem::take(&mut self.gaps), right.gaps.clone(), shift);
    }

    fn join_lines(&mut self, right: &Self, at_byte: u64) {
        if right.front == Front::MidLine {
            if self.waiting_crs > 0 {
                self.bare_crs(at_byte); // the line goes on: that is why it was cut there
            }
            let (line, whole) = self.line.then(&right.line, Line::then);
            self.line = line;
            if let Some(line) = whole {
                self.push_line(line, false);
            }
        } else {
            self.line.right = right.line.right;
        }
        self.state = right.state;
        self.waiting_crs = right.waiting_crs;
        self.header_line.clone_from(&right.header_line);
    }

    fn join_records(&mut self, right: &Self, shift_bytes: u64) {
        let (record, whole) = self.record.then(&right.record, Part::then);
        self.record = record;
        if let Some(part) = whole {
            self.push_record(&part);
            self.seal();
        }
        if let Some(open) = &right.open {
            self.open = Some(Header {
                start_byte: open.start_byte + shift_bytes,
                end_byte: open.end_byte + shift_bytes,
                name: open.name.clone(),
            });
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
