//! The one law, and the naive twin of the whole scan.

use proptest::prelude::*;

use crate::bases::Bases;
use crate::composition::{BYTES, Byte, Composition};
use crate::dense::{MAX_K, slots};
use crate::fault::{Fault, FaultKind};
use crate::findings::{FaidxIndex, Findings, Refusal};
use crate::lines::MAX_LINE_BYTES;
use crate::scanner::Scanner;
use crate::summary::Summary;

/// All that is told of an object.
#[derive(Debug, PartialEq)]
pub struct Told {
    composition: Composition,
    comments: u64,
    sequences: String,
    gaps: String,
    fai: String,
    index: FaidxIndex,
    empty: u64,
    repeated_names: u64,
    contigs: (u64, u64),
    counts: Vec<Vec<u64>>,
    kmers: Vec<u64>,
}

fn collect(
    write: impl FnOnce(&mut dyn FnMut(&mut Vec<u8>) -> Result<(), ()>) -> Result<(), ()>,
) -> String {
    let mut all = Vec::new();
    write(&mut |page| {
        all.extend_from_slice(page);
        Ok(())
    })
    .unwrap();
    crate::tables::printable(&all)
}

pub fn tell(summary: &Summary) -> Result<Told, Fault> {
    let findings = Findings::of(summary).map_err(|refusal| match refusal {
        Refusal::Fault(fault) => fault,
        Refusal::OutOfMemory => panic!("no memory for the rows"),
    })?;
    let k = findings.dense.k;
    Ok(Told {
        composition: findings.composition,
        comments: findings.comments,
        sequences: collect(|flush| findings.sequences_tsv(flush)),
        gaps: collect(|flush| findings.gaps_bed(flush)),
        fai: collect(|flush| findings.fai(flush)),
        index: findings.index.clone(),
        empty: findings.empty_records,
        repeated_names: findings.repeated_names,
        contigs: (findings.contigs.count, findings.contigs.sum),
        counts: (1..=k)
            .map(|k| findings.dense.counts(&findings.run_ends, k))
            .collect(),
        kmers: (1..=k).map(|k| findings.run_lengths.kmers(k)).collect(),
    })
}

pub fn scan(bytes: &[u8], k: u32) -> Summary {
    let mut scanner = Scanner::new(k);
    scanner.update(bytes);
    scanner.finish()
}

pub fn read_back(summary: &Summary) -> Summary {
    let counts = summary.kmer_counts_json(&[1]).unwrap();
    Summary::from_forms(
        &summary.to_json().unwrap(),
        &counts,
        &summary.rows().unwrap(),
    )
    .unwrap()
}

/// Merges neighbours until one is left, which of them as `choices` say.
fn merge_in_any_order(mut summaries: Vec<Summary>, choices: &[prop::sample::Index]) -> Summary {
    let mut choices = choices.iter().cycle();
    while summaries.len() > 1 {
        let at = choices
            .next()
            .map_or(0, |choice| choice.index(summaries.len() - 1));
        let right = summaries.remove(at + 1);
        summaries[at] = summaries[at].merge(&right);
    }
    summaries.remove(0)
}

fn cut(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| bytes[pair[0]..pair[1]].to_vec())
        .collect()
}

