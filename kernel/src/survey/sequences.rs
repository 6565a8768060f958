//! What `sequences.tsv` alone says.

use std::collections::TryReserveError;
use std::hash::{BuildHasher, RandomState};

use super::bins::Bins;
use super::found::{AtLeast, Sums};
use super::listed::Listed;
use super::rows::{SequenceRow, Wrong};
use super::{LIMIT, View, room};
use crate::rows::tables::SEQUENCES_HEADER;

/// What is kept of a record; of a million, 40 MB.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub length: u64,
    pub gc: u64,
    pub acgtu: u64,
    pub n: u64,
    /// While gaps are matched, the hash of its name; then its place in the file, which orders
    /// records of one length.
    pub tag: u64,
}

pub struct Sequences {
    view: View,
    has_header: bool,
    pub sums: Sums,
    pub below_200: u64,
    pub unnamed: u64,
    pub at_least: [AtLeast; 6],
    /// Records in view.
    pub in_view: u64,
    pub bins: Bins,
    pub listed: Listed,
    /// Of names. Its key is secret and new: nobody can make two names look equal.
    pub hasher: RandomState,
    /// Records in view, and others with gaps, in file order.
    records: Vec<Record>,
}

impl Sequences {
    pub fn new(view: View) -> Result<Self, TryReserveError> {
        Ok(Self {
            view,
            has_header: false,
            sums: Sums::default(),
            below_200: 0,
            unnamed: 0,
            at_least: [0, 1_000, 5_000, 10_000, 25_000, 50_000].map(|least| AtLeast(least, 0, 0)),
            in_view: 0,
            bins: Bins::new()?,
            listed: Listed::default(),
            hasher: RandomState::new(),
            records: Vec::new(),
        })
    }

    pub fn take_line(&mut self, line: &[u8]) -> Result<(), Wrong> {
        if self.has_header {
            return self.add(&SequenceRow::read(line)?);
        }
        self.has_header = SEQUENCES_HEADER.strip_suffix(b"\n") == Some(line);
        self.check_header()
    }

    fn check_header(&self) -> Result<(), Wrong> {
        if self.has_header {
            Ok(())
        } else {
            Err(Wrong::Row("the first line is not the header of the table"))
        }
    }

    fn add(&mut self, row: &SequenceRow) -> Result<(), Wrong> {
        if self.sums.length + row.length >= LIMIT {
            return Err(Wrong::Row("the lengths add up to 2^63 or more"));
        }
        self.sums.add(row);
        self.below_200 += u64::from(row.length < 200);
        self.unnamed += u64::from(row.name.is_empty());
        for AtLeast(least, count, sum) in &mut self.at_least {
            if row.length >= *least {
                *count += 1;
                *sum += row.length;
            }
        }
        let is_in_view = row.length >= self.view.min_length;
        if is_in_view {
            self.in_view += 1;
            self.bins.add(row);
            self.listed.offer(row, self.records.len())?;
        }
        if is_in_view || row.n > 0 {
            let record = Record {
                length: row.length,
                gc: row.gc(),
                acgtu: row.acgtu(),
                n: row.n,
                tag: self.hasher.hash_one(row.name),
            };
            room::push(&mut self.records, record)?;
        }
        Ok(())
    }

    /// The records, at the table's end.
    pub fn end(&mut self) -> Result<Vec<Record>, Wrong> {
        self.check_header()?;
        Ok(std::mem::take(&mut self.records))
    }
}
