//! The form in which a summary is kept: JSON that people can read, and rows in compact bytes.

use std::collections::TryReserveError;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::bases::{Bases, spell};
use crate::bounds::{self, MAX_BYTES};
use crate::composition::Composition;
use crate::dense::{MAX_K, RunEnds};
use crate::fault::Fault;
use crate::gaps::{GapBlock, Gaps};
use crate::geometry::Line;
use crate::lines::{Front, State, Text};
use crate::records::{Header, Part, RecordBlock, Records};
use crate::runs::{Run, RunLengths};
use crate::summary::{Lead, Summary};
use crate::tables::{from_printable, printable};
use crate::varint;

/// Everything that a merge needs, but the counts of k-mers and the rows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    k: u32,
    bytes: u64,
    lead: LeadForm,
    text: TextForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum LeadForm {
    Open { content: Raw, waiting_crs: u64 },
    Closed { content: Raw, waiting_crs: u64 },
    Long { first: Raw },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextForm {
    front: FrontForm,
    state: StateForm,
    waiting_crs: u64,
    line_start_byte: u64,
    line_not_graphic: u64,
    header_line: Raw,
    fault: Option<Fault>,
    first_residue: Option<(u64, u8)>,
    comments: u64,
    head: Option<Part>,
    part: Part,
    open: Option<HeaderForm>,
    headers: u64,
    closed: Composition,
    left_gap: Option<u64>,
    gap: u64,
    left_run: Option<RunForm>,
    run: RunForm,
    run_lengths: RunLengthsForm,
    run_ends: RunEndsForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum FrontForm {
    LineStart,
    MidLine { end: Option<Line> },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StateForm {
    LineStart,
    Header,
    Comment,
    Sequence,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderForm {
    start_byte: u64,
    end_byte: u64,
    name: Raw,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunForm {
    length_bases: u64,
    first: BasesForm,
    last: BasesForm,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunLengthsForm {
    runs: u64,
    bases: u64,
    short: Vec<u64>,
}

/// Bytes, as `tables::printable` shows them.
struct Raw(Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&printable(&self.0))
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = from_printable(&text).ok_or_else(|| D::Error::custom("a broken escape"))?;
        Ok(Self(bytes))
    }
}

struct BasesForm(Bases);

impl Serialize for BasesForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_text())
    }
}

impl<'de> Deserialize<'de> for BasesForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bases = Bases::from_text(text.as_bytes());
        bases
            .map(Self)
            .ok_or_else(|| D::Error::custom("not a text of bases"))
    }
}

/// A map from texts of bases to counts.
struct RunEndsForm(RunEnds);

impl Serialize for RunEndsForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.observed().map(|(end, count)| (end.to_text(), count)))
    }
}

impl<'de> Deserialize<'de> for RunEndsForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ends = RunEnds::default();
        let mut sum = 0_u64;
        deserializer.deserialize_map(BaseCounts(|end: Bases, count| {
            sum = sum.saturating_add(count);
            let fits = end.length < MAX_K && sum <= MAX_BYTES;
            if fits {
                ends.add_end(end, count);
            }
            fits
        }))?;
        Ok(Self(ends))
    }
}

/// Reads a map from texts of bases to counts; `take` says whether an entry may be.
struct BaseCounts<F>(F);

