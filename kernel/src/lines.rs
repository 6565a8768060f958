//! The line automaton: text whose lines' kinds are known, scanned and joined.

use memchr::memchr;
use serde::{Deserialize, Serialize};

use crate::bases::Bases;
use crate::composition::{BYTES, Byte, Composition};
use crate::dense::{Count, Dense, RunEnds, Stretch};
use crate::ends::Ends;
use crate::fault::{Fault, FaultKind};
use crate::gaps::{Gap, GapBlock, GapShift, Gaps};
use crate::geometry::Line;
use crate::machine::{Machine, Planes, Portable};
use crate::records::{Header, Part, Record, RecordBlock, Records};
use crate::runs::{Run, RunLengths};

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
}

/// `text` without the carriage returns at its end.
pub fn without_trailing_crs(text: &[u8]) -> &[u8] {
    let crs = text.iter().rev().take_while(|byte| **byte == b'\r').count();
    &text[..text.len() - crs]
}

/// What a scan counts k-mers with.
pub struct Tools<C> {
    stretch: Stretch,
    pub counter: C,
}

impl<C: Count> Tools<C> {
    pub fn new(counter: C) -> Self {
        Self {
            stretch: Stretch::new(),
            counter,
        }
    }
}

impl Text {
    pub fn new(k: u32, front: Front) -> Self {
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
            run_lengths: RunLengths::new(k),
            run_ends: RunEnds::default(),
            dense: Dense::new(k),
        }
    }

    /// Scans the bytes that follow, of which the first stands at `at_byte`.
    #[inline(always)]
    pub fn feed<M: Machine, C: Count>(
        &mut self,
        machine: M,
        tools: &mut Tools<C>,
        block: &[u8],
        at_byte: u64,
    ) {
        tools.stretch.begin(self.run.right.last);
        let mut index = 0;
        while index < block.len() {
            index = match self.state {
                State::LineStart | State::Sequence => {
                    self.feed_sequence(machine, tools, block, index, at_byte)
                }
                State::Header | State::Comment => self.feed_line(block, index, at_byte),
            };
        }
        self.count(machine, tools);
    }

    /// Scans a few bytes, as a merge does.
    pub fn feed_few(&mut self, bytes: &[u8], at_byte: u64) {
        let k = self.dense.k;
        let mut tools = Tools::new(std::mem::replace(&mut self.dense, Dense::new(k)));
        self.feed(Portable, &mut tools, bytes, at_byte);
        self.dense = tools.counter;
    }

    /// `count` carriage returns follow, as many bytes.
    pub fn feed_crs(&mut self, count: u64) {
        self.waiting_crs += count;
        self.line.right.bytes += count;
    }

    /// Scans sequence lines from `block[index]` on; returns where a header or comment begins, or
    /// the block's end.
    #[inline(always)]
    fn feed_sequence<M: Machine, C: Count>(
        &mut self,
        machine: M,
        tools: &mut Tools<C>,
        block: &[u8],
        mut index: usize,
        at_byte: u64,
    ) -> usize {
        let mut padded = [0; 64];
        while index < block.len() {
            if self.waiting_crs == 0 {
                index += self.feed_plain(machine, tools, &block[index..], at_byte + index as u64);
            }
            let rest = &block[index..];
            let (chunk, length) = if let Some(chunk) = rest.first_chunk::<64>() {
                (chunk, 64)
            } else {
                padded[..rest.len()].copy_from_slice(rest);
                (&padded, rest.len())
            };
            let planes = machine.planes(chunk);
            let at_chunk = at_byte + index as u64;
            let scanned = self.feed_mixed(machine, tools, chunk, length, &planes, at_chunk);
            index += scanned;
            if scanned < length {
                break;
            }
        }
        index
    }

    /// Scans whole chunks as long as they have nothing but bases and line feeds; returns how many
    /// bytes that were. No carriage return waits.
    #[inline(always)]
    fn feed_plain<M: Machine, C: Count>(
        &mut self,
        machine: M,
        tools: &mut Tools<C>,
        block: &[u8],
        at_byte: u64,
    ) -> usize {
        // What changes with every chunk is kept in registers until the last.
        let mut lowercase = 0;
        let mut tail = tools.stretch.tail();
        let mut line_start_byte = at_byte - self.line.right.bytes;
        let mut not_graphic = self.line.right.bytes - self.line.right.graphic;
        let mut steady_bytes = self.steady_bytes();
        let mut has_residue = self.gap.right == 0 && self.gap.left.is_some();
        let mut line_feeds = 0;
        let mut scanned = 0;
        let line = |bytes, not_graphic| Line {
            bytes,
            graphic: bytes - not_graphic,
        };
        for chunk in block.as_chunks::<64>().0 {
            let planes = machine.planes(chunk);
            if planes.acgt | planes.line_feed != u64::MAX {
                break;
            }
            let at_chunk = at_byte + scanned as u64;
            scanned += 64;
            let bases = planes.acgt;
            if !has_residue && bases != 0 {
                let first = bases.trailing_zeros();
                self.before_base(at_chunk + u64::from(first), chunk[first as usize]);
                has_residue = true;
            }
            lowercase += u64::from((planes.lowercase & bases).count_ones());
            let low = machine.compress(planes.low, bases);
            let high = machine.compress(planes.high, bases);
            tools
                .stretch
                .append(&mut tail, low, high, bases.count_ones());
            if tools.stretch.is_full() {
                self.count(machine, tools);
                tail = tools.stretch.tail();
            }
            line_feeds = planes.line_feed;
            let mut rest = line_feeds;
            while rest != 0 {
                let line_feed_byte = at_chunk + u64::from(rest.trailing_zeros());
                let bytes = line_feed_byte - line_start_byte;
                if bytes == steady_bytes {
                    self.record.right.graphic += bytes;
                } else {
                    self.line.right = line(bytes, not_graphic);
                    self.end_line();
                    not_graphic = 0;
                    steady_bytes = self.steady_bytes();
                }
                line_start_byte = line_feed_byte + 1;
                rest &= rest - 1;
            }
        }
        if scanned > 0 {
            let bytes = at_byte + scanned as u64 - line_start_byte;
            self.line.right = line(bytes, not_graphic);
            self.record.right.composition.lowercase += lowercase;
            self.state = if line_feeds >> 63 == 1 {
                State::LineStart
            } else {
                State::Sequence
            };
        }
        scanned
    }

    /// Scans the first `length` bytes of a chunk that has more in it than bases and line feeds;
    /// returns where a header or comment begins, or `length`.
    #[inline(always)]
    fn feed_mixed<M: Machine, C: Count>(
        &mut self,
        machine: M,
        tools: &mut Tools<C>,
        chunk: &[u8; 64],
        length: usize,
        planes: &Planes,
        at_byte: u64,
    ) -> usize {
        let mut index = 0;
        while index < length {
            let byte = chunk[index];
            let at = at_byte + index as u64;
            let kind = BYTES[usize::from(byte)];
            match kind {
                Byte::LineFeed => {
                    self.end_line();
                    self.state = State::LineStart;
                    index += 1;
                    continue;
                }
                Byte::CarriageReturn => {
                    self.feed_crs(1);
                    index += 1;
                    continue;
                }
                _ if self.waiting_crs > 0 => self.bare_crs(at),
                _ if self.state == State::LineStart && byte == b'>' => {
                    self.begin_record(machine, tools, at);
                    return index;
                }
                _ if self.state == State::LineStart && byte == b';' => {
                    self.comments += 1;
                    self.state = State::Comment;
                    return index;
                }
                _ => {}
            }
            self.state = State::Sequence;
            let end = match kind {
                Byte::Base => {
                    let run = (planes.acgt >> index).trailing_ones() as usize;
                    let end = (index + run).min(length);
                    let mask = (u64::MAX >> (64 - (end - index))) << index;
                    self.before_base(at, byte);
                    let lowercase = (planes.lowercase & mask).count_ones();
                    self.record.right.composition.lowercase += u64::from(lowercase);
                    let plane = |bits: u64| (bits & mask) >> index;
                    let mut tail = tools.stretch.tail();
                    let (low, high) = (plane(planes.low), plane(planes.high));
                    tools
                        .stretch
                        .append(&mut tail, low, high, mask.count_ones());
                    if tools.stretch.is_full() {
                        self.count(machine, tools);
                    }
                    end
                }
                Byte::N => {
                    self.before_residue(machine, tools, at, byte);
                    let run = (machine.equal(chunk, b'N') >> index).trailing_ones() as usize;
                    let end = (index + run).min(length);
                    let mask = (u64::MAX >> (64 - (end - index))) << index;
                    let composition = &mut self.record.right.composition;
                    composition.n += u64::from(mask.count_ones());
                    composition.lowercase += u64::from((mask & planes.lowercase).count_ones());
                    self.gap.right += (end - index) as u64;
                    end
                }
                Byte::Blank => index + 1,
                Byte::Invalid => {
                    self.add_fault(FaultKind::InvalidByte, at, byte);
                    index + 1
                }
                _ => {
                    self.before_residue(machine, tools, at, byte);
                    self.close_gap();
                    self.record.right.composition.add_residue(kind, byte);
                    index + 1
                }
            };
            let bytes = (end - index) as u64;
            self.line.right.bytes += bytes;
            if !matches!(kind, Byte::Blank | Byte::Invalid) {
                self.line.right.graphic += bytes;
            }
            index = end;
        }
        length
    }

    /// Scans a header's or a comment's line; returns where the next line begins, or the block's
    /// end.
    fn feed_line(&mut self, block: &[u8], index: usize, at_byte: u64) -> usize {
        let rest = &block[index..];
        let line_feed = memchr(b'\n', rest);
        let text = &rest[..line_feed.unwrap_or(rest.len())];
        let at = at_byte + index as u64;
        let content = without_trailing_crs(text);
        if !content.is_empty() {
            if self.waiting_crs > 0 {
                self.bare_crs(at);
            }
            if let Some(cr) = memchr(b'\r', content) {
                self.add_fault(FaultKind::BareCr, at + cr as u64, b'\r');
            }
            let bytes = content.len() as u64;
            let line_start_byte = at - self.line.right.bytes;
            self.line.right.bytes += bytes;
            let too_long = self.line.right.bytes > MAX_LINE_BYTES;
            if self.state == State::Header {
                self.line.right.graphic += bytes;
                if too_long {
                    self.add_fault(FaultKind::HeaderTooLong, line_start_byte, b'>');
                } else {
                    // Bare CRs are left out, which their fault excuses.
                    self.header_line.extend_from_slice(content);
                }
                if let Some(nul) = memchr(0, content) {
                    self.add_fault(FaultKind::NulInHeader, at + nul as u64, 0);
                }
            } else {
                let graphic = content.iter().filter(|byte| byte.is_ascii_graphic());
                self.line.right.graphic += graphic.count() as u64;
                if too_long {
                    self.add_fault(FaultKind::CommentTooLong, line_start_byte, b';');
                }
            }
        }
        self.feed_crs((text.len() - content.len()) as u64);
        let Some(line_feed) = line_feed else {
            return block.len();
        };
        if self.state == State::Header {
            self.end_header(at + line_feed as u64 + 1);
        } else {
            self.end_line();
        }
        self.state = State::LineStart;
        index + line_feed + 1
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

    /// The length of a line of bases that would change nothing but sums, or one that no line has.
    fn steady_bytes(&self) -> u64 {
        let line = &self.line;
        let is_known = line.left.is_some() && line.right.bytes == line.right.graphic;
        let steady_bytes = self.record.right.geometry.steady_bytes();
        steady_bytes.filter(|_| is_known).unwrap_or(u64::MAX)
    }

    /// A record begins with the `>` at `at_byte`, which ends what was open.
    fn begin_record<M: Machine, C: Count>(
        &mut self,
        machine: M,
        tools: &mut Tools<C>,
        at_byte: u64,
    ) {
        self.close_run(machine, tools);
        self.close_gap();
        self.close_part();
        self.headers += 1;
        self.open = Some(Header {
            start_byte: at_byte,
            ..Header::default()
        });
        self.state = State::Header;
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

    /// Takes note of what a base at `at_byte` ends.
    #[inline(always)]
    fn before_base(&mut self, at_byte: u64, byte: u8) {
        if self.gap.right > 0 || self.gap.left.is_none() {
            self.close_gap();
            self.note_first_residue(at_byte, byte);
        }
    }

    /// Takes note of what a residue that is no base ends.
    fn before_residue<M: Machine, C: Count>(
        &mut self,
        machine: M,
        tools: &mut Tools<C>,
        at_byte: u64,
        byte: u8,
    ) {
        self.close_run(machine, tools);
        self.note_first_residue(at_byte, byte);
    }

    fn note_first_residue(&mut self, at_byte: u64, byte: u8) {
        if self.headers == 0 && self.first_residue.is_none() {
            self.first_residue = Some((at_byte, byte));
        }
    }

    /// Counts the bases and k-mers of the stretch, and leaves its last bases there.
    fn count<M: Machine, C: Count>(&mut self, machine: M, tools: &mut Tools<C>) {
        let edge = self.dense.k - 1;
        let stretch = &mut tools.stretch;
        let new_bases = stretch.new_bases() as u64;
        if new_bases == 0 {
            return;
        }
        tools.counter.count(machine, stretch);
        let bits = stretch.count_new_bits(machine);
        self.record.right.composition.add_bases(new_bases, &bits);
        let run = &mut self.run.right;
        if run.first.length < edge {
            let first = stretch.first_new(edge - run.first.length);
            run.first = run.first.then(first);
        }
        run.length_bases += new_bases;
        run.last = stretch.last(edge);
        stretch.begin(run.last);
    }

    /// The run of bases ends here.
    fn close_run<M: Machine, C: Count>(&mut self, machine: M, tools: &mut Tools<C>) {
        let run = &self.run;
        if tools.stretch.new_bases() == 0 && run.right.length_bases == 0 && run.left.is_some() {
            return;
        }
        self.count(machine, tools);
        tools.stretch.begin(Bases::default());
        if let Some(run) = self.run.close() {
            self.add_run(&run);
        }
    }

    /// Takes a run whose both ends are known.
    pub(crate) fn add_run(&mut self, run: &Run) {
        if run.length_bases > 0 {
            self.run_lengths.push(run.length_bases);
            self.run_ends.add_end(run.last, 1);
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
                run_ends.add_end(run.last, 1);
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

    /// Moves the rows of this scan into their shared blocks.
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
    }
}
