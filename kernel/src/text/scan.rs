//! The line automaton: text whose lines' kinds are known, scanned.

use memchr::memchr;

use super::composition::{BYTES, Byte};
use super::{MAX_LINE_BYTES, State, Text, without_trailing_crs};
use crate::bases::Bases;
use crate::dense::{Count, Stretch};
use crate::fault::FaultKind;
use crate::machine::{Machine, Planes, Portable};
use crate::rows::records::Header;
use crate::text::geometry::Line;

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
        let mut tools = Tools::new(self.lend_counter());
        self.feed(Portable, &mut tools, bytes, at_byte);
        self.take_back(tools.counter);
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
        let mut line = self.line.right; // in registers
        while index < length {
            let byte = chunk[index];
            let at = at_byte + index as u64;
            let kind = BYTES[usize::from(byte)];
            match kind {
                Byte::LineFeed => {
                    self.line.right = std::mem::take(&mut line);
                    self.end_line();
                    self.state = State::LineStart;
                    index += 1;
                    continue;
                }
                Byte::CarriageReturn => {
                    self.waiting_crs += 1;
                    line.bytes += 1;
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
            line.bytes += bytes;
            if !matches!(kind, Byte::Blank | Byte::Invalid) {
                line.graphic += bytes;
            }
            index = end;
        }
        self.line.right = line;
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
        let edge = self.ks.edge();
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
}