impl<'de, F: FnMut(Bases, u64) -> bool> Visitor<'de> for BaseCounts<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a map from texts of bases to counts")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((text, count)) = map.next_entry::<&[u8], u64>()? {
            let bases = Bases::from_text(text);
            if !bases.is_some_and(|bases| (self.0)(bases, count)) {
                return Err(A::Error::custom(format_args!(
                    "{} can't be here",
                    printable(text)
                )));
            }
        }
        Ok(())
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
        let text = &self.text;
        serde_json::to_vec(&Form {
            k: self.k(),
            bytes: self.bytes,
            lead: match &self.lead {
                Lead::Open {
                    content,
                    waiting_crs,
                } => LeadForm::Open {
                    content: Raw(content.clone()),
                    waiting_crs: *waiting_crs,
                },
                Lead::Closed {
                    content,
                    waiting_crs,
                } => LeadForm::Closed {
                    content: Raw(content.clone()),
                    waiting_crs: *waiting_crs,
                },
                Lead::Long { first } => LeadForm::Long {
                    first: Raw(first.to_vec()),
                },
            },
            text: TextForm {
                front: match text.front {
                    Front::LineStart => FrontForm::LineStart,
                    Front::MidLine(end) => FrontForm::MidLine { end },
                },
                state: match text.state {
                    State::LineStart => StateForm::LineStart,
                    State::Header => StateForm::Header,
                    State::Comment => StateForm::Comment,
                    State::Sequence => StateForm::Sequence,
                },
                waiting_crs: text.waiting_crs,
                line_start_byte: text.line_start_byte,
                line_not_graphic: text.line_not_graphic,
                header_line: Raw(text.header_line.clone()),
                fault: text.fault,
                first_residue: text.first_residue,
                comments: text.comments,
                head: text.head,
                part: text.part,
                open: text.open.as_ref().map(|open| HeaderForm {
                    start_byte: open.start_byte,
                    end_byte: open.end_byte,
                    name: Raw(open.name.clone()),
                }),
                headers: text.headers,
                closed: text.closed,
                left_gap: text.left_gap,
                gap: text.gap,
                left_run: text.left_run.as_ref().map(RunForm::of),
                run: RunForm::of(&text.run),
                run_lengths: RunLengthsForm {
                    runs: text.run_lengths.runs,
                    bases: text.run_lengths.bases,
                    short: text.run_lengths.short.clone(),
                },
                run_ends: RunEndsForm(text.run_ends.clone()),
            },
        })
    }

    /// The observed k-mers of every k listed, and of the largest, which a merge needs.
    pub fn kmer_counts_json(&self, ks: &[u32]) -> serde_json::Result<Vec<u8>> {
        let dense = &self.text.dense;
        // The runs that are open end here, as far as this text goes.
        let run_ends = &self.text.run_ends_so_far();
        let smaller = ks.iter().copied().filter(|k| *k < dense.k);
        let tables = smaller
            .chain([dense.k])
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
        if !(1..=MAX_K).contains(&form.k) {
            return Err(format!("k = {} can't be here", form.k).into());
        }
        let mut text = form.text.text(form.k).ok_or("runs that can't be")?;
        let dense = &mut text.dense;
        let mut kmers = 0_u64;
        read_kmer_counts(kmer_counts, |kmer, count| {
            if kmer.length == dense.k {
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
        let lead = form.lead.lead().ok_or("a lead that can't be")?;
        let range =
            bounds::text_range(&lead, text.front, form.bytes).ok_or("a lead that can't be")?;
        let read = bounds::Read {
            text: &text,
            kmers,
            records: &records,
            gaps: &gaps,
        };
        if !read.fits(&range) {
            return Err("numbers that don't fit each other".into());
        }
        if !records.bytes.is_empty() {
            text.records = Records::leaf(records);
        }
        if !gaps.bytes.is_empty() {
            text.gaps = Gaps::leaf(gaps);
        }
        Ok(Self {
            bytes: form.bytes,
            lead,
            text,
        })
    }
}

impl LeadForm {
    fn lead(self) -> Option<Lead> {
        Some(match self {
            Self::Open {
                content,
                waiting_crs,
            } => Lead::Open {
                content: content.0,
                waiting_crs,
            },
            Self::Closed {
                content,
                waiting_crs,
            } => Lead::Closed {
                content: content.0,
                waiting_crs,
            },
            Self::Long { first } => Lead::Long {
                first: first.0.try_into().ok()?,
            },
        })
    }
}

impl RunForm {
    fn of(run: &Run) -> Self {
        Self {
            length_bases: run.length_bases,
            first: BasesForm(run.first),
            last: BasesForm(run.last),
        }
    }

    fn run(&self, k: u32) -> Option<Run> {
        let run = Run {
            length_bases: self.length_bases,
            first: self.first.0,
            last: self.last.0,
        };
        let edge = u64::from(k - 1).min(run.length_bases) as u32;
        (run.first.length == edge && run.last.length == edge).then_some(run)
    }
}

impl TextForm {
    /// None when its runs can't be.
    fn text(self, k: u32) -> Option<Text> {
        let front = match self.front {
            FrontForm::LineStart => Front::LineStart,
            FrontForm::MidLine { end } => Front::MidLine(end),
        };
        let mut text = Text::new(k, front, self.line_start_byte);
        text.state = match self.state {
            StateForm::LineStart => State::LineStart,
            StateForm::Header => State::Header,
            StateForm::Comment => State::Comment,
            StateForm::Sequence => State::Sequence,
        };
        text.waiting_crs = self.waiting_crs;
        text.line_not_graphic = self.line_not_graphic;
        text.header_line = self.header_line.0;
        text.fault = self.fault;
        text.first_residue = self.first_residue;
        text.comments = self.comments;
        text.head = self.head;
        text.part = self.part;
        text.open = self.open.map(|open| Header {
            start_byte: open.start_byte,
            end_byte: open.end_byte,
            name: open.name.0,
        });
        text.headers = self.headers;
        text.closed = self.closed;
        text.left_gap = self.left_gap;
        text.gap = self.gap;
        text.left_run = match self.left_run {
            Some(run) => Some(run.run(k)?),
            None => None,
        };
        text.run = self.run.run(k)?;
        text.run_lengths = RunLengths {
            runs: self.run_lengths.runs,
            bases: self.run_lengths.bases,
            short: self.run_lengths.short,
        };
        text.run_ends = self.run_ends.0;
        Some(text)
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
