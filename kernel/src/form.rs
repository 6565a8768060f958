//! The form in which a summary is kept: JSON that people can read, and rows in compact bytes.

use std::collections::TryReserveError;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::bases::{Bases, spell};
use crate::bounds::{self, MAX_BYTES};
use crate::dense::runs::{Run, RunLengths};
use crate::dense::{MAX_K, RunEnds, SmallK};
use crate::ends::Ends;
use crate::fault::Fault;
use crate::ks::{Ks, LargeKs};
use crate::rows::gaps::{GapBlock, Gaps};
use crate::rows::records::{Header, Part, RecordBlock, Records};
use crate::rows::varint;
use crate::summary::{Lead, Summary};
use crate::text::composition::Composition;
use crate::text::geometry::Line;
use crate::text::{Front, State, Text};

/// Everything that a merge needs, but the counts of k-mers and the rows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    k: SmallK,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    large_k: Option<LargeKs>,
    bytes: u64,
    lead: Lead,
    text: TextForm,
}

/// A text, with the pieces at its ends under names of their own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextForm {
    front: FrontForm,
    state: State,
    waiting_crs: u64,
    line_start_byte: u64,
    line_not_graphic: u64,
    #[serde(with = "raw")]
    header_line: Vec<u8>,
    fault: Option<Fault>,
    first_residue: Option<(u64, u8)>,
    comments: u64,
    head: Option<Part>,
    part: Part,
    open: Option<Header>,
    headers: u64,
    closed: Composition,
    left_gap: Option<u64>,
    gap: u64,
    left_run: Option<Run>,
    run: Run,
    run_lengths: RunLengths,
    run_ends: RunEnds,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum FrontForm {
    LineStart,
    MidLine { end: Option<Line> },
}

/// Bytes, as `tables::printable` shows them.
pub mod raw {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::rows::tables::{from_printable, printable};

    pub fn serialize<S: Serializer>(
        bytes: &impl AsRef<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&printable(bytes.as_ref()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = from_printable(&text).ok_or_else(|| D::Error::custom("a broken escape"))?;
        T::try_from(bytes).map_err(|_| D::Error::custom("too many bytes, or too few"))
    }
}

impl Serialize for Bases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Bases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&[u8]>::deserialize(deserializer)?;
        Self::from_text(text).ok_or_else(|| D::Error::custom("not a text of bases"))
    }
}

/// A map from texts of bases to counts.
impl Serialize for RunEnds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.observed())
    }
}

impl<'de> Deserialize<'de> for RunEnds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RunEndsVisitor)
    }
}

struct RunEndsVisitor;

impl<'de> Visitor<'de> for RunEndsVisitor {
    type Value = RunEnds;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a map from texts of bases to counts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RunEnds, A::Error> {
        let mut ends = RunEnds::default();
        let mut sum = 0_u64;
        while let Some((end, count)) = map.next_entry::<Bases, u64>()? {
            sum = sum.saturating_add(count);
            if end.length >= MAX_K || sum > MAX_BYTES {
                let end = end.to_text();
                return Err(A::Error::custom(format_args!("{end} can't be here")));
            }
            ends.add_end(end, count);
        }
        Ok(ends)
    }
}

/// Tables of counts by code, with their k: a map of the observed k-mers.
struct KmerCounts(Vec<(u32, Vec<u64>)>);

impl Serialize for KmerCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (k, counts) in &self.0 {
            let mut text = [0; MAX_K as usize];
            let letters = &mut text[..*k as usize];
            for (code, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                spell(code as u64, letters);
                let kmer = std::str::from_utf8(letters).expect("letters are ASCII");
                map.serialize_entry(kmer, count)?;
            }
        }
        map.end()
    }
}

/// A flat JSON map of the observed k-mers of every table, given with its k.
pub fn kmer_counts_json(tables: Vec<(u32, Vec<u64>)>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&KmerCounts(tables))
}

/// Reads a JSON map from k-mers to counts; none if it is anything else.
///
/// A fold reads up to 4^8 entries a slice: a JSON reader for all purposes takes twice as long.
fn read_kmer_counts(json: &[u8], mut take: impl FnMut(Bases, u64)) -> Option<()> {
    let mut rest = json.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    if rest == b"}" {
        return Some(());
    }
    let mut length = 0;
    loop {
        let key = rest.strip_prefix(b"\"")?;
        let of_length = |length| match key.get(length)? {
            b'"' => Bases::from_text(&key[..length]),
            _ => None,
        };
        // Most keys are as long as the one before.
        let kmer = of_length(length).or_else(|| (0..=MAX_K as usize).find_map(of_length))?;
        length = kmer.length as usize;
        let value = key[length + 1..].trim_ascii_start().strip_prefix(b":")?;
        let (count, after) = read_number(value.trim_ascii_start())?;
        take(kmer, count);
        rest = after.trim_ascii_start();
        if rest == b"}" {
            return Some(());
        }
        rest = rest.strip_prefix(b",")?.trim_ascii_start();
    }
}

