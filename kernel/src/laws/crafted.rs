//! Kept forms that nobody wrote: they are refused, or what is read merges and reports.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::bounds::MAX_BYTES;
use crate::laws::cuts::fasta_like;
use crate::laws::twin::{read_back, scan, small_ks, tell};
use crate::rows::varint;
use crate::summary::Summary;

/// State, counts of k-mers, rows.
type Forms = [Vec<u8>; 3];

fn forms(summary: &Summary) -> Forms {
    [
        summary.to_json().unwrap(),
        summary.kmer_counts_json(&[]).unwrap(),
        summary.rows().unwrap(),
    ]
}

fn read([state, counts, rows]: &Forms) -> Option<Summary> {
    Summary::from_forms(state, counts, rows).ok()
}

/// Does all that is done with a summary that was read.
fn use_up(summary: &Summary) {
    let composition = summary.text.composition();
    assert!(composition.gc() <= composition.acgt());
    let _ = tell(summary);
    let _ = tell(&read_back(summary));
}

/// Merges with neighbours on both sides, and with itself.
fn merge_and_use_up(summary: &Summary, neighbours: &[Summary]) {
    use_up(summary);
    use_up(&summary.merge(summary));
    for neighbour in neighbours {
        let right = summary.merge(neighbour);
        use_up(&right);
        use_up(&neighbour.merge(summary));
        use_up(&neighbour.merge(&right));
    }
}

/// One change to forms, of which the JSONs are 0 and 1.
#[derive(Clone, Debug)]
enum Change {
    /// A number becomes another.
    Number(usize, Index, u64),
    /// A number of the state becomes what another one is.
    SameNumber(Index, Index),
    /// A word of the state becomes another.
    Word(Index, &'static str),
    /// A number is written over a byte of the rows.
    Row(Index, u64),
    Byte(usize, Index, u8),
    Cut(usize, Index),
    Double(usize, Index, usize),
    /// A form goes on as that of another summary does.
    Splice(usize, Index),
}

const WORDS: [&str; 12] = [
    "\"line-start\"",
    "\"header\"",
    "\"comment\"",
    "\"sequence\"",
    "\"mid-line\"",
    "\"open\"",
    "\"closed\"",
    "\"long\"",
    "null",
    "true",
    "false",
    "\"refused\"",
];

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..40_u64,
        1 => prop::sample::select(vec![1 << 50, MAX_BYTES + 1, u64::MAX / 2, 1 << 63, u64::MAX]),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = any::<Index>;
    let change = prop_oneof![
        6 => (0..2_usize, index(), numbers())
            .prop_map(|(form, at, number)| Change::Number(form, at, number)),
        2 => (index(), index()).prop_map(|(at, from)| Change::SameNumber(at, from)),
        2 => (index(), prop::sample::select(&WORDS)).prop_map(|(at, word)| Change::Word(at, word)),
        3 => (index(), numbers()).prop_map(|(at, number)| Change::Row(at, number)),
        1 => (0..3_usize, index(), any::<u8>())
            .prop_map(|(form, at, byte)| Change::Byte(form, at, byte)),
        1 => (0..3_usize, index()).prop_map(|(form, at)| Change::Cut(form, at)),
        1 => (0..3_usize, index(), 1..9_usize)
            .prop_map(|(form, at, bytes)| Change::Double(form, at, bytes)),
        1 => (0..3_usize, index()).prop_map(|(form, at)| Change::Splice(form, at)),
    ];
    prop::collection::vec(change, 1..4)
}

/// Where the numbers of the JSON stand.
fn numbers_of(json: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    for chunk in json.chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit()) {
        if chunk[0].is_ascii_digit() {
            ranges.push(at..at + chunk.len());
        }
        at += chunk.len();
    }
    ranges
}

