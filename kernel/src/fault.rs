//! What can be wrong with a text, and where.

use serde::{Deserialize, Serialize};

/// Kinds of faults; of two at one place the one listed first is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    Utf16,
    HeaderTooLong,
    CommentTooLong,
    BareCr,
    NulInHeader,
    InvalidByte,
    Fastq,
    SequenceBeforeHeader,
    Empty,
    NoRecord,
}

impl FaultKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf16 => "utf-16",
            Self::HeaderTooLong => "header-too-long",
            Self::CommentTooLong => "comment-too-long",
            Self::BareCr => "bare-cr",
            Self::NulInHeader => "nul-in-header",
            Self::InvalidByte => "invalid-byte",
            Self::Fastq => "fastq",
            Self::SequenceBeforeHeader => "sequence-before-header",
            Self::Empty => "empty",
            Self::NoRecord => "no-record",
        }
    }
}

/// A fault; the leftmost is the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub offset_byte: u64,
    pub kind: FaultKind,
    /// The byte found there.
    pub byte: u8,
}

impl Fault {
    pub fn leftmost(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min()
    }

    pub fn moved(self, bytes: u64) -> Self {
        Self {
            offset_byte: self.offset_byte + bytes,
            ..self
        }
    }
}
