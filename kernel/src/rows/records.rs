//! Rows of records, and what is known of a record that is still open.

use std::collections::TryReserveError;

use serde::{Deserialize, Serialize};

use crate::form::raw;
use crate::rows::rope::Rope;
use crate::rows::varint;
use crate::text::composition::Composition;
use crate::text::geometry::{Geometry, Judgement};

/// Residues and lines of one record, or of a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub composition: Composition,
    /// Of its complete lines.
    pub geometry: Geometry,
    /// Graphic characters of its complete lines, comments included: faidx's length.
    pub graphic: u64,
}

impl Part {
    pub fn then(&self, next: &Self) -> Self {
        let mut composition = self.composition;
        composition.add(&next.composition);
        Self {
            composition,
            geometry: self.geometry.then(&next.geometry),
            graphic: self.graphic + next.graphic,
        }
    }
}

/// A header that was met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Where its `>` stands.
    pub start_byte: u64,
    /// Where the line after it starts.
    pub end_byte: u64,
    #[serde(with = "raw")]
    pub name: Vec<u8>,
}

impl Header {
    /// The name in a header line: up to the first white space, after any that follows the `>`.
    pub fn name_of(line: &[u8]) -> &[u8] {
        let line = line.get(1..).unwrap_or_default();
        let start = line
            .iter()
            .position(|byte| !is_space(byte))
            .unwrap_or(line.len());
        let name = &line[start..];
        &name[..name.iter().position(is_space).unwrap_or(name.len())]
    }
}

/// Rust's ASCII white space lacks the vertical tab that C's isspace has.
pub fn is_space(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == 0x0b
}

/// What faidx makes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// It has no sequence line: it is left out.
    NoLines,
    Lines {
        length: u64,
        line_bases: u64,
        line_bytes: u64,
    },
    Refused,
}

/// A whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub name: &'a [u8],
    pub start_byte: u64,
    pub sequence_start_byte: u64,
    pub length: u64,
    pub a: u64,
    pub c: u64,
    pub g: u64,
    pub t: u64,
    pub n: u64,
    pub u: u64,
    pub lowercase: u64,
    pub index: Index,
}

impl<'a> Record<'a> {
    pub fn new(header: &'a Header, part: &Part) -> Self {
        let composition = &part.composition;
        let index = match part.geometry {
            Geometry {
                judgement: Judgement::Refused,
                ..
            } => Index::Refused,
            Geometry {
                first: Some(line), ..
            } if line.bytes > 0 => Index::Lines {
                length: part.graphic,
                line_bases: line.graphic,
                line_bytes: line.bytes + 1,
            },
            _ => Index::NoLines,
        };
        Self {
            name: &header.name,
            start_byte: header.start_byte,
            sequence_start_byte: header.end_byte,
            length: composition.length(),
            a: composition.a,
            c: composition.c,
            g: composition.g,
            t: composition.t,
            n: composition.n,
            u: composition.u,
            lowercase: composition.lowercase,
            index,
        }
    }
}

const NUMBERS_OF_A_ROW: usize = 14;

/// Records in order, about 25 bytes and the name each.
#[derive(Clone, Debug, Default)]
pub struct RecordBlock {
    pub bytes: Vec<u8>,
    /// Of the records that were pushed.
    pub count: u64,
    /// Those among them without a sequence line.
    pub lineless: u64,
    last_start_byte: u64,
}

impl RecordBlock {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// Fails, and leaves the record out, when there is no memory for it.
    pub fn push(&mut self, record: &Record) -> Result<(), TryReserveError> {
        let bytes = &mut self.bytes;
        bytes.try_reserve(record.name.len() + NUMBERS_OF_A_ROW * varint::MAX_BYTES)?;
        varint::write(bytes, record.start_byte - self.last_start_byte);
        varint::write(bytes, record.sequence_start_byte - record.start_byte);
        varint::write(bytes, record.name.len() as u64);
        bytes.extend_from_slice(record.name);
        let named = record.a + record.c + record.g + record.t + record.n;
        for number in [record.a, record.c, record.g, record.t, record.n] {
            varint::write(bytes, number);
        }
        let other = record.length - named;
        varint::write(bytes, other);
        if other > 0 {
            varint::write(bytes, record.u); // among the others: a row of DNA has no byte for it
        }
        varint::write(bytes, record.lowercase);
        match record.index {
            Index::NoLines => varint::write(bytes, 0),
            Index::Refused => varint::write(bytes, 1),
            Index::Lines {
                length,
                line_bases,
                line_bytes,
            } => {
                varint::write(bytes, line_bytes); // at least 2: a byte and the line feed
                varint::write(bytes, line_bytes - 1 - line_bases);
                varint::write(bytes, length - record.length);
            }
        }
        self.count += 1;
        self.lineless += u64::from(record.index == Index::NoLines);
        self.last_start_byte = record.start_byte;
        Ok(())
    }

