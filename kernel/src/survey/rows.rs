//! Rows of the tables, from blocks that are cut anywhere.

use std::collections::TryReserveError;

use memchr::memchr;

use super::{LIMIT, Refusal};

/// The most bytes of a row: a name, and more than ten columns take.
const MAX_ROW_BYTES: usize = (1 << 20) + 256;

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Row(&'static str),
    OutOfMemory,
}

impl Wrong {
    fn refusal(self, located: impl FnOnce(&str) -> String) -> Refusal {
        match self {
            Self::Row(message) => Refusal::Wrong(located(message)),
            Self::OutOfMemory => Refusal::OutOfMemory,
        }
    }
}

impl From<&'static str> for Wrong {
    fn from(message: &'static str) -> Self {
        Self::Row(message)
    }
}

impl From<TryReserveError> for Wrong {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// The lines of a table.
pub struct Lines {
    table: &'static str,
    /// Of lines that ended.
    number: u64,
    /// What was fed since.
    rest: Vec<u8>,
}

impl Lines {
    pub fn of(table: &'static str) -> Self {
        Self {
            table,
            number: 0,
            rest: Vec::new(),
        }
    }

    /// Gives each line that ends in the block to `take`, without its line end.
    pub fn feed(
        &mut self,
        mut block: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), Wrong>,
    ) -> Result<(), Refusal> {
        while let Some(end) = memchr(b'\n', block) {
            let (line, after) = (&block[..end], &block[end + 1..]);
            self.number += 1;
            let taken = if self.rest.is_empty() {
                checked_row(line.len()).and_then(|()| take(line))
            } else {
                let taken = self.keep(line).and_then(|()| take(&self.rest));
                self.rest.clear();
                taken
            };
            taken.map_err(|wrong| self.at_line(self.number, wrong))?;
            block = after;
        }
        self.keep(block)
            .map_err(|wrong| self.at_line(self.number + 1, wrong))
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), Wrong> {
        checked_row(self.rest.len().saturating_add(part.len()))?;
        self.rest.try_reserve(part.len())?;
        self.rest.extend_from_slice(part);
        Ok(())
    }

    /// Refuses a last line without line end.
    pub fn end(&self) -> Result<(), Refusal> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.at_end(Wrong::Row("the last line has no line end")))
        }
    }

    fn at_line(&self, number: u64, wrong: Wrong) -> Refusal {
        wrong.refusal(|message| format!("{}, line {number}: {message}", self.table))
    }

    pub fn at_end(&self, wrong: Wrong) -> Refusal {
        wrong.refusal(|message| format!("{}, at its end: {message}", self.table))
    }
}

fn checked_row(bytes: usize) -> Result<(), Wrong> {
    if bytes > MAX_ROW_BYTES {
        return Err(Wrong::Row("the row is too long"));
    }
    Ok(())
}

/// A row of `sequences.tsv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceRow<'a> {
    pub name: &'a [u8],
    pub length: u64,
    pub a: u64,
    pub c: u64,
    pub g: u64,
    pub t: u64,
    pub n: u64,
    /// U among them.
    pub other: u64,
    pub lowercase: u64,
    pub u: u64,
}

impl<'a> SequenceRow<'a> {
    pub fn read(line: &'a [u8]) -> Result<Self, &'static str> {
        let (name, mut columns) = name_of(line)?;
        let mut numbers = [0; 8];
        for number in &mut numbers {
            *number = read_number(&mut columns)?;
        }
        read_percent(&mut columns)?;
        read_number(&mut columns)?; // start_byte
        let u = read_number(&mut columns)?;
        check_end(columns)?;
        let [length, a, c, g, t, n, other, lowercase] = numbers;
        let parts = [a, c, g, t, n, other];
        if parts.into_iter().try_fold(0, u64::checked_add) != Some(length) {
            return Err("the length is not the sum of A, C, G, T, N and other");
        }
        if u > other {
            return Err("there are more U than other residues");
        }
        if lowercase > length {
            return Err("there are more residues in lower case than residues");
        }
        Ok(Self {
            name,
            length,
            a,
            c,
            g,
            t,
            n,
            other,
            lowercase,
            u,
        })
    }

    pub fn gc(&self) -> u64 {
        self.g + self.c
    }

    /// What GC % is of.
    pub fn acgtu(&self) -> u64 {
        self.a + self.c + self.g + self.t + self.u
    }
}

/// A row of `gaps.bed`, 0-based, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapRow<'a> {
    pub name: &'a [u8],
    pub start_base: u64,
    pub end_base: u64,
}

impl<'a> GapRow<'a> {
    pub fn read(line: &'a [u8]) -> Result<Self, &'static str> {
        let (name, mut columns) = name_of(line)?;
        let start_base = read_number(&mut columns)?;
        let end_base = read_number(&mut columns)?;
        check_end(columns)?;
        if start_base >= end_base {
            return Err("the gap ends before it starts");
        }
        Ok(Self {
            name,
            start_base,
            end_base,
        })
    }
}

const MISSING: &str = "a column is missing";

/// The name, and the columns after it, each with the tab before it.
fn name_of(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let end = memchr(b'\t', line).ok_or(MISSING)?;
    Ok(line.split_at(end))
}

fn read_number(columns: &mut &[u8]) -> Result<u64, &'static str> {
    const MAX_DIGITS: usize = 19; // so many nines are below 2^64
    let [b'\t', column @ ..] = columns else {
        return Err(MISSING);
    };
    let mut number = 0_u64;
    let mut digits = 0;
    while let Some(digit @ b'0'..=b'9') = column.get(digits) {
        if digits == MAX_DIGITS {
            return Err("a number is 2^63 or more");
        }
        number = number * 10 + u64::from(digit - b'0');
        digits += 1;
    }
    let has_leading_zero = digits > 1 && column[0] == b'0';
    let (_, after) = column.split_at(digits);
    if digits == 0 || has_leading_zero || !matches!(after.first(), None | Some(b'\t')) {
        return Err("a column is not a number");
    }
    if number >= LIMIT {
        return Err("a number is 2^63 or more");
    }
    *columns = after;
    Ok(number)
}