/// A number of decimal digits, and what follows it.
///
/// In one pass: the processor mispredicts the end of a number each time that it is looked for.
fn read_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let (first, mut rest) = text.split_first()?;
    let mut number = digit(first)?;
    while let Some((byte, after)) = rest.split_first()
        && let Some(digit) = digit(byte)
    {
        number = number.checked_mul(10)?.checked_add(digit)?;
        rest = after;
    }
    Some((number, rest))
}

/// Why forms can't be read.
#[derive(Debug)]
pub enum Unreadable {
    Damaged(String),
    OutOfMemory,
}

impl<T: Into<String>> From<T> for Unreadable {
    fn from(message: T) -> Self {
        Self::Damaged(message.into())
    }
}

fn copied(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Unreadable::OutOfMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

impl Summary {
    /// What a merge needs, but for the k-mers and the rows.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Form {
            k: self.ks().small,
            large_k: self.ks().large,
            bytes: self.bytes,
            lead: self.lead.clone(),
            text: TextForm::of(&self.text, end_byte(&self.lead, self.bytes)),
        })
    }

    /// The observed k-mers of every k listed, and of the largest, which a merge needs.
    pub fn kmer_counts_json(&self, ks: &[u32]) -> serde_json::Result<Vec<u8>> {
        let dense = &self.text.dense;
        // The runs that are open end here, as far as this text goes.
        let run_ends = &self.text.run_ends_so_far();
        let largest = dense.k.get();
        let smaller = ks.iter().copied().filter(|k| *k < largest);
        let tables = smaller
            .chain([largest])
            .map(|k| (k, dense.counts(run_ends, k)));
        kmer_counts_json(tables.collect())
    }

    /// The rows of records and of gaps: the number of bytes of the first, then both.
    pub fn rows(&self) -> Result<Vec<u8>, TryReserveError> {
        let mut records = RecordBlock::default();
        for record in self.text.records.records() {
            records.push(&record)?;
        }
        let mut gaps = GapBlock::default();
        for gap in self.text.gaps.gaps() {
            gaps.push(gap)?;
        }
        let mut rows = Vec::new();
        rows.try_reserve_exact(varint::MAX_BYTES + records.bytes.len() + gaps.bytes.len())?;
        varint::write(&mut rows, records.bytes.len() as u64);
        rows.extend_from_slice(&records.bytes);
        rows.extend_from_slice(&gaps.bytes);
        Ok(rows)
    }

    /// The summary that was kept so.
    pub fn from_forms(
        json: &[u8],
        kmer_counts: &[u8],
        mut rows: &[u8],
    ) -> Result<Self, Unreadable> {
        let form: Form = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let end_byte = end_byte(&form.lead, form.bytes);
        let ks = Ks {
            small: form.k,
            large: form.large_k,
        };
        let mut text = form.text.text(ks, end_byte).ok_or(MISFIT)?;
        let dense = &mut text.dense;
        let mut kmers = 0_u64;
        read_kmer_counts(kmer_counts, |kmer, count| {
            if kmer.length == dense.k.get() {
                kmers = kmers.saturating_add(count);
                if kmers <= MAX_BYTES {
                    dense.add_kmer(kmer.code, count);
                }
            }
        })
        .ok_or("counts of k-mers that can't be read")?;
        let records =
            varint::read(&mut rows).and_then(|bytes| rows.split_at_checked(bytes as usize));
        let (records, gaps) = records.ok_or("rows that are cut off")?;
        let records = RecordBlock::from_bytes(copied(records)?);
        let gaps = GapBlock::from_bytes(copied(gaps)?);
        let range =
            bounds::text_range(&form.lead, text.front, form.bytes).ok_or("a lead that can't be")?;
        let read = bounds::Read {
            text: &text,
            kmers,
            records: &records,
            gaps: &gaps,
        };
        if !read.fits(&range) {
            return Err(MISFIT.into());
        }
        if !records.bytes.is_empty() {
            text.records = Records::leaf(records);
        }
        if !gaps.bytes.is_empty() {
            text.gaps = Gaps::leaf(gaps);
        }
        Ok(Self {
            bytes: form.bytes,
            lead: form.lead,
            text,
        })
    }
}

