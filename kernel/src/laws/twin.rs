//! All that a summary tells, to compare it with another's; and the naive twin of the whole scan.

use crate::bases::Bases;
use crate::dense::{SmallK, slots};
use crate::fault::{Fault, FaultKind};
use crate::findings::{FaidxIndex, Findings, Refusal};
use crate::ks::Ks;
use crate::scanner::Scanner;
use crate::summary::Summary;
use crate::text::MAX_LINE_BYTES;
use crate::text::composition::{BYTES, Byte, Composition};

/// All that is told of an object.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub composition: Composition,
    pub comments: u64,
    pub sequences: String,
    pub gaps: String,
    pub fai: String,
    pub index: FaidxIndex,
    pub empty: u64,
    pub repeated_names: u64,
    pub length: u64,
    pub gap_length: u64,
    pub record_count: u64,
    pub counts: Vec<Vec<u64>>,
    pub kmers: Vec<u64>,
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
    crate::rows::tables::printable(&all)
}

pub fn tell(summary: &Summary) -> Result<Told, Fault> {
    let findings = Findings::of(summary).map_err(|refusal| match refusal {
        Refusal::Fault(fault) => fault,
        Refusal::OutOfMemory => panic!("no memory for the rows"),
    })?;
    let k = findings.dense.k.get();
    Ok(Told {
        composition: findings.composition,
        comments: findings.comments,
        sequences: collect(|flush| findings.sequences_tsv(flush)),
        gaps: collect(|flush| findings.gaps_bed(flush)),
        fai: collect(|flush| findings.fai(flush)),
        index: findings.index.clone(),
        empty: findings.empty_records,
        repeated_names: findings.repeated_names,
        length: findings.length,
        gap_length: findings.gap_length,
        record_count: findings.record_count,
        counts: (1..=k)
            .map(|k| findings.dense.counts(&findings.run_ends, k))
            .collect(),
        kmers: (1..=k).map(|k| findings.run_lengths.kmers(k)).collect(),
    })
}

/// K-mers up to `k`, and no larger ones.
pub fn small_ks(k: u32) -> Ks {
    SmallK::try_from(k).expect("it is small").into()
}

pub fn scan(bytes: &[u8], k: u32) -> Summary {
    let mut scanner = Scanner::new(small_ks(k));
    scanner.update(bytes);
    scanner.finish().0
}

/// What is read of a summary that was kept.
pub fn read_back(summary: &Summary) -> Summary {
    let counts = summary.kmer_counts_json(&[1]).unwrap();
    Summary::from_forms(
        &summary.to_json().unwrap(),
        &counts,
        &summary.rows().unwrap(),
    )
    .unwrap()
}

pub type Naive = (Vec<u8>, Vec<u8>, Composition, Vec<Vec<u64>>);

/// A record's name, where it starts, and its residues.
pub type NaiveRecord = (Vec<u8>, usize, Vec<u8>);

/// Lines first, then one string a record: so simple that it is unlikely to be wrong.
pub fn naive_records(object: &[u8]) -> Result<Vec<NaiveRecord>, (FaultKind, u64)> {
    if object.starts_with(b"\xff\xfe") || object.starts_with(b"\xfe\xff") {
        return Err((FaultKind::Utf16, 0));
    }
    let mark = if object.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let mut faults = Vec::new();
    let mut records: Vec<NaiveRecord> = Vec::new();
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
    Ok(records)
}

/// What the records tell.
pub fn naive(object: &[u8], k: u32) -> Result<Naive, (FaultKind, u64)> {
    let records = naive_records(object)?;
    let mut composition = Composition::default();
    let mut sequences = crate::rows::tables::SEQUENCES_HEADER.to_vec();
    let mut gaps = Vec::new();
    let mut counts: Vec<_> = (1..=k).map(|k| vec![0; slots(k)]).collect();
    for (name, start, residues) in &records {
        let count = |letters: &[u8]| {
            residues
                .iter()
                .filter(|byte| letters.contains(&byte.to_ascii_uppercase()))
                .count()
        };
        let (a, c, g, t, n, u) = (
            count(b"A"),
            count(b"C"),
            count(b"G"),
            count(b"T"),
            count(b"N"),
            count(b"U"),
        );
        let lowercase = residues
            .iter()
            .filter(|byte| byte.is_ascii_lowercase())
            .count();
        let percent = match a + c + g + t + u {
            0 => String::new(),
            acgtu => {
                let (scaled, rest) = (100_000 * (g + c) / acgtu, 100_000 * (g + c) % acgtu);
                let up = 2 * rest > acgtu || (2 * rest == acgtu && scaled % 2 == 1);
                let rounded = scaled + usize::from(up);
                format!("{}.{:03}", rounded / 1000, rounded % 1000)
            }
        };
        let other = residues.len() - a - c - g - t - n;
        sequences.extend_from_slice(name);
        sequences.extend_from_slice(
            format!(
                "\t{}\t{a}\t{c}\t{g}\t{t}\t{n}\t{other}\t{lowercase}\t{percent}\t{start}\t{u}\n",
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
