//! The summary of a slice, a monoid: every slice is scanned as if nothing were known of what
//! stands around it, and summaries of neighbours merge into the summary of both.

use memchr::memchr;
use serde::{Deserialize, Serialize};

use crate::dense::Count;
use crate::fault::FaultKind;
use crate::form::raw;
use crate::ks::Ks;
use crate::machine::{Machine, Portable};
use crate::text::geometry::Line;
use crate::text::{Front, MAX_LINE_BYTES, State, Text, Tools, without_trailing_crs};

/// The UTF-8 byte order mark.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A first line that is longer can be no header, nor a comment, even behind a byte order mark.
pub const MAX_LEAD_BYTES: u64 = MAX_LINE_BYTES + BYTE_ORDER_MARK.len() as u64;

/// The bytes up to the first line end: their line's kind is known on the left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lead {
    /// No line end yet.
    Open {
        #[serde(with = "raw")]
        content: Vec<u8>,
        waiting_crs: u64,
    },
    /// The line ended; the text begins at the next line's start.
    Closed {
        #[serde(with = "raw")]
        content: Vec<u8>,
        waiting_crs: u64,
    },
    /// The line is too long for a header or a comment, and was taken for sequence: the text begins
    /// inside of it, after the first bytes, which still tell what it is at a line start.
    Long {
        #[serde(with = "raw")]
        first: [u8; 4],
    },
}

#[derive(Clone)]
pub struct Summary {
    pub bytes: u64,
    pub lead: Lead,
    pub text: Text,
}

impl Summary {
    /// The summary of nothing.
    pub fn new(ks: Ks) -> Self {
        Self {
            bytes: 0,
            lead: Lead::Open {
                content: Vec::new(),
                waiting_crs: 0,
            },
            text: Text::new(ks, Front::LineStart),
        }
    }

    pub fn ks(&self) -> Ks {
        self.text.ks
    }

    /// Scans the bytes that follow.
    #[inline(always)]
    pub fn feed<M: Machine, C: Count>(&mut self, machine: M, tools: &mut Tools<C>, block: &[u8]) {
        let start_byte = self.bytes;
        self.bytes += block.len() as u64;
        let taken = self.feed_lead(block);
        if taken < block.len() {
            let at_byte = start_byte + taken as u64;
            self.text.feed(machine, tools, &block[taken..], at_byte);
        }
    }

    fn feed_few(&mut self, bytes: &[u8]) {
        let mut tools = Tools::new(self.text.lend_counter());
        self.feed(Portable, &mut tools, bytes);
        // The lead may have become text meanwhile, and counted by itself.
        self.text.take_back(tools.counter);
    }

    fn feed_crs(&mut self, count: u64) {
        self.bytes += count;
        match &mut self.lead {
            Lead::Open { waiting_crs, .. } => *waiting_crs += count,
            Lead::Closed { .. } | Lead::Long { .. } => self.text.feed_crs(count),
        }
    }

    /// Adds to the lead what of `block` belongs to it; returns how much the lead took.
    fn feed_lead(&mut self, block: &[u8]) -> usize {
        let Lead::Open {
            content,
            waiting_crs,
        } = &mut self.lead
        else {
            return 0;
        };
        let line_feed = memchr(b'\n', block);
        let line = &block[..line_feed.unwrap_or(block.len())];
        let more = without_trailing_crs(line);
        if !more.is_empty() {
            let length = content.len() as u64 + *waiting_crs + more.len() as u64;
            if length > MAX_LEAD_BYTES {
                return self.lengthen(block);
            }
            content.resize(content.len() + *waiting_crs as usize, b'\r');
            content.extend_from_slice(more);
            *waiting_crs = 0;
        }
        *waiting_crs += (line.len() - more.len()) as u64;
        let Some(line_feed) = line_feed else {
            return block.len();
        };
        self.lead = Lead::Closed {
            content: std::mem::take(content),
            waiting_crs: *waiting_crs,
        };
        self.text = Text::new(self.ks(), Front::LineStart);
        line_feed + 1
    }

    /// Takes the open lead for sequence, which `block` is known to carry on; returns how much of
    /// `block` went into the first bytes.
    fn lengthen(&mut self, block: &[u8]) -> usize {
        let Lead::Open {
            content,
            waiting_crs,
        } = &mut self.lead
        else {
            return 0;
        };
        let (content, waiting_crs) = (std::mem::take(content), *waiting_crs);
        let mut first = [b'\r'; 4];
        let from_content = content.len().min(4);
        first[..from_content].copy_from_slice(&content[..from_content]);
        let from_crs = waiting_crs.min(4 - from_content as u64);
        let from_block = 4 - from_content - from_crs as usize;
        first[4 - from_block..].copy_from_slice(&block[..from_block]);
        self.lead = Lead::Long { first };
        self.text = Text::new(self.ks(), Front::MidLine);
        self.text.feed_few(&content[from_content..], 4);
        self.text.feed_crs(waiting_crs - from_crs);
        from_block
    }

