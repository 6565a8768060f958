//! The text tables: rows of sequences, gaps and the index.

use crate::bases::spell;
use crate::rows::gaps::Gap;
use crate::rows::records::{Index, Record};

pub const SEQUENCES_HEADER: &[u8] =
    b"name\tlength\tA\tC\tG\tT\tN\tother\tlowercase\tgc_percent\tstart_byte\tU\n";

pub const KMERS_HEADER: &[u8] = b"kmer\tcount\n";

/// Bytes that are collected before they are written.
const PAGE_BYTES: usize = 1 << 20;

/// Rows on their way out, page by page.
pub struct Pages<F> {
    pub buffer: Vec<u8>,
    flush: F,
}

impl<E, F: FnMut(&mut Vec<u8>) -> Result<(), E>> Pages<F> {
    pub fn new(flush: F) -> Self {
        Self {
            buffer: Vec::new(),
            flush,
        }
    }

    /// Writes the page if it is full.
    pub fn turn(&mut self) -> Result<(), E> {
        if self.buffer.len() >= PAGE_BYTES {
            (self.flush)(&mut self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), E> {
        (self.flush)(&mut self.buffer)
    }
}

pub fn sequence_row(row: &mut Vec<u8>, record: &Record) {
    let Record {
        a, c, g, t, n, u, ..
    } = *record;
    row.extend_from_slice(record.name);
    let other = record.length - a - c - g - t - n;
    for number in [record.length, a, c, g, t, n, other, record.lowercase] {
        push_number(row, number);
    }
    row.push(b'\t');
    push_percent(row, g + c, a + c + g + t + u);
    push_number(row, record.start_byte);
    push_number(row, u);
    row.push(b'\n');
}

pub fn kmer_row(row: &mut Vec<u8>, k: u32, code: u64, count: u64) {
    let start = row.len();
    row.resize(start + k as usize, 0);
    spell(code, &mut row[start..]);
    push_number(row, count);
    row.push(b'\n');
}

pub fn gap_row(row: &mut Vec<u8>, record: &Record, gap: &Gap) {
    row.extend_from_slice(record.name);
    push_number(row, gap.start_base);
    push_number(row, gap.end_base);
    row.push(b'\n');
}

/// The index's row, if the record has one; faidx keeps line lengths in 32 bits.
pub fn fai_row(row: &mut Vec<u8>, record: &Record) {
    if let Index::Lines {
        length,
        line_bases,
        line_bytes,
    } = record.index
    {
        row.extend_from_slice(record.name);
        for number in [
            length,
            record.sequence_start_byte,
            u64::from(line_bases as u32),
            u64::from(line_bytes as u32),
        ] {
            push_number(row, number);
        }
        row.push(b'\n');
    }
}

fn push_number(row: &mut Vec<u8>, number: u64) {
    row.push(b'\t');
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    row.extend_from_slice(&digits[start..]);
}

/// 100 · part / whole with three decimals, rounded once, half to even; nothing when whole is 0.
fn push_percent(row: &mut Vec<u8>, part: u64, whole: u64) {
    if whole == 0 {
        return;
    }
    let (scaled, whole) = (u128::from(part) * 100_000, u128::from(whole));
    let (mut thousandths, rest) = (scaled / whole, scaled % whole);
    if 2 * rest > whole || (2 * rest == whole && thousandths % 2 == 1) {
        thousandths += 1;
    }
    row.extend_from_slice(format!("{}.{:03}", thousandths / 1000, thousandths % 1000).as_bytes());
}

/// Bytes as text: UTF-8 stands for itself; other bytes, control characters and the backslash
/// become `\xNN`.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                escape(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(character);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}

/// The bytes that `printable` shows so.
pub fn from_printable(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(part: u64, whole: u64) -> String {
        let mut row = Vec::new();
        push_percent(&mut row, part, whole);
        String::from_utf8(row).unwrap()
    }

    #[test]
    fn percentages_are_rounded_once_and_half_to_even() {
        assert_eq!(percent(1, 3), "33.333");
        assert_eq!(percent(2, 3), "66.667");
        assert_eq!(percent(1, 200_000), "0.000");
        assert_eq!(percent(3, 200_000), "0.002");
        assert_eq!(percent(5, 5), "100.000");
        assert_eq!(percent(0, 0), "");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.000");
    }

    #[test]
    fn numbers_are_written_in_full() {
        let mut row = Vec::new();
        push_number(&mut row, 0);
        push_number(&mut row, u64::MAX);
        assert_eq!(row, b"\t0\t18446744073709551615");
    }

    #[test]
    fn names_that_are_not_text_are_readable() {
        assert_eq!(printable("chr1 µ".as_bytes()), "chr1 µ");
        assert_eq!(printable(b"a\xffb\\\x01"), "a\\xffb\\x5c\\x01");
        for bytes in [&b"chr1"[..], "µ\u{9b}".as_bytes(), b"\\x41\xff\xc2", b"\\"] {
            assert_eq!(from_printable(&printable(bytes)).as_deref(), Some(bytes));
        }
        assert_eq!(from_printable("\\x4"), None);
    }
}
