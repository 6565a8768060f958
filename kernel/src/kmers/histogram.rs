//! How many k-mers begin with which bases: what memory a count needs is known before it starts.

use std::ops::Range;

use crate::kmers::codes::{Prefixes, Question, Window};

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

    /// Which of its prefixes the codes of a window have; another number where they have none.
    #[inline(always)]
    pub fn prefixes(self, window: &Window) -> Prefixes {
        if self.free_bits == 2 * window.k() {
            return window.prefixes(self.prefix_bits());
        }
        let prefix = |base| window.code(base).wrapping_sub(self.first) >> self.rest_bits();
        std::array::from_fn(|base| u32::try_from(prefix(base)).unwrap_or(u32::MAX))
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

    /// Counts those k-mers that are of the span.
    #[inline(always)]
    pub fn take(&mut self, window: &Window, starts: Range<usize>) {
        let prefixes = self.span.prefixes(window);
        let last = self.counts.len() - 1;
        for prefix in &prefixes[starts] {
            if *prefix as usize <= last {
                self.counts[*prefix as usize & last] += 1;
            }
        }
    }

    pub fn add(&mut self, more: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&more.counts) {
            *sum += count;
        }
    }
}
