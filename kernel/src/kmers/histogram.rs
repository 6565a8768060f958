//! How many k-mers begin with which bases: what memory a count needs is known before it starts.

use crate::kmers::codes::Question;

/// The most bits of a code that a histogram tells apart: 7 bases.
pub const PREFIX_BITS: u32 = 14;

/// The codes that start with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The lowest code.
    pub first: u64,
    /// The bits below those that they share.
    pub free_bits: u32,
}

impl Span {
    /// All k-mers of a k.
    pub fn whole(question: Question) -> Self {
        Self {
            first: 0,
            free_bits: 2 * question.k,
        }
    }

    /// How many bits a histogram of the span tells apart.
    pub fn prefix_bits(self) -> u32 {
        self.free_bits.min(PREFIX_BITS)
    }

    /// The bits below those.
    pub fn rest_bits(self) -> u32 {
        self.free_bits - self.prefix_bits()
    }

    /// The codes of one prefix of the span.
    pub fn part(self, prefix: usize) -> Self {
        Self {
            first: self.first | (prefix as u64) << self.rest_bits(),
            free_bits: self.rest_bits(),
        }
    }
}

/// The number of k-mers of a span by their next bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    pub span: Span,
    pub counts: Vec<u64>,
}

impl Histogram {
    pub fn new(span: Span) -> Self {
        Self {
            span,
            counts: vec![0; 1 << span.prefix_bits()],
        }
    }

    /// Counts those codes that are of the span.
    #[inline(always)]
    pub fn take(&mut self, codes: &[u64]) {
        let (shift, last) = (self.span.rest_bits(), self.counts.len() - 1);
        for code in codes {
            let prefix = code.wrapping_sub(self.span.first) >> shift;
            if prefix <= last as u64 {
                self.counts[prefix as usize & last] += 1;
            }
        }
    }

    pub fn add(&mut self, more: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&more.counts) {
            *sum += count;
        }
    }
}