/// Skips a percentage; there is none without bases.
fn read_percent(columns: &mut &[u8]) -> Result<(), &'static str> {
    let [b'\t', column @ ..] = columns else {
        return Err(MISSING);
    };
    let (percent, after) = column.split_at(memchr(b'\t', column).ok_or(MISSING)?);
    let mut pieces = percent.splitn(2, |byte| *byte == b'.');
    let is_number = pieces.all(|piece| !piece.is_empty() && piece.iter().all(u8::is_ascii_digit));
    if !percent.is_empty() && !is_number {
        return Err("a column is not a number");
    }
    *columns = after;
    Ok(())
}

fn check_end(columns: &[u8]) -> Result<(), &'static str> {
    if columns.is_empty() {
        Ok(())
    } else {
        Err("there are too many columns")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(blocks: &[&[u8]]) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut lines = Lines::of("t");
        let mut found = Vec::new();
        for block in blocks {
            lines.feed(block, |line| {
                found.push(line.to_vec());
                Ok(())
            })?;
        }
        lines.end()?;
        Ok(found)
    }

    #[test]
    fn lines_are_the_same_however_blocks_are_cut() {
        let text = b"\nab\n\nc\td\n";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let blocks = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(lines_of(&blocks).unwrap(), [&b""[..], b"ab", b"", b"c\td"]);
            }
        }
        let wrong = "t, at its end: the last line has no line end".to_owned();
        assert_eq!(lines_of(&[b"a\nb"]), Err(Refusal::Wrong(wrong)));
    }

    #[test]
    fn a_row_may_have_so_many_bytes_and_no_more() {
        let mut line = vec![b'x'; MAX_ROW_BYTES];
        line.push(b'\n');
        assert_eq!(lines_of(&[&line]).unwrap().len(), 1);
        let halves = line.split_at(1000);
        assert_eq!(lines_of(&[halves.0, halves.1]).unwrap().len(), 1);
        line.insert(0, b'x');
        assert!(lines_of(&[&line]).is_err());
        assert!(lines_of(&[&line[..line.len() - 1]]).is_err());
        let halves = line.split_at(1000);
        assert!(lines_of(&[halves.0, halves.1]).is_err());
    }

    #[test]
    fn numbers_are_digits_below_2_to_the_63() {
        let read = |column: &str| read_number(&mut format!("\t{column}").as_bytes());
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("9223372036854775807"), Ok(LIMIT - 1));
        for column in [
            "9223372036854775808",
            "18446744073709551617",
            "99999999999999999999",
        ] {
            assert_eq!(read(column), Err("a number is 2^63 or more"));
        }
        for column in [
            "", "+1", "-1", "01", "00", "1 ", " 1", "1.0", "1e3", "x", "1\r", "\u{661}",
        ] {
            assert_eq!(read(column), Err("a column is not a number"));
        }
    }

    #[test]
    fn a_row_has_its_columns() {
        let row = "a b\t21\t1\t2\t3\t4\t5\t6\t21\t41.667\t7\t2";
        let read = SequenceRow::read(row.as_bytes()).unwrap();
        assert_eq!((read.name, read.length, read.t), (&b"a b"[..], 21, 4));
        assert_eq!((read.gc(), read.acgtu(), read.u), (5, 12, 2));
        let columns: Vec<_> = row.split('\t').collect();
        for number in 0..columns.len() {
            let fewer = columns[..number].join("\t");
            assert!(SequenceRow::read(fewer.as_bytes()).is_err());
            if number > 0 {
                let mut other = columns.clone();
                other[number] = "x";
                assert!(SequenceRow::read(other.join("\t").as_bytes()).is_err());
            }
        }
        assert!(SequenceRow::read(format!("{row}\t").as_bytes()).is_err());
        assert!(SequenceRow::read(row.replace("\t6\t21", "\t6\t22").as_bytes()).is_err());
        assert!(SequenceRow::read(row.replace("\t7\t2", "\t7\t6").as_bytes()).is_ok());
        assert!(SequenceRow::read(row.replace("\t7\t2", "\t7\t7").as_bytes()).is_err());
        assert!(SequenceRow::read(row.replace("b\t21", "b\t22").as_bytes()).is_err());
        for percent in [".", "5.", ".5", "1.2.3", "-1", "nan"] {
            let other = row.replace("41.667", percent);
            assert!(SequenceRow::read(other.as_bytes()).is_err());
        }
        assert!(SequenceRow::read(row.replace("41.667", "").as_bytes()).is_ok());
    }

    #[test]
    fn a_gap_has_its_columns() {
        assert_eq!(
            GapRow::read(b"\t0\t2"),
            Ok(GapRow {
                name: b"",
                start_base: 0,
                end_base: 2
            })
        );
        for row in [
            &b""[..],
            b"a",
            b"a\t1",
            b"a\t1\t",
            b"a\t1\t1",
            b"a\t2\t1",
            b"a\t1\t2\t",
        ] {
            assert!(GapRow::read(row).is_err());
        }
    }
}
