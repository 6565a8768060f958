//! What a part's tail says of its groups and pages; every offset follows from it.

use super::{Damage, GROUP_ROWS, PAGE_ROWS, max_code};

pub const MIN_K: u32 = 9;
pub const MAX_K: u32 = 32;

/// The most that a page of codes takes with its header: 64 bits a row, and what stands before them.
const MAX_KMER_PAGE_BYTES: u32 = 160 << 10;
/// The most that a page of counts takes with its header: 3 bytes a row, a little more under zstd.
const MAX_COUNT_PAGE_BYTES: u32 = 64 << 10;
/// The most that a dictionary takes with its header: 8 bytes a row, a little more under zstd.
const MAX_DICTIONARY_BYTES: u32 = 9 << 20;

/// A page of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// In the file, with the header.
    pub size_bytes: u32,
    pub min: u64,
    pub max: u64,
}

/// The pages of one column in a row group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The dictionary page in the file, with the header; 0 if there is none.
    pub dictionary_bytes: u32,
    /// What the pages take before compression, with their headers.
    pub uncompressed_bytes: u64,
    pub pages: Vec<Page>,
}

impl Chunk {
    /// What the pages take in the file, with their headers.
    pub fn size_bytes(&self) -> u64 {
        let pages = self.pages.iter().map(|page| u64::from(page.size_bytes));
        u64::from(self.dictionary_bytes) + pages.sum::<u64>()
    }

    pub fn min(&self) -> u64 {
        self.pages.iter().map(|page| page.min).min().unwrap_or(0)
    }

    pub fn max(&self) -> u64 {
        self.pages.iter().map(|page| page.max).max().unwrap_or(0)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub rows: usize,
    pub kmers: Chunk,
    pub counts: Chunk,
}

impl Group {
    pub fn size_bytes(&self) -> u64 {
        self.kmers.size_bytes() + self.counts.size_bytes()
    }

    /// How many rows a page has.
    pub fn page_rows(&self, page: usize) -> usize {
        self.rows.saturating_sub(page * PAGE_ROWS).min(PAGE_ROWS)
    }
}

/// A part without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub k: u32,
    pub canonical: bool,
    pub groups: Vec<Group>,
}

impl Table {
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows as u64).sum()
    }

    /// Holds if the sizes are those of a writer, and pages ascend.
    pub fn check(&self) -> Result<(), Damage> {
        let Some((last, full)) = self.groups.split_last() else {
            return Ok(());
        };
        let rows_fit = full.iter().all(|group| group.rows == GROUP_ROWS)
            && (1..=GROUP_ROWS).contains(&last.rows);
        if !rows_fit {
            return Err(Damage::new(
                "row groups of a size that fanfold doesn't write",
            ));
        }
        let mut before = None;
        for group in &self.groups {
            check_pages(group)?;
            for page in &group.kmers.pages {
                if before.is_some_and(|before| page.min <= before) || page.min > page.max {
                    return Err(Damage::new("pages that are not in order of codes"));
                }
                before = Some(page.max);
            }
        }
        if before > Some(max_code(self.k)) {
            return Err(Damage::new(format!("codes too large for k = {}", self.k)));
        }
        Ok(())
    }
}

fn check_pages(group: &Group) -> Result<(), Damage> {
    let pages = group.rows.div_ceil(PAGE_ROWS);
    let fits = |page: &Page, most: u32| (1..=most).contains(&page.size_bytes);
    let sizes_fit = [&group.kmers, &group.counts].map(|chunk| chunk.pages.len()) == [pages; 2]
        && group.kmers.dictionary_bytes == 0
        && (1..=MAX_DICTIONARY_BYTES).contains(&group.counts.dictionary_bytes)
        && group
            .kmers
            .pages
            .iter()
            .all(|page| fits(page, MAX_KMER_PAGE_BYTES))
        && group
            .counts
            .pages
            .iter()
            .all(|page| fits(page, MAX_COUNT_PAGE_BYTES));
    if !sizes_fit {
        return Err(Damage::new("pages of a size that fanfold doesn't write"));
    }
    if group.counts.min() == 0 {
        return Err(Damage::new("a count of 0"));
    }
    Ok(())
}