/// Text like FASTA, with everything that is hard about it.
pub fn fasta_like() -> impl Strategy<Value = Vec<u8>> {
    let residues = prop::collection::vec(prop::sample::select(b"ACGTacgtACGTNNn".to_vec()), 0..20);
    let odd = prop::collection::vec(
        prop::sample::select(b"ACGTNU-*x>;@ \t\r\x00\xff\xef".to_vec()),
        0..15,
    );
    let line = prop_oneof![
        4 => residues,
        1 => odd,
        2 => prop::sample::select(vec![&b">a"[..], b"> b x", b">", b">\xff", b">aaaaaaaaaaa", b">aaaaaaaaaaaa"])
            .prop_map(<[u8]>::to_vec),
        1 => prop::sample::select(vec![&b";"[..], b"; c", b";aaaaaaaaaaa", b";aaaaaaaaaaaa"])
            .prop_map(<[u8]>::to_vec),
        1 => Just(b"ACGTACGTAC".to_vec()),
        1 => Just(b"ACGTACGTACGTACGTACGTNNNNNNACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACG".to_vec()),
    ];
    let end = prop::sample::select(vec![
        &b"\n"[..],
        b"\n",
        b"\n",
        b"\r\n",
        b"\r\r\n",
        b"\n\n",
        b"\r",
    ]);
    let start = prop::sample::select(vec![
        &b""[..],
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\n",
        b">x\n",
        b">x\n",
    ]);
    let lines = prop::collection::vec((line, end), 0..12);
    let last = prop::sample::select(vec![&b""[..], b"", b"AC", b">", b"\r", b"GG\r\r"]);
    (start, lines, last).prop_map(|(start, lines, last)| {
        let lines = lines.iter().flat_map(|(line, end)| [line.as_slice(), end]);
        std::iter::once(start)
            .chain(lines)
            .chain(std::iter::once(last))
            .flatten()
            .copied()
            .collect()
    })
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

fn the_law_holds(
    bytes: &[u8],
    k: u32,
    cuts: &[prop::sample::Index],
    choices: &[prop::sample::Index],
) -> Result<(), TestCaseError> {
    let whole = tell(&scan(bytes, k));
    let slices = cut(bytes, cuts)
        .iter()
        .map(|slice| scan(slice, k))
        .collect();
    prop_assert_eq!(&tell(&merge_in_any_order(slices, choices)), &whole);
    let single_bytes = bytes
        .iter()
        .map(|byte| scan(&[*byte], k))
        .collect::<Vec<_>>();
    if !single_bytes.is_empty() {
        prop_assert_eq!(&tell(&merge_in_any_order(single_bytes, choices)), &whole);
    }
    let kept = cut(bytes, cuts)
        .iter()
        .map(|slice| read_back(&scan(slice, k)))
        .collect();
    let merged = read_back(&merge_in_any_order(kept, choices));
    prop_assert_eq!(&tell(&merged), &whole);
    let mut scanner = Scanner::new(k);
    cut(bytes, cuts)
        .iter()
        .for_each(|block| scanner.update(block));
    prop_assert_eq!(&tell(&scanner.finish()), &whole);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_cut_and_any_merge_tree_tell_the_same_of_text(
        bytes in fasta_like(),
        k in 1..=MAX_K,
        cuts in cuts(),
        choices in cuts(),
    ) {
        the_law_holds(&bytes, k, &cuts, &choices)?;
    }

    #[test]
    fn any_cut_and_any_merge_tree_tell_the_same_of_bytes(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b">;\r\nAN".to_vec())], 0..200),
        k in 1..=MAX_K,
        cuts in cuts(),
        choices in cuts(),
    ) {
        the_law_holds(&bytes, k, &cuts, &choices)?;
    }

    #[test]
    fn merging_leaves_its_arguments_alone(bytes in fasta_like(), at in any::<prop::sample::Index>()) {
        let (left, right) = bytes.split_at(at.index(bytes.len() + 1));
        let (left, right) = (scan(left, 3), scan(right, 3));
        let before = (tell(&left), tell(&right));
        let _ = left.merge(&right);
        prop_assert_eq!((tell(&left), tell(&right)), before);
    }

    #[test]
    fn nothing_is_the_neutral_element(bytes in fasta_like()) {
        let summary = scan(&bytes, 3);
        let nothing = Summary::new(3);
        prop_assert_eq!(tell(&summary.merge(&nothing)), tell(&summary));
        prop_assert_eq!(tell(&nothing.merge(&summary)), tell(&summary));
    }

    #[test]
    fn the_scan_does_as_its_naive_twin(bytes in fasta_like(), k in 1..=MAX_K) {
        let told = tell(&scan(&bytes, k));
        match (naive(&bytes, k), told) {
            (Err(expected), Err(fault)) => {
                prop_assert_eq!((fault.kind, fault.offset_byte), expected);
            }
            (Ok((sequences, gaps, composition, counts)), Ok(told)) => {
                prop_assert_eq!(told.sequences, crate::tables::printable(sequences.as_slice()));
                prop_assert_eq!(told.gaps, crate::tables::printable(gaps.as_slice()));
                prop_assert_eq!(told.composition, composition);
                for (index, counted) in told.kmers.iter().enumerate() {
                    prop_assert_eq!(*counted, told.counts[index].iter().sum::<u64>());
                }
                prop_assert_eq!(told.counts, counts);
            }
            (expected, told) => prop_assert!(false, "expected {:?}, told {:?}", expected, told),
        }
    }
}

type Naive = (Vec<u8>, Vec<u8>, Composition, Vec<Vec<u64>>);

