//! The page reader of parts, whoever wrote them.

use std::io;

use super::counts::CountReader;
use super::page::{Content, body_of};
use super::table::{Group, Page, Table};
use super::{Damage, MAGIC, PAGE_ROWS, delta, footer};

/// Bytes by their place: a file, or an object in a store.
pub trait ReadAt {
    /// Just `len` bytes from `start_byte` on, or an error.
    fn read_at(&self, start_byte: u64, len: usize) -> io::Result<Vec<u8>>;
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn read_at(&self, start_byte: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        std::os::unix::fs::FileExt::read_exact_at(self, &mut bytes, start_byte)?;
        Ok(bytes)
    }
}

/// Why a part could not be read.
#[derive(Debug)]
pub enum ReadError {
    Damaged(Damage),
    /// What was asked for can't be.
    Refused(String),
    Source(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Source(error)
    }
}

impl From<Damage> for ReadError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(damage) => write!(formatter, "not a part of a k-mer table: {damage}"),
            Self::Refused(message) => formatter.write_str(message),
            Self::Source(error) => error.fmt(formatter),
        }
    }
}

/// Most tails are read at once with the length of the footer.
const LAST_BYTES: u64 = 64 << 10;

/// A part that is open for reading: its tail is proven, its pages are proven as they are read.
pub struct PartReader<R> {
    source: R,
    table: Table,
    /// Where each row group begins.
    group_start_bytes: Vec<u64>,
}

impl<R: ReadAt> PartReader<R> {
    /// Opens a part of `size_bytes`.
    pub fn open(source: R, size_bytes: u64) -> Result<Self, ReadError> {
        let table = read_table(&source, size_bytes)?;
        let mut start_byte = MAGIC.len() as u64;
        let mut group_start_bytes = Vec::with_capacity(table.groups.len());
        for group in &table.groups {
            group_start_bytes.push(start_byte);
            start_byte += group.size_bytes();
        }
        Ok(Self {
            source,
            table,
            group_start_bytes,
        })
    }