    /// The summary of both, this one's bytes first.
    pub fn merge(&self, right: &Self) -> Self {
        let mut merged = self.clone();
        merged.absorb(right);
        merged
    }

    fn absorb(&mut self, right: &Self) {
        let shift_bytes = self.bytes;
        match (&self.lead, &right.lead) {
            (Lead::Closed { .. } | Lead::Long { .. }, _) => {
                follow(&mut self.text, right, 0, shift_bytes);
            }
            (Lead::Open { .. }, Lead::Long { first }) => {
                let taken = self.lengthen(first);
                let at_byte = shift_bytes + taken as u64;
                self.text.feed_few(&first[taken..], at_byte);
                self.text.absorb(&right.text, shift_bytes + 4, shift_bytes);
            }
            (
                Lead::Open { .. },
                Lead::Open {
                    content,
                    waiting_crs,
                }
                | Lead::Closed {
                    content,
                    waiting_crs,
                },
            ) => {
                self.feed_few(content);
                self.feed_crs(*waiting_crs);
                if matches!(right.lead, Lead::Closed { .. }) {
                    self.feed_few(b"\n");
                    self.text.absorb(&right.text, self.bytes, shift_bytes);
                }
            }
        }
        self.text.seal();
        self.bytes = shift_bytes + right.bytes;
    }

    /// What the object starts with, and its text from there on, whose kinds of lines are all
    /// known.
    pub fn at_object_start(&self) -> (Start, Text) {
        let first = match &self.lead {
            Lead::Open { content, .. } | Lead::Closed { content, .. } => content.as_slice(),
            Lead::Long { first } => first.as_slice(),
        };
        let start = match first {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Start::Utf16,
            _ if first.starts_with(BYTE_ORDER_MARK) => Start::ByteOrderMark,
            _ => Start::Text,
        };
        let skip = match start {
            Start::ByteOrderMark => BYTE_ORDER_MARK.len(),
            Start::Utf16 | Start::Text => 0,
        };
        let mut text = Text::new(self.ks(), Front::LineStart);
        follow(&mut text, self, skip, 0);
        (start, text)
    }
}

/// What an object starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Text,
    ByteOrderMark,
    Utf16,
}

/// Carries `text` on with a summary whose bytes begin at `shift_bytes`, but for the first `skip`.
fn follow(text: &mut Text, right: &Summary, skip: usize, shift_bytes: u64) {
    let at_byte = shift_bytes + skip as u64;
    match &right.lead {
        Lead::Open {
            content,
            waiting_crs,
        }
        | Lead::Closed {
            content,
            waiting_crs,
        } => {
            text.feed_few(&content[skip..], at_byte);
            text.feed_crs(*waiting_crs);
            if matches!(right.lead, Lead::Closed { .. }) {
                let line_feed_byte = shift_bytes + content.len() as u64 + waiting_crs;
                text.feed_few(b"\n", line_feed_byte);
                text.absorb(&right.text, line_feed_byte + 1, shift_bytes);
            }
        }
        Lead::Long { first } => {
            take_for_sequence(text, &first[skip..], at_byte);
            text.absorb(&right.text, shift_bytes + 4, shift_bytes);
        }
    }
}

/// Carries `text` on with the first bytes of a long line, which tell what it really is.
fn take_for_sequence(text: &mut Text, first: &[u8], at_byte: u64) {
    let is_line_start = text.state == State::LineStart && text.waiting_crs == 0;
    let kind = match first[0] {
        b'>' if is_line_start => State::Header,
        b';' if is_line_start => State::Comment,
        _ => text.state,
    };
    let line_start_byte = at_byte - text.line.right.bytes;
    // What follows was scanned as sequence: nothing of that stands left of these faults.
    match kind {
        State::LineStart | State::Sequence => return text.feed_few(first, at_byte),
        State::Header => text.add_fault(FaultKind::HeaderTooLong, line_start_byte, b'>'),
        State::Comment => text.add_fault(FaultKind::CommentTooLong, line_start_byte, b';'),
    }
    if text.state == State::Header {
        text.end_header(at_byte);
    }
    text.state = State::Sequence;
    let bytes = first.len() as u64;
    let graphic = bytes;
    text.line.right = text.line.right.then(&Line { bytes, graphic });
}
