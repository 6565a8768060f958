//! Parts of k-mer tables as Parquet files: an encoder and a page reader of our own.
//!
//! ```text
//! PAR1
//! group 0   kmer:  page 0, page 1, … page 63
//!           count: dictionary, page 0, … page 63
//! group 1   …
//! tail      column indexes, offset indexes, footer, its length, PAR1
//! ```
//!
//! A part is a function of its rows, k and the strand alone, so every engine writes the same bytes:
//! groups have `GROUP_ROWS` rows and pages have `PAGE_ROWS`, but for the last ones, and the versions
//! of the encoder and of zstd are pinned. `kmer` is DELTA_BINARY_PACKED and not compressed further.
//! `count` is RLE_DICTIONARY with whole bytes an index, compressed by zstd. Both are unsigned.
//!
//! A CRC covers every byte: each page's body has a CRC-32, and its header must be the one that the
//! writer would write. So must the tail, which holds the CRC-64/NVME of itself.

mod bits;
mod counts;
mod delta;
mod footer;
mod index;
mod page;
mod reader;
mod table;
#[cfg(test)]
mod tests;
mod thrift;
mod writer;

#[cfg(test)]
mod bench;

pub use footer::ENCODING;
pub use reader::{PartReader, ReadAt, ReadError};
pub use writer::{PartWriter, WriteError};

/// The rows of a page, but for a part's last one.
pub const PAGE_ROWS: usize = 1 << 14;
/// The rows of a row group, but for a part's last one.
pub const GROUP_ROWS: usize = 1 << 20;
/// The pages of a column in a row group, but for a part's last one.
pub const GROUP_PAGES: usize = GROUP_ROWS / PAGE_ROWS;

const MAGIC: &[u8; 4] = b"PAR1";

/// Why bytes are not a part that fanfold wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage(String);

impl Damage {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The largest code of a k-mer.
fn max_code(k: u32) -> u64 {
    u64::MAX >> (64 - 2 * k)
}