/// Changes forms; none where there is nothing to change.
fn change(forms: &mut Forms, change: &Change, other: &Forms) -> Option<()> {
    let pick = |at: &Index, length: usize| (length > 0).then(|| at.index(length));
    match change {
        Change::Number(form, at, number) => {
            let ranges = numbers_of(&forms[*form]);
            let range = ranges[pick(at, ranges.len())?].clone();
            forms[*form].splice(range, number.to_string().into_bytes());
        }
        Change::SameNumber(at, from) => {
            let ranges = numbers_of(&forms[0]);
            let from = ranges[pick(from, ranges.len())?].clone();
            let range = ranges[pick(at, ranges.len())?].clone();
            let number = forms[0][from].to_vec();
            forms[0].splice(range, number);
        }
        Change::Word(at, word) => {
            let json = String::from_utf8(forms[0].clone()).ok()?;
            let matches = WORDS.iter().flat_map(|old| json.match_indices(old));
            let found: Vec<_> = matches.collect();
            let (start, old) = found[pick(at, found.len())?];
            forms[0].splice(start..start + old.len(), word.bytes());
        }
        Change::Row(at, number) => {
            let at = pick(at, forms[2].len())?;
            let mut bytes = Vec::new();
            varint::write(&mut bytes, *number);
            forms[2].splice(at..=at, bytes);
        }
        Change::Byte(form, at, byte) => {
            let form = &mut forms[*form];
            let at = pick(at, form.len())?;
            form[at] = *byte;
        }
        Change::Cut(form, at) => {
            let form = &mut forms[*form];
            form.truncate(pick(at, form.len())?);
        }
        Change::Double(form, at, bytes) => {
            let form = &mut forms[*form];
            let at = pick(at, form.len())?;
            let piece = form[at..form.len().min(at + bytes)].to_vec();
            form.splice(at..at, piece);
        }
        Change::Splice(form, at) => {
            let (form, other) = (&mut forms[*form], &other[*form]);
            form.truncate(pick(at, form.len())?);
            form.extend_from_slice(&other[pick(at, other.len())?..]);
        }
    }
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn altered_forms_are_refused_or_merge_and_report(
        text in fasta_like(),
        neighbours in prop::array::uniform2(fasta_like()),
        is_merged: bool,
        k in 1..=4_u32,
        changes in changes(),
    ) {
        let neighbours = neighbours.map(|text| scan(&text, k));
        let summary = scan(&text, k);
        let mut altered = forms(&if is_merged { neighbours[1].merge(&summary) } else { summary });
        for each in &changes {
            change(&mut altered, each, &forms(&neighbours[0]));
        }
        if let Some(summary) = read(&altered).filter(|summary| summary.ks() == small_ks(k)) {
            merge_and_use_up(&summary, &neighbours);
        }
    }
}

const HUGE: &str = "18446744073709551615";

/// Asserts that each change of one place of the state or the counts of k-mers is refused.
fn assert_refused(text: &[u8], changes: &[(&str, &str)]) {
    let forms = forms(&scan(text, 4));
    assert!(read(&forms).is_some());
    for (old, new) in changes {
        let mut altered = forms.clone();
        let mut places = 0;
        for form in &mut altered[..2] {
            let json = std::str::from_utf8(form).unwrap();
            places += json.matches(old).count();
            *form = json.replace(old, new).into_bytes();
        }
        assert_eq!(places, 1, "{old}");
        assert!(read(&altered).is_none(), "{old} to {new}");
    }
}