    /// The records; an item is none where the bytes are damaged, and then the last.
    pub fn iter(&self) -> impl Iterator<Item = Option<Record<'_>>> {
        let mut rest = self.bytes.as_slice();
        let mut start_byte = 0_u64;
        std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| {
                let record = read(&mut rest, start_byte);
                match record {
                    Some(record) => start_byte = record.start_byte,
                    None => rest = &[],
                }
                record
            })
        })
    }
}

fn read<'a>(rest: &mut &'a [u8], last_start_byte: u64) -> Option<Record<'a>> {
    let start_byte = last_start_byte.checked_add(varint::read(rest)?)?;
    let sequence_start_byte = start_byte.checked_add(varint::read(rest)?)?;
    let name_bytes = usize::try_from(varint::read(rest)?).ok()?;
    let (name, after) = rest.split_at_checked(name_bytes)?;
    *rest = after;
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = varint::read(rest)?;
    }
    let [a, c, g, t, n, other] = numbers;
    let u = if other > 0 { varint::read(rest)? } else { 0 };
    if u > other {
        return None;
    }
    let lowercase = varint::read(rest)?;
    let length = [a, c, g, t, n, other]
        .into_iter()
        .try_fold(0_u64, u64::checked_add)?;
    let index = match varint::read(rest)? {
        0 => Index::NoLines,
        1 => Index::Refused,
        line_bytes => Index::Lines {
            line_bytes,
            line_bases: (line_bytes - 1).checked_sub(varint::read(rest)?)?,
            length: length.checked_add(varint::read(rest)?)?,
        },
    };
    Some(Record {
        name,
        start_byte,
        sequence_start_byte,
        length,
        a,
        c,
        g,
        t,
        n,
        u,
        lowercase,
        index,
    })
}

/// Moved by bytes.
pub type Records = Rope<RecordBlock, u64>;

impl Records {
    /// The records in order, moved to where they stand. No block is damaged: those that are read
    /// are checked.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.iter().flat_map(|(block, shift)| {
            block.iter().flatten().map(move |record| Record {
                start_byte: record.start_byte + shift,
                sequence_start_byte: record.sequence_start_byte + shift,
                ..record
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_between_white_space() {
        for (line, name) in [
            (&b">chr1 the first"[..], &b"chr1"[..]),
            (b"> \t\x0bchr1\tx", b"chr1"),
            (b">chr1\x0bx", b"chr1"),
            (b">", b""),
            (b">  ", b""),
            (b">\xffa\x01b", b"\xffa\x01b"),
        ] {
            assert_eq!(Header::name_of(line), name);
        }
    }

    #[test]
    fn rows_read_back_and_damaged_ones_say_so() {
        let record = Record {
            name: b"chr1",
            start_byte: 300,
            sequence_start_byte: 310,
            length: 1000,
            a: 1,
            c: 20,
            g: 300,
            t: 400,
            n: 79,
            u: 0,
            lowercase: 17,
            index: Index::Lines {
                length: 1000,
                line_bases: 60,
                line_bytes: 61,
            },
        };
        let rows = [
            record,
            Record {
                n: 9,
                u: 69,
                ..record
            },
            Record {
                start_byte: 2000,
                sequence_start_byte: 2002,
                index: Index::NoLines,
                ..record
            },
            Record {
                start_byte: 2002,
                sequence_start_byte: 2004,
                index: Index::Refused,
                ..record
            },
        ];
        let mut block = RecordBlock::default();
        rows.iter().for_each(|row| block.push(row).unwrap());
        let read: Option<Vec<_>> = block.iter().collect();
        assert_eq!(read.unwrap(), rows);
        for cut in 1..block.bytes.len() {
            let cut_block = RecordBlock::from_bytes(block.bytes[..cut].to_vec());
            let read: Vec<_> = cut_block.iter().collect();
            let whole = read.iter().flatten().count();
            assert!(read.last().unwrap().is_none() || read.len() < rows.len());
            assert!(read.iter().flatten().eq(&rows[..whole]));
        }
    }

    #[test]
    fn a_row_with_more_u_than_other_residues_is_damaged() {
        let is_read = |other, u| {
            // start, end, name; A, C, G, T, N; other and U; lowercase; no lines
            let bytes = vec![0, 2, 0, 1, 0, 0, 0, 0, other, u, 0, 0];
            RecordBlock::from_bytes(bytes)
                .iter()
                .all(|row| row.is_some())
        };
        assert!(is_read(5, 5));
        assert!(!is_read(5, 6));
    }
}