    #[cfg(test)]
    pub(super) fn source(&self) -> &R {
        &self.source
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub fn k(&self) -> u32 {
        self.table.k
    }

    pub fn is_canonical(&self) -> bool {
        self.table.canonical
    }

    pub fn rows(&self) -> u64 {
        self.table.rows()
    }

    /// The first and last code, unless there is no row.
    pub fn codes(&self) -> Option<(u64, u64)> {
        let (first, last) = (self.table.groups.first()?, self.table.groups.last()?);
        Some((first.kmers.min(), last.kmers.max()))
    }

    /// How many row groups there are.
    pub fn groups(&self) -> usize {
        self.table.groups.len()
    }

    /// Hands the rows of each page to `each`, in order. Reads a row group at a time.
    pub fn for_each_page(
        &self,
        mut each: impl FnMut(&[u64], &[u64]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        (0..self.groups()).try_for_each(|group| self.for_each_page_of(group, &mut each))
    }

    /// Hands the rows of each page of a row group to `each`, in order.
    pub fn for_each_page_of(
        &self,
        group: usize,
        mut each: impl FnMut(&[u64], &[u64]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut count_reader = CountReader::new()?;
        let (mut codes, mut counts) = (Vec::new(), Vec::new());
        let start_byte = self.group_start_bytes[group];
        let group = &self.table.groups[group];
        let bytes = self.read(start_byte, group.size_bytes())?;
        let (mut kmer_bytes, mut count_bytes) = bytes.split_at(group.kmers.size_bytes() as usize);
        let dictionary = take(&mut count_bytes, group.counts.dictionary_bytes);
        count_reader.read_dictionary(dictionary)?;
        let pages = group.kmers.pages.iter().zip(&group.counts.pages);
        for (index, (kmer_page, count_page)) in pages.enumerate() {
            let rows = group.page_rows(index);
            let page = take(&mut kmer_bytes, kmer_page.size_bytes);
            read_codes(page, kmer_page, rows, &mut codes)?;
            let page = take(&mut count_bytes, count_page.size_bytes);
            count_reader.read_page(page, count_page, rows, &mut counts)?;
            each(&codes, &counts)?;
        }
        Ok(())
    }

    /// The count of each code, 0 for those that the part doesn't have. The codes must be sorted.
    ///
    /// Reads the pages alone that may hold one of them, each once.
    pub fn get(&self, sorted_codes: &[u64]) -> Result<Vec<u64>, ReadError> {
        if !sorted_codes.is_sorted() {
            let message = "the k-mers to look up must be sorted by code";
            return Err(ReadError::Refused(message.to_owned()));
        }
        let mut found = vec![0; sorted_codes.len()];
        let mut count_reader = CountReader::new()?;
        let mut scratch = (Vec::new(), Vec::new());
        let mut first = 0;
        for (group, &start_byte) in self.table.groups.iter().zip(&self.group_start_bytes) {
            let behind =
                first + sorted_codes[first..].partition_point(|&code| code <= group.kmers.max());
            if first < behind {
                let places = Places::new(group, start_byte);
                let asked = (&sorted_codes[first..behind], &mut found[first..behind]);
                self.get_in_group(&places, asked, &mut count_reader, &mut scratch)?;
            }
            first = behind;
        }
        Ok(found)
    }

    fn get_in_group(
        &self,
        places: &Places<'_>,
        (asked, found): (&[u64], &mut [u64]),
        count_reader: &mut CountReader,
        (codes, counts): &mut (Vec<u64>, Vec<u64>),
    ) -> Result<(), ReadError> {
        let group = places.group;
        let mut has_dictionary = false;
        let mut first = 0;
        for (index, kmer_page) in group.kmers.pages.iter().enumerate() {
            first += asked[first..].partition_point(|&code| code < kmer_page.min);
            let behind = first + asked[first..].partition_point(|&code| code <= kmer_page.max);
            if first == behind {
                continue;
            }
            let rows = group.page_rows(index);
            let bytes = self.read(places.kmer_start_bytes[index], kmer_page.size_bytes.into())?;
            read_codes(&bytes, kmer_page, rows, codes)?;
            let mut row_of = vec![None; behind - first];
            let mut row = 0;
            for (asked, row_of) in asked[first..behind].iter().zip(&mut row_of) {
                row += codes[row..].partition_point(|code| code < asked);
                *row_of = codes.get(row).filter(|code| *code == asked).map(|_| row);
            }
            if row_of.iter().any(Option::is_some) {
                if !has_dictionary {
                    let len = group.counts.dictionary_bytes.into();
                    count_reader.read_dictionary(&self.read(places.dictionary_start_byte, len)?)?;
                    has_dictionary = true;
                }
                let count_page = &group.counts.pages[index];
                let len = count_page.size_bytes.into();
                let bytes = self.read(places.count_start_bytes[index], len)?;
                count_reader.read_page(&bytes, count_page, rows, counts)?;
                for (found, row) in found[first..behind].iter_mut().zip(row_of) {
                    *found = row.map_or(0, |row| counts[row]);
                }
            }
            first = behind;
        }
        Ok(())
    }

    fn read(&self, start_byte: u64, len: u64) -> Result<Vec<u8>, ReadError> {
        read(&self.source, start_byte, len)
    }
}

/// Where the pages of a row group begin.
struct Places<'a> {
    group: &'a Group,
    kmer_start_bytes: Vec<u64>,
    dictionary_start_byte: u64,
    count_start_bytes: Vec<u64>,
}

impl<'a> Places<'a> {
    fn new(group: &'a Group, start_byte: u64) -> Self {
        let start_bytes = |pages: &[Page], first: u64| {
            let mut next = first;
            let places = pages.iter().map(|page| {
                next += u64::from(page.size_bytes);
                next - u64::from(page.size_bytes)
            });
            places.collect()
        };
        let dictionary_start_byte = start_byte + group.kmers.size_bytes();
        let first_counts = dictionary_start_byte + u64::from(group.counts.dictionary_bytes);
        Self {
            group,
            kmer_start_bytes: start_bytes(&group.kmers.pages, start_byte),
            dictionary_start_byte,
            count_start_bytes: start_bytes(&group.counts.pages, first_counts),
        }
    }
}

fn read_table(source: &impl ReadAt, size_bytes: u64) -> Result<Table, ReadError> {
    let end_bytes = footer::END_BYTES as u64;
    let magic_bytes = MAGIC.len() as u64;
    if size_bytes < magic_bytes + end_bytes {
        return Err(Damage::new("a file that is too short").into());
    }
    let mut last = read(
        source,
        size_bytes - size_bytes.min(LAST_BYTES),
        size_bytes.min(LAST_BYTES),
    )?;
    let (_, end) = last
        .split_last_chunk::<{ footer::END_BYTES }>()
        .ok_or_else(cut_off)?;
    let [a, b, c, d, magic @ ..] = *end;
    if magic != *MAGIC || read(source, 0, magic_bytes)? != MAGIC {
        return Err(Damage::new("a file that is not Parquet").into());
    }
    let footer_bytes = u64::from(u32::from_le_bytes([a, b, c, d]));
    let before_footer = size_bytes - magic_bytes - end_bytes;
    if footer_bytes > before_footer.min(footer::MAX_FOOTER_BYTES) {
        return Err(cut_off().into());
    }
    grow(source, size_bytes, &mut last, footer_bytes + end_bytes)?;
    let footer_at = last.len() - (footer_bytes + end_bytes) as usize;
    let indexes_bytes = footer::indexes_bytes(&last[footer_at..last.len() - footer::END_BYTES])?;
    if indexes_bytes > before_footer - footer_bytes {
        return Err(cut_off().into());
    }
    let tail_bytes = indexes_bytes + footer_bytes + end_bytes;
    grow(source, size_bytes, &mut last, tail_bytes)?;
    let tail = &last[last.len() - tail_bytes as usize..];
    let start_byte = size_bytes - tail_bytes;
    let table = footer::read_tail(tail, indexes_bytes as usize, start_byte)?;
    let pages_bytes: u64 = table.groups.iter().map(Group::size_bytes).sum();
    if magic_bytes + pages_bytes != start_byte {
        return Err(Damage::new("a file of another size").into());
    }
    Ok(table)
}

/// Has `last`, the last bytes of a source, be `len` at least.
fn grow(
    source: &impl ReadAt,
    size_bytes: u64,
    last: &mut Vec<u8>,
    len: u64,
) -> Result<(), ReadError> {
    let missing = len.saturating_sub(last.len() as u64);
    if missing > 0 {
        let mut bytes = read(source, size_bytes - last.len() as u64 - missing, missing)?;
        bytes.append(last);
        *last = bytes;
    }
    Ok(())
}

fn read(source: &impl ReadAt, start_byte: u64, len: u64) -> Result<Vec<u8>, ReadError> {
    let len = usize::try_from(len).map_err(|_| cut_off())?;
    let bytes = source.read_at(start_byte, len)?;
    if bytes.len() == len {
        Ok(bytes)
    } else {
        Err(cut_off().into())
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: u32) -> &'a [u8] {
    let (taken, rest) = bytes.split_at((len as usize).min(bytes.len()));
    *bytes = rest;
    taken
}

fn read_codes(bytes: &[u8], page: &Page, rows: usize, codes: &mut Vec<u64>) -> Result<(), Damage> {
    debug_assert!(rows <= PAGE_ROWS);
    let Page { min, max, .. } = *page;
    let (header, body) = body_of(bytes, Content::Codes { min, max }, Some(rows))?;
    if header.uncompressed_bytes != body.len() {
        return Err(Damage::new("a page of codes of another size"));
    }
    delta::decode(body, rows, codes)?;
    let mut is_sorted = true;
    for (before, after) in codes.iter().zip(&codes[1..]) {
        is_sorted &= before < after;
    }
    if !is_sorted {
        return Err(Damage::new("codes that are not in order"));
    }
    if codes.first() != Some(&min) || codes.last() != Some(&max) {
        return Err(Damage::new("codes that don't match their statistics"));
    }
    Ok(())
}

fn cut_off() -> Damage {
    Damage::new("a file that is cut off")
}