/// Lines first, then one string a record: so simple that it is unlikely to be wrong.
fn naive(object: &[u8], k: u32) -> Result<Naive, (FaultKind, u64)> {
    if object.starts_with(b"\xff\xfe") || object.starts_with(b"\xfe\xff") {
        return Err((FaultKind::Utf16, 0));
    }
    let mark = if object.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let mut faults = Vec::new();
    let mut records: Vec<(Vec<u8>, usize, Vec<u8>)> = Vec::new();
    let mut start = mark;
    for piece in object[mark..].split_inclusive(|byte| *byte == b'\n') {
        let mut line = piece.strip_suffix(b"\n").unwrap_or(piece);
        while let Some(rest) = line.strip_suffix(b"\r") {
            line = rest;
        }
        if let Some(cr) = line.iter().position(|byte| *byte == b'\r') {
            faults.push((start + cr, FaultKind::BareCr));
        }
        let too_long = line.len() as u64 > MAX_LINE_BYTES;
        match line.first() {
            Some(b'>') => {
                if too_long {
                    faults.push((start, FaultKind::HeaderTooLong));
                }
                if let Some(nul) = line.iter().position(|byte| *byte == 0) {
                    faults.push((start + nul, FaultKind::NulInHeader));
                }
                let mut words = line[1..].split(|byte| b" \t\x0b\x0c\r".contains(byte));
                let name = words.find(|word| !word.is_empty()).unwrap_or_default();
                records.push((name.to_vec(), start, Vec::new()));
            }
            Some(b';') if too_long => faults.push((start, FaultKind::CommentTooLong)),
            Some(b';') | None => {}
            Some(_) => {
                for (index, byte) in line.iter().enumerate() {
                    match byte {
                        b' ' | b'\t' | b'\r' => {}
                        0x21..=0x7e => match records.last_mut() {
                            Some((_, _, residues)) => residues.push(*byte),
                            None if *byte == b'@' => faults.push((start + index, FaultKind::Fastq)),
                            None => faults.push((start + index, FaultKind::SequenceBeforeHeader)),
                        },
                        _ => faults.push((start + index, FaultKind::InvalidByte)),
                    }
                }
            }
        }
        start += piece.len();
    }
    if let Some(&(offset, kind)) = faults.iter().min_by_key(|(offset, kind)| (*offset, *kind)) {
        return Err((kind, offset as u64));
    }
    if records.is_empty() {
        let kind = if object.is_empty() {
            FaultKind::Empty
        } else {
            FaultKind::NoRecord
        };
        return Err((kind, 0));
    }
    let mut composition = Composition::default();
    let mut sequences = crate::tables::SEQUENCES_HEADER.to_vec();
    let mut gaps = Vec::new();
    let mut counts: Vec<_> = (1..=k).map(|k| vec![0; slots(k)]).collect();
    for (name, start, residues) in &records {
        let count = |letters: &[u8]| {
            residues
                .iter()
                .filter(|byte| letters.contains(&byte.to_ascii_uppercase()))
                .count()
        };
        let (a, c, g, t, n) = (
            count(b"A"),
            count(b"C"),
            count(b"G"),
            count(b"T"),
            count(b"N"),
        );
        let lowercase = residues
            .iter()
            .filter(|byte| byte.is_ascii_lowercase())
            .count();
        let percent = match a + c + g + t {
            0 => String::new(),
            acgt => {
                let (scaled, rest) = (100_000 * (g + c) / acgt, 100_000 * (g + c) % acgt);
                let up = 2 * rest > acgt || (2 * rest == acgt && scaled % 2 == 1);
                let rounded = scaled + usize::from(up);
                format!("{}.{:03}", rounded / 1000, rounded % 1000)
            }
        };
        let other = residues.len() - a - c - g - t - n;
        sequences.extend_from_slice(name);
        sequences.extend_from_slice(
            format!(
                "\t{}\t{a}\t{c}\t{g}\t{t}\t{n}\t{other}\t{lowercase}\t{percent}\t{start}\n",
                residues.len()
            )
            .as_bytes(),
        );
        for byte in residues {
            match (BYTES[usize::from(*byte)], byte.to_ascii_uppercase()) {
                (Byte::Base, b'A') => composition.a += 1,
                (Byte::Base, b'C') => composition.c += 1,
                (Byte::Base, b'G') => composition.g += 1,
                (Byte::Base, _) => composition.t += 1,
                (kind, _) => {
                    composition.add_residue(kind, *byte);
                    composition.lowercase -= u64::from(byte.is_ascii_lowercase());
                }
            }
            composition.lowercase += u64::from(byte.is_ascii_lowercase());
        }
        let upper = residues.to_ascii_uppercase();
        let mut base = 0;
        for run in upper.chunk_by(|one, other| (*one == b'N') == (*other == b'N')) {
            if run[0] == b'N' {
                gaps.extend_from_slice(name);
                gaps.extend_from_slice(format!("\t{base}\t{}\n", base + run.len()).as_bytes());
            }
            base += run.len();
        }
        for (index, counts) in counts.iter_mut().enumerate() {
            for window in upper.windows(index + 1) {
                if let Some(bases) = Bases::from_text(window) {
                    counts[bases.code as usize] += 1;
                }
            }
        }
    }
    Ok((sequences, gaps, composition, counts))
}
