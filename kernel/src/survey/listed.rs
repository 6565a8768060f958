//! The longest records' rows, with their names.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, TryReserveError};

use super::found::Row;
use super::rows::SequenceRow;
use crate::rows::tables::printable;

/// Up to so many records are all listed.
pub const ALL_LISTED: usize = 2000;
/// The longest of more.
const LONGEST_LISTED: usize = 500;

/// A name that is shown in more characters is cut.
const NAME_CHARACTERS: usize = 100;
/// What is kept of a name. A character has four bytes at most, and the last may be cut: this shows
/// in more than `NAME_CHARACTERS`.
const NAME_BYTES: usize = 4 * (NAME_CHARACTERS + 2);

struct Candidate {
    /// The place among the records that are kept.
    place: usize,
    length: u64,
    gc: u64,
    acgtu: u64,
    n: u64,
    lowercase: u64,
    name: Vec<u8>,
}

impl Candidate {
    fn new(mut name: Vec<u8>, row: &SequenceRow, place: usize) -> Result<Self, TryReserveError> {
        let kept = &row.name[..row.name.len().min(NAME_BYTES)];
        name.clear();
        name.try_reserve_exact(kept.len())?;
        name.extend_from_slice(kept);
        Ok(Self {
            place,
            length: row.length,
            gc: row.gc(),
            acgtu: row.acgtu(),
            n: row.n,
            lowercase: row.lowercase,
            name,
        })
    }

    /// The longest is the largest, of equals the first in the file.
    fn rank(&self) -> (u64, Reverse<usize>) {
        (self.length, Reverse(self.place))
    }

    fn row(&self) -> Row {
        Row {
            name: shown(&self.name),
            length: self.length,
            gc: self.gc,
            acgtu: self.acgtu,
            n: self.n,
            lowercase: self.lowercase,
        }
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// The `ALL_LISTED` longest so far, the shortest of them on top.
#[derive(Default)]
pub struct Listed(BinaryHeap<Reverse<Candidate>>);

impl Listed {
    /// Takes a row if it is among the longest; places ascend.
    pub fn offer(&mut self, row: &SequenceRow, place: usize) -> Result<(), TryReserveError> {
        if self.0.len() < ALL_LISTED {
            self.0.try_reserve(1)?;
            let candidate = Candidate::new(Vec::new(), row, place)?;
            self.0.push(Reverse(candidate));
        } else if let Some(mut shortest) = self.0.peek_mut()
            && shortest.0.length < row.length
        {
            let name = std::mem::take(&mut shortest.0.name);
            shortest.0 = Candidate::new(name, row, place)?;
        }
        Ok(())
    }

    /// The places of the longest, at most so many, the longest first.
    pub fn longest_places(&self, most: usize) -> Vec<usize> {
        let mut all: Vec<_> = self.0.iter().map(|Reverse(each)| each).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        all.iter().take(most).map(|each| each.place).collect()
    }

    /// The rows to list of as many records in view.
    pub fn into_rows(self, in_view: u64) -> Vec<Row> {
        let most = if in_view <= ALL_LISTED as u64 {
            ALL_LISTED
        } else {
            LONGEST_LISTED
        };
        let sorted = self.0.into_sorted_vec();
        let rows = sorted.iter().map(|Reverse(each)| each.row());
        rows.take(most).collect()
    }
}

fn shown(name: &[u8]) -> String {
    let mut text = printable(name);
    let mut ends = text.char_indices().map(|(at, _)| at);
    if let Some(cut) = ends.nth(NAME_CHARACTERS - 1)
        && ends.next().is_some()
    {
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_to_a_hundred_characters() {
        assert_eq!(shown(&[b'a'; 100]), "a".repeat(100));
        assert_eq!(shown(&[b'a'; 101]), "a".repeat(99) + "…");
        assert_eq!(shown(&[0xff; 25]), "\\xff".repeat(25));
        assert_eq!(shown(&[0xff; 26]), "\\xff".repeat(24) + "\\xf…");
    }

    #[test]
    fn what_is_kept_of_a_name_shows_as_the_whole() {
        for character in ["a", "µ", "…", "𝔸", "\u{9b}"] {
            for offset in 0..4 {
                let name = ["x".repeat(offset), character.repeat(1000)].concat();
                let kept = &name.as_bytes()[..NAME_BYTES];
                assert_eq!(shown(kept), shown(name.as_bytes()));
            }
        }
    }

    #[test]
    fn the_longest_are_listed_and_of_equals_the_first() {
        let mut listed = Listed::default();
        for place in 0..5000 {
            let length = 100 + place as u64 % 50;
            let name = place.to_string();
            let row = format!("{name}\t{length}\t{length}\t0\t0\t0\t0\t0\t0\t0.000\t0\t0");
            let row = SequenceRow::read(row.as_bytes()).unwrap();
            listed.offer(&row, place).unwrap();
        }
        assert_eq!(listed.longest_places(3), [49, 99, 149]);
        assert_eq!(listed.longest_places(101)[99..], [4999, 48]);
        let rows = listed.into_rows(5000);
        assert_eq!(rows.len(), LONGEST_LISTED);
        assert_eq!((rows[0].name.as_str(), rows[0].length), ("49", 149));
        assert_eq!((rows[499].name.as_str(), rows[499].length), ("4995", 145));
    }
}