#[test]
fn numbers_that_do_not_fit_each_other_are_refused() {
    assert_refused(
        b"AC\nNNAC\n>a\nACGTNNAC\nACNN\n>b\nNNACN\n;c\nACGTN\r",
        &[
            // More than there are bytes, or than sums may be.
            ("\"bytes\":43", "\"bytes\":72057594037927937"),
            ("\"comments\":1", "\"comments\":44"),
            ("\"closed\":{\"a\":3", &format!("\"closed\":{{\"a\":{HUGE}")),
            ("\"closed\":{\"a\":3", "\"closed\":{\"a\":40"),
            ("\"a\":2,", &format!("\"a\":{HUGE},")),
            // The lead.
            ("\"content\":\"AC\"", "\"content\":\"A\\u000aC\""),
            ("\"content\":\"AC\"", "\"content\":\"AC\\\\x0d\""),
            ("\"content\":\"AC\"", "\"content\":\"ACGTACGTACGTACGT\""),
            ("\"waiting_crs\":0", "\"waiting_crs\":41"),
            ("\"closed\":{\"content\"", "\"open\":{\"content\""),
            (
                "{\"closed\":{\"content\":\"AC\",\"waiting_crs\":0}}",
                "{\"long\":{\"first\":\"ACGT\"}}",
            ),
            // The last line.
            ("\"line_start_byte\":37", "\"line_start_byte\":44"),
            ("\"line_start_byte\":37", "\"line_start_byte\":2"),
            ("\"line_not_graphic\":1", "\"line_not_graphic\":7"),
            ("\"waiting_crs\":1", "\"waiting_crs\":2"),
            ("\"state\":\"sequence\"", "\"state\":\"line-start\""),
            ("\"state\":\"sequence\"", "\"state\":\"header\""),
            ("\"header_line\":\"\"", "\"header_line\":\">\""),
            // Where records stand.
            ("\"start_byte\":25", "\"start_byte\":22"),
            ("\"end_byte\":28", "\"end_byte\":25"),
            ("\"end_byte\":28", "\"end_byte\":31"),
            ("\"name\":\"b\"", "\"name\":\"a\\\\x0ab\""),
            ("\"name\":\"b\"", "\"name\":\"bbb\""),
            ("\"headers\":2", "\"headers\":1"),
            ("\"headers\":2", "\"headers\":3"),
            ("\"headers\":2", "\"headers\":67108864"),
            // Graphic characters.
            ("{\"bytes\":5,\"graphic\":5}", "{\"bytes\":5,\"graphic\":6}"),
            (
                "{\"bytes\":5,\"graphic\":5}",
                "{\"bytes\":44,\"graphic\":5}",
            ),
            ("\"graphic\":7", "\"graphic\":10"),
            ("\"graphic\":7", "\"graphic\":4"),
            ("\"graphic\":4},\"part\"", "\"graphic\":3},\"part\""),
            // Gaps.
            ("\"left_gap\":2", "\"left_gap\":5"),
            ("\"left_gap\":2", "\"left_gap\":null"),
            ("\"gap\":1", "\"gap\":6"),
            ("\"gap\":1", "\"gap\":11"),
            // Runs of bases.
            ("\"runs\":5", "\"runs\":6"),
            ("\"bases\":16", "\"bases\":11"),
            ("\"bases\":16", "\"bases\":41"),
            ("\"short\":[0,2]", "\"short\":[0,6]"),
            ("\"short\":[0,2]", &format!("\"short\":[{HUGE},{HUGE}]")),
            ("\"short\":[0,2]", "\"short\":[2]"),
            ("\"AC\":2", "\"AC\":3"),
            ("\"AC\":2", &format!("\"AC\":{HUGE},\"AC\":{HUGE}")),
            ("\"CAC\":1", "\"CACA\":1"),
            ("\"ACAC\":1", "\"ACAC\":3"),
            ("\"ACAC\":1", &format!("\"ACAC\":{HUGE},\"ACAC\":{HUGE}")),
            // Places of faults.
            ("\"first_residue\":[3,78]", "\"first_residue\":[43,78]"),
            ("\"first_residue\":[3,78]", "\"first_residue\":null"),
            (
                "\"fault\":null",
                "\"fault\":{\"offset_byte\":43,\"kind\":\"bare-cr\",\"byte\":13}",
            ),
        ],
    );
    assert_refused(
        b"\n>a\n>header",
        &[
            (
                "\"header_line\":\">header\"",
                "\"header_line\":\">headers\"",
            ),
            ("\"end_byte\":0", &format!("\"end_byte\":{HUGE}")),
            ("\"line_start_byte\":4", "\"line_start_byte\":3"),
            ("\"state\":\"header\"", "\"state\":\"sequence\""),
        ],
    );
    assert_refused(
        b"ACGTACGTACGTACGTACGT\nAC",
        &[
            ("\"first\":\"ACGT\"", "\"first\":\"\\u000a>ab\""),
            ("\"bytes\":16,\"graphic\":16", "\"bytes\":16,\"graphic\":17"),
            ("\"bytes\":16,\"graphic\":16", "\"bytes\":24,\"graphic\":16"),
            (
                "{\"mid-line\":{\"end\":{\"bytes\":16,\"graphic\":16}}}",
                "\"line-start\"",
            ),
            ("{\"bytes\":16,\"graphic\":16}", "null"),
        ],
    );
}

#[test]
fn rows_that_do_not_fit_their_summary_are_refused() {
    let [state, counts, rows] = forms(&scan(b"AN\nNA\n>a\nANNA\n>b\n>c\nANA\n", 4));
    let is_read = |rows: &[u8]| Summary::from_forms(&state, &counts, rows).is_ok();
    let a = [6, 3, 1, b'a', 2, 0, 0, 0, 2, 0, 0, 5, 0, 0];
    let b = [8, 3, 1, b'b', 0, 0, 0, 0, 0, 0, 0, 0];
    let gaps = [[1, 1, 2], [2, 1, 1]];
    assert_eq!(rows, [&[26], &a[..], &b, gaps.as_flattened()].concat());
    assert!(is_read(&rows));
    for (at, byte, what) in [
        (1, 4, "a header before the end of the line before it"),
        (1, 7, "residues that reach into the next header"),
        (2, 1, "a name longer than its header"),
        (3, 100, "a name that is cut off"),
        (4, b'\n', "a name of two lines"),
        (5, 4, "more residues than bytes"),
        (13, 5, "more bases than bytes in a line"),
        (14, 10, "lines longer than the record"),
        (27, 0, "a gap in that of the left end"),
        (27, 5, "a gap of no record"),
        (28, 3, "a gap behind its record"),
        (29, 4, "a gap longer than its record"),
        (29, 0, "an empty gap"),
        (30, 1, "a gap of an empty record"),
        (32, 3, "a gap longer than the open record"),
        (32, 128, "a gap that is cut off"),
    ] {
        let mut altered = rows.clone();
        altered[at] = byte;
        assert!(!is_read(&altered), "{what}");
    }
    for end in 0..27 {
        assert!(!is_read(&rows[..end]), "{end} bytes");
    }
}
