//! The encoder of parts.

use std::io::{self, Write};

use super::counts::CountColumn;
use super::page::{Content, Header};
use super::table::{Group, MAX_K, MIN_K, Page, Table};
use super::{GROUP_ROWS, MAGIC, PAGE_ROWS, delta, footer, max_code};

/// Why rows could not be written.
#[derive(Debug)]
pub enum WriteError {
    /// They are not what a table holds.
    Refused(String),
    Sink(io::Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Sink(error)
    }
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(message) => formatter.write_str(message),
            Self::Sink(error) => error.fmt(formatter),
        }
    }
}

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub rows: u64,
    /// The sum of the counts.
    pub total: u128,
    /// The first and last code, unless there is no row.
    pub codes: Option<(u64, u64)>,
    pub size_bytes: u64,
}

/// Writes k-mers and their counts, in order of codes, as a part.
///
/// It keeps a row group's counts, at most, and one page of codes. The bytes don't depend on how the
/// rows are split into pushes. A writer that has failed refuses everything from then on.
pub struct PartWriter<W> {
    sink: W,
    table: Table,
    /// The rows of the page that isn't full.
    codes: Vec<u64>,
    counts: Vec<u64>,
    /// The codes of the row group that isn't full; its counts are in `count_column`.
    group: Group,
    count_column: CountColumn,
    /// A page or chunk before it is written.
    bytes: Vec<u8>,
    last_code: Option<u64>,
    total: u128,
    written_bytes: u64,
    has_failed: bool,
}

impl<W: Write> PartWriter<W> {
    pub fn new(mut sink: W, k: u32, canonical: bool) -> Result<Self, WriteError> {
        if !(MIN_K..=MAX_K).contains(&k) {
            return Err(WriteError::Refused(format!(
                "k must be {MIN_K} to {MAX_K}, not {k}"
            )));
        }
        sink.write_all(MAGIC)?;
        Ok(Self {
            sink,
            table: Table {
                k,
                canonical,
                groups: Vec::new(),
            },
            codes: Vec::new(),
            counts: Vec::new(),
            group: Group::default(),
            count_column: CountColumn::new()?,
            bytes: Vec::new(),
            last_code: None,
            total: 0,
            written_bytes: MAGIC.len() as u64,
            has_failed: false,
        })
    }

    /// Takes the next rows: codes that ascend, also from push to push, and counts from 1.
    pub fn push(&mut self, codes: &[u64], counts: &[u64]) -> Result<(), WriteError> {
        self.unless_failed(|writer| writer.push_rows(codes, counts))
    }

    /// Writes what is left and the tail, and flushes the sink, which is given back.
    pub fn finish(mut self) -> Result<(Facts, W), WriteError> {
        self.unless_failed(Self::write_rest)?;
        let firsts = self.table.groups.first().map(|group| group.kmers.min());
        let facts = Facts {
            rows: self.table.rows(),
            total: self.total,
            codes: firsts.zip(self.last_code),
            size_bytes: self.written_bytes,
        };
        Ok((facts, self.sink))
    }

    fn unless_failed(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        if self.has_failed {
            let message = "a table that could not be written can't be gone on with";
            return Err(WriteError::Refused(message.to_owned()));
        }
        self.has_failed = true;
        write(self)?;
        self.has_failed = false;
        Ok(())
    }

    fn push_rows(&mut self, mut codes: &[u64], mut counts: &[u64]) -> Result<(), WriteError> {
        if codes.len() != counts.len() {
            return Err(WriteError::Refused(format!(
                "{} k-mer codes, but {} counts",
                codes.len(),
                counts.len()
            )));
        }
        while !codes.is_empty() {
            let taken = codes.len().min(PAGE_ROWS - self.codes.len());
            let (page_codes, page_counts);
            (page_codes, codes) = codes.split_at(taken);
            (page_counts, counts) = counts.split_at(taken);
            if taken == PAGE_ROWS {
                // A whole page needs no copy.
                self.write_page(page_codes, page_counts)?;
                continue;
            }
            self.codes.extend_from_slice(page_codes);
            self.counts.extend_from_slice(page_counts);
            if self.codes.len() == PAGE_ROWS {
                self.write_kept_page()?;
            }
        }
        Ok(())
    }

    fn write_kept_page(&mut self) -> Result<(), WriteError> {
        let (mut codes, mut counts) = (
            std::mem::take(&mut self.codes),
            std::mem::take(&mut self.counts),
        );
        self.write_page(&codes, &counts)?;
        codes.clear();
        counts.clear();
        (self.codes, self.counts) = (codes, counts);
        Ok(())
    }

    fn write_page(&mut self, codes: &[u64], counts: &[u64]) -> Result<(), WriteError> {
        self.check_order(codes)?;
        let Some(total) = self.count_column.push(counts) else {
            return Err(WriteError::Refused("a k-mer with a count of 0".to_owned()));
        };
        self.total += total;
        let (min, max) = (codes[0], codes[codes.len() - 1]);
        self.bytes.clear();
        delta::encode(codes, &mut self.bytes);
        let header = Header {
            content: Content::Codes { min, max },
            values: codes.len(),
            uncompressed_bytes: self.bytes.len(),
        };
        let header = header.before(&self.bytes);
        self.sink.write_all(&header)?;
        self.sink.write_all(&self.bytes)?;
        let size_bytes = (header.len() + self.bytes.len()) as u32;
        self.group.kmers.pages.push(Page {
            size_bytes,
            min,
            max,
        });
        self.group.kmers.uncompressed_bytes += u64::from(size_bytes);
        self.written_bytes += u64::from(size_bytes);
        self.group.rows += codes.len();
        self.last_code = Some(max);
        if self.group.rows == GROUP_ROWS {
            self.write_counts()?;
        }
        Ok(())
    }

    fn check_order(&self, codes: &[u64]) -> Result<(), WriteError> {
        let ascends = |before: u64, after: u64| before < after;
        let mut is_sorted = true;
        for (&before, &after) in codes.iter().zip(&codes[1..]) {
            is_sorted &= ascends(before, after);
        }
        if is_sorted && self.last_code.is_none_or(|last| ascends(last, codes[0])) {
            let largest = codes[codes.len() - 1];
            if largest <= max_code(self.table.k) {
                return Ok(());
            }
            return Err(WriteError::Refused(format!(
                "{largest} is no code of a k-mer with k = {}",
                self.table.k
            )));
        }
        let all = self.last_code.iter().chain(codes);
        let mut pairs = all.clone().zip(all.skip(1));
        let found = pairs.find(|(before, after)| !ascends(**before, **after));
        let (before, after) = found.unwrap_or((&0, &0));
        Err(WriteError::Refused(format!(
            "the codes of k-mers must ascend, but {after} follows {before}"
        )))
    }

    /// Ends the row group.
    fn write_counts(&mut self) -> Result<(), WriteError> {
        self.bytes.clear();
        self.group.counts = self.count_column.finish(&mut self.bytes)?;
        self.sink.write_all(&self.bytes)?;
        self.written_bytes += self.bytes.len() as u64;
        self.table.groups.push(std::mem::take(&mut self.group));
        Ok(())
    }

    fn write_rest(&mut self) -> Result<(), WriteError> {
        if !self.codes.is_empty() {
            self.write_kept_page()?;
        }
        if self.group.rows > 0 {
            self.write_counts()?;
        }
        debug_assert_eq!(self.table.check(), Ok(()), "a reader takes what is written");
        let tail = footer::tail(&self.table);
        self.sink.write_all(&tail)?;
        self.sink.flush()?;
        self.written_bytes += tail.len() as u64;
        Ok(())
    }
}
