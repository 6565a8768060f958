//! The law for packed text: however an object is cut, its slices' packed text and what merges pack
//! have each large k-mer of it once.

use proptest::prelude::*;

use crate::findings::Findings;
use crate::kmers::codes::Question;
use crate::kmers::text::Blocks;
use crate::kmers::twin::naive;
use crate::ks::{Ks, LargeKs, MAX_LARGE_K, MIN_LARGE_K};
use crate::laws::cuts::{cut, cuts, fasta_like, merge_in_any_order};
use crate::laws::twin::{naive_records, read_back};
use crate::scanner::Scanner;
use crate::summary::Summary;

fn scan(bytes: &[u8], ks: Ks) -> (Summary, Blocks) {
    let mut scanner = Scanner::new(ks);
    scanner.update(bytes);
    scanner.finish()
}

/// The maximal runs of bases, as codes.
fn runs_of(object: &[u8]) -> Option<Vec<Vec<u8>>> {
    let records = naive_records(object).ok()?;
    let code = |byte: &u8| {
        b"ACGT"
            .iter()
            .position(|base| *base == byte.to_ascii_uppercase())
    };
    let runs = records.iter().flat_map(|(_, _, residues)| {
        let stretches =
            residues.chunk_by(|one, other| code(one).is_some() == code(other).is_some());
        stretches.map(|run| run.iter().filter_map(code).map(|code| code as u8).collect())
    });
    Some(runs.collect())
}

fn codes_of(blocks: &[Blocks], question: Question) -> Vec<u64> {
    let mut all = Vec::new();
    for text in blocks.iter().flat_map(|blocks| &blocks.0) {
        for (piece, words) in text.iter() {
            for (window, starts) in question.windows(piece, words) {
                all.extend(starts.map(|base| window.code(base)));
            }
        }
    }
    all.sort_unstable();
    all
}

fn every_kmer_is_packed_once(
    object: &[u8],
    ks: Ks,
    slices: &[Vec<u8>],
    choices: &[prop::sample::Index],
    are_kept: bool,
) -> Result<(), TestCaseError> {
    let (Some(runs), Some(large)) = (runs_of(object), ks.large) else {
        return Ok(());
    };
    let (summaries, mut packed): (Vec<_>, Vec<_>) =
        slices.iter().map(|slice| scan(slice, ks)).unzip();
    let summaries = summaries
        .into_iter()
        .map(|summary| {
            if are_kept {
                read_back(&summary)
            } else {
                summary
            }
        })
        .collect();
    let findings = Findings::of(&merge_in_any_order(summaries, choices)).expect("it is FASTA");
    packed.extend(findings.packed.iter().map(|(blocks, ())| blocks.clone()));
    for k in [large.least, large.least.midpoint(large.most), large.most] {
        for canonical in [false, true] {
            let question = Question { k, canonical };
            let expected = naive(&runs, question);
            let expected: Vec<_> = expected
                .iter()
                .flat_map(|(code, count)| std::iter::repeat_n(*code, *count as usize))
                .collect();
            prop_assert_eq!(findings.run_lengths.kmers(k), expected.len() as u64);
            prop_assert_eq!(codes_of(&packed, question), expected);
        }
    }
    for k in 1..=ks.small.get() {
        let expected = naive(
            &runs,
            Question {
                k,
                canonical: false,
            },
        );
        let counts = findings.dense.counts(&findings.run_ends, k);
        let found = (0_u64..).zip(counts).filter(|(_, count)| *count > 0);
        prop_assert_eq!(
            found.collect::<std::collections::BTreeMap<_, _>>(),
            expected
        );
    }
    Ok(())
}

fn ks() -> impl Strategy<Value = Ks> {
    let large = (MIN_LARGE_K..=MAX_LARGE_K, MIN_LARGE_K..=MAX_LARGE_K);
    (1..=8_u32, large).prop_map(|(small, (one, other))| Ks {
        small: small.try_into().expect("it is small"),
        large: Some(LargeKs {
            least: one.min(other),
            most: one.max(other),
        }),
    })
}

/// Records of long lines, which no cut or line end breaks into less than a k-mer each.
fn long_lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::collection::vec(
        prop::sample::select(b"ACGTACGTACGTACGTACGTacgtN".to_vec()),
        0..90,
    );
    prop::collection::vec(line, 1..6)
        .prop_map(|lines| [b">x\n".to_vec(), lines.join(&b'\n')].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_large_kmer_is_packed_once_at_any_cut(
        object in prop_oneof![fasta_like(), long_lines()],
        ks in ks(),
        cuts in cuts(),
        choices in cuts(),
        are_kept: bool,
    ) {
        every_kmer_is_packed_once(&object, ks, &cut(&object, &cuts), &choices, are_kept)?;
    }

    #[test]
    fn every_large_kmer_is_packed_once_in_slices_of_a_byte(
        object in prop_oneof![fasta_like(), long_lines()],
        ks in ks(),
        choices in cuts(),
    ) {
        let slices: Vec<_> = object.iter().map(|byte| vec![*byte]).collect();
        if !slices.is_empty() {
            every_kmer_is_packed_once(&object, ks, &slices, &choices, false)?;
        }
    }
}

/// A stretch is full at 4,096 bases: what it carries on is not counted again.
#[test]
fn stretches_in_a_row_count_each_kmer_once() {
    let mut state = 1_u64;
    let bases: Vec<u8> = (0..30_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            b"ACGT"[(state >> 60) as usize % 4]
        })
        .collect();
    let object = [b">x\n", bases.as_slice()].concat();
    for small in 1..=8_u32 {
        let ks = Ks {
            small: small.try_into().unwrap(),
            large: Some(LargeKs {
                least: 9 + small,
                most: 32 - small,
            }),
        };
        let slices = [object[..12_345].to_vec(), object[12_345..].to_vec()];
        every_kmer_is_packed_once(&object, ks, &slices, &[], true).unwrap();
    }
}