const MISFIT: &str = "numbers that don't fit each other";

/// Where a summary's text ends: an open lead has none, and it counts from 0.
fn end_byte(lead: &Lead, bytes: u64) -> u64 {
    match lead {
        Lead::Open { .. } => 0,
        Lead::Closed { .. } | Lead::Long { .. } => bytes,
    }
}

impl TextForm {
    fn of(text: &Text, end_byte: u64) -> Self {
        Self {
            front: match text.front {
                Front::LineStart => FrontForm::LineStart,
                Front::MidLine => FrontForm::MidLine {
                    end: text.line.left,
                },
            },
            state: text.state,
            waiting_crs: text.waiting_crs,
            line_start_byte: end_byte - text.line.right.bytes,
            line_not_graphic: text.line.right.bytes - text.line.right.graphic,
            header_line: text.header_line.clone(),
            fault: text.fault,
            first_residue: text.first_residue,
            comments: text.comments,
            head: text.record.left,
            part: text.record.right,
            open: text.open.clone(),
            headers: text.headers,
            closed: text.closed,
            left_gap: text.gap.left,
            gap: text.gap.right,
            left_run: text.run.left,
            run: text.run.right,
            run_lengths: text.run_lengths.clone(),
            run_ends: text.run_ends.clone(),
        }
    }

    /// None when its last line can't be.
    fn text(self, ks: Ks, end_byte: u64) -> Option<Text> {
        let front = match self.front {
            FrontForm::LineStart => Front::LineStart,
            FrontForm::MidLine { .. } => Front::MidLine,
        };
        let mut text = Text::new(ks, front);
        if let FrontForm::MidLine { end } = self.front {
            text.line.left = end;
        }
        let bytes = end_byte.checked_sub(self.line_start_byte)?;
        let graphic = bytes.checked_sub(self.line_not_graphic)?;
        text.line.right = Line { bytes, graphic };
        Some(Text {
            state: self.state,
            waiting_crs: self.waiting_crs,
            header_line: self.header_line,
            fault: self.fault,
            first_residue: self.first_residue,
            comments: self.comments,
            record: Ends {
                left: self.head,
                right: self.part,
            },
            open: self.open,
            headers: self.headers,
            closed: self.closed,
            gap: Ends {
                left: self.left_gap,
                right: self.gap,
            },
            run: Ends {
                left: self.left_run,
                right: self.run,
            },
            run_lengths: self.run_lengths,
            run_ends: self.run_ends,
            ..text
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Option<Vec<(String, u64)>> {
        let mut counts = Vec::new();
        read_kmer_counts(json.as_bytes(), |kmer, count| {
            counts.push((kmer.to_text(), count));
        })?;
        Some(counts)
    }

    #[test]
    fn counts_are_read_as_a_json_reader_reads_them() {
        for json in [
            "{}",
            " { } ",
            "{\"A\":1}",
            "{\n  \"ACGTACGT\": 18446744073709551615,\n  \"T\" : 0\n}",
        ] {
            let map: std::collections::BTreeMap<_, _> = serde_json::from_str(json).unwrap();
            assert_eq!(read(json), Some(map.into_iter().collect()), "{json}");
        }
    }

    proptest! {
        #[test]
        fn counts_are_read_in_any_order_and_with_any_space(
            entries in prop::collection::vec(
                ("[ACGT]{1,8}", prop_oneof![0..12_u64, any::<u64>()], "[ \n]{0,2}"),
                0..10,
            ),
        ) {
            let entry = |(kmer, count, space): &(String, u64, String)| {
                format!("{space}\"{kmer}\"{space}:{space}{count}{space}")
            };
            let json = format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","));
            let expected = entries.iter().map(|(kmer, count, _)| (kmer.clone(), *count));
            prop_assert_eq!(read(&json), Some(expected.collect()), "{}", json);
        }
    }

    #[test]
    fn what_is_no_map_of_counts_is_refused() {
        for json in [
            "",
            "{",
            "}",
            "[]",
            "{\"A\"}",
            "{\"A\":}",
            "{\"A\":-1}",
            "{\"A\":x1}",
            "{\"A\":1",
            "{\"A\":1,}",
            "{\"A\":1}x",
            "{\"N\":1}",
            "{\"ACGTACGTA\":1}",
            "{\"A\":18446744073709551616}",
            "{\"A\":1.5}",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
